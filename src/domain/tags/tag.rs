//! A tag: an account's private label for customers.

use serde::{Deserialize, Serialize};

use crate::domain::values::{ids::TagId, key::keyed, sort_key::SortKey};

keyed! {
    /// A tag's name: 1 to 40 printable characters, unique in its account by its folded key.
    pub struct TagName, at most 40
}

/// A tag as a customer shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Its id.
    #[serde(rename = "id")]
    pub id: TagId,
    /// Its name.
    #[serde(rename = "name")]
    pub name: TagName,
}

impl Tag {
    /// Tags in an account's catalogue at most.
    pub const MAX_IN_ACCOUNT: usize = 2_000;
    /// Tags of one account on one customer at most.
    pub const MAX_ON_CUSTOMER: usize = 100;
    /// Customers that one deletion takes a tag off at most: each of them is written, with an event.
    pub const MAX_DELETED_FROM: usize = 10_000;

    /// The key by which lists sort it.
    #[must_use]
    pub fn sort_key(&self) -> SortKey {
        SortKey::of(self.name.as_str())
    }
}

/// A tag of the catalogue, and on how many customers it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagUse {
    /// The tag.
    pub tag: Tag,
    /// Customers in sight that have it; up to [`TagUse::COUNTED`], and one more says that there are more.
    pub customers: usize,
}

impl TagUse {
    /// Customers are counted up to here: a count costs a look at each.
    pub const COUNTED: usize = 1_000;
}
