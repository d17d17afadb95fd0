//! Stops accounts and tenants, and lets them go on.

use sqlx::PgConnection;

use super::Accounts;
use crate::{
    domain::{
        access::caller::{Caller, Operator},
        accounts::account::Account,
        requests::{
            answer::{Answer, Tenant},
            options::{Options, Outcome},
        },
        values::{
            ids::{AccountId, TenantId},
            timestamp::Timestamp,
        },
    },
    error::Result,
    service::{
        access::cache::Stale,
        clock,
        mutation::{Call, end, find_stored, find_stored_by, replay_as_stored, to_stored, write, write_by},
        pool::Lease,
    },
    store,
};

impl Accounts {
    /// Suspends or resumes an account below the acting one. Safe to repeat.
    ///
    /// # Errors
    /// `AccountNotFound`, `AccountAboveRequired`, `Narrowed`.
    pub async fn suspend_account(
        &self,
        caller: &Caller,
        id: AccountId,
        suspend: bool,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let attempt = |mut lease: Lease| async move {
            lease.transaction(end(options), async |conn| account_locked(conn, caller, id, suspend, options).await).await
        };
        // It stops the accounts below, too.
        let stale = Stale::Tenant(caller.scope().tenant());
        self.mutations.run(Call::new(caller, options).making_stale(Some(stale)), attempt, replay_as_stored).await
    }

    /// Suspends or resumes a tenant. Safe to repeat.
    ///
    /// # Errors
    /// `TenantNotFound`.
    pub async fn suspend_tenant(
        &self,
        operator: &Operator,
        id: TenantId,
        suspend: bool,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        let attempt = |mut lease: Lease| async move {
            lease
                .transaction(end(options), async |conn| tenant_locked(conn, operator, id, suspend, options).await)
                .await
        };
        let call = Call::by(&operator.author, TenantId::PLATFORM, options).making_stale(Some(Stale::Tenant(id)));
        self.mutations.run(call, attempt, replay_as_stored).await
    }
}

async fn account_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    id: AccountId,
    suspend: bool,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let before = store::accounts::lock(conn, caller.scope(), id).await?;
    caller.must_be_above(id)?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    let at = clock::now();
    let Some(suspended_at) = changed(before.suspended_at, suspend, at) else {
        return Ok(Outcome::unchanged(Answer::Account { account: before, admin: None, invitation: None }));
    };
    let account = Account { suspended_at, revision: before.revision + 1, ..before };
    let answer = Answer::Account { account: account.clone(), admin: None, invitation: None };
    let (stored, write) = (to_stored(&answer, options)?, write(caller, at, options));
    store::accounts::edit::suspend(conn, caller.scope(), &account, stored, write).await?;
    Ok(Outcome::changed(answer))
}

async fn tenant_locked(
    conn: &mut PgConnection,
    operator: &Operator,
    id: TenantId,
    suspend: bool,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let before = store::accounts::tenants::lock(conn, id).await?;
    if let Some(answer) = find_stored_by(conn, &operator.author, TenantId::PLATFORM, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    let at = clock::now();
    let Some(suspended_at) = changed(before.suspended_at, suspend, at) else {
        return Ok(Outcome::unchanged(Answer::TenantChanged { tenant: before }));
    };
    let tenant = Tenant { suspended_at, ..before };
    let answer = Answer::TenantChanged { tenant: tenant.clone() };
    let (stored, write) = (to_stored(&answer, options)?, write_by(&operator.author, None, at, options));
    store::accounts::tenants::suspend(conn, &tenant, stored, write).await?;
    Ok(Outcome::changed(answer))
}

/// Since when it is suspended after the call; none if nothing changes.
fn changed(since: Option<Timestamp>, suspend: bool, at: Timestamp) -> Option<Option<Timestamp>> {
    (since.is_some() != suspend).then(|| suspend.then_some(at))
}
