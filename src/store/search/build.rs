//! The statement of a search.
//!
//! It is a union of arms: the acting account's own customers (or all below it, or the one that the call is narrowed to), and
//! the FLEET customers of each account above it. Each arm stops at a full page, in order, so that a list by name walks
//! an index and no more of it than the page. Of these, documents are read one by one until the page is full: the customer
//! that no longer fits is the `cut`. $1 is the tenant, $2 the customer that the call is narrowed to, $3 the acting account,
//! $4 its path, $5 the fields that the view leaves out.

use sqlx::{Arguments as _, Encode, Postgres, Type, postgres::PgArguments};

use super::{
    place::{COUNTED, Place, PlaceKey},
    wanted::Wanted,
};
use crate::{
    domain::{
        access::caller::Scope,
        fields::field::View,
        search::{OrderBy, Search, SearchField},
        values::ids::CustomerId,
    },
    error::{Error, Result},
    store::{rows::PAGE_BYTES, sql::sql},
};

/// A statement: constants and numbers of parameters, and the parameters.
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) arguments: PgArguments,
}

/// A custom ID that its customer still has, by its present value or an old one that no other customer has taken since.
pub(super) const ALIVE: &str = "(i.is_current or not exists (
    select from custom_ids n
    where n.tenant_id = i.tenant_id and n.account_id = i.account_id and n.system = i.system
      and n.value_key = i.value_key and n.customer_id <> i.customer_id
      and (n.is_current or n.created_at > i.created_at)
))";

/// The acting account's numbers of one customer, as they are searched.
const NUMBERS: &str = "array(
    select i.search_key from custom_ids i
    where i.tenant_id = $1 and i.customer_id = c.id and i.account_id = $3 and ";

/// Puts a statement together.
pub(super) fn statement(
    scope: &Scope,
    &Wanted { search, view, after, limit, count }: &Wanted<'_>,
) -> Result<Statement> {
    let mut builder = Builder::new(scope, view)?;
    let arms = builder.arms(scope, search)?;
    let words = builder.words(search)?;
    let rank = builder.rank(search)?;
    let filters = builder.filters(search)?;
    let behind = after.map(|after| builder.behind(search, &rank, after)).transpose()?.unwrap_or_default();
    let limit = builder.bind(limit)?;
    let text_wanted = !search.query.words().is_empty() || !search.countries.is_empty();
    let join = if text_wanted {
        " join customer_search s on s.tenant_id = c.tenant_id and s.customer_id = c.id and s.tenant_id = $1"
    } else {
        ""
    };
    let matching = |arm: &String| format!("from customers c{join} where c.tenant_id = $1 and {arm}{filters}{words}");
    let page: Vec<String> = arms
        .iter()
        .map(|arm| {
            let order = order(search, "c");
            let from = matching(arm);
            format!(
                "(select c.id, {rank} as place, c.name_sort, c.created_at, c.updated_at {from}{behind} \
                 order by {order} limit {limit})"
            )
        })
        .collect();
    let total = if count {
        let most = COUNTED + 1;
        let all: Vec<String> = arms.iter().map(|arm| format!("(select 1 {} limit {most})", matching(arm))).collect();
        format!("select count(*) as total from (select 1 from ({}) u limit {most}) h", all.join(" union all "))
    } else {
        "select null::bigint as total".to_owned()
    };
    let numbers = if search.query.words().is_empty() || !search.asks(SearchField::Number) {
        "null::text[]".to_owned()
    } else {
        format!("{NUMBERS}{ALIVE})")
    };
    let (with, page, size) = (builder.with(), page.join(" union all "), sql!(text, SIZE_IN_VIEW));
    let (inner, record) = (order(search, "u"), sql!(text, RECORD_IN_VIEW OTHER_OWNERS_POLICIES));
    let text = format!(
        "with {with}page as materialized (
            select u.*, row_number() over (order by {inner}) as nth
            from (select * from ({page}) u order by {inner} limit {limit}) u
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
        , f.place, f.name_sort, {numbers} as numbers, t.total, exists (select from cut) as cut
        from ({total}) t
        left join page f on f.nth < coalesce((select cut.nth from cut), {limit} + 1)
        left join customers c on c.tenant_id = $1 and c.id = f.id
        order by f.nth"
    );
    Ok(Statement { text, arguments: builder.arguments })
}

