//! Billing: rate plans and features, payment methods, the report.

pub mod features;
pub mod moves;
pub mod payment_methods;
pub mod plan_changes;
pub mod rate_plans;
pub mod report;
pub mod report_terms;
