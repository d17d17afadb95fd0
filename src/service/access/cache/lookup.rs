//! A look-up: for whom, what it depends on, and its result.

use tokio::time::Instant;

use crate::{
    domain::values::ids::{AccountId, TenantId},
    store::access::Found,
};

/// The tenant and the account that a call names. With the principal, this is what a look-up depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::service::access) struct Target {
    pub(in crate::service::access) tenant: Option<TenantId>,
    pub(in crate::service::access) account: Option<AccountId>,
}

/// The result of a look-up. Refusals are cached too: they cost a query like any other result.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    pub(super) found: Found,
    /// When it began: what it read is at most this old.
    pub(super) begun: Instant,
    /// The number of the last change before it began.
    pub(super) seen: u64,
}
