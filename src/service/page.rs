//! Pages of lists.

use crate::store::rows::Rows;

/// One page.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether the list has more items after the last.
    pub more: bool,
}

impl<T> Page<T> {
    /// A page of at most `size` of the items that were read; [`limit`] says how many to read.
    #[must_use]
    pub fn of(Rows { mut items, full }: Rows<T>, size: usize) -> Self {
        let more = full || items.len() > size;
        items.truncate(size);
        Self { items, more }
    }
}

/// How many items to read for a page of this size: one more, to know whether the list goes on.
#[must_use]
pub fn limit(size: usize) -> i64 {
    i64::try_from(size).map_or(i64::MAX, |size| size.saturating_add(1))
}
