//! Pages of lists.

/// One page, and whether there is more.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether there are more after the last.
    pub more: bool,
}

impl<T> Page<T> {
    /// A page of at most `size` of the items that were read, of which [`limit`] were asked for.
    #[must_use]
    pub fn of(mut items: Vec<T>, size: usize) -> Self {
        let more = items.len() > size;
        items.truncate(size);
        Self { items, more }
    }
}

/// How many items to read for a page of this size: one more, to know whether there are more.
#[must_use]
pub fn limit(size: usize) -> i64 {
    i64::try_from(size).map_or(i64::MAX, |size| size.saturating_add(1))
}
