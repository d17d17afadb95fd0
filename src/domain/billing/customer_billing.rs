//! What one customer buys: its credit limit and its active features, the document `customers.billing`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::{
    billing::{
        feature::FeatureCode,
        money::{Amount, Currency, Money},
    },
    requests::principal::Principal,
    values::{enums::ServiceClass, ids::RatePlanId, timestamp::Timestamp, unknown_fields::UnknownFields},
};

/// The most active features of one customer.
pub const MAX_FEATURES: usize = 200;
/// The highest quantity of one active feature.
pub const MAX_QUANTITY: u32 = 1_000_000;

/// A feature that a customer has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveFeature {
    /// How many of it.
    #[serde(rename = "quantity")]
    pub quantity: u32,
    /// When it was activated; a change of the quantity keeps it.
    #[serde(rename = "since")]
    pub since: Timestamp,
    /// Who activated it.
    #[serde(rename = "by")]
    pub by: Principal,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// What a customer buys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Document", from = "Document")]
pub struct Billing {
    /// The credit limit; none: nothing chargeable can be activated.
    pub credit_limit: Option<Money>,
    /// The active features by code.
    pub features: BTreeMap<FeatureCode, ActiveFeature>,
    /// Fields of a newer release.
    pub unknown: UnknownFields,
}

/// The document. An empty field is left out.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(rename = "credit_limit", skip_serializing_if = "Option::is_none")]
    credit_limit: Option<Amount>,
    #[serde(rename = "credit_currency", skip_serializing_if = "Option::is_none")]
    credit_currency: Option<Currency>,
    #[serde(rename = "features", skip_serializing_if = "BTreeMap::is_empty")]
    features: BTreeMap<FeatureCode, ActiveFeature>,
    #[serde(flatten)]
    unknown: UnknownFields,
}

impl From<Billing> for Document {
    fn from(Billing { credit_limit, features, unknown }: Billing) -> Self {
        let (credit_limit, credit_currency) = credit_limit.map(|limit| (limit.amount, limit.currency)).unzip();
        Self { credit_limit, credit_currency, features, unknown }
    }
}

impl From<Document> for Billing {
    fn from(Document { credit_limit, credit_currency, features, unknown }: Document) -> Self {
        let credit_limit = credit_limit.zip(credit_currency).map(|(amount, currency)| Money { currency, amount });
        Self { credit_limit, features, unknown }
    }
}

impl Billing {
    /// Whether the customer has neither a limit nor a feature.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.credit_limit.is_none() && self.features.is_empty() && self.unknown.is_empty()
    }

    /// The keys by which the database finds whether somebody needs a price or a feature as it is: the table `feature_uses`.
    #[must_use]
    pub fn uses(&self, class: ServiceClass, plan: Option<RatePlanId>) -> BTreeSet<String> {
        let codes = self.features.keys();
        codes
            .flat_map(|code| [plan.map(|plan| price_key(plan, code)), Some(class_key(class, code))])
            .flatten()
            .collect()
    }
}

/// The key of the customers on a plan that have a feature.
#[must_use]
pub fn price_key(plan: RatePlanId, code: &FeatureCode) -> String {
    format!("{plan}/{}", code.as_str())
}

/// The key of the customers of a service class that have a feature.
#[must_use]
pub fn class_key(class: ServiceClass, code: &FeatureCode) -> String {
    format!("{}/{}", class.as_str(), code.as_str())
}
