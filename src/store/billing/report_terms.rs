//! What the rows of a report are charged by: plans, prices and features, each read once for many customers, in the report's own
//! snapshot.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::Scope,
        billing::{
            feature::FeatureCode,
            rate_plan::{PlanTerms, Prices, RatePlanName},
            terms::FeatureTerms,
        },
        values::{
            ids::{AccountId, RatePlanId},
            text::Text,
        },
    },
    error::Result,
    store::{rows::Document, sql::sql},
    telemetry::Statement as _,
};

/// A plan with its name, and what it costs in memory.
#[derive(Clone, Debug)]
pub struct NamedPlan {
    /// The name.
    pub name: RatePlanName,
    /// The plan; with all its prices, if they were asked for.
    pub terms: PlanTerms,
    /// Bytes at most.
    pub cost: usize,
}

/// Memory of a plan, and of one price, beside the text.
const PLAN: usize = 512;
const PRICE: usize = 128;
/// Memory of a feature for each byte of its document.
const PER_BYTE: usize = 3;

/// Finds the plan that customers of these accounts without a plan of their own are on.
pub async fn first_plans(
    conn: &mut PgConnection,
    scope: &Scope,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Option<RatePlanId>>> {
    let rows = sql!(
        query,
        "select a.id, " UNASSIGNED_PLAN_ID r#" as "plan?" from accounts a where a.tenant_id = $1 and a.id = any($2)"#,
        scope.tenant().get(),
        &accounts.iter().map(|account| account.get()).collect::<Vec<Uuid>>(),
    )
    .fetch_all(conn)
    .named("report.first_plans")
    .await?;
    Ok(rows.into_iter().map(|row| (AccountId::from_uuid(row.id), row.plan.map(RatePlanId::from_uuid))).collect())
}

/// Reads plans of the tenant, with their prices if they matter.
pub async fn plans(conn: &mut PgConnection, scope: &Scope, ids: &[RatePlanId], priced: bool) -> Result<Vec<NamedPlan>> {
    let rows = sqlx::query!(
        r#"
        select p.id, p.account_id, p.name, p.currency, p.archived_at is not null as "archived!",
               case when $3 then p.prices else '{}' end as "prices!: Document<Prices>"
        from rate_plans p
        where p.tenant_id = $1 and p.id = any($2)
        "#,
        scope.tenant().get(),
        &ids.iter().map(|plan| plan.get()).collect::<Vec<Uuid>>(),
        priced,
    )
    .fetch_all(conn)
    .named("report.plans")
    .await?;
    let named = rows.into_iter().map(|row| NamedPlan {
        cost: PLAN + row.name.len() + row.prices.bytes + PRICE * row.prices.value.len(),
        name: Text::stored(row.name),
        terms: PlanTerms {
            id: RatePlanId::from_uuid(row.id),
            account: AccountId::from_uuid(row.account_id),
            currency: Text::stored(row.currency),
            prices: row.prices.value,
            archived: row.archived,
        },
    });
    Ok(named.collect())
}

/// Reads the tenant's catalogue of features, and what it costs in memory.
pub async fn features(conn: &mut PgConnection, scope: &Scope) -> Result<(BTreeMap<FeatureCode, FeatureTerms>, usize)> {
    let features = sql!(
        query_scalar,
        "select " FEATURE_TERMS r#" as "features!: Document<BTreeMap<FeatureCode, FeatureTerms>>" from features f
        where f.tenant_id = $1"#,
        scope.tenant().get(),
    )
    .fetch_one(conn)
    .named("report.features")
    .await?;
    Ok((features.value, PER_BYTE * features.bytes))
}
