//! Tests of activation, credit and plans, and samples of what is stored.

use std::collections::BTreeMap;

use super::{
    credit::AskedLimit,
    customer_billing::{ActiveFeature, Billing},
    feature::{Feature, FeatureCode, ServiceClasses},
    money::{Amount, Currency, Money},
    rate_plan::{PlanTerms, RatePlan},
    refusal::BillingRefusal,
    terms::{FeatureTerms, Terms},
};
use crate::domain::{
    customers::{
        customer::{Change, Customer},
        status::Status,
    },
    history::event_type::EventType,
    refusal::{Blocker, Refusal},
    samples,
    values::{
        enums::ServiceClass,
        ids::{AccountId, RatePlanId},
        status_reason::StatusReason,
        text::Text,
        unknown_fields::UnknownFields,
    },
};

pub(super) fn code(code: &str) -> FeatureCode {
    FeatureCode::parse(code).unwrap()
}

fn amount(text: &str) -> Amount {
    Amount::stored(text).unwrap()
}

pub(super) fn currency(code: &str) -> Currency {
    Text::parse(code).unwrap()
}

pub(super) fn money(text: &str) -> Money {
    Money { currency: currency("EUR"), amount: amount(text) }
}

pub(in crate::domain) fn billing() -> Billing {
    let by = samples::principal("ada");
    let active = ActiveFeature { quantity: 3, since: samples::at(5), by, unknown: UnknownFields::default() };
    let features = BTreeMap::from([(code("voicemail"), active)]);
    Billing { credit_limit: Some(money("250.5")), features, unknown: UnknownFields::default() }
}

pub(in crate::domain) fn feature() -> Feature {
    Feature {
        code: code("voicemail"),
        name: Text::parse("Voicemail").unwrap(),
        chargeable: true,
        service_classes: ServiceClasses::new([ServiceClass::Normal, ServiceClass::Residential]).unwrap(),
        retired: true,
        created_at: samples::at(1),
    }
}

pub(in crate::domain) fn rate_plan() -> RatePlan {
    RatePlan {
        id: RatePlanId::from_uuid(samples::id(11)),
        account: AccountId::from_uuid(samples::id(2)),
        name: Text::parse("Standard").unwrap(),
        currency: currency("EUR"),
        prices: BTreeMap::from([(code("voicemail"), amount("2.5"))]),
        created_at: samples::at(1),
        archived_at: Some(samples::at(6)),
    }
}

pub(super) fn plan(id: u128, account: u128, code_of_currency: &str, prices: &[(&str, &str)]) -> PlanTerms {
    PlanTerms {
        id: RatePlanId::from_uuid(samples::id(id)),
        account: AccountId::from_uuid(samples::id(account)),
        currency: currency(code_of_currency),
        prices: prices.iter().map(|(feature, price)| (code(feature), amount(price))).collect(),
        archived: false,
    }
}

pub(super) fn terms() -> Terms {
    let feature = |chargeable, retired, classes: &[ServiceClass]| FeatureTerms {
        name: "A feature".to_owned(),
        chargeable,
        service_classes: ServiceClasses::new(classes.iter().copied()).unwrap(),
        retired,
        revision: 1,
    };
    let features = [
        ("voicemail", feature(true, false, ServiceClass::KNOWN)),
        ("trunk", feature(true, false, &[ServiceClass::Normal])),
        ("unpriced", feature(true, false, ServiceClass::KNOWN)),
        ("caller-id", feature(false, false, ServiceClass::KNOWN)),
        ("fax", feature(false, true, ServiceClass::KNOWN)),
    ];
    Terms {
        plan: Some(plan(11, 2, "EUR", &[("voicemail", "2.5"), ("trunk", "10")])),
        features: features.into_iter().map(|(name, terms)| (code(name), terms)).collect(),
        target: None,
    }
}

/// An ACTIVE customer with this limit and nothing active.
pub(super) fn customer(limit: Option<&str>) -> Customer {
    let mut customer = samples::customer();
    (customer.status, customer.archived_at) = (Status::Active, None);
    customer.billing = Billing { credit_limit: limit.map(money), ..Billing::default() };
    customer
}

