//! A hold: an order or billing service blocks migrate, transfer, merge and erase until its own work on the customer is done.

use serde::{Deserialize, Serialize};

use crate::domain::{
    requests::principal::Principal,
    values::{ids::HoldId, text::Text, timestamp::Timestamp, unknown_fields::UnknownFields},
};

/// One hold on a customer: an element of the column `customers.holds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    #[serde(rename = "hold_id")]
    pub hold_id: HoldId,
    /// The kind of work that is open, such as `open-orders`.
    #[serde(rename = "kind")]
    pub kind: Text<63>,
    /// Why it was placed.
    #[serde(rename = "reason")]
    pub reason: Text<500>,
    /// When it was placed.
    #[serde(rename = "placed_at")]
    pub placed_at: Timestamp,
    /// The principal that placed it.
    #[serde(rename = "placed_by")]
    pub placed_by: Principal,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl Hold {
    /// Most holds on one customer.
    pub const MAX: usize = 20;
}
