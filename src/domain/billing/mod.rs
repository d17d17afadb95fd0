//! Billing: how customers pay, and the report of what they are charged.

pub mod card_number;
pub mod payment_method;
pub mod payment_summary;
pub mod report;
#[cfg(test)]
pub(in crate::domain) mod samples;
