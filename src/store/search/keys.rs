//! The part of the statement that finds candidates by the index.

use std::fmt::Write as _;

use super::{
    builder::{Arm, Builder, Node},
    words::Rank,
};
use crate::{
    domain::{
        search::{Search, SearchField, VERSION},
        values::sort_key::SortKey,
    },
    error::Result,
};

/// A list of keys: those of a node with these grams, by an expression, and perhaps one of another node that stands for no gram.
struct Keys {
    node: Node,
    grams: String,
    more: Option<Node>,
}

/// Lists of keys: a candidate has all keys of one of them.
pub(super) struct Candidates {
    /// Keys of customers.
    customers: Vec<Keys>,
    /// Keys of custom IDs that the acting account gave to customers of others.
    custom_ids: Vec<Keys>,
}

impl Candidates {
    /// Those of an arm with all of these grams, by parameter.
    pub(super) fn of(arm: &Arm, grams: &str) -> Self {
        Self { customers: vec![arm.keys(grams)], custom_ids: Vec::new() }
    }

    /// The buckets `n`, each with its lists of keys as columns. The keys of all buckets are made at once; each bucket has a slice of
    /// them. A list whose grams are null is null and has no candidates; an empty one would have all customers.
    pub(super) fn buckets(&self, (from, to, step): (&str, &str, i32), condition: &str) -> String {
        let (mut grams, mut keys, mut columns) = (Vec::new(), Vec::new(), String::new());
        for (name, list) in self.named() {
            let bits = list.node.bits();
            grams.push(format!("{0} as g{name}, cardinality({0}) as c{name}", list.grams));
            keys.push(format!(
                "case when g.c{name} is not null then array(
                    select {bits} | ((i / g.c{name})::bigint << 32) | g.g{name}[i % g.c{name} + 1]
                    from generate_series(0, {} * g.c{name} - 1) i
                ) end as {name}",
                SortKey::BUCKETS
            ));
            let slice = format!("k.{name}[n * g.c{name} + 1:(n + 1) * g.c{name}]");
            _ = match &list.more {
                Some(node) => write!(columns, ", {slice} || ({} | (n::bigint << 32)) as {name}", node.bits()),
                None => write!(columns, ", {slice} as {name}"),
            };
        }
        format!(
            "select n{columns} from (select {} offset 0) g
             cross join lateral (select {} offset 0) k
             cross join generate_series({from}, {to}, {step}) n{condition}",
            grams.join(", "),
            keys.join(", ")
        )
    }

    /// Each list with the name of its column.
    fn named(&self) -> impl Iterator<Item = (String, &Keys)> {
        let customers = self.customers.iter().enumerate().map(|(place, list)| (format!("k{place}"), list));
        customers.chain(self.custom_ids.iter().enumerate().map(|(place, list)| (format!("i{place}"), list)))
    }

    /// The candidates of the bucket `b`, as rows of `customer_search`. Both tables are read by their keys alone, so that no
    /// statistics can lead to another plan: the indexes have no column for the tenant, and would be joined with one that has.
    pub(super) fn rows(&self) -> String {
        let text = format!(
            "s.customer_id, s.doc, s.name, s.country, coalesce(case when s.version >= {VERSION} then s.name_sort end, (
                select c.name_sort from customers c where c.tenant_id = $1 and c.id = s.customer_id
             )) as name_sort"
        );
        let any = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(" or ");
        let keys = "customer_keys(s.tenant_id, s.account_id, s.ancestors, s.bucket, s.grams, s.id_grams)";
        let customers = any(self.customers.len(), &|place| format!("{keys} @> b.k{place}"));
        let customers = format!("from customer_search s where ({customers}) and s.tenant_id is not distinct from $1");
        if self.custom_ids.is_empty() {
            return format!("select {text} {customers} offset 0");
        }
        let keys = "custom_id_keys(i.account_id, i.bucket, i.grams)";
        let custom_ids = any(self.custom_ids.len(), &|place| format!("{keys} @> b.i{place}"));
        format!(
            "select {text} from (
                select s.customer_id {customers}
                union
                select i.customer_id from custom_ids i
                where i.elsewhere and ({custom_ids}) and i.tenant_id is not distinct from $1
             ) f
             cross join lateral (
                select * from customer_search s where s.tenant_id = $1 and s.customer_id = f.customer_id offset 0
             ) s
             offset 0"
        )
    }
}

