//! Use cases of billing: features, rate plans, and what customers have of them.

mod credit;
mod features;
mod rate_plans;

use std::sync::Arc;

pub use self::rate_plans::PlanPage;
use crate::service::{customers::Customers, mutation::Mutations, pool::Pool, seal::Sealer};

/// The use cases of billing.
#[derive(Clone)]
pub struct Billing {
    pool: Pool,
    mutations: Mutations,
    sealer: Arc<Sealer>,
    customers: Customers,
}

impl Billing {
    pub(super) fn new(pool: Pool, mutations: Mutations, sealer: Arc<Sealer>, customers: Customers) -> Self {
        Self { pool, mutations, sealer, customers }
    }
}
