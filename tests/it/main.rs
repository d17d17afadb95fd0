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

mod add_member;
mod architecture;
mod commands;
mod contract;
mod create_account;
mod create_tenant;
mod dev;
mod embedded;
mod get_account;
mod get_customer;
mod identity;
mod list_accounts;
mod list_members;
mod list_tenants;
mod messages;
mod processes;
mod protos;
mod reasons;
mod rows;
mod tokens;
mod who_am_i;
mod world;
