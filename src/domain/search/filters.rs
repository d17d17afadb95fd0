//! Lexemes of what filters ask for, so that the index finds the customers of a rare value.

use super::{condition::Condition, fold::fold, lexemes, places::country_code};
use crate::domain::{
    fields::customer_fields::CustomerFields,
    values::{
        enums::{CustomerType, Origin, Reach, ServiceClass},
        label::Labels,
    },
};

const TYPE: &str = "type";
const SERVICE_CLASS: &str = "service_class";
const REACH: &str = "reach";
const ORIGIN: &str = "origin";
const COUNTRY: &str = "country";
const LABEL: &str = "label";

/// Those of a customer, whose folded country this is.
pub(super) fn of(fields: &CustomerFields, country: &str) -> Vec<String> {
    let mut all = vec![
        lexemes::filter(TYPE, fields.customer_type.as_str()),
        lexemes::filter(SERVICE_CLASS, fields.service_class.as_str()),
        lexemes::filter(REACH, fields.reach.as_str()),
        lexemes::filter(ORIGIN, fields.origin.as_str()),
    ];
    all.extend((!country.is_empty()).then(|| lexemes::filter(COUNTRY, country)));
    all.extend(fields.profile.labels.iter().map(|(key, value)| label(key.as_str(), value.as_str())));
    all
}

/// A country as a filter compares it: by its code however it is written, else by its folded name.
#[must_use]
pub fn country(written: &str) -> String {
    fold(country_code(written).unwrap_or(written))
}

/// Of customers that accounts below their owner see.
pub(super) fn fleet() -> Condition {
    Condition::Has(lexemes::filter(REACH, Reach::Fleet.as_str()))
}

fn label(key: &str, value: &str) -> String {
    lexemes::filter(LABEL, &format!("{key}={value}"))
}

/// Of customers with this one value of a field; none if the filter lets several through.
fn one<'a>(field: &str, mut values: impl Iterator<Item = &'a str>) -> Option<String> {
    let only = values.next()?;
    values.next().is_none().then(|| lexemes::filter(field, only))
}

/// Those that every customer has which these filters let through.
pub(super) fn asked(
    types: &[CustomerType],
    classes: &[ServiceClass],
    reach: Option<Reach>,
    origins: &[Origin],
    countries: &[String],
    labels: &Labels,
) -> Vec<Condition> {
    let fields = [
        one(TYPE, types.iter().map(|it| it.as_str())),
        one(SERVICE_CLASS, classes.iter().map(|it| it.as_str())),
        one(REACH, reach.iter().map(|it| it.as_str())),
        one(ORIGIN, origins.iter().map(|it| it.as_str())),
        one(COUNTRY, countries.iter().map(String::as_str)),
    ];
    let labels = labels.iter().map(|(key, value)| label(key.as_str(), value.as_str()));
    fields.into_iter().flatten().chain(labels).map(Condition::Has).collect()
}
