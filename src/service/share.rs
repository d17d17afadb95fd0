//! Whose share the work at hand takes.

use std::sync::Arc;

use crate::domain::requests::principal::Principal;

/// Who shares: permits, sessions and bytes are divided among principals; background work is one holder of its own.
pub type Share = Option<Arc<Principal>>;
