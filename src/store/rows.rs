//! Rows of a read, taken from the session one by one and counted at what they cost in memory.
//!
//! Two limits end a page before it has as many rows as were asked for. The statement itself sends no row after `PAGE_BYTES`
//! of documents, so that neither the database nor the session works for what is not shown. And no row is kept after
//! `PAGE_MEMORY`: small objects cost many times their text. Either way the page has at least one row, and the next page
//! begins after its last.

use std::pin::pin;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::{
    Decode, Postgres, Type,
    error::BoxDynError,
    postgres::{PgTypeInfo, PgValueRef},
    types::Json,
};
use tokio_stream::{Stream, StreamExt as _};
use uuid::Uuid;

use crate::{domain::values::sort_key::SortKey, error::Result};

/// Asks for room in memory for so many bytes more.
///
/// # Errors
/// There is none.
pub type Room = fn(usize) -> Result<()>;

/// Documents on one page, in bytes as the database keeps them uncompressed. The row that exceeds it begins the next page.
pub(super) const PAGE_BYTES: i64 = 2 * 1024 * 1024;
/// Memory that the rows of one page cost at most, unless the first row alone costs more.
const PAGE_MEMORY: usize = 8 * 1024 * 1024;
/// Memory of one node of an object's tree, which has room for eleven entries and, but for the first, at least six.
const NODE: usize = 640;

/// The rows of a page.
#[derive(Clone, Debug)]
pub struct Rows<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Whether the page is full, and the list goes on after it.
    pub full: bool,
}

/// The position of an item in a list by name: the next page begins after it. It is what the database sorts by: the stored
/// key, which is empty where it is not computed yet, and the id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByName {
    /// The stored sort key of the name.
    pub key: SortKey,
    /// The item's id.
    pub id: Uuid,
}

impl ByName {
    /// The position of a row.
    pub(super) fn new(name_sort: Vec<u8>, id: Uuid) -> Self {
        Self { key: SortKey::from_stored(name_sort), id }
    }
}

/// Reads a page: rows until it is full. `convert` makes an item of a row, with what it costs in memory; none for a row that
/// has no item.
///
/// # Errors
/// Those of the statement, of `convert` and of `room`. Further rows are read and dropped, so that the session is clean.
pub(super) async fn page<R, T>(
    rows: impl Stream<Item = sqlx::Result<R>>,
    room: Room,
    mut convert: impl FnMut(R) -> Result<Option<(usize, T)>>,
) -> Result<Rows<T>> {
    let mut page = Rows { items: Vec::new(), full: false };
    let (mut cost, mut refused) = (0_usize, None);
    let mut rows = pin!(rows);
    while let Some(row) = rows.next().await {
        let row = row?;
        if page.full || refused.is_some() {
            continue;
        }
        match convert(row) {
            Ok(None) => {}
            Ok(Some((more, _))) if !page.items.is_empty() && cost + more > PAGE_MEMORY => page.full = true,
            Ok(Some((more, item))) => match room(more) {
                Ok(()) => {
                    cost += more;
                    page.items.push(item);
                }
                Err(full) => refused = Some(full),
            },
            Err(failure) => refused = Some(failure),
        }
    }
    refused.map_or(Ok(page), Err)
}

/// Reads all rows. `convert` makes an item of a row, with what it costs in memory.
///
/// # Errors
/// Those of the statement, of `convert` and of `room`.
pub(super) async fn all<R, T>(
    rows: impl Stream<Item = sqlx::Result<R>>,
    room: Room,
    mut convert: impl FnMut(R) -> Result<(usize, T)>,
) -> Result<Vec<T>> {
    let (mut items, mut refused) = (Vec::new(), None);
    let mut rows = pin!(rows);
    while let Some(row) = rows.next().await {
        let row = row?;
        if refused.is_some() {
            continue;
        }
        let kept = convert(row).and_then(|(cost, item)| room(cost).map(|()| items.push(item)));
        refused = kept.err();
    }
    refused.map_or(Ok(items), Err)
}

/// A jsonb document as a domain value, with the length of its text.
#[derive(Clone, Debug)]
pub(super) struct Document<T> {
    pub(super) value: T,
    pub(super) bytes: usize,
}

impl<T> Type<Postgres> for Document<T> {
    fn type_info() -> PgTypeInfo {
        <Json<T> as Type<Postgres>>::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        <Json<T> as Type<Postgres>>::compatible(ty)
    }
}

impl<'r, T: DeserializeOwned> Decode<'r, Postgres> for Document<T> {
    fn decode(value: PgValueRef<'r>) -> std::result::Result<Self, BoxDynError> {
        let bytes = value.as_bytes()?.len();
        let Json(value) = Json::<T>::decode(value)?;
        Ok(Self { value, bytes })
    }
}

/// What a tree of values costs in memory, here and in the message that is made of it: about the same.
pub(super) fn cost_of(value: &Value) -> usize {
    let own = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(cost_of).sum(),
        Value::Object(entries) => {
            let nodes = NODE * (1 + entries.len() / 6);
            nodes + entries.iter().map(|(key, value)| key.len() + cost_of(value)).sum::<usize>()
        }
    };
    own + size_of::<Value>()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::error::Error;

    fn rows(costs: Vec<usize>) -> impl Stream<Item = sqlx::Result<usize>> {
        tokio_stream::iter(costs).map(Ok)
    }

    fn with_cost(cost: usize) -> Result<Option<(usize, usize)>> {
        Ok(Some((cost, cost)))
    }

    #[tokio::test]
    async fn a_page_ends_before_the_row_that_does_not_fit_and_has_at_least_one() {
        let half = PAGE_MEMORY / 2;
        let read = page(rows(vec![half, half, 1, 1]), |_| Ok(()), with_cost).await.unwrap();
        assert_eq!((read.items, read.full), (vec![half, half], true));
        let read = page(rows(vec![PAGE_MEMORY * 2, 1]), |_| Ok(()), with_cost).await.unwrap();
        assert_eq!((read.items.len(), read.full), (1, true));
        let read = page(rows(vec![half, half]), |_| Ok(()), with_cost).await.unwrap();
        assert_eq!((read.items.len(), read.full), (2, false));
    }

    #[tokio::test]
    async fn without_room_the_read_fails_and_all_rows_are_taken_from_the_session() {
        let refuse: Room = |bytes| if bytes > 1 { Err(Error::NotAMember) } else { Ok(()) };
        let taken = Cell::new(0);
        let counted = |costs| {
            rows(costs).map(|row| {
                taken.set(taken.get() + 1);
                row
            })
        };
        let read = page(counted(vec![1, 2, 1, 1]), refuse, with_cost).await;
        assert!(matches!(read.unwrap_err(), Error::NotAMember));
        assert_eq!(taken.replace(0), 4);
        let read = all(counted(vec![2, 1, 1]), refuse, |cost| Ok((cost, ()))).await;
        assert!(matches!(read.unwrap_err(), Error::NotAMember));
        assert_eq!(taken.get(), 3);
    }
}
