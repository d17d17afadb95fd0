//! What a move of customers to another account decides by: what they have, and the list that applies where they go.

use std::collections::HashMap;

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::rate_plans::first;
use crate::{
    domain::{
        access::caller::Scope,
        billing::{
            customer_billing::Billing,
            rate_plan::{PlanTerms, Prices},
            terms::Terms,
        },
        values::ids::{AccountId, CustomerId},
    },
    error::Result,
    store::{rows::Document, sql::sql},
    telemetry::Statement as _,
};

/// Reads what these customers have and the terms that apply to them. The caller has locked them.
pub async fn terms(
    conn: &mut PgConnection,
    scope: &Scope,
    ids: &[CustomerId],
) -> Result<HashMap<CustomerId, (Billing, Terms)>> {
    let rows = sql!(
        query,
        r#"select c.id, c.billing as "billing!: Document<Billing>", "# TERMS r#" as "terms!: Document<Terms>"
        from customers c
        where c.tenant_id = $1 and c.id = any($2)"#,
        scope.tenant().get(),
        &ids.iter().map(|id| id.get()).collect::<Vec<Uuid>>(),
    )
    .fetch_all(conn)
    .named("billing.terms_of_moving")
    .await?;
    let read = rows.into_iter().map(|row| (CustomerId::from_uuid(row.id), (row.billing.value, row.terms.value)));
    Ok(read.collect())
}

/// The first plan of the list that applies to an account, with all its prices, which stay until the transaction ends.
pub async fn first_with_prices(
    conn: &mut PgConnection,
    scope: &Scope,
    account: AccountId,
) -> Result<Option<PlanTerms>> {
    let Some(plan) = first(&mut *conn, scope, account).await? else { return Ok(None) };
    let prices = sqlx::query_scalar!(
        r#"select prices as "prices: Json<Prices>" from rate_plans where tenant_id = $1 and id = $2 for key share"#,
        scope.tenant().get(),
        plan.id.get(),
    )
    .fetch_one(conn)
    .named("billing.first_with_prices")
    .await?;
    Ok(Some(PlanTerms { prices: prices.0, ..plan }))
}
