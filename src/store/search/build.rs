//! The statement of a search.
//!
//! It is a union of arms: the acting account's own customers, all below it, the FLEET customers of each account above it, or the one
//! that the call is narrowed to. Each arm stops at a full page, in order: `lists` has those without a query, `ranks` those with one.
//! Of the page, documents are read one by one until it is full: the customer that no longer fits is the `cut`.

use sqlx::postgres::PgArguments;

use super::{
    builder::{Builder, Parts, order},
    wanted::Wanted,
    words::ALIVE,
};
use crate::{
    domain::{access::caller::Scope, search::SearchField},
    error::Result,
    store::{rows::PAGE_BYTES, sql::sql},
};

/// A statement: constants and numbers of parameters, and the parameters.
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) arguments: PgArguments,
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
        Some(after) => Some(builder.behind(search, after)?),
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
        let (with, page) = builder.list(&parts, &arms)?;
        (with, page, builder.count_list(&parts, &arms, count)?)
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
    let (limit, inner, sized) = (&parts.limit, order(search, "u"), sql!(text, SIZED_IN_VIEW));
    let record = sql!(text, RECORD_IN_VIEW OTHER_OWNERS_POLICIES);
    // `sized` is read as far as it is asked for: to the `cut`, in the order in which it is made.
    let text = format!(
        "with {with}page as materialized (
            select u.*, row_number() over (order by u.place, {inner}) as nth
            from (select * from ({page}) u order by u.place, {inner} limit {limit}) u
        ), sized as materialized (
            select p.nth, p.id, p.place, p.name_sort, c.profile, sum(c.size) over (order by p.nth rows unbounded preceding) as size
            from (select * from page order by page.nth) p
            cross join lateral ({sized} where c.tenant_id = $1 and c.id = p.id offset 0) c
        ), cut as (
            select s.nth from sized s where s.size > {PAGE_BYTES} and s.nth > 1 limit 1
        ){record}
        , f.place, f.name_sort, {ids} as ids, {doc} as doc, t.total, exists (select from cut) as cut
        from ({total}) t
        left join (
            select s.* from sized s limit coalesce((select cut.nth from cut), {limit} + 1) - 1
        ) f on true
        left join lateral (select c.* from customers c where c.tenant_id = $1 and c.id = f.id offset 0) c on true
        order by f.nth"
    );
    Ok(Statement { text, arguments: builder.arguments })
}
