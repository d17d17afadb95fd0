//! What a write of a customer relies on: prices that must not be taken away before it, and features that must stay as they
//! were read. The statement that writes holds them; a change that would break them waits for it, or makes it decide again.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::domain::{
    billing::{feature::FeatureCode, terms::Terms},
    customers::customer::Customer,
    values::ids::RatePlanId,
};

/// A feature at the revision that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReliedFeature {
    code: FeatureCode,
    revision: i64,
}

/// What a write relies on, as its statement reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Relied {
    /// The plan of whose prices it needs some.
    plan: Option<RatePlanId>,
    /// The features whose prices it needs.
    priced: Vec<FeatureCode>,
    /// The features that are newly active, or active for another service class.
    features: Vec<ReliedFeature>,
    /// How many rows the statement must find as they were.
    count: usize,
}

impl Relied {
    /// What the step from one state of a customer to another relies on.
    #[must_use]
    pub fn of(before: &Customer, after: &Customer, terms: &Terms) -> Self {
        let plan = |customer: &Customer| customer.rate_plan.or(terms.plan_id());
        let is_new = |code: &FeatureCode| !before.billing.features.contains_key(code);
        let (moved, reclassified) =
            (plan(before) != plan(after), before.fields.service_class != after.fields.service_class);
        let active = || after.billing.features.keys();
        let priced: Vec<FeatureCode> =
            active().filter(|code| (moved || is_new(code)) && terms.is_chargeable(code)).cloned().collect();
        let relied = active().filter(|code| reclassified || is_new(code));
        let features: Vec<ReliedFeature> = relied
            .filter_map(|code| Some(ReliedFeature { code: code.clone(), revision: terms.features.get(code)?.revision }))
            .collect();
        let plan = plan(after).filter(|_| !priced.is_empty());
        Self { count: usize::from(plan.is_some()) + features.len(), plan, priced, features }
    }
}

/// How a step changes what a customer uses: the rows of `feature_uses` that go and that come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UseChange {
    /// The keys that go.
    pub gone: Vec<String>,
    /// The keys that come.
    pub new: Vec<String>,
}

impl UseChange {
    /// That of a step from one state of a customer to another.
    #[must_use]
    pub fn of(before: &Customer, after: &Customer, terms: &Terms) -> Self {
        let uses = |customer: &Customer| {
            customer.billing.uses(customer.fields.service_class, customer.rate_plan.or(terms.plan_id()))
        };
        let (before, after) = (uses(before), uses(after));
        let without = |keys: &BTreeSet<String>, others| keys.difference(others).cloned().collect();
        Self { gone: without(&before, &after), new: without(&after, &before) }
    }
}
