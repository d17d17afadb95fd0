//! The contract in Rust: the generated messages and clients of `clientele.v1`, and with the feature `server` its servers.

#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated"
)]

pub mod money;

tonic::include_proto!("clientele.v1");
