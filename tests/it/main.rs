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
mod create_branch;
mod create_tag;
mod delete_tag;
mod dev;
mod dms_link;
mod embedded;
mod get_customer;
mod list_branches;
mod list_tags;
mod modify_customer_tags;
mod modify_customer_tags_limits;
mod modify_customer_tags_repeats;
mod narrowed;
mod place_hold;
mod processes;
mod release_hold;
mod rename_tag;
mod resume_customer;
mod rows;
mod suspend_customer;
mod update_branch;
mod world;
