//! Permits that are shared fairly. There is a fixed number; while others wait, one holder has at most a quarter of them, and the
//! queue is shared in the same way.
//!
//! In a set made by `new`, no caller waits while a permit is free. In one made by `with_room`, a holder takes a permit only while
//! it holds fewer than three times as many as are free. So one holder has at most three quarters, and a newcomer finds a free
//! permit, however long the others keep theirs.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::share::PARTS;

/// A holder of permits `with_room` takes one only while it holds fewer than this many times as many as are free.
const TIMES_FREE: usize = 3;

/// A set of permits, each held by a key, such as the principal of a call. Clones share the same permits.
#[derive(Debug)]
pub struct Shares<K: Eq + Hash + Clone> {
    inner: Arc<Inner<K>>,
}

/// One permit. It is given back when it is dropped.
#[derive(Debug)]
pub struct Permit<K: Eq + Hash + Clone> {
    inner: Arc<Inner<K>>,
    key: K,
}

/// No permit is free, and the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

#[derive(Debug)]
struct Inner<K: Eq + Hash + Clone> {
    state: Mutex<State<K>>,
    /// Permits that one holder has at most while others wait.
    share: usize,
    /// Longest queue.
    longest: usize,
    /// Whether holders leave room for newcomers.
    room: bool,
}

#[derive(Debug)]
struct State<K> {
    free: usize,
    held: HashMap<K, usize>,
    queue: VecDeque<(K, oneshot::Sender<()>)>,
}

impl<K: Eq + Hash + Clone> Clone for Shares<K> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K: Eq + Hash + Clone> Shares<K> {
    /// `permits` permits, and a queue of at most `longest` for them.
    #[must_use]
    pub fn new(permits: usize, longest: usize) -> Self {
        Self::build(permits, longest, false)
    }

    /// The same, and holders leave room for newcomers: for permits that may be held long.
    #[must_use]
    pub fn with_room(permits: usize, longest: usize) -> Self {
        Self::build(permits, longest, true)
    }

    fn build(permits: usize, longest: usize, room: bool) -> Self {
        let state = Mutex::new(State { free: permits, held: HashMap::new(), queue: VecDeque::new() });
        Self { inner: Arc::new(Inner { state, share: (permits / PARTS).max(1), longest, room }) }
    }

    /// Takes a permit, or waits in the queue for one. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// `Full` at once where the queue is full of others, or later for the last waiting call of the key that waits most, when a key
    /// that waits less comes.
    pub async fn acquire(&self, key: K) -> Result<Permit<K>, Full> {
        let waiting = {
            let mut state = self.inner.lock();
            if state.may_take(&key, self.inner.room) {
                state.free -= 1;
                state.note(&key);
                None
            } else {
                Some(state.wait(&key, self.inner.longest)?)
            }
        };
        let Some(granted) = waiting else { return Ok(Permit { inner: Arc::clone(&self.inner), key }) };
        let mut waiting = Waiting { inner: &self.inner, key: Some(key), granted };
        match (&mut waiting.granted).await {
            Ok(()) => waiting.take().ok_or(Full),
            Err(_) => {
                waiting.key = None;
                Err(Full)
            }
        }
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inner.lock().queue.iter().filter(|(_, granted)| !granted.is_closed()).count()
    }

    /// How many permits are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.inner.lock().held.values().sum()
    }
}

/// A place in the queue.
struct Waiting<'a, K: Eq + Hash + Clone> {
    inner: &'a Arc<Inner<K>>,
    key: Option<K>,
    granted: oneshot::Receiver<()>,
}

impl<K: Eq + Hash + Clone> Waiting<'_, K> {
    fn take(&mut self) -> Option<Permit<K>> {
        self.key.take().map(|key| Permit { inner: Arc::clone(self.inner), key })
    }
}

impl<K: Eq + Hash + Clone> Drop for Waiting<'_, K> {
    fn drop(&mut self) {
        // A permit that was granted and not taken goes to the next in the queue.
        self.granted.close();
        if self.granted.try_recv().is_ok() {
            drop(self.take());
        }
    }
}

impl<K: Eq + Hash + Clone> Inner<K> {
    fn lock(&self) -> MutexGuard<'_, State<K>> {
        // Nothing in here panics while the state is half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> State<K> {
    fn note(&mut self, key: &K) {
        *self.held.entry(key.clone()).or_default() += 1;
    }

    /// Joins the queue; where it is full, in the place of the last call of the key that waits most.
    fn wait(&mut self, key: &K, longest: usize) -> Result<oneshot::Receiver<()>, Full> {
        self.queue.retain(|(_, granted)| !granted.is_closed());
        if self.queue.len() >= longest {
            let mut waits: HashMap<&K, usize> = HashMap::new();
            for (key, _) in &self.queue {
                *waits.entry(key).or_default() += 1;
            }
            let own = waits.get(key).copied().unwrap_or_default();
            let (most, count) = waits.into_iter().max_by_key(|(_, count)| *count).ok_or(Full)?;
            if count <= own + 1 {
                return Err(Full);
            }
            let last = self.queue.iter().rposition(|(key, _)| key == most).ok_or(Full)?;
            self.queue.remove(last);
        }
        let (grant, granted) = oneshot::channel();
        self.queue.push_back((key.clone(), grant));
        Ok(granted)
    }

    fn held_by(&self, key: &K) -> usize {
        self.held.get(key).copied().unwrap_or_default()
    }

    /// Whether this key may take a free permit.
    fn may_take(&self, key: &K, room: bool) -> bool {
        self.free > 0 && (!room || self.held_by(key) < self.free.saturating_mul(TIMES_FREE))
    }

    /// Takes back a permit. Free ones go to the first that wait and have less than their share, else to the first.
    fn give_back(&mut self, inner: &Inner<K>) {
        self.free += 1;
        loop {
            let waits =
                |(key, granted): &(K, oneshot::Sender<()>)| !granted.is_closed() && self.may_take(key, inner.room);
            let fair = self.queue.iter().position(|waiting| waits(waiting) && self.held_by(&waiting.0) < inner.share);
            let next = fair.or_else(|| self.queue.iter().position(waits));
            let Some((key, grant)) = next.and_then(|next| self.queue.remove(next)) else { return };
            if grant.send(()).is_ok() {
                self.free -= 1;
                self.note(&key);
            }
        }
    }
}

impl<K: Eq + Hash + Clone> Drop for Permit<K> {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        if let Some(held) = state.held.get_mut(&self.key) {
            *held -= 1;
            if *held == 0 {
                state.held.remove(&self.key);
            }
        }
        state.give_back(&self.inner);
    }
}

#[cfg(test)]
mod tests;
