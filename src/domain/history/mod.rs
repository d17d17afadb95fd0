//! History: the events of customers and accounts, and what changed.

pub mod account_event;
mod catalogue;
pub mod erasure;
pub mod event;
pub mod event_type;
mod image;
