//! The call that the work at hand belongs to: whose share it takes, and whether its caller still waits. Background work belongs to
//! none. The detach layer sets it around each call of the contract.

use std::{
    any::Any,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

pub use super::share::Share;

use super::bytes::{ByteBudget, HeldBytes};
use crate::error::Result;

tokio::task_local! {
    static CALL: Arc<CallContext>;
}

/// One call of the contract.
#[derive(Debug)]
pub struct CallContext {
    /// Whose share its work takes.
    share: Share,
    /// Whether it may change something: a mutation goes on after its caller has gone.
    mutates: bool,
    abandoned: AtomicBool,
    /// Counts parts of a long unit of work that are done.
    progress: AtomicU64,
    budget: ByteBudget,
    /// What its message costs in memory, until it ends or takes it apart.
    message: Mutex<Option<Arc<HeldBytes>>>,
    /// What its rows cost in memory, until it ends.
    rows: Mutex<Option<HeldBytes>>,
    /// What else lives as long as its work.
    kept: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl CallContext {
    /// A call whose caller waits for it. What its message costs is counted already; what else it holds in memory is counted in
    /// `budget`.
    #[must_use]
    pub fn new(share: Share, mutates: bool, budget: ByteBudget, message: Option<Arc<HeldBytes>>) -> Arc<Self> {
        let (abandoned, rows, kept) = (AtomicBool::new(false), Mutex::default(), OnceLock::new());
        let (progress, message) = (AtomicU64::new(0), Mutex::new(message));
        Arc::new(Self { share, mutates, abandoned, progress, budget, message, rows, kept })
    }

    /// Keeps something until its work has ended: the first thing that is given.
    pub fn keep(&self, kept: impl Send + Sync + 'static) {
        _ = self.kept.set(Box::new(kept));
    }

    /// Counts bytes that it holds until it ends.
    fn hold(&self, bytes: usize) -> Result<()> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.get_or_insert_with(|| self.budget.holder(self.share.clone())).grow(bytes)
    }

    /// Gives back the bytes of its rows.
    fn release(&self) {
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Gives back what its message costs beyond the part that `left` says, and returns what it then costs.
    fn shrink_message(&self, left: impl FnOnce(usize) -> usize) -> usize {
        let mut message = self.message.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody else holds it while the call runs.
        message.as_mut().and_then(Arc::get_mut).map_or(0, |held| {
            held.shrink(left(held.bytes()));
            held.bytes()
        })
    }

    /// Notes that its caller has gone: it hung up, or its deadline passed.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Whether work for it that has not begun is pointless: its caller has gone, and nothing would be half done.
    pub(super) fn is_pointless(&self) -> bool {
        !self.mutates && self.abandoned.load(Ordering::Relaxed)
    }
}

/// Runs work that belongs to a call.
pub async fn scope<T>(call: Arc<CallContext>, work: impl Future<Output = T>) -> T {
    CALL.scope(call, work).await
}

/// The call at hand; none in background work.
pub(super) fn current() -> Option<Arc<CallContext>> {
    CALL.try_with(Arc::clone).ok()
}

/// Work that belongs to the call at hand, in a task of its own too.
pub(super) fn rejoined<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let call = current();
    async move {
        match call {
            Some(call) => CALL.scope(call, work).await,
            None => work.await,
        }
    }
}

/// Counts bytes that the call at hand holds in memory, on their own. Background work has no limit.
pub(super) fn holder() -> HeldBytes {
    let held = CALL.try_with(|call| call.budget.holder(call.share.clone()));
    held.unwrap_or_else(|_| ByteBudget::new(usize::MAX).holder(Share::default()))
}

/// The share of the work at hand.
#[must_use]
pub fn share() -> Share {
    CALL.try_with(|call| call.share.clone()).unwrap_or_default()
}

/// Whether the work at hand is a read whose caller has gone.
pub(super) fn is_pointless() -> bool {
    CALL.try_with(|call| call.is_pointless()).unwrap_or_default()
}

/// Notes that a part of the unit of work at hand is done: the session answers, and the next part may take as long again.
pub(super) fn note_progress() {
    // Outside a call nothing waits in parts.
    _ = CALL.try_with(|call| call.progress.fetch_add(1, Ordering::Relaxed));
}

/// How many parts are done.
pub(super) fn progress() -> u64 {
    CALL.try_with(|call| call.progress.load(Ordering::Relaxed)).unwrap_or_default()
}

/// Counts bytes that the call at hand holds in memory until it ends, such as rows being read. Background work is not counted.
///
/// # Errors
/// `Overloaded` at once, if they would exceed the limit of the process or of the call's principal.
pub fn hold(bytes: usize) -> Result<()> {
    CALL.try_with(|call| call.hold(bytes)).unwrap_or(Ok(()))
}

/// Gives back what the message of the call at hand costs in memory beyond the part that `left` says, as it was taken apart; returns what
/// it then costs.
pub(super) fn shrink_message(left: impl FnOnce(usize) -> usize) -> usize {
    CALL.try_with(|call| call.shrink_message(left)).unwrap_or_default()
}

/// Gives back what the call at hand holds: its answer has been made of its rows, and is counted from now on.
pub fn release() {
    _ = CALL.try_with(|call| call.release());
}