pub(super) fn activate(customer: &mut Customer, feature: &str, quantity: u32) -> Result<Change, Refusal> {
    customer.activate_feature(&code(feature), quantity, &terms(), (&samples::principal("max"), samples::at(9)))
}

#[test]
fn features_are_activated_up_to_the_credit_limit() {
    let mut customer = customer(Some("7.5"));
    assert_eq!(activate(&mut customer, "voicemail", 3), Ok(Change::Made(EventType::FeatureActivated)));
    assert_eq!(activate(&mut customer, "voicemail", 3), Ok(Change::AlreadyMade));
    let exceeded = BillingRefusal::CreditLimitExceeded { needed: money("10"), limit: money("7.5") };
    assert_eq!(activate(&mut customer, "voicemail", 4), Err(exceeded.into()));
    assert_eq!(activate(&mut customer, "caller-id", 9), Ok(Change::Made(EventType::FeatureActivated)));
    assert_eq!(terms().used(&customer.billing), Ok(Some(money("7.5"))));
    assert_eq!(terms().available(&customer.billing), Ok(Some(money("0"))));
    let kept = customer.billing.features[&code("voicemail")].clone();
    assert_eq!(activate(&mut customer, "voicemail", 1), Ok(Change::Made(EventType::FeatureActivated)));
    assert_eq!(customer.billing.features[&code("voicemail")], ActiveFeature { quantity: 1, ..kept });
}

#[test]
fn a_feature_that_the_customer_cannot_have_is_refused_by_the_reason() {
    let refused = |customer: &mut Customer, feature| activate(customer, feature, 1).unwrap_err();
    let mut residential = customer(Some("100"));
    assert_eq!(refused(&mut residential, "no-such"), BillingRefusal::FeatureNotFound.into());
    assert_eq!(refused(&mut residential, "fax"), BillingRefusal::FeatureRetired.into());
    assert_eq!(refused(&mut residential, "trunk"), BillingRefusal::FeatureNotForServiceClass.into());
    assert_eq!(refused(&mut residential, "unpriced"), BillingRefusal::PriceMissing.into());
    assert_eq!(refused(&mut customer(None), "voicemail"), BillingRefusal::CreditLimitMissing.into());
    residential.archived_at = Some(samples::at(1));
    assert_eq!(refused(&mut residential, "caller-id"), Refusal::Archived);
    let suspended = Status::Suspended { reason: StatusReason::parse("unpaid").unwrap() };
    let mut suspended = Customer { status: suspended, archived_at: None, ..residential };
    assert!(matches!(refused(&mut suspended, "caller-id"), Refusal::IllegalTransition(_)));
}

#[test]
fn after_a_price_has_risen_nothing_chargeable_is_activated_until_it_fits_again() {
    let mut customer = customer(Some("12.5"));
    let _ = activate(&mut customer, "voicemail", 1).unwrap();
    let mut risen = terms();
    risen.plan = Some(plan(11, 2, "EUR", &[("voicemail", "20"), ("unpriced", "0")]));
    assert_eq!(risen.available(&customer.billing), Ok(Some(money("-7.5"))));
    let by = (&samples::principal("max"), samples::at(9));
    let refused = customer.activate_feature(&code("unpriced"), 1, &risen, by);
    let Err(Refusal::Billing(refused)) = refused else { panic!("{refused:?}") };
    assert!(matches!(*refused, BillingRefusal::CreditLimitExceeded { .. }));
    assert!(customer.activate_feature(&code("caller-id"), 1, &risen, by).is_ok());
}

