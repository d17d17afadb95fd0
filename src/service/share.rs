//! Whose share the work at hand takes.

use std::sync::Arc;

use crate::domain::requests::principal::Principal;

/// One principal has at most one of this many parts of what principals share: of permits and sessions while others wait, and of
/// bytes and cached look-ups always.
pub(super) const PARTS: usize = 4;

/// Who shares: permits, sessions and bytes are divided among principals; background work is one holder of its own.
pub type Share = Option<Arc<Principal>>;
