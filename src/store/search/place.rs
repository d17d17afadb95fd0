//! Places in the list of a search.

use crate::domain::values::{ids::CustomerId, sort_key::SortKey, timestamp::Timestamp};

/// Totals are counted up to here.
pub const COUNTED: i64 = 1_000;
/// The position of a customer in a list. The next page starts after it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    pub(super) rank: i32,
    pub(super) key: PlaceKey,
    pub(super) id: CustomerId,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum PlaceKey {
    // Not its old name: an older release must refuse it, not compare it with folded names.
    #[serde(rename = "SortKey")]
    Name(SortKey),
    At(Timestamp),
}
