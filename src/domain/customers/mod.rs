//! Customers: the aggregate, the commands on it, and the acting account's link to it.

pub mod command;
pub mod custom_id_change;
pub mod customer;
pub mod dms;
pub mod hold;
pub mod link;
pub mod migration;
pub mod status;
