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
mod dev;
mod embedded;
mod get_customer;
mod processes;
mod search_customers;
mod search_naive;
mod search_pages;
mod search_property;
mod search_samples;
mod search_scope;
mod search_upkeep;
mod world;