/// By what a list is sorted, of the arm or union of this name.
fn order(search: &Search, of: &str) -> String {
    let turned = if search.order.descending { " desc" } else { "" };
    match search.order.by {
        // An arm knows the place by its own name alone.
        OrderBy::Relevance => format!("place, {of}.name_sort, {of}.id"),
        OrderBy::Name => format!("{of}.name_sort{turned}, {of}.id{turned}"),
        OrderBy::CreateTime => format!("{of}.created_at{turned}, {of}.id{turned}"),
        OrderBy::UpdateTime => format!("{of}.updated_at{turned}, {of}.id{turned}"),
    }
}

/// The parameters so far.
pub(super) struct Builder {
    arguments: PgArguments,
    parameters: usize,
    /// For each word that is looked for among numbers: the customers that have one, read once for all arms.
    pub(super) numbers: Vec<String>,
}

impl Builder {
    fn new(scope: &Scope, view: View) -> Result<Self> {
        let mut builder = Self { arguments: PgArguments::default(), parameters: 0, numbers: Vec::new() };
        let path: Vec<uuid::Uuid> = scope.path().ids().iter().map(|id| id.get()).collect();
        builder.bind(scope.tenant().get())?;
        builder.bind(scope.narrowed().map(CustomerId::get))?;
        builder.bind(scope.root().get())?;
        builder.bind(path)?;
        builder.bind(view.left_out())?;
        Ok(builder)
    }

    /// Adds a parameter; what stands for it in the text.
    pub(super) fn bind<'q, T: Encode<'q, Postgres> + Type<Postgres> + 'q>(&mut self, value: T) -> Result<String> {
        self.arguments.add(value).map_err(Error::internal)?;
        self.parameters += 1;
        Ok(format!("${}", self.parameters))
    }

    /// Whose customers are looked at.
    fn arms(&mut self, scope: &Scope, search: &Search) -> Result<Vec<String>> {
        let from_below = !search.filters_by_hidden();
        if scope.narrowed().is_some() {
            let visible = if from_below { sql!(text, VISIBLE) } else { "$3 = any(c.ancestors)" };
            return Ok(vec![format!("c.id = $2 and {visible}")]);
        }
        let own = if search.include_descendants { "$3 = any(c.ancestors)" } else { "c.account_id = $3" };
        let mut arms = vec![own.to_owned()];
        for above in scope.path().ids().iter().skip(1).filter(|_| from_below) {
            arms.push(format!("c.account_id = {} and c.reach = 'FLEET'", self.bind(above.get())?));
        }
        Ok(arms)
    }

    fn with(&self) -> String {
        self.numbers.iter().map(|numbers| format!("{numbers}, ")).collect()
    }

    /// What comes behind a place.
    fn behind(&mut self, search: &Search, rank: &str, after: &Place) -> Result<String> {
        let key = match &after.key {
            PlaceKey::Name(key) => self.bind(key.as_bytes().to_vec())?,
            PlaceKey::At(at) => self.bind(*at)?,
        };
        let id = self.bind(after.id.get())?;
        let beyond = if search.order.descending { "<" } else { ">" };
        Ok(match search.order.by {
            OrderBy::Relevance => {
                let place = self.bind(after.rank)?;
                format!(" and ({rank}, c.name_sort, c.id) > ({place}, {key}, {id})")
            }
            OrderBy::Name => format!(" and (c.name_sort, c.id) {beyond} ({key}, {id})"),
            OrderBy::CreateTime => format!(" and (c.created_at, c.id) {beyond} ({key}, {id})"),
            OrderBy::UpdateTime => format!(" and (c.updated_at, c.id) {beyond} ({key}, {id})"),
        })
    }
}
