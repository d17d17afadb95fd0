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
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking"
)]

mod commands;
mod deadlines;
mod dev;
mod embedded;
mod faults;
mod get_customer;
mod processes;
mod races;
mod repeats_at_once;
mod standing;
mod world;
