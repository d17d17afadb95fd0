//! Rate plans and features.

pub mod features;
pub mod moves;
pub mod plan_changes;
pub mod rate_plans;
