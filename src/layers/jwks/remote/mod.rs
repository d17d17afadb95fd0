//! Keys from a URL. They are refreshed in the background, so that a token with a known key never waits for its issuer. In an
//! outage the last keys stay valid for a day. A token with an unknown key triggers a fetch at once, but at most once a minute,
//! because anyone can make up key ids.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, watch},
    time::{self, Instant},
};
use tracing::{info, warn};

use super::fetch::Fetched;
use crate::telemetry;

/// The interval between fetches if the issuer does not set one, and the bounds of the issuer's value.
const REFRESH: Duration = Duration::from_secs(5 * 60);
const MIN_REFRESH: Duration = Duration::from_secs(60);
const MAX_REFRESH: Duration = Duration::from_secs(15 * 60);
/// The pause after a failed fetch.
const RETRY: Duration = Duration::from_secs(15);
/// How long keys are used that could not be refreshed.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// How often an unknown key may trigger a fetch, and how long its token waits for that fetch.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(60);
const UNKNOWN_KEY_WAIT: Duration = Duration::from_secs(2);

pub(super) type Fetching = Pin<Box<dyn Future<Output = Result<Fetched, String>> + Send>>;
type Fetch = dyn Fn() -> Fetching + Send + Sync;
type Make<T> = dyn Fn(&[u8]) -> Result<T, String> + Send + Sync;

/// A value made from a fetched key set. Clones share it.
pub(in crate::layers) struct Remote<T>(Arc<Inner<T>>);

struct Inner<T> {
    /// The URL, for the log.
    url: String,
    fetch: Box<Fetch>,
    make: Box<Make<T>>,
    cached: RwLock<Option<Cached<T>>>,
    /// Triggers a fetch now.
    fetch_now: Notify,
    /// When an unknown key last triggered a fetch, and the number of that fetch.
    triggered: Mutex<Option<(Instant, u64)>>,
    fetches: watch::Sender<Fetches>,
}

struct Cached<T> {
    value: Arc<T>,
    body: Bytes,
    fetched_at: Instant,
}

/// The number of fetches, started and ended.
#[derive(Clone, Copy, Default)]
struct Fetches {
    started: u64,
    ended: u64,
}

impl<T: Send + Sync + 'static> Remote<T> {
    /// Without a value yet; `refresh` fetches.
    pub(super) fn new(
        url: String,
        fetch: impl Fn() -> Fetching + Send + Sync + 'static,
        make: impl Fn(&[u8]) -> Result<T, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            url,
            fetch: Box::new(fetch),
            make: Box::new(make),
            cached: RwLock::default(),
            fetch_now: Notify::new(),
            triggered: Mutex::default(),
            fetches: watch::Sender::default(),
        }))
    }

    /// Returns the cached value, unless it is too old.
    pub(in crate::layers) fn get(&self) -> Option<Arc<T>> {
        let cached = self.0.cached.read().unwrap_or_else(PoisonError::into_inner);
        cached.as_ref().filter(|cached| cached.fetched_at.elapsed() <= MAX_AGE).map(|cached| Arc::clone(&cached.value))
    }

    /// Returns the cached value. If it does not satisfy the condition, it is fetched first, unless that happened within the
    /// last minute; the wait is bounded.
    pub(in crate::layers) async fn get_or_fetch(&self, satisfies: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        match self.get() {
            Some(value) if satisfies(&value) => Some(value),
            _ => {
                self.fetch_for_unknown_key().await;
                self.get()
            }
        }
    }

    /// Waits until the first fetch has ended, successful or not.
    pub(in crate::layers) async fn first_fetch(&self) {
        let _ = self.0.fetches.subscribe().wait_for(|fetches| fetches.ended > 0).await;
    }

    /// Fetches again and again.
    pub(in crate::layers) async fn refresh(self) {
        let mut failing = None;
        loop {
            let pause = match self.fetch_once().await {
                Ok(max_age) => {
                    if failing.take().is_some() {
                        info!(url = self.0.url, "the issuer's keys can be fetched again");
                    }
                    max_age.unwrap_or(REFRESH).clamp(MIN_REFRESH, MAX_REFRESH)
                }
                Err(cause) => {
                    // An outage is logged once, and again if the cause changes.
                    if failing.as_ref() != Some(&cause) {
                        warn!(
                            url = self.0.url,
                            cause, "the issuer's keys cannot be fetched; the cached keys are used for at most a day"
                        );
                    }
                    failing = Some(cause);
                    RETRY
                }
            };
            tokio::select! {
                () = time::sleep(pause) => {}
                () = self.0.fetch_now.notified() => {}
            }
        }
    }

    async fn fetch_once(&self) -> Result<Option<Duration>, String> {
        self.0.fetches.send_modify(|fetches| fetches.started += 1);
        let result = (self.0.fetch)().await.and_then(|fetched| self.cache(&fetched).map(|()| fetched.max_age));
        telemetry::measure(|metrics| metrics.jwks_fetched(result.is_ok()));
        self.0.fetches.send_modify(|fetches| fetches.ended = fetches.started);
        result
    }

    /// Caches the fetched keys. An unchanged key set keeps its value, so that verified tokens stay cached.
    fn cache(&self, fetched: &Fetched) -> Result<(), String> {
        let unchanged = {
            let cached = self.0.cached.read().unwrap_or_else(PoisonError::into_inner);
            cached.as_ref().filter(|cached| cached.body == fetched.body).map(|cached| Arc::clone(&cached.value))
        };
        let value = match unchanged {
            Some(value) => value,
            None => Arc::new((self.0.make)(&fetched.body)?),
        };
        let cached = Cached { value, body: fetched.body.clone(), fetched_at: Instant::now() };
        *self.0.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(cached);
        Ok(())
    }

    /// Waits for the fetch that an unknown key triggered, now or within the last minute. The wait is bounded.
    async fn fetch_for_unknown_key(&self) {
        let mut fetches = self.0.fetches.subscribe();
        let number = {
            let mut triggered = self.0.triggered.lock().unwrap_or_else(PoisonError::into_inner);
            match *triggered {
                Some((at, number)) if at.elapsed() < UNKNOWN_KEY_INTERVAL => number,
                _ => {
                    let number = fetches.borrow().started + 1;
                    *triggered = Some((Instant::now(), number));
                    self.0.fetch_now.notify_one();
                    number
                }
            }
        };
        let _ = time::timeout(UNKNOWN_KEY_WAIT, fetches.wait_for(|fetches| fetches.ended >= number)).await;
    }
}

impl<T> Clone for Remote<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests;
