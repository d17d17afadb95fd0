//! Changes of accounts that exist.

use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use crate::{
    domain::{access::caller::Scope, accounts::account::Account, history::event::Changes},
    error::Result,
    store::{
        mutation::mutation,
        write::{NewEvent, Write},
    },
    telemetry::Statement as _,
};

/// Writes a locked account that has changed; of the provider's also the tenant's name, its rule on names and its
/// industries. If the rule
/// changes, the tenant's row must be locked, and its customers are written apart.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat.
pub async fn update(
    conn: &mut PgConnection,
    scope: &Scope,
    before: &Account,
    after: &Account,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event =
        NewEvent { account_id: Some(after.id), ..write.event("ACCOUNT_UPDATED", Changes::of_account(before, after)) };
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with tenant as (
            -- The revision is that of the rule: creates that another one decided are decided again.
            update tenants set name = $14, name_uniqueness = coalesce($16, name_uniqueness),
                industries = case when $17 then $18 else industries end,
                revision = revision + case when $16::text is null then 0 else 1 end
            where tenant_id = $1 and tenant_id = $13 and (name <> $14 or $16::text is not null or $17)
        ), written as (
            update accounts set name = $14, policies = $15, revision = revision + 1
            where tenant_id = $1 and id = $13 and $12 = any(ancestors)
            returning id
        )" RECORDED,
        scope.root().get(),
        after.id.get(),
        after.name.as_str(),
        Json(&after.policies) as _,
        // A rule that stays may be one of a newer release, which this one cannot write.
        (after.name_uniqueness != before.name_uniqueness).then(|| after.name_uniqueness.as_str()),
        after.industries != before.industries,
        after.industries.as_deref().map(Json) as _,
    )
    .fetch_one(conn)
    .named("accounts.update")
    .await?;
    Ok(())
}

/// Writes a locked account that was suspended or resumed.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat.
pub async fn suspend(
    conn: &mut PgConnection,
    scope: &Scope,
    after: &Account,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let happened = if after.suspended_at.is_some() { "ACCOUNT_SUSPENDED" } else { "ACCOUNT_RESUMED" };
    let event = NewEvent { account_id: Some(after.id), ..write.event(happened, Changes::default()) };
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            update accounts set suspended_at = $14, revision = revision + 1
            where tenant_id = $1 and id = $13 and $12 = any(ancestors)
            returning id
        )" RECORDED,
        scope.root().get(),
        after.id.get(),
        after.suspended_at,
    )
    .fetch_one(conn)
    .named("accounts.suspend")
    .await?;
    Ok(())
}
