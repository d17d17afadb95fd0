//! History: the events of customers and what changed.

pub mod event;
pub mod event_type;
