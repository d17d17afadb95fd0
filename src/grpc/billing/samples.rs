//! Values for tests.

use chrono::DateTime;
use uuid::Uuid;

use crate::domain::{
    billing::{
        customer_billing::ActiveFeature,
        feature::FeatureCode,
        money::{Amount, Money},
        terms::{Charges, FeatureCharge},
    },
    requests::principal::Principal,
    values::{ids::RatePlanId, text::Text, unknown_fields::UnknownFields},
};

/// Charges with a value in every field.
pub(in crate::grpc) fn charges() -> Charges {
    let money = Money { currency: Text::parse("EUR").unwrap(), amount: Amount::stored("2.5").unwrap() };
    let active = ActiveFeature {
        quantity: 2,
        since: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        by: Principal::new("issuer", "ada"),
        unknown: UnknownFields::default(),
    };
    let feature = FeatureCharge {
        code: FeatureCode::parse("voicemail").unwrap(),
        active,
        name: "Voicemail".to_owned(),
        price: Some(money.amount),
    };
    Charges {
        plan: Some(RatePlanId::from_uuid(Uuid::from_u128(8))),
        currency: Some(money.currency.clone()),
        limit: Some(money.clone()),
        used: Some(money.clone()),
        available: Some(money),
        features: vec![feature],
    }
}
