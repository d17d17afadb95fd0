//! What a customer's record has of its payment methods.

use serde::{Deserialize, Serialize};

use crate::domain::values::ids::PaymentMethodId;

/// What the customer's row has of its payment methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentSummary {
    /// The default.
    #[serde(rename = "default", default)]
    pub default: Option<PaymentMethodId>,
    /// How many there are.
    #[serde(rename = "count", default)]
    pub count: usize,
}

impl PaymentSummary {
    /// Whether the customer never had a payment method, or has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
