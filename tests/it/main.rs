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

mod commands;
mod create_customer;
mod create_customer_fields;
mod create_customer_limits;
mod create_customer_policies;
mod customer_names;
mod dev;
mod embedded;
mod etags;
mod fleet;
mod get_customer;
mod processes;
mod repeats;
mod repeats_at_once;
mod update_customer;
mod update_mask;
mod world;
