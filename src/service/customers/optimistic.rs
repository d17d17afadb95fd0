//! How a change of one customer is tried: what is read and decided is written if the customer is still at the revision that was
//! read. The last try locks the row first. Before that no lock is held over a round trip, and no transaction is open between
//! statements.

use sqlx::PgConnection;

use crate::{
    domain::{
        access::caller::Caller,
        requests::options::{Options, Outcome},
        values::ids::CustomerId,
    },
    error::{Error, Result},
    service::{mutation::end, pool::Lease},
    store,
    telemetry::{self, RetryReason},
};

/// Tries without a lock. Of 32 writers on one row most lose three races in a row, so the third try takes the lock.
const OPTIMISTIC_TRIES: usize = 2;

/// A change of one customer, with what its tries share.
pub(in crate::service) trait Attempt: Sync {
    /// What it answers with.
    type Answer: Send;

    /// One try; none if the customer changed between the read and the write.
    fn decide_and_save(
        &self,
        conn: &mut PgConnection,
    ) -> impl Future<Output = Result<Option<Outcome<Self::Answer>>>> + Send;
}

/// Tries a change until nothing comes between its read and its write.
pub(in crate::service) async fn try_change<A: Attempt>(
    mut lease: Lease,
    (caller, id, options): (&Caller, CustomerId, &Options),
    attempt: &A,
) -> Result<Outcome<A::Answer>> {
    // `validate_only` writes under the lock and rolls back: the same statement, so the same checks.
    let tries = if options.validate_only { 0 } else { OPTIMISTIC_TRIES };
    for _ in 0..tries {
        // Boxed: what a try holds is large.
        if let Some(outcome) = lease.run(async |conn| Box::pin(attempt.decide_and_save(conn)).await).await? {
            return Ok(outcome);
        }
        telemetry::measure(|metrics| metrics.write_retried(RetryReason::Conflict));
    }
    let outcome = lease
        .transaction(end(options), async |conn| {
            store::customers::lock(conn, caller.scope(), id).await?;
            Box::pin(attempt.decide_and_save(conn)).await
        })
        .await?;
    outcome.ok_or(Error::Contended)
}
