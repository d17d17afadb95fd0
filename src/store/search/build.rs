//! The statement of a search.
//!
//! It is a union of arms: the acting account's own customers, all below it, the FLEET customers of each account above it, or the one
//! that the call is narrowed to. Each arm stops at a full page, in order. A list walks an index of that order. A search by words walks
//! from bucket to bucket, asks the index for each one's candidates and compares their text. In the order of relevance this is
//! done for each rank, and for a rank only if those before it have not filled the page. Of the page, documents are read one by one
//! until it is full: the customer that no longer fits is the `cut`.

use sqlx::postgres::PgArguments;

use super::{
    builder::{Arm, Builder, Node, order},
    place::{COUNTED, Place, PlaceKey},
    wanted::Wanted,
    words::{ALIVE, BoundQuery, Rank},
};
use crate::{
    domain::{
        access::caller::Scope,
        search::{OrderBy, Search, SearchField},
        values::sort_key::SortKey,
    },
    error::Result,
    store::{rows::PAGE_BYTES, sql::sql},
};

/// A statement: constants and numbers of parameters, and the parameters.
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) arguments: PgArguments,
}

/// What every arm of a statement has.
struct Parts<'a> {
    search: &'a Search,
    filters: String,
    /// What comes behind the place, and the place.
    behind: Option<(String, &'a Place)>,
    limit: String,
}

/// Puts a statement together.
pub(super) fn statement(
    scope: &Scope,
    &Wanted { search, view, after, limit, count }: &Wanted<'_>,
) -> Result<Statement> {
    let mut builder = Builder::new(scope, view)?;
    let arms = builder.arms(scope, search)?;
    let filters = builder.filters(search)?;
    let behind = match after {
        Some(after) => Some((builder.behind(search, after)?, after)),
        None => None,
    };
    let limit = builder.bind(limit)?;
    let parts = Parts { search, filters, behind, limit };
    let asks = !search.query.is_empty();
    let (with, page, total) = if asks {
        let query = builder.query(search)?;
        let (with, page) = builder.matches(&parts, &arms, &query)?;
        (with, page, builder.count_matches(&parts, &arms, &query, count)?)
    } else {
        (String::new(), list(&parts, &arms), count_list(&parts, &arms, count))
    };
    let ids = if asks && search.asks(SearchField::Number) {
        format!(
            "array(
                select i.search_words from custom_ids i
                where i.tenant_id = $1 and i.customer_id = c.id and i.account_id = $3 and {ALIVE}
            )"
        )
    } else {
        "null::text[]".to_owned()
    };
    let doc = if asks {
        "(select s.doc from customer_search s where s.tenant_id = $1 and s.customer_id = c.id)"
    } else {
        "null::text"
    };
    let (limit, inner, size) = (&parts.limit, order(search, "u"), sql!(text, SIZE_IN_VIEW));
    let record = sql!(text, RECORD_IN_VIEW OTHER_OWNERS_POLICIES);
    let text = format!(
        "with {with}page as materialized (
            select u.*, row_number() over (order by u.place, {inner}) as nth
            from (select * from ({page}) u order by u.place, {inner} limit {limit}) u
        ), cut as (
            select s.nth from (
                select p.nth, sum(c.size) over (order by p.nth rows unbounded preceding) as size
                from (select page.id, page.nth from page order by page.nth) p
                cross join lateral (
                    select {size} as size from customers c where c.tenant_id = $1 and c.id = p.id offset 0
                ) c
            ) s
            where s.size > {PAGE_BYTES} and s.nth > 1
            limit 1
        ){record}
        , f.place, f.name_sort, {ids} as ids, {doc} as doc, t.total, exists (select from cut) as cut
        from ({total}) t
        left join page f on f.nth < coalesce((select cut.nth from cut), {limit} + 1)
        left join customers c on c.tenant_id = $1 and c.id = f.id
        order by f.nth"
    );
    Ok(Statement { text, arguments: builder.arguments })
}

/// Customers without a query: each arm walks an index in order.
fn list(parts: &Parts<'_>, arms: &[Arm]) -> String {
    let behind = parts.behind.as_ref().map(|(behind, _)| behind.as_str()).unwrap_or_default();
    let arm = |arm: &Arm| {
        format!(
            "(select c.id, 0 as place, c.name_sort, c.created_at, c.updated_at {}{behind} order by {} limit {})",
            listed(parts, arm),
            order(parts.search, "c"),
            parts.limit
        )
    };
    arms.iter().map(arm).collect::<Vec<_>>().join(" union all ")
}

fn listed(parts: &Parts<'_>, arm: &Arm) -> String {
    let text = if parts.search.countries.is_empty() {
        ""
    } else {
        " join customer_search s on s.tenant_id = c.tenant_id and s.customer_id = c.id and s.tenant_id = $1"
    };
    format!("from customers c{text} where c.tenant_id = $1 and {}{}", arm.whose, parts.filters)
}

fn count_list(parts: &Parts<'_>, arms: &[Arm], count: bool) -> String {
    counted(count, || arms.iter().map(|arm| format!("select 1 {}", listed(parts, arm))).collect())
}

fn counted(count: bool, arms: impl FnOnce() -> Vec<String>) -> String {
    if !count {
        return "select null::bigint as total".to_owned();
    }
    let most = COUNTED + 1;
    let all: Vec<String> = arms().into_iter().map(|arm| format!("({arm} limit {most})")).collect();
    format!("select count(*) as total from (select 1 from ({}) u limit {most}) h", all.join(" union all "))
}

