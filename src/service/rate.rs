//! The rate limit of one principal on this replica. That of all calls is off by default: layers/verify counts a call after its
//! token is verified and before anything is looked up, so that a flood costs signature checks and no query. That of guesses at
//! the tokens of invitations is always on.

use std::{num::NonZeroU32, sync::Arc};

use governor::{DefaultDirectRateLimiter, Quota, clock::Clock as _};
use moka::future::Cache;

use crate::{
    config::RateLimit,
    domain::requests::principal::Principal,
    error::{Error, Result},
};

/// Maximum principals tracked (LRU). An evicted principal starts with a full bucket.
const MAX_PRINCIPALS: u64 = 100_000;

/// Limits the call rate of each principal.
pub struct RateLimiter {
    quota: Quota,
    buckets: Cache<Principal, Arc<DefaultDirectRateLimiter>>,
}

impl RateLimiter {
    /// A limiter with full buckets.
    #[must_use]
    pub fn new(limit: RateLimit) -> Self {
        Self::with_quota(Quota::per_second(limit.per_second).allow_burst(limit.burst))
    }

    /// A limiter of guesses: 20 at once, and one every three seconds. A person accepts fewer invitations, and a secret of 32
    /// bytes is not guessed; but no guess may cost more than this.
    #[must_use]
    pub fn of_guesses() -> Self {
        let [per_minute, burst] = [NonZeroU32::MIN.saturating_add(19); 2];
        Self::with_quota(Quota::per_minute(per_minute).allow_burst(burst))
    }

    fn with_quota(quota: Quota) -> Self {
        // After this time without calls a bucket is full again, so it can be dropped.
        let refilled = quota.burst_size_replenished_in();
        Self { quota, buckets: Cache::builder().max_capacity(MAX_PRINCIPALS).time_to_idle(refilled).build() }
    }

    /// Counts a call of the principal.
    ///
    /// # Errors
    /// `RateLimited` if the call exceeds the limit; it is not counted then.
    pub async fn count(&self, principal: &Principal) -> Result<()> {
        let bucket =
            self.buckets.get_with_by_ref(principal, async { Arc::new(DefaultDirectRateLimiter::direct(self.quota)) });
        let bucket = bucket.await;
        bucket.check().map_err(|early| Error::RateLimited { retry_after: early.wait_time_from(bucket.clock().now()) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn each_principal_has_its_burst_and_then_gets_a_time_to_retry() {
        let [one, three] = [1, 3].map(|number| NonZeroU32::new(number).unwrap());
        let limiter = RateLimiter::with_quota(Quota::per_hour(one).allow_burst(three));
        let [ada, bob] = ["ada", "bob"].map(|subject| Principal::new("https://idp.example", subject));
        for _ in 0..3 {
            limiter.count(&ada).await.unwrap();
        }
        for _ in 0..2 {
            let Err(Error::RateLimited { retry_after }) = limiter.count(&ada).await else { panic!("one too many") };
            assert!(retry_after > Duration::from_secs(3000) && retry_after <= Duration::from_secs(3600));
        }
        limiter.count(&bob).await.unwrap();
    }
}
