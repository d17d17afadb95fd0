//! Why something about plans, features and credit is refused.

use crate::domain::billing::money::Money;

/// The closed set of these refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BillingRefusal {
    /// The tenant's catalogue has no such feature.
    FeatureNotFound,
    /// The catalogue has a feature of this code already.
    FeatureExists,
    /// An active feature needs what was to be changed.
    FeatureInUse,
    /// The feature is not activated any more.
    FeatureRetired,
    /// Customers of this service class cannot have the feature.
    FeatureNotForServiceClass,
    /// The plan has no price for a chargeable feature.
    PriceMissing,
    /// The active features would cost more than the limit allows.
    CreditLimitExceeded {
        /// What they would cost a month.
        needed: Money,
        /// The limit.
        limit: Money,
    },
    /// The customer has no credit limit, and the feature is chargeable.
    CreditLimitMissing,
    /// There is no such plan where it was looked for.
    RatePlanNotFound,
    /// The plan is not in its list any more.
    RatePlanArchived,
    /// The amount or the plan is of another currency than the customer's plan.
    CurrencyMismatch,
    /// The limit would be below what is used.
    CreditBelowUsed {
        /// What the active features cost a month.
        used: Money,
    },
    /// No account at or above the customer's owner has a plan.
    NoRatePlan,
}

impl BillingRefusal {
    /// What it says to people.
    #[must_use]
    pub fn text(&self) -> String {
        let fixed = match self {
            Self::CreditLimitExceeded { needed, limit } => {
                return format!(
                    "The active features would cost {needed} a month, and the credit limit is {limit}. Raise the limit, or \
                     deactivate a feature."
                );
            }
            Self::CreditBelowUsed { used } => {
                return format!(
                    "The active features cost {used} a month. An ADMIN can set a lower limit with force; nothing chargeable can \
                     be activated then."
                );
            }
            Self::FeatureNotFound => "Feature not found in the tenant's catalogue.",
            Self::FeatureExists => "The tenant's catalogue already has a feature with this code.",
            Self::FeatureInUse => {
                "A customer has the feature active and needs this as it is. Retire the feature instead."
            }
            Self::FeatureRetired => {
                "The feature is retired: it stays active where it is, and is not activated any more."
            }
            Self::FeatureNotForServiceClass => "Customers of this service class cannot have the feature.",
            Self::PriceMissing => "The customer's rate plan has no price for a chargeable feature.",
            Self::CreditLimitMissing => {
                "The customer has no credit limit, and the feature is chargeable. Set a limit first."
            }
            Self::RatePlanNotFound => "Rate plan not found in the list that applies.",
            Self::RatePlanArchived => "The rate plan is archived: it stays with the customers that have it.",
            Self::CurrencyMismatch => "The currency is not that of the customer's rate plan.",
            Self::NoRatePlan => "No rate plan applies to the customer: neither its owner nor an account above has one.",
        };
        fixed.to_owned()
    }
}
