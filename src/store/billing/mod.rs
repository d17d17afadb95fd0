//! Billing.

pub mod payment_methods;
pub mod report;
