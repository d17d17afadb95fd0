//! gRPC: the only layer that knows the generated types. `handler` holds what all handlers do alike.

mod access;
mod accounts;
mod convert;
mod customers;
pub mod demo;
mod fingerprint;
mod handler;
mod history;
pub mod pb;
mod routes;
pub mod status;
mod tags;

pub use self::{handler::AccessUnavailable, routes::routes};

/// The contract as reflection serves it, with all options and comments.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Largest answer; clients refuse more than 4 MiB by default.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
