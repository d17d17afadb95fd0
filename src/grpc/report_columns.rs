//! The columns of the billing report as texts, for `clientele report billing`.

use std::collections::BTreeMap;

use super::{
    money::Money,
    pb::{BillingReportColumn, BillingReportFeature, BillingReportRow, CustomerStatus},
};
use crate::domain::billing::money::Amount;

/// A column of the report.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it asks the server for; the customer's id is always there.
    pub(super) asked: Option<BillingReportColumn>,
    /// Its text of a row.
    pub(super) text: fn(&BillingReportRow) -> String,
}

/// The columns in their order. The customer's id comes first.
pub const COLUMNS: &[Column] = &[
    Column { name: "customer_id", asked: None, text: |row| row.customer_id.clone() },
    Column { name: "account_id", asked: Some(BillingReportColumn::Account), text: |row| row.account_id.clone() },
    Column { name: "name", asked: Some(BillingReportColumn::Name), text: |row| row.name.clone() },
    Column { name: "custom_ids", asked: Some(BillingReportColumn::CustomIds), text: custom_ids },
    Column { name: "status", asked: Some(BillingReportColumn::Status), text: status },
    Column { name: "archived_at", asked: Some(BillingReportColumn::Status), text: archived_at },
    Column {
        name: "billing_email",
        asked: Some(BillingReportColumn::BillingEmail),
        text: |row| row.billing_email.clone(),
    },
    Column { name: "currency", asked: Some(BillingReportColumn::Currency), text: |row| row.currency.clone() },
    Column { name: "rate_plan_id", asked: Some(BillingReportColumn::RatePlan), text: |row| row.rate_plan_id.clone() },
    Column {
        name: "rate_plan_name",
        asked: Some(BillingReportColumn::RatePlan),
        text: |row| row.rate_plan_name.clone(),
    },
    Column {
        name: "rate_plan_currency",
        asked: Some(BillingReportColumn::RatePlan),
        text: |row| row.rate_plan_currency.clone(),
    },
    Column { name: "features", asked: Some(BillingReportColumn::Features), text: features },
    Column { name: "total", asked: Some(BillingReportColumn::Total), text: |row| amount(row.total.as_ref()) },
    Column {
        name: "credit_limit",
        asked: Some(BillingReportColumn::Credit),
        text: |row| amount(row.credit_limit.as_ref()),
    },
    Column {
        name: "credit_available",
        asked: Some(BillingReportColumn::Credit),
        text: |row| amount(row.credit_available.as_ref()),
    },
];

/// The column of a name.
#[must_use]
pub fn column(name: &str) -> Option<Column> {
    COLUMNS.iter().copied().find(|column| column.name == name)
}

/// An amount as an exact decimal number, in the currency of the rate plan; nothing if there is none.
fn amount(money: Option<&Money>) -> String {
    let text = |money: &Money| Amount::from_parts(money.units, money.nanos).map(|amount| amount.to_string());
    money.map(text).and_then(Result::ok).unwrap_or_default()
}

/// The active features as a JSON array of objects.
fn features(row: &BillingReportRow) -> String {
    let optional = |money: Option<&Money>| Some(amount(money)).filter(|amount| !amount.is_empty());
    let feature = |feature: &BillingReportFeature| {
        serde_json::json!({
            "code": feature.code,
            "name": feature.name,
            "quantity": feature.quantity,
            "unit_price": optional(feature.unit_price.as_ref()),
            "amount": optional(feature.amount.as_ref()),
        })
    };
    serde_json::Value::from(row.features.iter().map(feature).collect::<Vec<_>>()).to_string()
}

/// The custom IDs as a JSON object.
fn custom_ids(row: &BillingReportRow) -> String {
    let ids: &BTreeMap<String, String> = &row.custom_ids;
    serde_json::to_string(ids).unwrap_or_default()
}

fn status(row: &BillingReportRow) -> String {
    match row.status() {
        CustomerStatus::Unspecified => String::new(),
        status => status.as_str_name().trim_start_matches("CUSTOMER_STATUS_").to_owned(),
    }
}

fn archived_at(row: &BillingReportRow) -> String {
    row.archived_at.map(|at| at.to_string()).unwrap_or_default()
}
