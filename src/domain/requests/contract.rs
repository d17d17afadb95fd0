//! What the contract says of each RPC: its path, who may call it, and whether it may change something. The table is made
//! at build time from the options in the protos; there is no second list.

use std::time::Duration;

use crate::domain::values::enums::Role;

/// The least that a caller must be, by the option `(clientele.v1.access)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Any caller with a valid token.
    Authenticated,
    /// A member of the acting account, or of one above it, with at least this role.
    Least(Role),
    /// A platform operator.
    Platform,
}

/// One RPC of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rpc {
    /// As HTTP/2 carries it: `/clientele.v1.CustomerService/GetCustomer`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whether it may change something: false for `NO_SIDE_EFFECTS`.
    pub mutates: bool,
    /// How long it may take, by the option `(clientele.v1.max_seconds)`, if that is longer than the server's own limit; else zero.
    pub longest: Duration,
}

impl Rpc {
    /// The name that events, stored answers and logs have: `clientele.v1.CustomerService/GetCustomer`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.trim_start_matches('/')
    }
}

include!(concat!(env!("OUT_DIR"), "/rpcs.rs"));
