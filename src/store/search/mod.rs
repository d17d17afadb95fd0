//! Searching customers: every statement that reads or keeps `customer_search` but the two that write customers.
//!
//! The one statement that is put together rather than written: its text is made of constants and of the numbers of
//! parameters, never of a value. It reads what matches, in order, and the customers with it. Another index takes this
//! one's place in this file alone.

mod build;
mod filters;
mod place;
mod wanted;
mod words;

use sqlx::{AssertSqlSafe, FromRow as _, PgConnection, Row as _, types::Json};
use uuid::Uuid;

use self::build::{Statement, statement};
use self::place::PlaceKey;
pub use self::place::{COUNTED, Place};
pub use self::wanted::Wanted;
use crate::{
    domain::{
        access::caller::Caller,
        fields::{customer_fields::CustomerFields, profile::Profile},
        search::{OrderBy, Searchable},
        values::{name::Name, sort_key::SortKey},
    },
    error::Result,
    store::{
        customers::{CustomerRecord, row::Row},
        rows::{self, Room, Rows},
    },
    telemetry::{RowStream as _, Statement as _},
};

/// Customers whose text one statement of [`fill_in`] makes.
const AT_ONCE: i64 = 500;

/// A customer that matches, and its position in the list.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The customer.
    pub seen: CustomerRecord,
    /// The acting account's numbers of it, folded, aliases too; none unless they were searched.
    pub numbers: Vec<String>,
    /// Its position.
    pub place: Place,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Hits {
    /// In order.
    pub hits: Rows<Hit>,
    /// How many match, if that was asked for; above [`COUNTED`]: at least so many.
    pub total: Option<i64>,
}

/// Finds customers that the caller sees and the search matches.
pub async fn find(conn: &mut PgConnection, caller: &Caller, wanted: &Wanted<'_>, room: Room) -> Result<Hits> {
    let Statement { text, arguments } = statement(caller.scope(), wanted)?;
    let (mut total, mut cut) = (None, false);
    // Not kept: there are more shapes than the session's cache has room for, and a plan that knows the words is the better
    // one.
    let rows = sqlx::query_with(AssertSqlSafe(text), arguments).persistent(false).fetch(conn).named("search.find");
    let page = rows::page(rows, room, |row| {
        total = row.try_get("total")?;
        // The total comes in a row of its own where nothing else does.
        let Some(rank) = row.try_get::<Option<i32>, _>("place")? else { return Ok(None) };
        let key = match wanted.search.order.by {
            OrderBy::Relevance | OrderBy::Name => PlaceKey::Name(SortKey::from_stored(row.try_get("name_sort")?)),
            OrderBy::CreateTime => PlaceKey::At(row.try_get("created_at")?),
            OrderBy::UpdateTime => PlaceKey::At(row.try_get("updated_at")?),
        };
        let numbers = row.try_get::<Option<Vec<String>>, _>("numbers")?.unwrap_or_default();
        let customer = Row::from_row(&row)?;
        let cost = customer.cost() + numbers.iter().map(String::len).sum::<usize>();
        cut = customer.cut;
        let seen = customer.seen(caller)?;
        let place = Place { rank, key, id: seen.customer.id };
        Ok(Some((cost, Hit { seen, numbers, place })))
    })
    .await?;
    Ok(Hits { hits: Rows { full: page.full || cut, ..page }, total })
}

/// What is to be written for a customer's new facts: nothing if what is searched of it stays.
pub(super) fn change(before: &CustomerFields, after: &CustomerFields) -> Option<Searchable> {
    let new = Searchable::of(after);
    (Searchable::of(before) != new).then_some(new)
}

/// Makes the text of customers that have none: those of a database older than the search. Returns how many.
///
/// # Errors
/// What the server says. It can be called again, and goes on.
pub(super) async fn fill_in(conn: &mut PgConnection) -> sqlx::Result<usize> {
    let (mut last, mut made) = ((Uuid::nil(), Uuid::nil()), 0);
    loop {
        let batch = sqlx::query!(
            r#"
            select c.tenant_id, c.id, c.name, c.profile as "profile: Json<Profile>"
            from customers c
            where (c.tenant_id, c.id) > ($1, $2) and not exists (
                select from customer_search s where s.tenant_id = c.tenant_id and s.customer_id = c.id
            )
            order by c.tenant_id, c.id
            limit $3
            "#,
            last.0,
            last.1,
            AT_ONCE,
        )
        .fetch_all(&mut *conn)
        .named("search.find_unfilled")
        .await?;
        let Some(end) = batch.last() else { return Ok(made) };
        last = (end.tenant_id, end.id);
        made += batch.len();
        let texts: Vec<Searchable> =
            batch.iter().map(|row| Searchable::of_parts(&Name::from(row.name.clone()), &row.profile)).collect();
        sqlx::query!(
            r#"
            insert into customer_search (tenant_id, customer_id, doc, country)
            select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])
            on conflict do nothing
            "#,
            &batch.iter().map(|row| row.tenant_id).collect::<Vec<_>>(),
            &batch.iter().map(|row| row.id).collect::<Vec<_>>(),
            &texts.iter().map(|text| text.doc().to_owned()).collect::<Vec<_>>(),
            &texts.iter().map(|text| text.country().to_owned()).collect::<Vec<_>>(),
        )
        .execute(&mut *conn)
        .named("search.fill_in")
        .await?;
    }
}
