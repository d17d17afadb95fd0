//! What customers that are merged have active, and their credit: it becomes that of the one that stays. And the undoing of that.

use std::collections::{BTreeSet, btree_map::Entry};

use crate::domain::{
    billing::{
        customer_billing::{ActiveFeature, Billing, MAX_FEATURES, MAX_QUANTITY},
        feature::FeatureCode,
        money::Money,
        terms::Terms,
    },
    customers::{customer::Customer, merge_blocker::MergeBlocker},
};

/// What blocks a merge, with the place of the customer among the others; none: the one that stays.
pub type BillingBlocker = (Option<usize>, MergeBlocker);

/// What the survivor has after a merge, and what blocks it. `survivor` has the fields of after the merge; `terms` are those of its
/// plan for all features of all of them.
///
/// It keeps its plan. It gets the features of the others; of one that several have, the quantities are added. Its limit stays, and
/// has to cover them; only if it has none, it gets that of the first other one that has one in its currency.
#[must_use]
pub fn unite(survivor: &Customer, others: &[(&Customer, &Terms)], terms: &Terms) -> (Billing, Vec<BillingBlocker>) {
    let (mut billing, mut blockers, mut is_charged) = (survivor.billing.clone(), Vec::new(), false);
    let plan = terms.plan.as_ref();
    if billing.credit_limit.is_none() && survivor.may_raise_credit().is_ok() {
        let mut limits = others.iter().filter_map(|(other, _)| other.billing.credit_limit.as_ref());
        let fits = |limit: &&Money| plan.is_some_and(|plan| plan.currency == limit.currency);
        billing.credit_limit = limits.find(fits).cloned();
    }
    let class = survivor.fields.service_class;
    let suits = |code| terms.features.get(code).is_some_and(|feature| feature.service_classes.contains(class));
    let unsuitable = survivor.billing.features.keys().filter(|code| !suits(*code));
    blockers.extend(unsuitable.map(|code| (None, MergeBlocker::ServiceClass(code.clone()))));
    for (place, (other, theirs)) in others.iter().enumerate().filter(|(_, (one, _))| !one.billing.features.is_empty()) {
        if survivor.may_activate_features().is_err() {
            blockers.push((Some(place), MergeBlocker::ActiveFeatures));
            continue;
        }
        let currency = theirs.plan.as_ref().map(|plan| &plan.currency);
        if let (Some(from), Some(to)) = (currency, plan.map(|plan| &plan.currency))
            && from != to
            && other.billing.features.keys().any(|code| terms.is_chargeable(code))
        {
            blockers.push((Some(place), MergeBlocker::Currency { from: from.clone(), to: to.clone() }));
            continue;
        }
        for (code, active) in &other.billing.features {
            if !suits(code) {
                blockers.push((Some(place), MergeBlocker::ServiceClass(code.clone())));
            } else if terms.is_chargeable(code) && !plan.is_some_and(|plan| plan.prices.contains_key(code)) {
                blockers.push((Some(place), MergeBlocker::PriceMissing(code.clone())));
            } else {
                is_charged |= terms.is_chargeable(code);
                add(&mut billing, code, active);
            }
        }
    }
    let is_too_much = |active: &ActiveFeature| active.quantity > MAX_QUANTITY;
    if billing.features.len() > MAX_FEATURES || billing.features.values().any(is_too_much) {
        blockers.push((None, MergeBlocker::TooManyFeatures));
    } else if is_charged && blockers.is_empty() {
        blockers.extend(uncovered(&billing, terms).map(|blocker| (None, blocker)));
    }
    (billing, blockers)
}

/// Adds an active feature. One that is there already keeps the earlier activation.
fn add(billing: &mut Billing, code: &FeatureCode, active: &ActiveFeature) {
    match billing.features.entry(code.clone()) {
        Entry::Vacant(free) => drop(free.insert(active.clone())),
        Entry::Occupied(mut there) => {
            let quantity = there.get().quantity.saturating_add(active.quantity);
            let first = if active.since < there.get().since { active } else { there.get() };
            let united = ActiveFeature { quantity, ..first.clone() };
            there.insert(united);
        }
    }
}

/// Why the limit does not cover the features, if it does not.
fn uncovered(billing: &Billing, terms: &Terms) -> Option<MergeBlocker> {
    let needed = match terms.used(billing) {
        Ok(needed) => needed?,
        Err(_) => return Some(MergeBlocker::TooManyFeatures),
    };
    let covers = |limit: &Money| limit.currency == needed.currency && needed.amount <= limit.amount;
    let limit = billing.credit_limit.clone();
    (!limit.as_ref().is_some_and(covers))
        .then(|| MergeBlocker::CreditLimit { needed: Box::new(needed), limit: limit.map(Box::new) })
}

/// What undoing a merge leaves the one that stayed: as before it, where the merge changed it and nobody has since. And the paths of
/// what the merge changed and somebody changed after it, which stays.
#[must_use]
pub fn undo(now: &Billing, before: &Billing, after: &Billing) -> (Billing, Vec<String>) {
    let (mut billing, mut changed_since) = (now.clone(), Vec::new());
    if before.credit_limit != after.credit_limit {
        if now.credit_limit == after.credit_limit {
            billing.credit_limit.clone_from(&before.credit_limit);
        } else if now.credit_limit != before.credit_limit {
            changed_since.push("credit_limit".to_owned());
        }
    }
    let quantity = |of: &Billing, code| of.features.get(code).map(|active| active.quantity);
    let codes: BTreeSet<&FeatureCode> = before.features.keys().chain(after.features.keys()).collect();
    for code in codes.into_iter().filter(|code| quantity(before, code) != quantity(after, code)) {
        if quantity(now, code) == quantity(after, code) {
            match before.features.get(code) {
                Some(active) => drop(billing.features.insert(code.clone(), active.clone())),
                None => drop(billing.features.remove(code)),
            }
        } else if quantity(now, code) != quantity(before, code) {
            changed_since.push(format!("active_features.{}", code.as_str()));
        }
    }
    (billing, changed_since)
}

/// Whether a customer may have its active features back: each is for its service class, and has a price if it is chargeable.
#[must_use]
pub fn may_come_back(customer: &Customer, terms: &Terms) -> bool {
    let plan = terms.plan.as_ref();
    let is_priced = |code| !terms.is_chargeable(code) || plan.is_some_and(|plan| plan.prices.contains_key(code));
    customer.must_suit_service_class(terms).is_ok() && customer.billing.features.keys().all(is_priced)
}

#[cfg(test)]
mod tests;
