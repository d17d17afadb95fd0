//! Large batches: a few of them run at once, so that a flood of them leaves the database's processors to all other calls.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    call::{self, Share},
    shares::{Permit, Shares},
};
use crate::{
    domain::access::caller::Caller,
    error::{Error, Result},
};

/// A batch that writes more rows than this is large: it takes longer than ten calls on one customer.
const LARGE: usize = 200;
/// One large batch runs for this many sessions of the pool, and at least one.
const SESSIONS: usize = 8;
/// Large batches that wait for each that runs.
const WAITING: usize = 8;
/// When a caller should come again whose batch found no permit.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// A batch without a deadline waits as if it had this long.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(20);

/// The permits of large batches. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct LargeBatches {
    permits: Shares<Share>,
}

impl LargeBatches {
    /// The permits beside a pool of so many sessions.
    pub(super) fn new(sessions: usize) -> Self {
        let permits = (sessions / SESSIONS).max(1);
        Self { permits: Shares::new(permits, permits * WAITING) }
    }

    /// A permit for a batch that writes so many rows; none for a small one, which needs none. It waits for at most half of
    /// the time that the call has left, so that the other half is there to run.
    ///
    /// # Errors
    /// `Overloaded` if none came free in time.
    pub(super) async fn admit(&self, caller: &Caller, writes: usize) -> Result<Option<Permit<Share>>> {
        if writes <= LARGE {
            return Ok(None);
        }
        let now = Instant::now();
        let deadline = caller.author().deadline.map_or(now + WITHOUT_DEADLINE, Instant::from_std);
        let wait = deadline.saturating_duration_since(now) / 2;
        match tokio::time::timeout(wait, self.permits.acquire(call::share())).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            Ok(Err(_)) | Err(_) => Err(Error::Overloaded { retry_after: RETRY_AFTER }),
        }
    }
}
