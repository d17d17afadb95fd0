//! The runner of mutations. Every use case that writes goes through [`Mutations::run`], which
//!
//! 1. waits for the first call with the same request_id, if this process runs it (`running.rs`);
//! 2. takes a session and runs the attempt, which reads, decides and writes;
//! 3. runs it again, in another session, after a deadlock or a failed serialization (40P01, 40001) and after a lost
//!    race, until the call's deadline. A detached mutation goes on after its caller has left, but begins no retry that
//!    late;
//! 4. drops the cached access that the commit made stale: after the commit, or once a commit may have happened; never
//!    under `validate_only`, which rolls back, and never after a write that failed or changed nothing;
//! 5. looks for a stored answer where one may explain the failure.
//!
//! A call that acts in a suspended account runs in a session that commits nothing, so that everything that the contract
//! checks before the state is checked as ever: existence, rights, the stored answer, already made. What would have changed
//! something is then refused: `AccountSuspended`.
//!
//! # Which failures look for a stored answer
//!
//! Only a call with a request_id has one; `validate_only` ignores the request_id. The call may be a repeat that met its
//! own first call:
//!
//! - **a broken unique key**: the first call committed what this one inserts. The name, the custom ID or the tag is
//!   checked before the key of `requests`, so any key counts;
//! - **a deadlock or a failed serialization that was given up**, and **a lock timeout** (55P03): the other party may be
//!   the first call, and may have committed since;
//! - **a session that was lost during the attempt**: the COMMIT may have been done although its answer was lost.
//!
//! Where there is no answer, the first call is in flight only if that is known: this process runs it, or the lock was
//! that of the key of `requests`. Any other lock is somebody else's: `Contended`.
//!
//! Nothing else looks:
//!
//! - **a refusal**. The contract checks existence, then rights, then the replay, then state and uniqueness. A refusal
//!   for existence or rights must not reveal an answer. For a later one the attempt itself has looked, in the statement
//!   that read the state or with [`find_stored`] under the locks that hold it; CreateCustomer, which writes in one
//!   statement, looks before it returns the refusal;
//! - **no session** (overloaded, not reachable): nothing was sent, and a look would wait for a session again;
//! - **a statement that was stopped**: it was rolled back, and a look would add to the load that caused it;
//! - **a fault of ours**.

mod attempt;
mod running;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

pub(super) use self::attempt::{end, find_stored, find_stored_by, run_statement, to_stored, write, write_by};
use self::running::{Key, Running};
use crate::{
    domain::{
        access::caller::Caller,
        refusal::Refusal,
        requests::{
            answer::Answer,
            options::{Options, Outcome, Repeatable},
            principal::Author,
        },
        values::ids::TenantId,
    },
    error::{Error, Result},
    service::{
        access::cache::{AccessCache, Stale},
        pool::{Lease, Pool},
    },
    store::{self, requests::Stored},
    telemetry::{self, RetryReason},
};

/// Pause before the first retry; it grows fourfold up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(128);
/// Background work has no deadline; its writes are tried again for this long.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(30);
/// How long a repeat waits for its first call in this process.
const WAIT_FOR_FIRST_CALL: Duration = Duration::from_secs(1);

/// Runs mutations.
#[derive(Clone)]
pub(super) struct Mutations {
    pool: Pool,
    cache: AccessCache,
    running: Running,
}

/// One mutating call.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    author: &'a Author,
    tenant: TenantId,
    options: &'a Options,
    stale: Option<Stale>,
    found_stale: Option<&'a Mutex<Option<Stale>>>,
    /// Whether it acts in a suspended account.
    suspended: bool,
}

impl<'a> Call<'a> {
    /// A call in a tenant, whose commit makes nothing stale.
    pub(super) fn new(caller: &'a Caller, options: &'a Options) -> Self {
        let call = Self::by(caller.author(), caller.scope().tenant(), options);
        Self { suspended: caller.is_suspended(), ..call }
    }

    /// A call of this author, whose answer is stored under this tenant.
    pub(super) fn by(author: &'a Author, tenant: TenantId, options: &'a Options) -> Self {
        Self { author, tenant, options, stale: None, found_stale: None, suspended: false }
    }

    /// The key of its stored answer, if it may be repeated.
    fn key(&self) -> Option<Key> {
        let id = self.options.request?.key;
        Some(Key { tenant: self.tenant, principal: self.author.principal.clone(), rpc: self.author.rpc.name(), id })
    }

    /// The same call, whose commit makes these cache entries stale.
    pub(super) fn making_stale(self, stale: Option<Stale>) -> Self {
        Self { stale, ..self }
    }

    /// The same call, whose attempt puts there what its commit makes stale, before it writes: only what it reads says that.
    pub(super) fn finding_stale(self, found_stale: &'a Mutex<Option<Stale>>) -> Self {
        Self { found_stale: Some(found_stale), ..self }
    }
}

impl Mutations {
    pub(super) fn new(pool: Pool, cache: AccessCache) -> Self {
        Self { pool, cache, running: Running::default() }
    }

