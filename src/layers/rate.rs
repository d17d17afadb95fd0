//! How often one principal may call this replica: off unless it is asked for. It is counted as soon as the principal is
//! known for sure and before anything is looked up for it, so that a flood costs its signature checks and no query.

use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, Quota, clock::Clock as _};
use moka::future::Cache;

use crate::{
    config::Rate,
    domain::requests::principal::Principal,
    error::{Error, Result},
};

/// Principals that are counted at most: those that called last. Whoever is forgotten begins anew.
const COUNTED: u64 = 100_000;

/// Counts the calls of each principal.
pub struct RateLimit {
    quota: Quota,
    counts: Cache<Principal, Arc<DefaultDirectRateLimiter>>,
}

impl RateLimit {
    /// Nobody has called yet.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self::of(Quota::per_second(rate.per_second).allow_burst(rate.burst))
    }

    fn of(quota: Quota) -> Self {
        // After this long a principal may do all that a new one may.
        let forgotten = quota.burst_size_replenished_in();
        Self { quota, counts: Cache::builder().max_capacity(COUNTED).time_to_idle(forgotten).build() }
    }

    /// Counts a call of the principal.
    ///
    /// # Errors
    /// `RateLimited` if it is one too many; it is not counted then.
    pub async fn count(&self, principal: &Principal) -> Result<()> {
        let count =
            self.counts.get_with_by_ref(principal, async { Arc::new(DefaultDirectRateLimiter::direct(self.quota)) });
        let count = count.await;
        count.check().map_err(|early| Error::RateLimited { retry_after: early.wait_time_from(count.clock().now()) })
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use super::*;

    #[tokio::test]
    async fn each_principal_has_its_burst_and_is_then_told_when_to_come_again() {
        let [one, three] = [1, 3].map(|number| NonZeroU32::new(number).unwrap());
        let limit = RateLimit::of(Quota::per_hour(one).allow_burst(three));
        let [ada, bob] = ["ada", "bob"].map(|subject| Principal::new("https://idp.example", subject));
        for _ in 0..3 {
            limit.count(&ada).await.unwrap();
        }
        for _ in 0..2 {
            let Err(Error::RateLimited { retry_after }) = limit.count(&ada).await else { panic!("one too many") };
            assert!(retry_after > Duration::from_secs(3000) && retry_after <= Duration::from_secs(3600));
        }
        limit.count(&bob).await.unwrap();
    }
}
