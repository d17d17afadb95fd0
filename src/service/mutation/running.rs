//! The calls with a request_id that this process runs. A repeat waits here, without a session, until its first call has
//! ended, and then finds the stored answer. There are as many entries as such calls in flight, so admission limits them.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::domain::{
    requests::principal::Principal,
    values::ids::{RequestId, TenantId},
};

/// The key of a stored answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) tenant: TenantId,
    pub(super) principal: Principal,
    pub(super) rpc: &'static str,
    pub(super) id: RequestId,
}

/// The calls that run, each with a token that is cancelled when it ends. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<Key, CancellationToken>>>);

/// A call that runs, until this is dropped.
#[derive(Debug)]
pub(super) struct RunningCall {
    /// Where it is noted; nowhere, if it waited for its first call: repeats that have waited do not wait for each other.
    noted: Option<(Running, Key)>,
}

impl Running {
    /// Notes that a call runs, or waits until the first one with this key has ended; none if the wait is over before that.
    pub(super) async fn enter(&self, key: Key, wait: Duration) -> Option<RunningCall> {
        let first = match self.calls().entry(key.clone()) {
            Entry::Vacant(free) => {
                free.insert(CancellationToken::new());
                return Some(RunningCall { noted: Some((self.clone(), key)) });
            }
            Entry::Occupied(first) => first.get().clone(),
        };
        tokio::time::timeout(wait, first.cancelled()).await.ok()?;
        Some(RunningCall { noted: None })
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<Key, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        if let Some(ended) = self.noted.take().and_then(|(running, key)| running.calls().remove(&key)) {
            ended.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;
    use uuid::Uuid;

    use super::*;

    const WAIT: Duration = Duration::from_secs(1);

    fn key(id: u128) -> Key {
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        Key {
            tenant,
            principal: Principal::new("issuer", "ada"),
            rpc: "rpc",
            id: RequestId::from_uuid(Uuid::from_u128(id)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_repeat_waits_for_the_first_call_and_at_most_its_time() {
        let running = Running::default();
        let first = running.enter(key(1), WAIT).await.unwrap();
        assert!(running.enter(key(2), Duration::ZERO).await.is_some(), "another request");
        let begun = Instant::now();
        assert!(running.enter(key(1), WAIT).await.is_none());
        assert_eq!(begun.elapsed(), WAIT);

        let ends = async {
            tokio::time::sleep(WAIT / 2).await;
            drop(first);
        };
        let begun = Instant::now();
        let (second, third, ()) = tokio::join!(running.enter(key(1), WAIT), running.enter(key(1), WAIT), ends);
        assert!(second.is_some() && third.is_some(), "repeats do not wait for each other");
        assert_eq!(begun.elapsed(), WAIT / 2);
        drop((second, third));
        assert!(running.calls().is_empty());
    }
}