    /// Runs a mutation; the module says how. `replay` turns a stored answer into the value of the call.
    ///
    /// # Errors
    /// Those of the attempt and of `replay`; `Contended` for a deadlock, a lost race or a lock timeout;
    /// `RequestInFlight` if the first call with this request_id is known to run still; `RequestIdReused`.
    pub(super) async fn run<T, A, R>(
        &self,
        call: Call<'_>,
        attempt: impl Fn(Lease) -> A,
        replay: impl FnOnce(Answer) -> R,
    ) -> Result<Outcome<T>>
    where
        A: Future<Output = Result<Outcome<T>>>,
        R: Future<Output = Result<T>>,
    {
        let Call { author, tenant, .. } = call;
        let look_up = |request: Repeatable| async move {
            let mut lease = self.pool.lease().await?;
            lease.run(async |conn| store::requests::find(conn, tenant, author, &request).await).await
        };
        let suspended = call.suspended;
        let lease = || async move {
            let lease = self.pool.lease().await?;
            Ok(if suspended { lease.rolling_back() } else { lease })
        };
        self.run_in(call, lease, attempt, look_up, replay).await
    }

    /// The same with any kind of session and any way to look up a stored answer.
    async fn run_in<T, S, L, A, F, R>(
        &self,
        call: Call<'_>,
        lease: impl Fn() -> L,
        attempt: impl Fn(S) -> A,
        look_up: impl FnOnce(Repeatable) -> F,
        replay: impl FnOnce(Answer) -> R,
    ) -> Result<Outcome<T>>
    where
        L: Future<Output = Result<S>>,
        A: Future<Output = Result<Outcome<T>>>,
        F: Future<Output = Result<Option<Stored>>>,
        R: Future<Output = Result<T>>,
    {
        let _first = match call.key() {
            Some(key) => Some(self.running.enter(key, WAIT_FOR_FIRST_CALL).await.ok_or(Error::RequestInFlight)?),
            None => None,
        };
        let failure = match retried(call.author, lease, attempt).await? {
            Ok(outcome) if call.suspended && outcome.changed => return Err(Refusal::AccountSuspended.into()),
            Ok(outcome) => {
                self.drop_stale(&call, outcome.changed);
                return Ok(outcome);
            }
            Err(failure) => failure,
        };
        self.drop_stale(&call, failure.is_lost_session());
        if let Some(request) = call.options.request.filter(|_| may_be_answered(&failure)) {
            // If the look-up fails as well, the first failure says more.
            if let Ok(Some(stored)) = Box::pin(look_up(request)).await {
                return match Box::pin(replay(stored.answer(&request)?)).await {
                    // This call has written, whatever stopped the read of its answer.
                    Err(Error::StatementTimeout | Error::StatementCancelled) if failure.is_lost_session() => {
                        Err(failure)
                    }
                    done => done.map(Outcome::replayed),
                };
            }
        }
        Err(match failure {
            Error::LockTimeout { on_stored_answer: true } => Error::RequestInFlight,
            // A stored answer was in the way, and is gone: nothing says who holds the key now.
            failure if failure.broken_key() == Some("requests_pkey") => Error::Contended,
            // What is taken is checked after the state.
            failure if call.suspended && failure.is_of_something_taken() => Refusal::AccountSuspended.into(),
            failure if failure.is_lock_timeout() || retry_reason(&failure).is_some() => Error::Contended,
            failure => failure,
        })
    }

    fn drop_stale(&self, call: &Call<'_>, committed: bool) {
        if !committed || call.options.validate_only {
            return;
        }
        let found = call.found_stale.and_then(|found| found.lock().unwrap_or_else(PoisonError::into_inner).clone());
        if let Some(stale) = call.stale.clone().or(found) {
            self.cache.drop_stale(stale);
        }
    }
}

/// Runs the attempt, and again as long as that may succeed and the deadline allows it. The outer error: there was no
/// session, so nothing was sent.
async fn retried<T, S, L, A>(
    author: &Author,
    lease: impl Fn() -> L,
    attempt: impl Fn(S) -> A,
) -> Result<Result<Outcome<T>>>
where
    L: Future<Output = Result<S>>,
    A: Future<Output = Result<Outcome<T>>>,
{
    let deadline = author.deadline.map_or_else(|| Instant::now() + WITHOUT_DEADLINE, Instant::from_std);
    let (mut pause, mut last) = (FIRST_PAUSE, None);
    loop {
        let session = lease().await?;
        if let Some(failure) = last.take_if(|_| Instant::now() >= deadline) {
            return Ok(Err(failure));
        }
        // Boxed: callers' futures stay small.
        let failure = match Box::pin(attempt(session)).await {
            Ok(outcome) => return Ok(Ok(outcome)),
            Err(failure) => failure,
        };
        match retry_reason(&failure) {
            Some(reason) if Instant::now() + pause < deadline => {
                telemetry::measure(|metrics| metrics.write_retried(reason));
            }
            _ => return Ok(Err(failure)),
        }
        // The attempt has returned its session, so this pause holds none.
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 4);
        last = Some(failure);
    }
}

/// Why the same attempt may succeed if it is run again; none if it fails again.
fn retry_reason(failure: &Error) -> Option<RetryReason> {
    match failure {
        Error::LostRace => Some(RetryReason::Conflict),
        _ if failure.lost_its_branch() => Some(RetryReason::Conflict),
        _ if failure.is_retriable() => Some(RetryReason::Deadlock),
        _ => None,
    }
}

/// Whether the call may begin another try: its deadline has not come.
pub(super) fn is_in_time(author: &Author) -> bool {
    author.deadline.is_none_or(|deadline| Instant::now() < Instant::from_std(deadline))
}

/// Whether the failure may come from an earlier call with the same request_id, whose answer is then stored.
fn may_be_answered(failure: &Error) -> bool {
    failure.broken_key().is_some() || failure.is_retriable() || failure.is_lock_timeout() || failure.is_lost_session()
}

/// The value of a mutation whose value is its stored answer.
pub(super) async fn replay_as_stored(answer: Answer) -> Result<Answer> {
    Ok(answer)
}
