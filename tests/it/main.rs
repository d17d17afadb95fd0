//! All tests that need a server: one binary, a file per RPC or concern.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod architecture;
mod commands;
mod contract;
mod dev;
mod embedded;
mod get_customer;
mod messages;
mod processes;
mod protos;
mod rows;
mod world;
