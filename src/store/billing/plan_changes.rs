//! Changes of the acting account's rate plans.

use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use crate::{
    domain::{access::caller::Scope, billing::rate_plan::RatePlan, history::event::Changes, values::ids::RatePlanId},
    error::Result,
    store::{mutation::mutation, write::Write},
    telemetry::Statement as _,
};

/// Adds a plan at the end of the acting account's list. With the first plan of all, the account records which plan its
/// customers without one of their own are on: what an account above has recorded, else this one.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat.
pub async fn create(
    conn: &mut PgConnection,
    scope: &Scope,
    plan: &RatePlan,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = write.event("RATE_PLAN_CREATED", Changes::of_rate_plan(None, plan));
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            insert into rate_plans (tenant_id, id, account_id, position, name, currency, prices, created_at)
            select $1, $13, $12, coalesce((
                select max(p.position) + 1 from rate_plans p where p.tenant_id = $1 and p.account_id = $12
            ), 0), $14, $15, $16, $9
            returning id
        ), recorded as (
            update accounts a set first_rate_plan_id = coalesce((
                select up.first_rate_plan_id from accounts up
                where up.tenant_id = $1 and up.id = any(a.ancestors[2:]) and up.first_rate_plan_id is not null
                order by cardinality(up.ancestors) desc
                limit 1
            ), $13)
            where a.tenant_id = $1 and a.id = $12 and a.first_rate_plan_id is null
        )" RECORDED,
        scope.root().get(),
        plan.id.get(),
        plan.name.as_str(),
        plan.currency.as_str(),
        Json(&plan.prices) as _,
    )
    .fetch_one(conn)
    .named("rate_plans.create")
    .await?;
    Ok(())
}

/// Writes a locked plan that has changed, or was archived.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat.
pub async fn update(
    conn: &mut PgConnection,
    scope: &Scope,
    before: &RatePlan,
    after: &RatePlan,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let happened = if before.archived_at == after.archived_at { "RATE_PLAN_UPDATED" } else { "RATE_PLAN_ARCHIVED" };
    let event = write.event(happened, Changes::of_rate_plan(Some(before), after));
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            update rate_plans set name = $14, prices = $15, archived_at = $16, revision = revision + 1
            where tenant_id = $1 and id = $13 and account_id = $12
            returning id
        )" RECORDED,
        scope.root().get(),
        after.id.get(),
        after.name.as_str(),
        Json(&after.prices) as _,
        after.archived_at,
    )
    .fetch_one(conn)
    .named("rate_plans.update")
    .await?;
    Ok(())
}

/// Gives the plans of the acting account's list another order: all of them, each once.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat.
pub async fn reorder(
    conn: &mut PgConnection,
    scope: &Scope,
    (before, after): (&[RatePlanId], &[RatePlanId]),
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = write.event("RATE_PLANS_REORDERED", Changes::of_order(before, after));
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            update rate_plans p set position = o.place::integer
            from unnest($13::uuid[]) with ordinality as o (id, place)
            where p.tenant_id = $1 and p.id = o.id and p.account_id = $12 and p.archived_at is null
            returning p.id
        )" RECORDED,
        scope.root().get(),
        &after.iter().map(|plan| plan.get()).collect::<Vec<_>>(),
    )
    .fetch_one(conn)
    .named("rate_plans.reorder")
    .await?;
    Ok(())
}
