//! A hold: an order or billing service blocks migrate, transfer, merge and erase until it has drained its own side.

use serde::{Deserialize, Serialize};

use crate::domain::{
    requests::principal::Principal,
    values::{ids::HoldId, text::Text, timestamp::Timestamp},
};

/// One hold on a customer, as the column `customers.holds` keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    pub hold_id: HoldId,
    /// What holds it, such as `open-orders`.
    pub kind: Text<63>,
    /// Why.
    pub reason: Text<500>,
    /// Since when.
    pub placed_at: Timestamp,
    /// By whom.
    pub placed_by: Principal,
}

impl Hold {
    /// Holds on one customer at most.
    pub const MAX: usize = 20;
}
