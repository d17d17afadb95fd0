//! gRPC: the only layer that knows the generated types. `handler` holds what all handlers do alike.

mod access;
mod accounts;
mod billing;
mod convert;
mod cost;
mod customers;
pub mod demo;
mod exchange;
mod fingerprint;
mod handler;
mod history;
mod invitations;
pub mod report_client;
pub mod report_columns;
mod routes;
pub mod status;
mod tags;

pub use self::{cost::decoding_cost, handler::AccessUnavailable, routes::routes};
/// The messages that the handlers speak.
pub use crate::pb::{self, money};

/// The contract as reflection serves it, with all options and comments.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Largest request, in bytes: several times the largest customer or a batch of a thousand ids.
pub const MAX_REQUEST: usize = 256 * 1024;
/// Largest answer; clients refuse more than 4 MiB by default.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
