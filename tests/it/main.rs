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

mod access_log;
mod access_look_ups;
mod add_member;
mod already_exists;
mod approve_customer;
mod approve_customer_rights;
mod architecture;
mod archive_customers;
mod archive_customers_repeats;
mod batch_get_customers;
mod bounded_reads;
mod check_name_availability;
mod commands;
mod connections;
mod contract;
mod create_account;
mod create_branch;
mod create_customer;
mod create_customer_fields;
mod create_customer_limits;
mod create_customer_policies;
mod create_tag;
mod create_tenant;
mod custom_ids;
mod custom_ids_out_of_sight;
mod customer_names;
mod deadlines;
mod delete_tag;
mod demo;
mod dev;
mod dms_link;
mod docs;
mod embedded;
mod embedded_fetch;
mod etags;
mod faults;
mod fields;
mod fleet;
mod frames;
mod get_account;
mod get_customer;
mod half_messages;
mod headers;
mod health;
mod help;
mod identity;
mod jwks_url;
mod large_batches;
mod list_accounts;
mod list_branches;
mod list_customer_events;
mod list_customer_events_pages;
mod list_members;
mod list_reference_data;
mod list_tags;
mod list_tenants;
mod lookup_customer;
mod memory;
mod messages;
mod migrate_customer_to_reseller;
mod modify_customer_tags;
mod modify_customer_tags_limits;
mod modify_customer_tags_repeats;
mod moved_tables;
mod name_order;
mod narrowed;
mod newer_release;
mod older_keys;
mod operations;
mod overload;
mod pki;
mod place_hold;
mod processes;
mod protos;
mod quickstart;
mod races;
mod raw;
mod reasons;
mod reject_customer;
mod release_hold;
mod rename_tag;
mod repeats;
mod repeats_at_once;
mod repeats_in_flight;
mod resume_customer;
mod revert_customer_migration;
mod rolling;
mod rotation;
mod rows;
mod search_customers;
mod search_naive;
mod search_pages;
mod search_plans;
mod search_property;
mod search_samples;
mod search_scope;
mod search_times;
mod search_upkeep;
mod sessions;
mod settings;
mod states;
mod stopped_statements;
mod stopping;
mod stored_formats;
mod suspend_customer;
mod telemetry;
mod tls;
mod tokenless;
mod tokens;
mod trace_ids;
mod transfer_customers;
mod unarchive_customers;
mod update_branch;
mod update_custom_id;
mod update_custom_id_repeats;
mod update_customer;
mod update_mask;
mod upsert_customer;
mod upsert_customer_repeats;
mod validation;
mod validation_doc;
mod who_am_i;
mod world;
