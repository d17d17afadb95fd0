//! The cache of look-ups of access. A commit of this process makes the entries stale that depend on what it changed, and
//! no other tenant's; commits of other processes are seen when an entry has reached its maximum age.
//!
//! A look-up that began before a commit may have read what was there before. So changes have numbers, and a result counts
//! only if nothing that it depends on has changed since its look-up began.

mod changes;
mod entries;
mod lookup;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::OnceCell, time::Instant};

pub(in crate::service) use self::changes::Stale;
pub(super) use self::lookup::Target;
use self::{
    changes::Changes,
    entries::{Entries, Limits},
    lookup::Lookup,
};
use crate::{
    domain::requests::principal::Principal,
    error::{Error, Result},
    store::access::Found,
    telemetry::{self, CacheResult},
};

/// Maximum age of an entry, from the begin of its look-up: a right that was taken away works no longer than this.
pub(in crate::service) const MAX_AGE: Duration = Duration::from_secs(2);
/// What the cache holds at most; one principal gets a quarter.
const LIMITS: Limits = Limits { entries: 100_000, bytes: 32 << 20 };

/// A look-up for all calls that miss together.
type Flight = OnceCell<Done>;

/// How a look-up ended, and which call asked the database.
#[derive(Clone, Debug)]
struct Done {
    asked_by: u64,
    result: Result<Lookup, Arc<Error>>,
}

/// The cache. Its clones share the entries.
#[derive(Clone, Debug)]
pub(in crate::service) struct AccessCache {
    max_age: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    entries: Entries,
    changes: Changes,
    flights: HashMap<(Principal, Target), Arc<Flight>>,
    /// The number of the last call that missed.
    missed: u64,
}

impl State {
    fn is_usable(&self, principal: &Principal, target: Target, lookup: &Lookup, max_age: Duration) -> bool {
        lookup.begun.elapsed() < max_age && !self.changes.is_stale(principal, target, lookup)
    }
}

impl AccessCache {
    pub(in crate::service) fn new(max_age: Duration) -> Self {
        Self::with_limits(max_age, LIMITS)
    }

    fn with_limits(max_age: Duration, limits: Limits) -> Self {
        let (entries, changes) = (Entries::new(limits), Changes::default());
        let state = State { entries, changes, flights: HashMap::new(), missed: 0 };
        Self { max_age, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cached result, or what `find` returns. Calls that miss together share one look-up, unless a commit came
    /// between its begin and the call.
    pub(super) async fn get_or_find<F>(
        &self,
        principal: &Principal,
        target: Target,
        find: impl Fn() -> F,
    ) -> Result<Found>
    where
        F: Future<Output = Result<Found>>,
    {
        if let Some(found) = self.get(principal, target) {
            telemetry::measure(|metrics| metrics.access_looked_up(CacheResult::Hit));
            return Ok(found);
        }
        let arrived = Instant::now();
        loop {
            let joined = self.join(principal, target);
            let Done { asked_by, result } = joined.flight.get_or_init(|| self.ask(joined.call, &find)).await.clone();
            let asked = asked_by == joined.call;
            self.end(&joined, result.as_ref().ok().filter(|_| asked));
            match result {
                Ok(lookup) if asked => return Ok(lookup.found),
                Ok(lookup)
                    if lookup.begun > arrived || self.state().is_usable(principal, target, &lookup, self.max_age) =>
                {
                    telemetry::measure(|metrics| metrics.access_looked_up(CacheResult::Hit));
                    return Ok(lookup.found);
                }
                // It began before a commit of which this call may know.
                Ok(_) => {}
                // The caller that asked has gone; this one has not.
                Err(failure) if matches!(*failure, Error::Deadline) && !asked => {}
                Err(failure) => return Err(failure.duplicate()),
            }
        }
    }

    fn get(&self, principal: &Principal, target: Target) -> Option<Found> {
        let state = self.state();
        let lookup = state.entries.get(principal, target)?;
        state.is_usable(principal, target, lookup, self.max_age).then(|| lookup.found.clone())
    }

    /// Asks the database.
    async fn ask<F>(&self, asked_by: u64, find: &impl Fn() -> F) -> Done
    where
        F: Future<Output = Result<Found>>,
    {
        telemetry::measure(|metrics| metrics.access_looked_up(CacheResult::Miss));
        let (begun, seen) = (Instant::now(), self.state().changes.last());
        let result = find().await.map(|found| Lookup { found, begun, seen }).map_err(Arc::new);
        Done { asked_by, result }
    }

    /// Joins the look-up of other calls, or begins one.
    fn join(&self, principal: &Principal, target: Target) -> Joined<'_> {
        let mut state = self.state();
        state.missed += 1;
        let call = state.missed;
        let key = (principal.clone(), target);
        let flight = Arc::clone(state.flights.entry(key.clone()).or_default());
        Joined { cache: self, key, flight, call }
    }

    /// Ends a look-up: later calls begin another one. What it found is cached, unless that is stale already.
    fn end(&self, joined: &Joined<'_>, lookup: Option<&Lookup>) {
        let (principal, target) = (&joined.key.0, joined.key.1);
        let mut state = self.state();
        if let Some(lookup) = lookup.filter(|lookup| state.is_usable(principal, target, lookup, self.max_age)) {
            state.entries.insert(principal, target, lookup.clone(), self.max_age);
        }
        if state.flights.get(&joined.key).is_some_and(|flight| Arc::ptr_eq(flight, &joined.flight)) {
            state.flights.remove(&joined.key);
        }
    }

    /// Makes the entries stale that depend on what a commit changed, and the look-ups that began before it.
    pub(in crate::service) fn drop_stale(&self, stale: Stale) {
        self.state().changes.note(stale, self.max_age);
    }
}

/// A call that waits for a look-up.
struct Joined<'a> {
    cache: &'a AccessCache,
    key: (Principal, Target),
    flight: Arc<Flight>,
    call: u64,
}

impl Drop for Joined<'_> {
    /// A look-up that all its callers gave up ends with the last of them.
    fn drop(&mut self) {
        let mut state = self.cache.state();
        let is_last = |flight: &Arc<Flight>| Arc::ptr_eq(flight, &self.flight) && Arc::strong_count(flight) == 2;
        if state.flights.get(&self.key).is_some_and(is_last) {
            state.flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
pub(in crate::service) mod samples;
#[cfg(test)]
mod tests;
