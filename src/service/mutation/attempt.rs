//! What attempts of mutations share.

use sqlx::PgConnection;

use crate::{
    domain::{
        access::caller::Caller,
        requests::{answer::Answer, options::Options, principal::Author},
        values::{
            ids::{AccountId, EventId, TenantId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    service::{
        clock,
        pool::{End, Lease},
    },
    store::{self, Write},
};

/// The stored answer of this request, for an attempt that looks before it decides.
///
/// # Errors
/// `RequestIdReused`, or a failure of the database.
pub(in crate::service) async fn find_stored(
    conn: &mut PgConnection,
    caller: &Caller,
    options: &Options,
) -> Result<Option<Answer>> {
    find_stored_by(conn, caller.author(), caller.scope().tenant(), options).await
}

/// The same for an author who may act in no account.
///
/// # Errors
/// As above.
pub(in crate::service) async fn find_stored_by(
    conn: &mut PgConnection,
    author: &Author,
    tenant: TenantId,
    options: &Options,
) -> Result<Option<Answer>> {
    let Some(request) = &options.request else { return Ok(None) };
    let stored = store::requests::find(conn, tenant, author, request).await?;
    stored.map(|stored| stored.answer(request)).transpose()
}

/// How the transaction of a mutation ends: `validate_only` writes as well, so that every check is done, and rolls back.
pub(in crate::service) fn end(options: &Options) -> End {
    if options.validate_only { End::Rollback } else { End::Commit }
}

/// Runs one statement that writes: by itself, or under `validate_only` in a transaction that is rolled back.
pub(in crate::service) async fn run_statement<T>(
    lease: &mut Lease,
    options: &Options,
    statement: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
) -> Result<T> {
    match end(options) {
        End::Commit => lease.run(statement).await,
        End::Rollback => lease.transaction(End::Rollback, statement).await,
    }
}

/// A write by a caller, with the id of its event.
pub(in crate::service) fn write<'a>(caller: &'a Caller, at: Timestamp, options: &Options) -> Write<'a> {
    write_by(caller.author(), Some(caller.scope().root()), at, options)
}

/// A write by an author, who may act in no account, with the id of its event.
pub(in crate::service) fn write_by<'a>(
    author: &'a Author,
    acting: Option<AccountId>,
    at: Timestamp,
    options: &Options,
) -> Write<'a> {
    Write { author, acting, at, event: EventId::from_uuid(clock::new_id()), request: options.request }
}

/// The answer in its stored form, if the caller gave a request_id.
pub(in crate::service) fn to_stored(answer: &Answer, options: &Options) -> Result<Option<serde_json::Value>> {
    options.request.map(|_| answer.to_stored()).transpose().map_err(Error::internal)
}
