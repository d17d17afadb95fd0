//! A tag: an account's private label for customers.

use serde::{Deserialize, Serialize};

use crate::domain::ids::TagId;
use crate::domain::key::keyed;

keyed! {
    /// A tag's name: 1 to 40 printable characters, unique in its account by its folded key.
    pub struct TagName, at most 40
}

/// A tag as a customer shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Its id.
    pub id: TagId,
    /// Its name.
    pub name: TagName,
}