impl Builder {
    /// Customers that match a query: what goes before the page, and the page.
    fn matches(&mut self, parts: &Parts<'_>, arms: &[Arm], query: &BoundQuery) -> Result<(String, String)> {
        if parts.search.order.by != OrderBy::Relevance {
            return Ok((String::new(), self.ranked(parts, arms, query, Rank::Any, &parts.limit)?));
        }
        let first = parts.behind.as_ref().map_or(0, |(_, after)| after.rank);
        let (mut with, mut pages, mut need) = (String::new(), Vec::new(), parts.limit.clone());
        for rank in Rank::ORDER.into_iter().filter(|rank| rank.number() >= first) {
            let name = format!("rank{}", rank.number());
            let page = self.ranked(parts, arms, query, rank, &need)?;
            with += &format!(
                "{name} as materialized (
                    select * from ({page}) u order by {} limit greatest({need}, 0)
                ), ",
                order(parts.search, "u")
            );
            need += &format!(" - (select count(*) from {name})");
            pages.push(format!("select * from {name}"));
        }
        Ok((with, pages.join(" union all ")))
    }

    /// The matches of one rank in all arms.
    fn ranked(
        &mut self,
        parts: &Parts<'_>,
        arms: &[Arm],
        query: &BoundQuery,
        rank: Rank,
        need: &str,
    ) -> Result<String> {
        let in_order = matches!(parts.search.order.by, OrderBy::Relevance | OrderBy::Name);
        let place = rank.number();
        let arms: Vec<String> = arms
            .iter()
            .map(|arm| {
                let behind = parts.behind.as_ref().filter(|(_, after)| rank == Rank::Any || after.rank == place);
                let stop = format!(" order by {} limit greatest({need}, 0)", order(parts.search, "c"));
                let (inner, outer) = if in_order { (stop.as_str(), "") } else { ("", stop.as_str()) };
                let walk = self.walk(parts, arm, query, rank, behind, inner)?;
                let columns = format!("c.id, {place} as place, c.name_sort, c.created_at, c.updated_at");
                let outer = if in_order { format!(" limit greatest({need}, 0)") } else { outer.to_owned() };
                Ok(format!("(select {columns} from {walk}{outer})"))
            })
            .collect::<Result<_>>()?;
        Ok(arms.join(" union all "))
    }

    fn count_matches(
        &mut self,
        parts: &Parts<'_>,
        arms: &[Arm],
        query: &BoundQuery,
        count: bool,
    ) -> Result<String> {
        let mut all = Vec::new();
        for arm in arms.iter().filter(|_| count) {
            all.push(format!("select 1 from {}", self.walk(parts, arm, query, Rank::Any, None, "")?));
        }
        Ok(counted(count, || all))
    }

    /// The matching customers `c` of an arm, from bucket to bucket. `stop` ends each bucket.
    fn walk(
        &mut self,
        parts: &Parts<'_>,
        arm: &Arm,
        query: &BoundQuery,
        rank: Rank,
        behind: Option<&(String, &Place)>,
        stop: &str,
    ) -> Result<String> {
        let matches = query.matches(parts.search, arm, rank);
        let filters = &parts.filters;
        let after = behind.map(|(text, _)| text.as_str()).unwrap_or_default();
        let columns = "c.id, c.account_id, c.ancestors, c.reach, c.status, c.archived_at, c.name_sort, c.created_at, c.updated_at";
        let is = format!("{}{filters}{after} and {matches}", arm.whose);
        if arm.node == Node::Customer {
            return Ok(format!(
                "(select {columns} from customers c
                  join customer_search s on s.tenant_id = $1 and s.customer_id = c.id
                  where c.tenant_id = $1 and {is}{stop}) c"
            ));
        }
        let candidates = self.candidates(parts.search, arm, rank)?;
        let (from, to, step) = self.buckets(parts.search, behind)?;
        // Both are read by their keys alone, so that no statistics can lead to another plan: the index has no column for the
        // tenant, and would be joined with one that has.
        Ok(format!(
            "(select n{} from generate_series({from}, {to}, {step}) n) b
             cross join lateral (
                select {columns} from (
                    select s.customer_id, s.doc, s.name, s.country from customer_search s
                    where {} and s.tenant_id is not distinct from $1
                    offset 0
                ) s
                cross join lateral (
                    select c.* from customers c where c.tenant_id = $1 and c.id = s.customer_id offset 0
                ) c
                where {is}{stop}
             ) c",
            candidates.columns(),
            candidates.condition(),
        ))
    }

    /// The first and the last bucket, and the step from one to the next.
    fn buckets(&mut self, search: &Search, behind: Option<&(String, &Place)>) -> Result<(String, String, i32)> {
        let last = i32::from(SortKey::BUCKETS) - 1;
        let begin = behind.and_then(|(_, after)| match &after.key {
            PlaceKey::Name(key) => Some(i32::from(key.bucket())),
            PlaceKey::At(_) => None,
        });
        let (from, to, step) = if search.order.descending && search.order.by == OrderBy::Name {
            (begin.unwrap_or(last), 0, -1)
        } else {
            (begin.unwrap_or(0), last, 1)
        };
        Ok((self.bind(from)?, self.bind(to)?, step))
    }
}
