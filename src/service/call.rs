//! The call that the work at hand belongs to: whose share it takes, and whether its caller still waits. Background work belongs to
//! none. The detach layer sets it around each call of the contract.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::bytes::{ByteBudget, HeldBytes};
use crate::{domain::requests::principal::Principal, error::Result};

tokio::task_local! {
    static CALL: Arc<Call>;
}

/// Who shares: permits, sessions and bytes are divided among principals; background work is one holder of its own.
pub type Share = Option<Arc<Principal>>;

/// One call of the contract.
#[derive(Debug)]
pub struct Call {
    /// Whose share its work takes; not set before the token is verified.
    principal: OnceLock<Arc<Principal>>,
    /// Whether it may change something: a mutation goes on after its caller has gone.
    mutates: bool,
    abandoned: AtomicBool,
    /// Counts parts of a long unit of work that are done.
    progress: AtomicU64,
    budget: ByteBudget,
    /// What its rows cost in memory, until it ends.
    held: Mutex<Option<HeldBytes>>,
}

impl Call {
    /// A call whose caller waits for it. What it holds in memory is counted in `budget`.
    #[must_use]
    pub fn new(mutates: bool, budget: ByteBudget) -> Arc<Self> {
        let (principal, abandoned, held) = (OnceLock::new(), AtomicBool::new(false), Mutex::default());
        Arc::new(Self { principal, mutates, abandoned, progress: AtomicU64::new(0), budget, held })
    }

    /// Counts bytes that it holds until it ends.
    fn hold(&self, bytes: usize) -> Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get_or_insert_with(|| self.budget.holder(self.principal.get().cloned())).grow(bytes)
    }

    /// Notes that its caller has gone: it hung up, or its deadline passed.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Whether work for it that has not begun is pointless: its caller has gone, and nothing would be half done.
    fn is_pointless(&self) -> bool {
        !self.mutates && self.abandoned.load(Ordering::Relaxed)
    }
}

/// Runs work that belongs to a call.
pub async fn scope<T>(call: Arc<Call>, work: impl Future<Output = T>) -> T {
    CALL.scope(call, work).await
}

/// Notes the principal of the call at hand, as its token proved it.
pub fn made_by(principal: &Principal) {
    // Outside a call there is no share to note; and a call has one principal.
    _ = CALL.try_with(|call| call.principal.set(Arc::new(principal.clone())));
}

/// The share of the work at hand.
pub(super) fn share() -> Share {
    CALL.try_with(|call| call.principal.get().cloned()).unwrap_or_default()
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
