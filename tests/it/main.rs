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
mod create_tag;
mod delete_tag;
mod dev;
mod embedded;
mod get_customer;
mod list_tags;
mod modify_customer_tags;
mod modify_customer_tags_repeats;
mod processes;
mod rename_tag;
mod rows;
mod world;