impl Arm {
    /// The keys of its customers with these grams. Where the node has customers that are not below the acting account, those that
    /// are have one more key.
    fn keys(&self, grams: &str) -> Keys {
        Keys { node: self.node.clone(), grams: grams.to_owned(), more: self.is_within.then_some(Node::Below) }
    }

    /// Whether its customers are the acting account's own.
    fn is_own(&self) -> bool {
        self.node == Node::Account("$3".to_owned())
    }
}

/// The keys of custom IDs with these grams.
fn elsewhere(grams: &str) -> Keys {
    Keys { node: Node::Elsewhere, grams: grams.to_owned(), more: None }
}

/// The grams of candidates: of each list of the text, and of each list of custom IDs elsewhere.
struct Lists {
    text: Vec<Vec<i32>>,
    ids: Vec<Vec<i32>>,
}

impl Lists {
    /// Those of customers of an arm that match.
    fn of(search: &Search, arm: &Arm) -> Self {
        let query = &search.query;
        // Custom IDs are the acting account's, whoever owns the customer. Where it is the owner, one list has both.
        let ids = !arm.is_own() && search.asks(SearchField::Number);
        // A match by text has all words in the text; one by custom IDs has some word in one of these. Of many words one is enough,
        // wherever it is.
        let text = if query.is_long() && ids { query.grams_of_one() } else { query.grams() };
        let some = || if query.is_long() { query.grams_of_one() } else { query.id_grams() };
        Self { text, ids: if ids { some() } else { Vec::new() } }
    }

    /// Those whose name, number or email address is the query. They are exact whatever was asked for, and so are custom IDs.
    fn of_exact(search: &Search, arm: &Arm) -> Self {
        let value = vec![search.query.value_gram()];
        Self { text: vec![value.clone()], ids: if arm.is_own() { Vec::new() } else { vec![value] } }
    }

    /// Every list of the text has these, too.
    fn with(mut self, more: &[i32]) -> Self {
        self.text.iter_mut().for_each(|list| list.extend(more));
        self
    }
}

impl Builder {
    /// What the index is asked for, of the customers of an arm that match. What filters ask for is in the same index.
    pub(super) fn candidates(&mut self, search: &Search, arm: &Arm) -> Result<Candidates> {
        let lists = Lists::of(search, arm).with(&arm.grams(search));
        let customers = lists.text.iter().map(|grams| Ok(arm.keys(&self.grams(grams)?))).collect::<Result<_>>()?;
        let custom_ids = lists.ids.iter().map(|grams| Ok(elsewhere(&self.grams(grams)?))).collect::<Result<_>>()?;
        Ok(Candidates { customers, custom_ids })
    }

    /// The same of those that match with the rank `r`.
    pub(super) fn candidates_of_rank(&mut self, search: &Search, arm: &Arm) -> Result<Candidates> {
        let filters = arm.grams(search);
        let ranks = Rank::ORDER.map(|rank| {
            let lists = match rank {
                Rank::Exact => Lists::of_exact(search, arm),
                Rank::Starts => Lists::of(search, arm).with(&[search.query.name_start_gram()]),
                Rank::Matches => Lists::of(search, arm),
            };
            lists.with(&filters)
        });
        let customers = self.by_rank(&ranks.each_ref().map(|rank| rank.text.as_slice()))?;
        let customers = customers.iter().map(|grams| arm.keys(grams)).collect();
        let custom_ids = self.by_rank(&ranks.each_ref().map(|rank| rank.ids.as_slice()))?;
        Ok(Candidates { customers, custom_ids: custom_ids.iter().map(|grams| elsewhere(grams)).collect() })
    }

    /// For each list that some rank has: the grams of it that the rank `r` has, null if it has fewer lists.
    fn by_rank(&mut self, ranks: &[&[Vec<i32>]; Rank::ORDER.len()]) -> Result<Vec<String>> {
        let most = ranks.iter().map(|lists| lists.len()).max().unwrap_or_default();
        let expression = |place: usize| {
            let mut cases = String::new();
            for (rank, lists) in Rank::ORDER.into_iter().zip(ranks) {
                if let Some(grams) = lists.get(place) {
                    _ = write!(cases, " when {} then {}", rank.number(), self.grams(grams)?);
                }
            }
            Ok(format!("(case r.rank{cases} end)"))
        };
        (0..most).map(expression).collect()
    }

    /// Grams as bits of keys.
    pub(super) fn grams(&mut self, grams: &[i32]) -> Result<String> {
        let bits: Vec<i64> = grams.iter().map(|gram| i64::from(gram.cast_unsigned())).collect();
        Ok(format!("{}::bigint[]", self.bind(bits)?))
    }
}
