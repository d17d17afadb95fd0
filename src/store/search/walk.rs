//! Walks: from bucket to bucket, and along an index of the order.

use std::{fmt::Write as _, sync::LazyLock};

use super::{
    builder::{Arm, Behind, Builder, Node, Parts, order, order_of_candidates},
    keys::Candidates,
    place::{COUNTED, Place, PlaceKey},
    words::ALIVE,
};
use crate::{
    domain::{
        search::{OrderBy, Search, SearchField},
        values::sort_key::SortKey,
    },
    error::Result,
};

/// Customers that are looked at in order before the index of keys is asked: twenty for each on a page of 50. If a twentieth of
/// them fits, these fill the page.
const LOOKED_AT: usize = 1_000;
/// Customers of a tag that are read without a look at the first ones in order.
const FEW: usize = 250;

/// What a walk gives of a customer.
pub(super) const PLACE: &str = "c.id, c.name_sort, c.created_at, c.updated_at";

/// What conditions name beside the place.
const CONDITIONED: &str = "c.account_id, c.ancestors, c.status, c.archived_at, c.type, c.service_class, c.reach, c.origin, \
                           c.branch_id, c.sales_person_id";

/// The text of each customer by its key: a join would depend on statistics.
const TEXT: &str = " cross join lateral (
    select s.doc, s.name, s.country, s.customer_id from customer_search s
    where s.tenant_id = $1 and s.customer_id = c.id offset 0
 ) s";

/// The words of the acting account's custom IDs of each customer. `offset 0` keeps the planner from reading all custom IDs of the account
/// into a hash table.
static CUSTOM_IDS: LazyLock<String> = LazyLock::new(|| {
    format!(
        " cross join lateral (
            select coalesce(string_agg(i.search_words, chr(29)), '') as ids from custom_ids i
            where i.tenant_id = $1 and i.customer_id = c.id and i.account_id = $3 and {ALIVE}
            offset 0
         ) x"
    )
});

/// What ends a bucket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// A page, in an order by name.
    Page,
    /// Its last customer.
    None,
}

/// One walk: the conditions on a customer `c`, and on its text `s` and its custom IDs `x` if there are any.
pub(super) struct Walk<'a> {
    pub(super) arm: &'a Arm,
    /// What must hold of text and custom IDs; none if nothing is asked of them.
    pub(super) matches: Option<String>,
    /// What comes behind the place.
    pub(super) behind: Option<&'a Behind<'a>>,
}

impl Walk<'_> {
    fn condition(&self, parts: &Parts<'_>) -> String {
        let matches = self.matches.iter().map(|matches| format!(" and {matches}"));
        format!("{}{}{}{}", self.arm.whose, parts.filters, self.after(), matches.collect::<String>())
    }

    fn after(&self) -> String {
        self.behind.map(|behind| format!(" and {}", behind.condition)).unwrap_or_default()
    }

    fn text(&self, parts: &Parts<'_>) -> String {
        let text = if self.matches.is_some() || !parts.search.countries.is_empty() { TEXT } else { "" };
        format!("{text}{}", self.custom_ids(parts.search))
    }

    /// Ranks ask for custom IDs too, whatever field is searched.
    fn custom_ids(&self, search: &Search) -> &'static str {
        let asks = search.asks(SearchField::Number) || search.order.by == OrderBy::Relevance;
        if self.matches.is_some() && asks { &CUSTOM_IDS } else { "" }
    }

    /// All customers, along an index of the order.
    pub(super) fn along(&self, parts: &Parts<'_>) -> String {
        format!("from customers c{} where c.tenant_id = $1 and {}", self.text(parts), self.condition(parts))
    }

    /// The first customers along an index of the order, whatever the filters say of them, with the columns that conditions name.
    /// Profiles are large, so only if labels are asked for.
    fn first(&self, parts: &Parts<'_>) -> String {
        let profile = if parts.search.labels.is_empty() { "" } else { ", c.profile" };
        format!(
            "select {PLACE}, {CONDITIONED}{profile} from customers c where c.tenant_id = $1 and {}{} order by {} limit {LOOKED_AT}",
            self.arm.index,
            self.after(),
            order(parts.search, "c"),
        )
    }

    /// Customers of candidates `s` that come one by one from `source`.
    pub(super) fn of_candidates(&self, parts: &Parts<'_>, source: &str) -> String {
        format!(
            "from {source} s
             cross join lateral (
                select c.* from customers c where c.tenant_id = $1 and c.id = s.customer_id offset 0
             ) c{}
             where {}",
            self.custom_ids(parts.search),
            self.condition(parts),
        )
    }

    /// Customers that come one by one from `source`, which has a column `id`.
    pub(super) fn from(&self, parts: &Parts<'_>, source: &str) -> String {
        format!(
            "from ({source} offset 0) g
             cross join lateral (select c.* from customers c where c.tenant_id = $1 and c.id = g.id offset 0) c{}
             where {}",
            self.text(parts),
            self.condition(parts),
        )
    }
}

