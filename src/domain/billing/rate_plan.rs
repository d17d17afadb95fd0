//! Rate plans: monthly prices by feature, in the ordered list of an account.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{
    billing::{
        feature::FeatureCode,
        money::{Amount, Currency},
    },
    values::{
        ids::{AccountId, RatePlanId},
        text::Text,
        timestamp::Timestamp,
    },
};

/// What people call a plan: 1 to 120 printable characters.
pub type RatePlanName = Text<120>;

/// Monthly prices by feature code.
pub type Prices = BTreeMap<FeatureCode, Amount>;

/// One plan of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatePlan {
    /// The id.
    #[serde(rename = "id")]
    pub id: RatePlanId,
    /// The account whose list it is in.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// What people call it.
    #[serde(rename = "name")]
    pub name: RatePlanName,
    /// The currency of its prices. It never changes.
    #[serde(rename = "currency")]
    pub currency: Currency,
    /// The monthly prices.
    #[serde(rename = "prices")]
    pub prices: Prices,
    /// When it was created.
    #[serde(rename = "created_at")]
    pub created_at: Timestamp,
    /// When it left the list, if it did.
    #[serde(rename = "archived_at", default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
}

/// New values of a plan; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RatePlanEdit {
    /// The name.
    pub name: Option<RatePlanName>,
    /// All prices.
    pub prices: Option<Prices>,
    /// Single prices, after `prices`; none takes the price away.
    pub single: BTreeMap<FeatureCode, Option<Amount>>,
    /// The currencies that the new prices name: each must be the plan's.
    pub currencies: Vec<Currency>,
}

impl RatePlan {
    /// The most plans in an account's list.
    pub const MAX_IN_LIST: usize = 200;
    /// The most plans of an account, archived ones too.
    pub const MAX_IN_ACCOUNT: usize = 1_000;
    /// The most prices of one plan.
    pub const MAX_PRICES: usize = 1_000;

    /// The plan with its new values.
    #[must_use]
    pub fn edited(&self, edit: &RatePlanEdit) -> Self {
        let mut prices = edit.prices.clone().unwrap_or_else(|| self.prices.clone());
        for (code, price) in &edit.single {
            match price {
                Some(price) => _ = prices.insert(code.clone(), *price),
                None => _ = prices.remove(code),
            }
        }
        Self { name: edit.name.clone().unwrap_or_else(|| self.name.clone()), prices, ..self.clone() }
    }

    /// The features whose price is taken away.
    #[must_use]
    pub fn prices_taken_away(&self, after: &Self) -> Vec<FeatureCode> {
        self.prices.keys().filter(|code| !after.prices.contains_key(*code)).cloned().collect()
    }

    /// The features that have a price now and had none: they must exist.
    #[must_use]
    pub fn prices_added(&self, after: &Self) -> Vec<FeatureCode> {
        after.prices.keys().filter(|code| !self.prices.contains_key(*code)).cloned().collect()
    }
}

/// A plan as decisions about a customer read it, with the prices of the features that matter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PlanTerms {
    /// The plan.
    #[serde(rename = "id")]
    pub id: RatePlanId,
    /// The account whose list it is in, or was.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// The currency of its prices.
    #[serde(rename = "currency")]
    pub currency: Currency,
    /// The prices of the features that matter.
    #[serde(rename = "prices", default)]
    pub prices: Prices,
    /// Whether it has left its list.
    #[serde(rename = "archived", default)]
    pub archived: bool,
}
