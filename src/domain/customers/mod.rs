//! Customers: the aggregate, the commands on it, and the acting account's link to it.

mod allowed_actions;
pub mod command;
pub mod custom_id_change;
pub mod customer;
pub mod dms;
pub mod hold;
mod lifecycle;
pub mod link;
pub mod merge;
pub mod merge_blocker;
pub mod migration;
mod ownership;
pub mod status;
