//! Billing: features and rate plans, what a customer has of them, and what that costs a month. Money is exact everywhere.

mod activation;
pub mod credit;
pub mod customer_billing;
pub mod feature;
pub mod money;
mod plan_change;
pub mod rate_plan;
pub mod refusal;
pub mod relied;
pub mod terms;
#[cfg(test)]
pub(in crate::domain) mod tests;