impl Builder {
    /// Customers `c` from bucket to bucket, with these columns. Where a page ends each bucket, its candidates are sorted first: so the
    /// customers themselves are read in order, one by one, until the page is full.
    pub(super) fn buckets(
        &mut self,
        parts: &Parts<'_>,
        walk: &Walk<'_>,
        candidates: &Candidates,
        columns: &str,
        end: End,
    ) -> Result<String> {
        let stop = |order: String| format!(" order by {order} limit {}", parts.limit);
        if walk.arm.node == Node::Customer {
            let stop = if end == End::Page { stop(order(parts.search, "c")) } else { String::new() };
            return Ok(format!("from (select {columns} {}{stop}) c", walk.along(parts)));
        }
        let (sorted, stop) = match end {
            End::Page => {
                let behind = walk.behind.and_then(|behind| behind.of_candidate.as_ref());
                let behind = behind.map(|condition| format!(" where {condition}")).unwrap_or_default();
                let order = order_of_candidates(parts.search);
                (format!("select s.* from ({}) s{behind} order by {order}", candidates.rows()), stop(order))
            }
            End::None => (candidates.rows(), String::new()),
        };
        let matches = walk.of_candidates(parts, &format!("({sorted})"));
        let buckets = self.keys_by_bucket(parts, walk, candidates)?;
        Ok(format!("from ({buckets}) b cross join lateral (select {columns} {matches}{stop}) c"))
    }

    /// Candidates `s` from bucket to bucket, in no order.
    pub(super) fn candidates_by_bucket(
        &mut self,
        parts: &Parts<'_>,
        walk: &Walk<'_>,
        candidates: &Candidates,
    ) -> Result<String> {
        let buckets = self.keys_by_bucket(parts, walk, candidates)?;
        Ok(format!("from ({buckets}) b cross join lateral ({}) s", candidates.rows()))
    }

    fn keys_by_bucket(&mut self, parts: &Parts<'_>, walk: &Walk<'_>, candidates: &Candidates) -> Result<String> {
        let (from, to, step) = self.bounds(parts.search, walk.behind)?;
        Ok(candidates.buckets((&from, &to, step), &walk.arm.has_any()))
    }

    /// The first and the last bucket, and the step from one to the next.
    fn bounds(&mut self, search: &Search, behind: Option<&Behind<'_>>) -> Result<(String, String, i32)> {
        let last = i32::from(SortKey::BUCKETS) - 1;
        let is_turned = search.order.descending && search.order.by == OrderBy::Name;
        let (first, to, step) = if is_turned { (last, 0, -1) } else { (0, last, 1) };
        let mut from = self.bind(first)?;
        if let Some(Behind { place: Place { rank, key: PlaceKey::Name(key), .. }, is_ranked, .. }) = behind {
            let bucket = self.bind(i32::from(key.bucket()))?;
            from = if *is_ranked {
                format!("case when r.rank = {rank} then {bucket}::integer else {from}::integer end")
            } else {
                bucket
            };
        }
        Ok((from, self.bind(to)?, step))
    }
}

/// What a page has of an arm: those of the first customers in order that fit, if they fill it or are all there are, else `rest`,
/// which is only executed then. Only `rest` where no index has the order. Returns what goes before the page, and the arm.
///
/// `few`, where a filter has an index of its own, gives the ids of all that it lets through. If they are few, only these are read.
pub(super) fn first_or(
    parts: &Parts<'_>,
    walk: &Walk<'_>,
    name: &str,
    few: Option<&str>,
    rest: &str,
) -> (String, String) {
    let (order, limit) = (order(parts.search, "c"), &parts.limit);
    if !walk.arm.has_index_of(parts.search.order.by) {
        return (String::new(), format!("(select {PLACE}, 0 as place {rest} order by {order} limit {limit})"));
    }
    let (mut with, mut arm, are_few) = match few {
        Some(few) => known_few(parts, walk, name, few),
        None => (String::new(), String::new(), "false".to_owned()),
    };
    // The first customers come one by one, in their order, until the page is full. The rest of them is only read to be counted, if
    // it is not.
    _ = write!(
        with,
        "{name}_looked_at as materialized ({}),
         {name} as materialized (
            select {PLACE} from {name}_looked_at c{} where {} limit case when {are_few} then 0 else {limit} end
         ),
         {name}_is_enough as materialized (
            select {are_few} or (select count(*) from {name}) >= {limit}
                or (select count(*) from {name}_looked_at) < {LOOKED_AT} as yes
         ), ",
        walk.first(parts),
        walk.text(parts),
        walk.condition(parts),
    );
    let is_enough = format!("(select yes from {name}_is_enough)");
    _ = write!(
        arm,
        "(select {PLACE}, 0 as place from {name} c where {is_enough}) union all
         (select {PLACE}, 0 as place {rest} order by {order} limit case when {is_enough} then 0 else {limit} end)"
    );
    (with, arm)
}

/// The arm that reads `few`, if they are: what goes before the page, the arm, and whether it is read.
fn known_few(parts: &Parts<'_>, walk: &Walk<'_>, name: &str, few: &str) -> (String, String, String) {
    let (order, limit) = (order(parts.search, "c"), &parts.limit);
    let are_few = format!("(select yes from {name}_are_few)");
    let with = format!(
        "{name}_few as materialized (select g.id from ({few}) g limit {FEW} + 1),
         {name}_are_few as materialized (select count(*) <= {FEW} as yes from {name}_few), "
    );
    let arm = format!(
        "(select {PLACE}, 0 as place {} order by {order} limit case when {are_few} then {limit} else 0 end) union all ",
        walk.from(parts, &format!("select distinct id from {name}_few"))
    );
    (with, arm, are_few)
}

/// A statement that counts what the arms find, up to the most that is counted.
pub(super) fn counted(arms: &[String]) -> String {
    let most = COUNTED + 1;
    let all: Vec<String> = arms.iter().map(|arm| format!("(select 1 {arm} limit {most})")).collect();
    format!("select count(*) as total from (select 1 from ({}) u limit {most}) h", all.join(" union all "))
}

/// Nothing is counted.
pub(super) const UNCOUNTED: &str = "select null::bigint as total";
