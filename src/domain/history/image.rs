//! Customers as flat maps from path to value, without empty fields, of which events keep the differences. The parts of a field that
//! masks can name one by one have paths of their own.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::domain::{
    billing::money::Money,
    customers::customer::Customer,
    fields::{
        customer_fields::CustomerFields,
        field::{Field, Parts},
        path::FieldPath,
    },
    values::timestamp::Timestamp,
};

/// A customer.
pub(super) fn of(customer: &Customer) -> Map<String, Value> {
    let mut flat = of_fields(&customer.fields);
    flat.extend(without_fields(customer));
    flat
}

/// The fields that clients write.
fn of_fields(fields: &CustomerFields) -> Map<String, Value> {
    let mut flat = Map::new();
    let mut known = Cow::Borrowed(fields);
    if known.profile.has_unknown() {
        // Who may see a field of a newer release, this one does not know.
        known.to_mut().profile.drop_unknown();
    }
    // CustomerFields are plain data with text keys: serializing them cannot fail.
    let Ok(Value::Object(fields)) = serde_json::to_value(&*known) else { return flat };
    for (field, value) in fields {
        match value {
            Value::Object(parts) if Field::parse(&field).is_some_and(|field| field.spec().parts != Parts::None) => {
                // What is kept for searches alone is no part that a mask can name.
                let parts = parts.into_iter().map(|(part, value)| (format!("{field}.{part}"), value));
                flat.extend(parts.filter(|(path, _)| FieldPath::parse_writable(path).is_some()));
            }
            value => _ = flat.insert(field, value),
        }
    }
    flat
}

/// A customer without those.
pub(super) fn without_fields(customer: &Customer) -> Map<String, Value> {
    let mut flat = Map::new();
    flat.insert("status".to_owned(), customer.status.as_str().into());
    if let Some(reason) = customer.status.reason() {
        flat.insert("status_reason".to_owned(), reason.as_str().into());
    }
    for hold in &customer.holds {
        let shown = serde_json::json!({"kind": hold.kind.as_str(), "reason": hold.reason.as_str()});
        flat.insert(format!("holds.{}", hold.hold_id), shown);
    }
    if let Some(id) = customer.payment.default {
        flat.insert("default_payment_method_id".to_owned(), id.to_string().into());
    }
    if let Some(into) = customer.status.merged_into() {
        flat.insert("merged_into".to_owned(), into.to_string().into());
    }
    if let Some(plan) = customer.rate_plan {
        flat.insert("rate_plan_id".to_owned(), plan.to_string().into());
    }
    if let Some(Money { currency, amount }) = &customer.billing.credit_limit {
        let limit = serde_json::json!({"currency_code": currency.as_str(), "amount": amount.to_string()});
        flat.insert("credit_limit".to_owned(), limit);
    }
    for (code, active) in &customer.billing.features {
        flat.insert(format!("active_features.{}", code.as_str()), active.quantity.into());
    }
    if let Some(at) = customer.archived_at {
        flat.insert("archived_at".to_owned(), moment(at));
    }
    flat
}

/// A time as events have it.
pub(super) fn moment(at: Timestamp) -> Value {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{history::event::Changes, samples};

    #[test]
    fn what_fields_that_stay_leave_out_would_be_no_change() {
        let before = samples::customer();
        let mut after = before.clone();
        after.archived_at = None;
        after.holds.clear();
        let changes = Changes::of(&before, &after);
        assert_eq!(changes, Changes::between(of(&before), of(&after)));
        assert!(changes.0.len() > 1, "{changes:?}");
        after.fields.order_reference = None;
        let more = Changes::of(&before, &after);
        assert_eq!(more, Changes::between(of(&before), of(&after)));
        assert_eq!(more.0.len(), changes.0.len() + 1, "the field that changed, and no other");
    }
}
