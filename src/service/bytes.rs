//! Memory that is held for callers, counted in bytes: one limit for the process, and a quarter of it for each principal.
//!
//! Counted are request messages as they arrive, rows at what they cost in memory, and answers until the peer has taken them.
//! Nobody waits for bytes while holding some: what would exceed a limit is refused at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::share::{PARTS, Share};
use crate::error::{Error, Result};

/// When a caller should come again that was refused for lack of bytes.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The bytes that this process holds for callers. Clones share the count.
#[derive(Clone, Debug)]
pub struct ByteBudget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Bytes that all holders have at most together.
    limit: usize,
    /// Bytes that one holder has at most.
    share: usize,
    held: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_holder: HashMap<Share, usize>,
}

/// Bytes that are held for a principal, or for callers that no token has proved. They are given back when this is dropped.
#[derive(Debug)]
pub struct HeldBytes {
    budget: ByteBudget,
    holder: Share,
    bytes: usize,
}

impl ByteBudget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { inner: Arc::new(Inner { limit, share: limit / PARTS, held: Mutex::default() }) }
    }

    /// Holds nothing yet for this principal; `HeldBytes::grow` adds to it.
    #[must_use]
    pub fn holder(&self, holder: Share) -> HeldBytes {
        HeldBytes { budget: self.clone(), holder, bytes: 0 }
    }

    /// Holds `bytes` for this principal.
    ///
    /// # Errors
    /// `Overloaded` at once, if they would exceed the limit of the process or of the principal.
    pub fn hold(&self, holder: Share, bytes: usize) -> Result<HeldBytes> {
        let mut held = self.holder(holder);
        held.grow(bytes)?;
        Ok(held)
    }

    /// The bytes that are held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.counts().total
    }

    /// Bytes that one holder has at most.
    #[must_use]
    pub fn share(&self) -> usize {
        self.inner.share
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Nothing in here panics while the counts are half changed.
        self.inner.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldBytes {
    /// Holds `more` bytes beside those that it holds.
    ///
    /// # Errors
    /// `Overloaded` at once, if they would exceed the limit of the process or of the principal. It then holds what it held.
    pub fn grow(&mut self, more: usize) -> Result<()> {
        let Inner { limit, share, .. } = *self.budget.inner;
        let mut counts = self.budget.counts();
        let own = counts.by_holder.get(&self.holder).copied().unwrap_or_default();
        let fits = |held: usize, limit: usize| held.checked_add(more).is_some_and(|held| held <= limit);
        if !fits(counts.total, limit) || !fits(own, share) {
            return Err(Error::Overloaded { retry_after: RETRY_AFTER });
        }
        counts.total += more;
        *counts.by_holder.entry(self.holder.clone()).or_default() += more;
        self.bytes += more;
        Ok(())
    }

    /// Holds `more` bytes beside those that it holds, even beyond the limits: for what cannot be refused any more. Nobody gets
    /// further bytes until enough are given back.
    pub fn grow_beyond(&mut self, more: usize) {
        let mut counts = self.budget.counts();
        counts.total = counts.total.saturating_add(more);
        let own = counts.by_holder.entry(self.holder.clone()).or_default();
        *own = own.saturating_add(more);
        self.bytes = self.bytes.saturating_add(more);
    }

    /// Takes `bytes` of it, or all if it has fewer, into a part that gives them back on its own.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { budget: self.budget.clone(), holder: self.holder.clone(), bytes }
    }

    /// Gives back what it holds beyond `bytes`.
    pub fn shrink(&mut self, bytes: usize) {
        let spare = self.bytes.saturating_sub(bytes);
        if spare == 0 {
            return;
        }
        let mut counts = self.budget.counts();
        counts.total -= spare;
        if let Some(own) = counts.by_holder.get_mut(&self.holder) {
            *own -= spare;
            if *own == 0 {
                counts.by_holder.remove(&self.holder);
            }
        }
        self.bytes -= spare;
    }

    /// The bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::requests::principal::Principal;

    fn principal(subject: &str) -> Share {
        Some(Arc::new(Principal::new("https://idp.example", subject)))
    }

    #[test]
    fn a_principal_holds_at_most_a_quarter_and_all_of_them_at_most_the_limit() {
        let budget = ByteBudget::new(100);
        let mut all: Vec<_> =
            ["a", "b", "c", "d"].map(|subject| budget.hold(principal(subject), 25).unwrap()).into_iter().collect();
        for refused in [budget.hold(principal("a"), 1), budget.hold(principal("e"), 1), budget.hold(None, 1)] {
            assert!(matches!(refused.unwrap_err(), Error::Overloaded { .. }));
        }
        assert_eq!(budget.held(), 100);
        all[0].shrink(20);
        assert!(budget.hold(principal("a"), 6).is_err(), "a quarter");
        assert!(budget.hold(principal("e"), usize::MAX).is_err());
        assert!(all[0].grow(6).is_err());
        assert_eq!((all[0].bytes(), budget.held()), (20, 95));
        let five = budget.hold(principal("e"), 5).unwrap();
        drop((all, five));
        assert_eq!(budget.held(), 0);
        assert!(budget.counts().by_holder.is_empty());
    }

    #[test]
    fn parts_give_back_their_own_bytes() {
        let budget = ByteBudget::new(100);
        let mut whole = budget.hold(principal("a"), 20).unwrap();
        let (part, rest) = (whole.split(15), whole.split(usize::MAX));
        assert_eq!((whole.bytes(), part.bytes(), rest.bytes(), budget.held()), (0, 15, 5, 20));
        drop((whole, rest));
        assert_eq!(budget.held(), 15);
        drop(part);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn what_cannot_be_refused_is_counted_beyond_the_limits() {
        let budget = ByteBudget::new(100);
        let mut held = budget.holder(principal("a"));
        held.grow_beyond(200);
        assert_eq!((held.bytes(), budget.held()), (200, 200));
        assert!(held.grow(1).is_err() && budget.hold(principal("b"), 1).is_err());
        held.shrink(20);
        assert!(budget.hold(principal("b"), 1).is_ok());
    }
}
