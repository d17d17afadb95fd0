//! The changes of what a tenant sells: features and rate plans.

use serde_json::{Map, Value};

use super::{
    event::{Changes, Delta},
    image::moment,
};
use crate::domain::{
    billing::{feature::Feature, rate_plan::RatePlan},
    values::ids::RatePlanId,
};

impl Changes {
    /// A new or changed feature of the tenant's catalogue.
    #[must_use]
    pub fn of_feature(before: Option<&Feature>, after: &Feature) -> Self {
        let image = |feature: &Feature| {
            let classes: Vec<&str> = feature.service_classes.as_slice().iter().map(|class| class.as_str()).collect();
            [
                ("code", feature.code.as_str().into()),
                ("name", feature.name.as_str().into()),
                ("chargeable", feature.chargeable.into()),
                ("service_classes", classes.into()),
                ("retired", feature.retired.into()),
            ]
        };
        Self::of_entry("code", before.map(image), Some(image(after)))
    }

    /// A new, changed or archived rate plan, each price by itself.
    #[must_use]
    pub fn of_rate_plan(before: Option<&RatePlan>, after: &RatePlan) -> Self {
        let image = |plan: &RatePlan| {
            let mut flat = Map::new();
            flat.insert("name".to_owned(), plan.name.as_str().into());
            flat.insert("currency".to_owned(), plan.currency.as_str().into());
            let prices = plan.prices.iter();
            flat.extend(prices.map(|(code, price)| (format!("prices.{}", code.as_str()), price.to_string().into())));
            flat.extend(plan.archived_at.map(|at| ("archived_at".to_owned(), moment(at))));
            flat
        };
        let mut changes = Self::between(before.map(image).unwrap_or_default(), image(after));
        let id = |plan: &RatePlan| Value::from(plan.id.to_string());
        let delta = Delta { old: before.map(id).unwrap_or_default(), new: id(after) };
        changes.0.insert("rate_plan_id".to_owned(), delta);
        changes
    }

    /// Another order of an account's plans.
    #[must_use]
    pub fn of_order(before: &[RatePlanId], after: &[RatePlanId]) -> Self {
        let image = |plans: &[RatePlanId]| {
            let ids: Vec<Value> = plans.iter().map(|plan| plan.to_string().into()).collect();
            Map::from_iter([("rate_plan_ids".to_owned(), ids.into())])
        };
        Self::between(image(before), image(after))
    }
}
