//! Searching customers: every statement that reads or keeps `customer_search` but those that write customers with it.
//!
//! The one statement that is put together rather than written: its text is made of constants and of the numbers of
//! parameters, never of a value. It reads what matches, in order, and the customers with it. Another index takes this
//! one's place in this folder alone.

mod build;
mod builder;
mod filters;
mod keys;
mod lists;
mod place;
mod ranks;
mod renew;
mod walk;
mod wanted;
mod words;

use sqlx::{AssertSqlSafe, FromRow as _, PgConnection, Row as _};

use self::build::{Statement, statement};
use self::place::PlaceKey;
pub use self::place::{COUNTED, Place};
pub(super) use self::renew::renew;
pub use self::wanted::Wanted;
use crate::{
    domain::{
        access::caller::Caller,
        fields::customer_fields::CustomerFields,
        search::{OrderBy, Searchable},
        values::sort_key::SortKey,
    },
    error::Result,
    store::{
        customers::{CustomerRecord, row::Row},
        rows::{self, Room, Rows},
    },
    telemetry::RowStream as _,
};

/// The most bytes of a statement that a session keeps. A query of many words makes one of megabytes, of which PostgreSQL would keep
/// the parsed form many times as large, and there are as many shapes as numbers of words.
const KEPT_BYTES: usize = 64 * 1024;

/// A customer that matches, and its position in the list.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The customer.
    pub seen: CustomerRecord,
    /// Its document; empty without a query.
    pub doc: String,
    /// The words of the acting account's custom IDs of it, aliases too; none unless they were searched.
    pub ids: Vec<String>,
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
    let is_kept = text.len() <= KEPT_BYTES;
    let rows = sqlx::query_with(AssertSqlSafe(text), arguments).persistent(is_kept).fetch(conn).named("search.find");
    let page = rows::page(rows, room, |row| {
        total = row.try_get("total")?;
        // The total comes in a row of its own where nothing else does.
        let Some(rank) = row.try_get::<Option<i32>, _>("place")? else { return Ok(None) };
        let key = match wanted.search.order.by {
            OrderBy::Relevance | OrderBy::Name => PlaceKey::Name(SortKey::from_stored(row.try_get("name_sort")?)),
            OrderBy::CreateTime => PlaceKey::At(row.try_get("created_at")?),
            OrderBy::UpdateTime => PlaceKey::At(row.try_get("updated_at")?),
        };
        let ids = row.try_get::<Option<Vec<String>>, _>("ids")?.unwrap_or_default();
        let doc = row.try_get::<Option<String>, _>("doc")?.unwrap_or_default();
        let customer = Row::from_row(&row)?;
        let cost = customer.cost() + doc.len() + ids.iter().map(String::len).sum::<usize>();
        cut = customer.cut;
        let seen = customer.seen(caller)?;
        let place = Place { rank, key, id: seen.customer.id };
        Ok(Some((cost, Hit { seen, doc, ids, place })))
    })
    .await?;
    Ok(Hits { hits: Rows { full: page.full || cut, ..page }, total })
}

/// What is to be written for a customer's new facts: nothing if what is searched of it stays.
pub(super) fn change(before: &CustomerFields, after: &CustomerFields) -> Option<Searchable> {
    let new = Searchable::of(after);
    (Searchable::of(before) != new).then_some(new)
}
