//! Keys that are fetched: in the background, so that no token waits for its issuer while its key is known; kept through an
//! outage, for a day; and fetched at once for a token of a key that is not known, but not as often as somebody likes to
//! make up keys.

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

/// When they are fetched again if the issuer does not say, and the bounds of what it may say.
const REFRESH: Duration = Duration::from_secs(5 * 60);
const REFRESH_AT_LEAST: Duration = Duration::from_secs(60);
const REFRESH_AT_MOST: Duration = Duration::from_secs(15 * 60);
/// When they are asked for again that could not be had.
const RETRY: Duration = Duration::from_secs(15);
/// How long keys are believed that could not be fetched again.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a key that is not known makes them be fetched, and how long its token waits for that.
const UNKNOWN_EVERY: Duration = Duration::from_secs(60);
const UNKNOWN_WAIT: Duration = Duration::from_secs(2);

pub(super) type Fetching = Pin<Box<dyn Future<Output = Result<Fetched, String>> + Send>>;
type Fetch = dyn Fn() -> Fetching + Send + Sync;
type Make<T> = dyn Fn(&[u8]) -> Result<T, String> + Send + Sync;

/// What is made of a key set that is fetched. Its clones are the same one.
pub(in crate::layers) struct Remote<T>(Arc<Inner<T>>);

struct Inner<T> {
    /// Where from, for the log.
    name: String,
    fetch: Box<Fetch>,
    make: Box<Make<T>>,
    held: RwLock<Option<Held<T>>>,
    /// Somebody wants them now.
    wanted: Notify,
    /// When somebody last did, and which round is for that.
    asked: Mutex<Option<(Instant, u64)>>,
    rounds: watch::Sender<Rounds>,
}

struct Held<T> {
    value: Arc<T>,
    body: Bytes,
    at: Instant,
}

/// How often they were asked for, and how often that has come to its end.
#[derive(Clone, Copy, Default)]
struct Rounds {
    begun: u64,
    over: u64,
}

impl<T: Send + Sync + 'static> Remote<T> {
    /// Nothing yet; `follow` fetches.
    pub(super) fn new(
        name: String,
        fetch: impl Fn() -> Fetching + Send + Sync + 'static,
        make: impl Fn(&[u8]) -> Result<T, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            name,
            fetch: Box::new(fetch),
            make: Box::new(make),
            held: RwLock::default(),
            wanted: Notify::new(),
            asked: Mutex::default(),
            rounds: watch::Sender::default(),
        }))
    }

    /// What is held, unless it is too old to be believed.
    pub(in crate::layers) fn get(&self) -> Option<Arc<T>> {
        let held = self.0.held.read().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().filter(|held| held.at.elapsed() <= STALE).map(|held| Arc::clone(&held.value))
    }

    /// What is held. If that is not `enough` it is fetched first, unless it was within the last minute, and unless that
    /// takes too long.
    pub(in crate::layers) async fn having(&self, enough: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        match self.get() {
            Some(held) if enough(&held) => Some(held),
            _ => {
                self.fetched_anew().await;
                self.get()
            }
        }
    }

    /// Waits until they were asked for once, whatever came of it.
    pub(in crate::layers) async fn tried(&self) {
        let _ = self.0.rounds.subscribe().wait_for(|rounds| rounds.over > 0).await;
    }

    /// Fetches, again and again.
    pub(in crate::layers) async fn follow(self) {
        let mut failing = None;
        loop {
            let pause = match self.round().await {
                Ok(max_age) => {
                    if failing.take().is_some() {
                        info!(jwks = self.0.name, "keys are fetched again");
                    }
                    max_age.unwrap_or(REFRESH).clamp(REFRESH_AT_LEAST, REFRESH_AT_MOST)
                }
                Err(why) => {
                    // An outage is told once, and again if it has another cause.
                    if failing.as_ref() != Some(&why) {
                        warn!(
                            jwks = self.0.name,
                            why, "keys cannot be fetched: those at hand are used for a day at most"
                        );
                    }
                    failing = Some(why);
                    RETRY
                }
            };
            tokio::select! {
                () = time::sleep(pause) => {}
                () = self.0.wanted.notified() => {}
            }
        }
    }

    async fn round(&self) -> Result<Option<Duration>, String> {
        self.0.rounds.send_modify(|rounds| rounds.begun += 1);
        let done = (self.0.fetch)().await.and_then(|fetched| self.take(&fetched).map(|()| fetched.max_age));
        telemetry::measure(|metrics| metrics.keys_fetched(done.is_ok()));
        self.0.rounds.send_modify(|rounds| rounds.over = rounds.begun);
        done
    }

    /// Holds what was fetched. The same again stays what it is: nothing that hangs on it need be thrown away.
    fn take(&self, fetched: &Fetched) -> Result<(), String> {
        let same = {
            let held = self.0.held.read().unwrap_or_else(PoisonError::into_inner);
            held.as_ref().filter(|held| held.body == fetched.body).map(|held| Arc::clone(&held.value))
        };
        let value = match same {
            Some(value) => value,
            None => Arc::new((self.0.make)(&fetched.body)?),
        };
        let held = Held { value, body: fetched.body.clone(), at: Instant::now() };
        *self.0.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(())
    }

    /// Waits, for a while, for a round that begins after somebody asked: now, or within the last minute.
    async fn fetched_anew(&self) {
        let mut rounds = self.0.rounds.subscribe();
        let round = {
            let mut asked = self.0.asked.lock().unwrap_or_else(PoisonError::into_inner);
            match *asked {
                Some((at, round)) if at.elapsed() < UNKNOWN_EVERY => round,
                _ => {
                    let round = rounds.borrow().begun + 1;
                    *asked = Some((Instant::now(), round));
                    self.0.wanted.notify_one();
                    round
                }
            }
        };
        let _ = time::timeout(UNKNOWN_WAIT, rounds.wait_for(|rounds| rounds.over >= round)).await;
    }
}

impl<T> Clone for Remote<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests;
