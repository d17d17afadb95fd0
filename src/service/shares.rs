//! Permits that are shared fairly. There is a fixed number; while others wait, one holder has at most a quarter of them, and the
//! queue is shared in the same way. No caller waits while a permit is free.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// While others wait, one holder has at most one of this many parts of the permits.
const PARTS: usize = 4;

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
        let state = State { free: permits, held: HashMap::new(), queue: VecDeque::new() };
        Self { inner: Arc::new(Inner { state: Mutex::new(state), share: (permits / PARTS).max(1), longest }) }
    }

    /// Takes a permit, or waits in the queue for one. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// `Full` at once where the queue is full of others, or later for the last waiting call of the key that waits most, when a key
    /// that waits less comes.
    pub async fn acquire(&self, key: K) -> Result<Permit<K>, Full> {
        let waiting = {
            let mut state = self.inner.lock();
            if state.free > 0 {
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
        self.inner.lock().queue.len()
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

    /// Gives a permit that came free to the first that waits and has less than its share, else to the first.
    fn pass_on(&mut self, share: usize) {
        loop {
            let held = |key: &K| self.held.get(key).copied().unwrap_or_default();
            let fair = self.queue.iter().position(|(key, granted)| !granted.is_closed() && held(key) < share);
            let Some((key, grant)) = self.queue.remove(fair.unwrap_or_default()) else {
                self.free += 1;
                return;
            };
            if grant.send(()).is_ok() {
                self.note(&key);
                return;
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
        state.pass_on(self.inner.share);
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::Pin, task::Poll};

    use proptest::prelude::*;

    use super::*;

    type Acquiring = Pin<Box<dyn Future<Output = Result<Permit<u8>, Full>>>>;

    fn acquire(shares: &Shares<u8>, key: u8) -> Acquiring {
        let shares = shares.clone();
        Box::pin(async move { shares.acquire(key).await })
    }

    /// What came of it so far; none if it waits.
    async fn now(acquiring: &mut Acquiring) -> Option<Result<Permit<u8>, Full>> {
        poll_fn(|context| {
            Poll::Ready(match acquiring.as_mut().poll(context) {
                Poll::Ready(done) => Some(done),
                Poll::Pending => None,
            })
        })
        .await
    }

    #[tokio::test]
    async fn a_newcomer_gets_the_next_permit_of_a_principal_that_holds_more_than_its_share() {
        let shares = Shares::new(8, 8);
        let mut held = Vec::new();
        for _ in 0..8 {
            held.push(now(&mut acquire(&shares, 1)).await.unwrap().unwrap());
        }
        let mut flood = acquire(&shares, 1);
        assert!(now(&mut flood).await.is_none(), "all permits are held");
        let mut newcomer = acquire(&shares, 2);
        assert!(now(&mut newcomer).await.is_none());
        drop(held.pop());
        assert!(now(&mut flood).await.is_none(), "it holds seven of eight while another waits");
        let newcomer = now(&mut newcomer).await.unwrap().unwrap();
        drop(held.pop());
        let more = now(&mut flood).await.unwrap().unwrap();
        assert_eq!((shares.held(), shares.waiting()), (8, 0));
        drop((newcomer, more, held));
        assert_eq!((shares.held(), shares.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn a_full_queue_makes_room_for_a_principal_that_waits_less() {
        let shares = Shares::new(1, 4);
        let _held = now(&mut acquire(&shares, 1)).await.unwrap().unwrap();
        let mut flood: Vec<_> = (0..4).map(|_| acquire(&shares, 1)).collect();
        for waiting in &mut flood {
            assert!(now(waiting).await.is_none());
        }
        assert_eq!(now(&mut acquire(&shares, 1)).await.unwrap().unwrap_err(), Full, "no room for more of its own");
        let mut newcomer = acquire(&shares, 2);
        assert!(now(&mut newcomer).await.is_none());
        assert_eq!(now(&mut flood[3]).await.unwrap().unwrap_err(), Full, "the last of the flood makes room");
        assert!(now(&mut flood[2]).await.is_none());
        assert_eq!(shares.waiting(), 4);
    }

    #[tokio::test]
    async fn a_permit_that_was_granted_and_not_taken_goes_to_the_next() {
        let shares = Shares::new(1, 4);
        let held = now(&mut acquire(&shares, 1)).await.unwrap().unwrap();
        let (mut gone, mut next) = (acquire(&shares, 2), acquire(&shares, 3));
        assert!(now(&mut gone).await.is_none() && now(&mut next).await.is_none());
        drop(held);
        drop(gone);
        assert!(now(&mut next).await.unwrap().is_ok());
        assert_eq!((shares.held(), shares.waiting()), (0, 0));
    }

    proptest! {
        #[test]
        fn no_permit_is_lost_and_none_is_free_while_somebody_waits(
            permits in 1_usize..6,
            steps in prop::collection::vec((0_u8..4, any::<prop::sample::Index>(), 0_u8..3), 0..60),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let shares = Shares::new(permits, 5);
                let (mut held, mut waiting): (Vec<Permit<u8>>, Vec<Acquiring>) = (Vec::new(), Vec::new());
                for (key, index, step) in steps {
                    match step {
                        0 => waiting.push(acquire(&shares, key)),
                        1 if !held.is_empty() => drop(held.swap_remove(index.index(held.len()))),
                        2 if !waiting.is_empty() => drop(waiting.swap_remove(index.index(waiting.len()))),
                        _ => {}
                    }
                    let mut still = Vec::new();
                    for mut acquiring in waiting {
                        match now(&mut acquiring).await {
                            Some(Ok(permit)) => held.push(permit),
                            Some(Err(Full)) => {}
                            None => still.push(acquiring),
                        }
                    }
                    waiting = still;
                    prop_assert!(held.len() <= permits);
                    prop_assert_eq!(shares.held(), held.len());
                    prop_assert!(waiting.is_empty() || held.len() == permits, "a permit is free while one waits");
                }
                Ok(())
            })?;
        }
    }
}
