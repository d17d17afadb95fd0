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

mod approve_customer;
mod approve_customer_rights;
mod archive_customers;
mod archive_customers_repeats;
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
mod list_customer_events;
mod list_customer_events_pages;
mod processes;
mod reject_customer;
mod repeats;
mod repeats_in_flight;
mod states;
mod unarchive_customers;
mod update_customer;
mod update_mask;
mod world;
