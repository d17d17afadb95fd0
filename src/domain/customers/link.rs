//! What an account that sees a customer keeps on it privately.

use serde::{Deserialize, Serialize};

use crate::domain::{tags::tag::Tag, values::custom_id::CustomIds};

/// An account's link to a customer. One that was never written is empty, at revision 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Counts changes of the link.
    pub revision: i64,
    /// The account's current custom IDs of the customer.
    pub custom_ids: CustomIds,
    /// The account's tags on the customer, by name.
    #[serde(default)]
    pub tags: Vec<Tag>,
}