#[test]
fn a_limit_below_what_is_used_takes_force() {
    let mut customer = customer(None);
    let mut set = |limit: &str, force| {
        let asked = AskedLimit { currency: None, amount: amount(limit) };
        customer.set_credit_limit(Some(&asked), force, &terms()).map(|change| (change, customer.clone()))
    };
    let (_, mut with_limit) = set("5", false).unwrap();
    let _ = activate(&mut with_limit, "voicemail", 2).unwrap();
    let lower = AskedLimit { currency: Some(currency("EUR")), amount: amount("4.999999999") };
    let below = BillingRefusal::CreditBelowUsed { used: money("5") };
    assert_eq!(with_limit.clone().set_credit_limit(Some(&lower), false, &terms()), Err(below.clone().into()));
    assert_eq!(with_limit.clone().set_credit_limit(None, false, &terms()), Err(below.into()));
    let changed = Change::Made(EventType::CreditLimitChanged);
    assert_eq!(with_limit.set_credit_limit(Some(&lower), true, &terms()), Ok(changed));
    assert_eq!(with_limit.set_credit_limit(Some(&lower), false, &terms()), Ok(Change::AlreadyMade));
    let dollars = AskedLimit { currency: Some(currency("USD")), amount: amount("9") };
    let refused = with_limit.set_credit_limit(Some(&dollars), true, &terms());
    assert_eq!(refused, Err(BillingRefusal::CurrencyMismatch.into()));
    with_limit.archived_at = Some(samples::at(1));
    let higher = AskedLimit { currency: None, amount: amount("9") };
    assert_eq!(with_limit.set_credit_limit(Some(&higher), false, &terms()), Err(Refusal::Archived));
    assert_eq!(with_limit.set_credit_limit(None, true, &terms()), Ok(changed), "lowering is always possible");
}

#[test]
fn another_plan_must_have_the_prices_and_the_currency_of_what_is_active() {
    let mut customer = customer(Some("100"));
    let assign = |customer: &mut Customer, target: PlanTerms| {
        let id = target.id;
        customer.assign_plan(id, &Terms { target: Some(target), ..terms() })
    };
    let dollars = || plan(13, 2, "USD", &[("voicemail", "3")]);
    let _ = activate(&mut customer, "voicemail", 1).unwrap();
    let without = plan(12, 2, "EUR", &[("trunk", "1")]);
    assert_eq!(assign(&mut customer, without), Err(BillingRefusal::PriceMissing.into()));
    assert_eq!(assign(&mut customer, dollars()), Err(BillingRefusal::CurrencyMismatch.into()));
    let archived = PlanTerms { archived: true, ..plan(12, 2, "EUR", &[("voicemail", "3")]) };
    assert_eq!(assign(&mut customer, archived), Err(BillingRefusal::RatePlanArchived.into()));
    assert_eq!(customer.assign_plan(dollars().id, &terms()), Err(BillingRefusal::RatePlanNotFound.into()));
    assert_eq!(customer.assign_plan(terms().plan.unwrap().id, &terms()), Ok(Change::AlreadyMade));
    let _ = customer.deactivate_feature(&code("voicemail"), &terms()).unwrap();
    assert_eq!(assign(&mut customer, dollars()), Ok(Change::Made(EventType::RatePlanAssigned)));
    assert_eq!((customer.rate_plan, customer.billing.credit_limit), (Some(dollars().id), None));
}

#[test]
fn a_plan_goes_along_where_its_list_applies_and_else_is_replaced_by_the_first() {
    let mut moving = customer(Some("100"));
    let _ = activate(&mut moving, "voicemail", 1).unwrap();
    let take = |first: Option<PlanTerms>| {
        let mut moved = moving.clone();
        moved.take_plan_along(first.as_ref(), &terms()).map(|()| moved.rate_plan)
    };
    assert_eq!(take(Some(plan(12, 2, "USD", &[]))), Ok(terms().plan_id()), "the same account's list");
    assert_eq!(take(Some(plan(12, 9, "EUR", &[("voicemail", "1")]))), Ok(Some(RatePlanId::from_uuid(samples::id(12)))));
    for first in [Some(plan(12, 9, "EUR", &[])), Some(plan(12, 9, "USD", &[("voicemail", "1")])), None] {
        assert_eq!(take(first), Err(Blocker::RatePlan));
    }
}
