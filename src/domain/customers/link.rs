//! An account's link to a customer that it sees: its private custom IDs and tags.

use serde::{Deserialize, Serialize};

use crate::domain::{tags::tag::Tag, values::custom_id::CustomIds};

/// An account's link to a customer. A link that was never written is empty, at revision 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Counts changes of the link.
    #[serde(rename = "revision")]
    pub revision: i64,
    /// The account's current custom IDs of the customer.
    #[serde(rename = "custom_ids")]
    pub custom_ids: CustomIds,
    /// The account's tags on the customer, by name.
    #[serde(rename = "tags", default)]
    pub tags: Vec<Tag>,
}
