//! What customers have active, when they are merged and when they come back.

use std::collections::BTreeMap;

use sqlx::{PgConnection, types::Json};

use super::Merging;
use crate::{
    domain::{
        access::caller::Scope,
        billing::{
            customer_billing::Billing,
            feature::FeatureCode,
            rate_plan::Prices,
            relied::UseChange,
            terms::{AskedTerms, FeatureTerms},
        },
        values::ids::{CustomerId, RatePlanId},
    },
    error::Result,
    store::sql::sql,
    telemetry::Statement as _,
};

/// Reads all prices of a plan, and these features, and holds both as they are until the transaction ends: a call that takes a
/// price away, or changes what a feature is, waits for it.
pub async fn hold_terms(
    conn: &mut PgConnection,
    scope: &Scope,
    plan: Option<RatePlanId>,
    codes: &[FeatureCode],
) -> Result<AskedTerms> {
    let codes: Vec<String> = codes.iter().map(|code| code.as_str().to_owned()).collect();
    let row = sql!(
        query,
        r#"select (
            select p.prices from rate_plans p where p.tenant_id = $1 and p.id = $2 for key share
        ) as "prices: Json<Prices>", (
            select "# FEATURE_TERMS r#" from (
                select f.code, f.name, f.chargeable, f.service_classes, f.retired, f.revision from features f
                where f.tenant_id = $1 and f.code = any($3)
                for key share
            ) f
        ) as "features!: Json<BTreeMap<FeatureCode, FeatureTerms>>""#,
        scope.tenant().get(),
        plan.map(RatePlanId::get),
        &codes,
    )
    .fetch_one(conn)
    .named("merge.hold_terms")
    .await?;
    let prices = row.prices.map(|prices| prices.0).unwrap_or_default();
    Ok(AskedTerms { prices, features: row.features.0, target: None })
}

/// Takes what those that are merged have active: the survivor has it.
pub(super) async fn take(conn: &mut PgConnection, scope: &Scope, merging: Merging<'_>) -> Result<()> {
    sqlx::query!(
        "
        with gone as (
            delete from feature_uses k where k.tenant_id = $1 and k.customer_id = any($2)
        )
        update customers c set billing = c.billing - 'features'
        where c.tenant_id = $1 and c.id = any($2) and c.billing ? 'features'
        ",
        scope.tenant().get(),
        &merging.others(),
    )
    .execute(conn)
    .named("merge.take_features")
    .await?;
    Ok(())
}

/// Gives a customer of the merge, which is locked, its credit limit and active features.
pub async fn give(
    conn: &mut PgConnection,
    scope: &Scope,
    customer: CustomerId,
    billing: &Billing,
    uses: &UseChange,
) -> Result<()> {
    sqlx::query!(
        "
        with written as (
            update customers set billing = $3 where tenant_id = $1 and id = $2
        ), gone as (
            delete from feature_uses n where n.tenant_id = $1 and n.customer_id = $2 and n.key = any($4)
        )
        insert into feature_uses (tenant_id, customer_id, key)
        select $1, $2, k.key from unnest($5::text[]) as k (key)
        ",
        scope.tenant().get(),
        customer.get(),
        Json(billing) as _,
        &uses.gone,
        &uses.new,
    )
    .execute(conn)
    .named("merge.give_features")
    .await?;
    Ok(())
}
