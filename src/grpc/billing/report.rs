//! The handler of StreamBillingReport.

use std::pin::Pin;

use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use crate::{
    domain::{
        access::caller::Caller,
        billing::report::{Columns, ReportQuery, ReportRow, ReportedFeature, ReportedPlan},
        values::{
            ids::CustomerId,
            text,
            violation::{Rule, Violations},
        },
    },
    grpc::{
        billing::convert::money_out,
        convert::time_out,
        handler, pb,
        status::{self, Repeat},
    },
    service::billing::{BillingReport, ReportPage},
};

/// The messages of a report.
pub(super) type Reported = Pin<Box<dyn Stream<Item = Result<pb::StreamBillingReportResponse, Status>> + Send>>;

pub(super) async fn stream(
    reports: &BillingReport,
    request: Request<pb::StreamBillingReportRequest>,
) -> Result<Response<Reported>, Status> {
    handler::read(
        request,
        |violations, _, message| {
            let pb::StreamBillingReportRequest { include_descendants, columns, after_id } = message;
            let columns = parse_columns(violations, &columns);
            let after = violations.check("after_id", text::optional(&after_id, CustomerId::parse));
            columns.zip(after).map(|(columns, after)| ReportQuery { include_descendants, columns, after })
        },
        async |caller: &Caller, query| {
            let messages = reports.stream(caller.clone(), query).await?;
            let messages = messages.map(|page| match page {
                Ok(page) => Ok(page_out(page)),
                Err(error) => Err(status::from_error(error, Repeat::Safe)),
            });
            Ok(Box::pin(messages) as Reported)
        },
    )
    .await
}

fn parse_columns(violations: &mut Violations, raw: &[i32]) -> Option<Columns> {
    use pb::BillingReportColumn as Column;
    let mut columns = if raw.is_empty() { Columns::ALL } else { Columns::NONE };
    let mut known = true;
    for (place, column) in raw.iter().enumerate() {
        match Column::try_from(*column) {
            Ok(Column::Account) => columns.account = true,
            Ok(Column::Name) => columns.name = true,
            Ok(Column::CustomIds) => columns.custom_ids = true,
            Ok(Column::Status) => columns.status = true,
            Ok(Column::BillingEmail) => columns.billing_email = true,
            Ok(Column::Currency) => columns.currency = true,
            Ok(Column::RatePlan) => columns.rate_plan = true,
            Ok(Column::Features) => columns.features = true,
            Ok(Column::Total) => columns.total = true,
            Ok(Column::Credit) => columns.credit = true,
            Ok(Column::Unspecified) | Err(_) => {
                // Only so many can be reported, and a request may have thousands.
                if known {
                    let rule = Rule::new("must be a column of BillingReportColumn other than UNSPECIFIED");
                    violations.push(format!("columns[{place}]"), rule);
                }
                known = false;
            }
        }
    }
    known.then_some(columns)
}

/// Converts a page to its message. Its rows are dropped one by one.
fn page_out(page: ReportPage) -> pb::StreamBillingReportResponse {
    let ReportPage { rows, after, at, .. } = page;
    pb::StreamBillingReportResponse {
        rows: rows.into_iter().map(row_out).collect(),
        after_id: after.map(|id| id.to_string()).unwrap_or_default(),
        snapshot_time: Some(time_out(at)),
    }
}

fn row_out(row: ReportRow) -> pb::BillingReportRow {
    let ReportRow {
        id,
        account,
        name,
        custom_ids,
        status,
        archived_at,
        billing_email,
        currency,
        rate_plan,
        features,
        total,
        credit_limit,
        credit_available,
    } = row;
    let (plan, plan_name, plan_currency) = match rate_plan {
        Some(ReportedPlan { id, name, currency }) => (id.to_string(), name, currency),
        None => (String::new(), None, None),
    };
    let status = status.and_then(|word| pb::CustomerStatus::from_str_name(&format!("CUSTOMER_STATUS_{word}")));
    pb::BillingReportRow {
        customer_id: id.to_string(),
        account_id: account.map(|id| id.to_string()).unwrap_or_default(),
        name,
        custom_ids: custom_ids
            .iter()
            .map(|(system, id)| (system.as_str().to_owned(), id.as_str().to_owned()))
            .collect(),
        status: status.unwrap_or_default().into(),
        archived_at: archived_at.map(time_out),
        billing_email,
        currency,
        rate_plan_id: plan,
        rate_plan_name: plan_name.map(|name| name.as_str().to_owned()).unwrap_or_default(),
        rate_plan_currency: plan_currency.map(|code| code.as_str().to_owned()).unwrap_or_default(),
        features: features.into_iter().map(feature_out).collect(),
        total: total.as_ref().and_then(money_out),
        credit_limit: credit_limit.as_ref().and_then(money_out),
        credit_available: credit_available.as_ref().and_then(money_out),
    }
}

fn feature_out(feature: ReportedFeature) -> pb::BillingReportFeature {
    let ReportedFeature { code, name, quantity, price, amount } = feature;
    pb::BillingReportFeature {
        code: code.as_str().to_owned(),
        name,
        quantity: i32::try_from(quantity).unwrap_or(i32::MAX),
        unit_price: price.as_ref().and_then(money_out),
        amount: amount.as_ref().and_then(money_out),
    }
}
