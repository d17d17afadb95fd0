//! Conversions of money and features.

use crate::{
    domain::{
        billing::{
            credit::AskedLimit,
            money::{Amount, Currency, Money},
            terms::{Charges, FeatureCharge},
        },
        reference::currencies,
        values::{
            text::Text,
            violation::{Rule, Violations},
        },
    },
    grpc::{convert::time_out, money, pb},
};

/// Converts an amount of a currency; none if it does not fit.
pub(in crate::grpc) fn money_of(currency: &Currency, amount: Amount) -> Option<money::Money> {
    let (units, nanos) = amount.parts()?;
    Some(money::Money { currency_code: currency.as_str().to_owned(), units, nanos })
}

/// Converts money; none if it does not fit.
pub(in crate::grpc) fn money_out(Money { currency, amount }: &Money) -> Option<money::Money> {
    money_of(currency, *amount)
}

/// The active features of a customer, in short.
pub(in crate::grpc) fn active_features(charges: &Charges) -> Vec<pb::ActiveFeature> {
    charges.features.iter().map(|feature| active_feature(charges, feature)).collect()
}

/// One of them.
pub(in crate::grpc) fn active_feature(charges: &Charges, feature: &FeatureCharge) -> pb::ActiveFeature {
    pb::ActiveFeature {
        code: feature.code.as_str().to_owned(),
        quantity: i32::try_from(feature.active.quantity).unwrap_or(i32::MAX),
        amount: charges
            .currency
            .as_ref()
            .zip(feature.amount())
            .and_then(|(currency, amount)| money_of(currency, amount)),
        activated_at: Some(time_out(feature.active.since)),
    }
}

/// Reads a currency code; a name of the currency will do.
pub(in crate::grpc) fn currency(violations: &mut Violations, field: &str, raw: &str) -> Option<Currency> {
    violations.check(field, currencies::parse(raw)).map(|code| Text::stored(code.to_owned()))
}

/// Reads an amount from nothing to `most`.
pub(in crate::grpc) fn amount(
    violations: &mut Violations,
    field: &str,
    (units, nanos): (i64, i32),
    most: Amount,
) -> Option<Amount> {
    let within = |amount: Amount| match amount {
        amount if amount < Amount::ZERO => Err(Rule::new("must not be below zero")),
        amount if amount > most => Err(Rule::with(format!("must be at most {most}"))),
        amount => Ok(amount),
    };
    violations.check(field, Amount::from_parts(units, nanos).and_then(within))
}

/// Reads a credit limit. Without a currency it is in that of the customer's plan.
pub(in crate::grpc) fn credit_limit(
    violations: &mut Violations,
    field: &str,
    raw: &money::Money,
) -> Option<AskedLimit> {
    let money::Money { currency_code, units, nanos } = raw;
    let amount = amount(violations, field, (*units, *nanos), Amount::MAX_LIMIT);
    let currency = match currency_code.as_str() {
        "" => Some(None),
        code => currency(violations, &format!("{field}.currency_code"), code).map(Some),
    };
    amount.zip(currency).map(|(amount, currency)| AskedLimit { currency, amount })
}
