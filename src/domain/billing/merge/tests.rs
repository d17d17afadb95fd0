use std::collections::BTreeMap;

use super::*;
use crate::domain::{
    billing::{
        rate_plan::PlanTerms,
        tests::{activate, code, currency, customer, money, plan, terms},
    },
    samples,
};

/// A customer with this limit and these features, whatever the limit covers.
fn having(limit: Option<&str>, features: &[(&str, u32)]) -> Customer {
    let mut one = customer(Some("1000000"));
    for (feature, quantity) in features {
        let _ = activate(&mut one, feature, *quantity).unwrap();
    }
    one.billing.credit_limit = limit.map(money);
    one
}

fn quantities(billing: &Billing) -> BTreeMap<&str, u32> {
    billing.features.iter().map(|(code, active)| (code.as_str(), active.quantity)).collect()
}

#[test]
fn features_are_united_quantities_added_and_the_survivors_limit_stays() {
    let survivor = having(Some("25"), &[("voicemail", 2)]);
    let mut earlier = having(Some("900"), &[("voicemail", 3), ("caller-id", 1)]);
    earlier.billing.features.get_mut(&code("voicemail")).unwrap().since = samples::at(2);
    let third = having(None, &[("voicemail", 5)]);
    let (billing, blockers) = unite(&survivor, &[(&earlier, &terms()), (&third, &terms())], &terms());
    assert_eq!((quantities(&billing), blockers), ([("voicemail", 10), ("caller-id", 1)].into(), vec![]));
    assert_eq!((billing.credit_limit, billing.features[&code("voicemail")].since), (Some(money("25")), samples::at(2)));
    let one_more = having(None, &[("voicemail", 1)]);
    let all = [(&earlier, &terms()), (&third, &terms()), (&one_more, &terms())];
    let blocked = MergeBlocker::CreditLimit { needed: Box::new(money("27.5")), limit: Some(Box::new(money("25"))) };
    assert_eq!(unite(&survivor, &all, &terms()).1, [(None, blocked)], "limits are not added");
}

#[test]
fn a_survivor_without_a_limit_gets_the_first_one_in_its_currency() {
    let survivor = having(None, &[]);
    let mut dollars = having(Some("7"), &[]);
    dollars.billing.credit_limit.as_mut().unwrap().currency = currency("USD");
    let (with, more) = (having(Some("5"), &[("voicemail", 2)]), having(Some("9"), &[]));
    let (billing, blockers) = unite(&survivor, &[(&dollars, &terms()), (&with, &terms()), (&more, &terms())], &terms());
    assert_eq!((billing.credit_limit, blockers), (Some(money("5")), vec![]));
    let none = having(None, &[("voicemail", 2)]);
    let blocked = MergeBlocker::CreditLimit { needed: Box::new(money("5")), limit: None };
    assert_eq!(unite(&survivor, &[(&none, &terms())], &terms()).1, [(None, blocked)]);
    let archived = Customer { archived_at: Some(samples::at(1)), ..survivor };
    assert_eq!(unite(&archived, &[(&more, &terms())], &terms()).0.credit_limit, None, "its credit cannot rise");
    assert_eq!(unite(&archived, &[(&with, &terms())], &terms()).1, [(Some(0), MergeBlocker::ActiveFeatures)]);
}

#[test]
fn what_the_survivor_cannot_have_blocks_and_is_named() {
    let survivor = having(Some("100"), &[]);
    let other = having(None, &[("voicemail", 1), ("caller-id", 1)]);
    let without = |plan: Option<PlanTerms>| Terms { plan, ..terms() };
    let of = |terms: &Terms| unite(&survivor, &[(&survivor, terms), (&other, &self::terms())], terms).1;
    let missing = [(Some(1), MergeBlocker::PriceMissing(code("voicemail")))];
    assert_eq!(of(&without(Some(plan(12, 2, "EUR", &[("trunk", "1")])))), missing);
    assert_eq!(of(&without(None)), missing);
    let blocked = MergeBlocker::Currency { from: currency("EUR"), to: currency("USD") };
    assert_eq!(of(&without(Some(plan(12, 2, "USD", &[("voicemail", "1")])))), [(Some(1), blocked)]);
    let mut classed = terms();
    for name in ["voicemail", "caller-id"] {
        classed.features.get_mut(&code(name)).unwrap().service_classes =
            classed.features[&code("trunk")].service_classes.clone();
    }
    let unsuitable = ["caller-id", "voicemail"].map(|name| (Some(1), MergeBlocker::ServiceClass(code(name))));
    assert_eq!(of(&classed), unsuitable);
    let own = having(Some("100"), &[("voicemail", 1)]);
    assert_eq!(unite(&own, &[], &classed).1, [(None, MergeBlocker::ServiceClass(code("voicemail")))]);
    let free = having(None, &[("caller-id", 1)]);
    let other_currency = without(Some(plan(12, 2, "USD", &[])));
    assert_eq!(unite(&survivor, &[(&free, &terms())], &other_currency).1, [], "nothing chargeable moves");
    let most = having(Some("100"), &[("caller-id", MAX_QUANTITY)]);
    assert_eq!(unite(&most, &[(&free, &terms())], &terms()).1, [(None, MergeBlocker::TooManyFeatures)]);
}

#[test]
fn undoing_gives_back_what_nobody_has_changed_since() {
    let before = having(None, &[("voicemail", 2)]).billing;
    let after = having(Some("50"), &[("voicemail", 5), ("caller-id", 1)]).billing;
    assert_eq!(undo(&after, &before, &after), (before.clone(), vec![]));
    // The limit was raised and a quantity changed; what the merge added was deactivated.
    let now = having(Some("60"), &[("voicemail", 6)]).billing;
    let changed = ["credit_limit", "active_features.voicemail"].map(ToOwned::to_owned);
    assert_eq!(undo(&now, &before, &after), (now, changed.into()), "newer values stay");
    let after = having(Some("50"), &[("voicemail", 5)]).billing;
    let more = having(Some("50"), &[("voicemail", 5), ("caller-id", 1)]).billing;
    assert_eq!(quantities(&undo(&more, &before, &after).0), [("voicemail", 2), ("caller-id", 1)].into());
}

#[test]
fn what_has_no_price_any_more_does_not_come_back() {
    let one = having(None, &[("voicemail", 2), ("caller-id", 1)]);
    assert!(may_come_back(&one, &terms()));
    assert!(!may_come_back(&one, &Terms { plan: Some(plan(12, 2, "EUR", &[])), ..terms() }));
    assert!(!may_come_back(&one, &Terms::default()));
}
