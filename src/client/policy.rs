//! What the service config and the contract say of each RPC: `build.rs` makes the table of both.

use std::time::Duration;

/// What the client does for the calls of an RPC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// Time limit of a call, all its tries included.
    pub(super) timeout: Duration,
    /// Whether the service config says that a call is tried again if the server is UNAVAILABLE.
    pub(super) retries: bool,
    /// The number of the request's field `request_id`; a mutation has one.
    pub(super) request_id: Option<u32>,
}

/// How calls are tried again.
pub(super) struct Retries {
    /// Tries of a call, the first included.
    pub(super) attempts: u32,
    /// The pause before the second; it doubles with each.
    pub(super) first: Duration,
    /// The longest pause.
    pub(super) longest: Duration,
}

/// How many calls are tried again while most fail, as gRFC A6 has it: each failure takes a token, each success gives a part of one
/// back, and no call is tried again with half of them or fewer.
pub(super) struct Throttling {
    /// The tokens at the beginning, and at most.
    pub(super) tokens: u32,
    /// The thousandths that a success gives back.
    pub(super) ratio: u32,
}

include!(concat!(env!("OUT_DIR"), "/policies.rs"));
