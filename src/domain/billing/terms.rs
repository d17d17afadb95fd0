//! The terms that apply to a customer now: its plan and the features that matter, as one statement reads them. Charges follow
//! from them and from what the customer has active.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::{
    billing::{
        customer_billing::{ActiveFeature, Billing},
        feature::{FeatureCode, ServiceClasses},
        money::{Amount, Currency, Money},
        rate_plan::{PlanTerms, Prices},
    },
    customers::customer::Customer,
    values::ids::RatePlanId,
};

/// A feature that matters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FeatureTerms {
    /// What people call it.
    #[serde(rename = "name")]
    pub name: String,
    /// Whether it costs something.
    #[serde(rename = "chargeable")]
    pub chargeable: bool,
    /// Whose customers can have it.
    #[serde(rename = "service_classes")]
    pub service_classes: ServiceClasses,
    /// Whether it is not activated any more.
    #[serde(rename = "retired")]
    pub retired: bool,
    /// Counts its changes: a write that relies on it names the revision.
    #[serde(rename = "revision")]
    pub revision: i64,
}

/// The terms that apply to a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Terms {
    /// The plan that it is on; none if no account at or above its owner ever had one.
    #[serde(rename = "plan", default)]
    pub plan: Option<PlanTerms>,
    /// The features that it has active, and those that a command names, as far as they exist.
    #[serde(rename = "features", default)]
    pub features: BTreeMap<FeatureCode, FeatureTerms>,
    /// The plan that a command names, if the list of the customer's owner has it or had it.
    #[serde(rename = "target", default)]
    pub target: Option<PlanTerms>,
}

/// What a customer has, and what that costs now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// The plan that it is on.
    pub plan: Option<RatePlanId>,
    /// The currency of that plan.
    pub currency: Option<Currency>,
    /// The credit limit.
    pub limit: Option<Money>,
    /// What its features cost a month.
    pub used: Option<Money>,
    /// What is left of the limit.
    pub available: Option<Money>,
    /// Its features, by code.
    pub features: Vec<FeatureCharge>,
}

/// An active feature with its price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureCharge {
    /// The code.
    pub code: FeatureCode,
    /// Since when, how many.
    pub active: ActiveFeature,
    /// What people call it.
    pub name: String,
    /// The price of one a month; none if it is not chargeable, or the plan has no price for it.
    pub price: Option<Amount>,
}

impl FeatureCharge {
    /// What it costs a month.
    #[must_use]
    pub fn amount(&self) -> Option<Amount> {
        self.price?.times(self.active.quantity)
    }
}

/// What a command asks about beside the terms that apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct AskedTerms {
    /// Prices in the customer's plan.
    #[serde(rename = "prices", default)]
    pub prices: Prices,
    /// Features.
    #[serde(rename = "features", default)]
    pub features: BTreeMap<FeatureCode, FeatureTerms>,
    /// Another plan.
    #[serde(rename = "target", default)]
    pub target: Option<PlanTerms>,
}

/// What a customer's features cost a month does not fit into an amount. The limits on prices and quantities exclude it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

impl Terms {
    /// Adds what a command asked about.
    pub fn add(&mut self, asked: AskedTerms) {
        if let Some(plan) = &mut self.plan {
            plan.prices.extend(asked.prices);
        }
        self.features.extend(asked.features);
        self.target = asked.target;
    }

    /// The terms that apply to the customer after a command that may have put it on the plan that it named.
    #[must_use]
    pub fn after(mut self, customer: &Customer) -> Self {
        if let Some(target) = self.target.take_if(|target| Some(target.id) == customer.rate_plan) {
            self.plan = Some(target);
        }
        self
    }

    /// What a customer has, and what that costs now; `own` is the plan of its own, if it has one. What does not fit into an amount is
    /// left out.
    #[must_use]
    pub fn charges(&self, own: Option<RatePlanId>, billing: &Billing) -> Charges {
        let prices = self.plan.as_ref().map(|plan| &plan.prices);
        let features = billing.features.iter().map(|(code, active)| FeatureCharge {
            code: code.clone(),
            active: active.clone(),
            name: self.features.get(code).map(|feature| feature.name.clone()).unwrap_or_default(),
            price: prices.and_then(|prices| prices.get(code)).copied().filter(|_| self.is_chargeable(code)),
        });
        Charges {
            plan: own.or(self.plan_id()),
            currency: self.plan.as_ref().map(|plan| plan.currency.clone()),
            limit: billing.credit_limit.clone(),
            used: self.used(billing).ok().flatten(),
            available: self.available(billing).ok().flatten(),
            features: features.collect(),
        }
    }

    /// The id of the plan that the customer is on.
    #[must_use]
    pub fn plan_id(&self) -> Option<RatePlanId> {
        self.plan.as_ref().map(|plan| plan.id)
    }

    /// Whether a feature costs something.
    #[must_use]
    pub fn is_chargeable(&self, code: &FeatureCode) -> bool {
        self.features.get(code).is_some_and(|feature| feature.chargeable)
    }

    /// What one active feature costs a month at these prices: none if it is not chargeable, or the plan has no price for it.
    ///
    /// # Errors
    /// It does not fit.
    pub fn charge(
        &self,
        prices: &Prices,
        code: &FeatureCode,
        active: &ActiveFeature,
    ) -> Result<Option<Amount>, Overflow> {
        match prices.get(code).filter(|_| self.is_chargeable(code)) {
            Some(price) => price.times(active.quantity).map(Some).ok_or(Overflow),
            None => Ok(None),
        }
    }

    /// What all active features cost a month at these prices.
    ///
    /// # Errors
    /// It does not fit.
    pub fn total(&self, prices: &Prices, billing: &Billing) -> Result<Amount, Overflow> {
        billing.features.iter().try_fold(Amount::ZERO, |sum, (code, active)| {
            let charge = self.charge(prices, code, active)?.unwrap_or_default();
            sum.plus(charge).ok_or(Overflow)
        })
    }

    /// What the customer uses of its credit, in the currency of its plan; none without a plan.
    ///
    /// # Errors
    /// It does not fit.
    pub fn used(&self, billing: &Billing) -> Result<Option<Money>, Overflow> {
        let Some(plan) = &self.plan else { return Ok(None) };
        let amount = self.total(&plan.prices, billing)?;
        Ok(Some(Money { currency: plan.currency.clone(), amount }))
    }

    /// What is left of its credit: below zero if a price has risen. None without a limit.
    ///
    /// # Errors
    /// It does not fit.
    pub fn available(&self, billing: &Billing) -> Result<Option<Money>, Overflow> {
        let (Some(limit), Some(used)) = (&billing.credit_limit, self.used(billing)?) else { return Ok(None) };
        let amount = limit.amount.minus(used.amount).ok_or(Overflow)?;
        Ok(Some(Money { currency: limit.currency.clone(), amount }))
    }
}
