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

mod batch_get_customers;
mod check_name_availability;
mod commands;
mod custom_ids;
mod dev;
mod embedded;
mod get_customer;
mod lookup_customer;
mod processes;
mod update_custom_id;
mod update_custom_id_repeats;
mod upsert_customer;
mod upsert_customer_repeats;
mod world;
