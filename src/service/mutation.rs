//! Writing again: what a deadlock undid, and what a caller repeats.

use std::time::Duration;

use crate::{
    domain::{
        access::caller::Caller,
        requests::{
            answer::Answer,
            options::{Options, Repeatable},
            principal::Author,
        },
        values::{
            ids::{AccountId, EventId, TenantId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    service::{
        clock,
        pool::{End, Pool},
    },
    store::{self, Write},
    telemetry::{self, RetryReason},
};

/// How often a write is tried that deadlocks.
const TRIES: u32 = 4;

/// How the transaction of a mutation ends: what is only validated is done, and undone.
pub(super) fn end(options: &Options) -> End {
    if options.validate_only { End::Rollback } else { End::Commit }
}

/// A write by a caller at a time, with the id of its event.
pub(super) fn write<'a>(caller: &'a Caller, at: Timestamp, options: &Options) -> Write<'a> {
    write_of(caller.author(), Some(caller.scope().root()), at, options)
}

/// The same by whoever acts in no account, too.
pub(super) fn write_of<'a>(
    author: &'a Author,
    acting: Option<AccountId>,
    at: Timestamp,
    options: &Options,
) -> Write<'a> {
    Write { author, acting, at, event: EventId::from_uuid(clock::new_id()), request: options.request }
}

/// The answer as it is kept for a repeat, if the caller may repeat.
pub(super) fn stored(answer: &Answer, options: &Options) -> Result<Option<serde_json::Value>> {
    options.request.map(|_| answer.to_stored()).transpose().map_err(Error::internal)
}

/// Tries a write again that PostgreSQL undid because of a deadlock: the same again may succeed.
pub(super) async fn retrying<T, F: Future<Output = Result<T>>>(write: impl Fn() -> F) -> Result<T> {
    let mut pause = Duration::from_millis(2);
    for _ in 1..TRIES {
        match write().await {
            Err(error) if error.is_retriable() => {
                telemetry::measure(|metrics| metrics.write_retried(RetryReason::Deadlock));
                tokio::time::sleep(pause).await;
            }
            done => return done,
        }
        pause *= 4;
    }
    write().await
}

/// What a write's failure means. If the call came with a request_id, it may be a repeat that met its own first call:
/// on a unique key, on a lock, or by a commit whose answer was lost. Then the stored answer is the answer.
///
/// # Errors
/// The failure, if there is no stored answer; `RequestIdReused`; `RequestInFlight` where the first call still runs.
pub(super) async fn settle(
    pool: &Pool,
    tenant: TenantId,
    author: &Author,
    request: Option<&Repeatable>,
    failure: Error,
) -> Result<Answer> {
    if let Some(request) = request {
        let find = async {
            pool.lease().await?.run(async |conn| store::requests::find(conn, tenant, author, request).await).await
        };
        // Where even looking fails, the first failure tells more.
        if let Ok(Some(stored)) = find.await {
            return stored.answer(request);
        }
        if failure.is_lock_timeout() || failure.broken_key() == Some("requests_pkey") {
            return Err(Error::RequestInFlight);
        }
    }
    Err(if failure.is_lock_timeout() || failure.is_retriable() { Error::Contended } else { failure })
}
