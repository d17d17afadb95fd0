//! The shapes of a search: what it asks for, and from where.

use clientele::grpc::pb::{self, SearchCustomersRequest as Request};

use super::fill::Filled;
use crate::{search_customers::query, world::Client};

/// A search.
pub struct Shape {
    pub name: String,
    pub client: Client,
    pub request: Request,
    /// The page that is looked at.
    pub page: usize,
    /// Of how many unions the statement is: the account's own customers, all below it, and those of each account above.
    pub arms: u64,
    pub limit: Limit,
}

/// The most rows that it reads.
pub enum Limit {
    /// Those of a page, of each arm of the statement.
    Page,
    /// So many more than for a page.
    Own { rows: fn(&Filled) -> u64, reason: &'static str },
}

fn tags(any_of: &[&str]) -> Request {
    let any_of = any_of.iter().map(ToString::to_string).collect();
    Request { tags: Some(pb::TagFilter { any_of, ..Default::default() }), ..query("") }
}

fn labels(key: &str, value: &str) -> Request {
    Request { labels: [(key.to_owned(), value.to_owned())].into(), ..query("") }
}

/// From so many minutes ago on, for so long.
fn minutes(ago: i64, long: i64) -> Option<pb::TimeRange> {
    let now = i64::try_from(crate::world::now()).unwrap();
    let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    Some(pb::TimeRange { start_time: at(now - ago * 60), end_time: at(now - (ago - long) * 60) })
}

/// Filters, with their names.
fn filters(filled: &Filled) -> Vec<(&'static str, Request)> {
    vec![
        ("PENDING", Request { statuses: vec![pb::CustomerStatus::Pending.into()], ..query("") }),
        ("archived", Request { archived: pb::ArchivedFilter::Only.into(), ..query("") }),
        ("rare label", labels("tier", "platinum")),
        ("middle label", labels("tier", "silver")),
        ("common label", labels("segment", "smb")),
        ("label of none", labels("tier", "iron")),
        ("branch", Request { branch_id: filled.branch.clone(), ..query("") }),
        ("empty branch", Request { branch_id: filled.empty_branch.clone(), ..query("") }),
        ("sales person", Request { sales_person_id: filled.sales_person.clone(), ..query("") }),
        ("rare tag", tags(&["rare"])),
        ("middle tag", tags(&["middle"])),
        ("common tag", tags(&["common"])),
        ("tag of none", tags(&["none"])),
        ("two tags", tags(&["rare", "common"])),
        ("rare type", Request { types: vec![pb::CustomerType::Personal.into()], ..query("") }),
        ("common type", Request { types: vec![pb::CustomerType::Business.into()], ..query("") }),
        ("rare class", Request { service_classes: vec![pb::ServiceClass::Residential.into()], ..query("") }),
        ("reach", Request { reach: pb::Reach::Fleet.into(), ..query("") }),
        ("rare origin", Request { origins: vec![pb::Origin::Marketplace.into()], ..query("") }),
        ("rare country", Request { countries: vec!["Mali".to_owned()], ..query("") }),
        ("two countries", Request { countries: vec!["Mali".to_owned(), "Nowhere".to_owned()], ..query("") }),
        ("created in an hour", Request { created: minutes(90_000, 60), ..query("") }),
        ("created in two months", Request { created: minutes(90_000, 86_400), ..query("") }),
        ("updated in an hour", Request { updated: minutes(90_000, 60), ..query("") }),
        (
            "created before",
            Request {
                created: minutes(190_000, 600).map(|range| pb::TimeRange { start_time: None, ..range }),
                ..query("")
            },
        ),
        ("without a number", Request { lacks_custom_id_system: "crm".to_owned(), ..query("") }),
        ("with a number", Request { lacks_custom_id_system: "erp".to_owned(), ..query("") }),
    ]
}

const WORDS: [(&str, &str); 14] = [
    ("rare word", "quixotic"),
    ("middle word", "middleton"),
    ("common word", "holding"),
    ("two words", "holding bakery"),
    ("rare and common word", "wombat quixotic"),
    ("city", "eindhoven"),
    ("city and word", "la paz bakery"),
    ("number", "ZX-900"),
    ("start of all numbers", "kl"),
    ("phone", "020-555 01 24"),
    ("one letter", "h"),
    ("two letters", "de"),
    ("word of none", "nonesuch"),
    ("name's start", "Maple B"),
];

const ORDERS: [&str; 4] = ["name", "name desc", "create_time desc", "update_time"];
/// Words that are also searched with each filter.
const FILTERED: [&str; 4] = ["rare word", "common word", "number", "two letters"];

/// A word, or a filter that the index of keys has.
const BUCKET: Limit = Limit::Own {
    rows: |filled| filled.count / 37 * 4,
    reason: "a bucket is read whole: keys, text, custom IDs and customers; here it has a template or two",
};
/// A filter or a word that a twentieth of the customers have: the first thousand in order do not fill the page, and then all of
/// them are read: of the index, of the text and of the customers.
const TWENTIETH: Limit = Limit::Own {
    rows: |filled| filled.count * 3 / 20 + 4_000,
    reason: "no index has both the order and the filter: all that a twentieth of the account has is read",
};
const WHOLE: Limit = Limit::Own {
    rows: |filled| filled.count * 4 + 4_000,
    reason: "no index has the filter, or before the first ANALYZE the planner takes another one: the account is read until the page is \
             full",
};
const MIDDLE: Limit = Limit::Own {
    rows: |filled| filled.count / 30 * 6,
    reason: "all that lies below an account is read, however large the tenant is: a thirtieth of the large account here",
};

fn limit(request: &Request) -> Limit {
    let by_time = request.order_by.contains("time");
    let has_word = !request.query.is_empty();
    let unindexed = !request.lacks_custom_id_system.is_empty() || request.countries.len() > 1;
    let tagged = request.tags.is_some();
    let in_time = request.created.is_some() || request.updated.is_some();
    let in_order = !request.branch_id.is_empty()
        || !request.sales_person_id.is_empty()
        || !request.statuses.is_empty()
        || request.archived != 0;
    let has_lexemes = has_word
        || request.countries.len() == 1
        || !request.labels.is_empty()
        || !request.types.is_empty()
        || !request.service_classes.is_empty()
        || !request.origins.is_empty()
        || request.reach != 0;
    // No index has all accounts below in the order of time, nor with such a filter. The one of names is not taken before the first
    // ANALYZE.
    let below = request.include_descendants && !has_lexemes;
    if unindexed || below || in_time || (has_word && (tagged || in_order)) || request.include_total_size {
        WHOLE
    } else if by_time || tagged {
        TWENTIETH
    } else if has_lexemes {
        BUCKET
    } else {
        Limit::Page
    }
}

/// All shapes.
pub fn shapes(filled: &Filled) -> Vec<Shape> {
    let mut all = Vec::new();
    let large = &filled.large.admin;
    let mut add = |name: String, client: &Client, request: Request, page| {
        let limit = if name.ends_with("below a middle account") { MIDDLE } else { limit(&request) };
        let arms = if name.contains("from below") { 3 } else { 2 };
        all.push(Shape { name, client: client.clone(), request, page, arms, limit });
    };
    for order_by in ORDERS {
        let ordered = |request: Request| Request { order_by: order_by.to_owned(), ..request };
        add(format!("list by {order_by}"), large, ordered(query("")), 1);
        add(format!("list by {order_by}, page 2"), large, ordered(query("")), 2);
        for (name, request) in filters(filled) {
            add(format!("{name} by {order_by}"), large, ordered(request), 1);
        }
        for (name, words) in WORDS {
            add(format!("{name} by {order_by}"), large, ordered(query(words)), 1);
        }
    }
    for (name, words) in WORDS {
        add(name.to_owned(), large, query(words), 1);
        add(
            format!("{name}, all below"),
            &filled.provider.admin,
            Request { include_descendants: true, ..query(words) },
            1,
        );
        add(format!("{name}, from below"), &filled.below.admin, query(words), 1);
        add(format!("{name}, narrowed"), &large.narrowed_to(&filled.one), query(words), 1);
        add(format!("{name}, counted"), large, Request { include_total_size: true, ..query(words) }, 1);
        for (filter, request) in filters(filled).into_iter().filter(|_| FILTERED.contains(&name)) {
            add(format!("{name} and {filter}"), large, Request { query: words.to_owned(), ..request }, 1);
        }
    }
    for (name, words) in
        [("common word", "holding"), ("one letter", "h"), ("name's start", "Maple B"), ("middle word", "middleton")]
    {
        add(format!("{name}, page 2"), large, query(words), 2);
        add(
            format!("{name}, all below, page 2"),
            &filled.provider.admin,
            Request { include_descendants: true, ..query(words) },
            2,
        );
    }
    for (name, request) in filters(filled) {
        add(format!("{name}, counted"), large, Request { include_total_size: true, ..request.clone() }, 1);
        add(
            format!("{name}, all below"),
            &filled.provider.admin,
            Request { include_descendants: true, ..request.clone() },
            1,
        );
        add(format!("{name}, from below"), &filled.below.admin, request, 1);
    }
    let below = Request { include_descendants: true, ..query("") };
    add("list of all below".to_owned(), &filled.provider.admin, below.clone(), 1);
    add("list of all below, page 2".to_owned(), &filled.provider.admin, below.clone(), 2);
    for order_by in ["create_time", "update_time"] {
        let request = Request { order_by: order_by.to_owned(), ..below.clone() };
        add(format!("list of all below by {order_by}"), &filled.provider.admin, request, 1);
    }
    let listed = [("list", query("")), ("rare label", labels("tier", "platinum")), ("tag of none", tags(&["none"]))];
    for (name, request) in WORDS.map(|(name, words)| (name, query(words))).into_iter().chain(listed) {
        for order_by in ["", "name", "create_time"] {
            let request = Request { include_descendants: true, order_by: order_by.to_owned(), ..request.clone() };
            add(format!("{name} by {order_by:?}, below a middle account"), &filled.middle.admin, request, 1);
        }
    }
    add("list from below".to_owned(), &filled.below.admin, query(""), 1);
    add("list, narrowed".to_owned(), &large.narrowed_to(&filled.one), query(""), 1);
    add("list, counted".to_owned(), large, Request { include_total_size: true, ..query("") }, 1);
    all
}
