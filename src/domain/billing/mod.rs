//! Billing: features and rate plans, what a customer has of them, and what that costs a month; how customers pay, and the report.
//! Money is exact everywhere.

mod activation;
pub mod card_number;
pub mod credit;
pub mod customer_billing;
pub mod feature;
pub mod merge;
pub mod money;
pub mod payment_method;
pub mod payment_summary;
mod plan_change;
pub mod rate_plan;
pub mod refusal;
pub mod relied;
pub mod report;
#[cfg(test)]
pub(in crate::domain) mod samples;
pub mod terms;
#[cfg(test)]
pub(in crate::domain) mod tests;
