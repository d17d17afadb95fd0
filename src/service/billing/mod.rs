//! Use cases of billing: features, rate plans, what customers have of them, and how they pay.

mod credit;
mod features;
mod payment_methods;
mod rate_plans;
mod report;
mod report_charges;

use std::sync::Arc;

pub use self::{
    payment_methods::{NewPaymentMethod, PaymentMethods},
    rate_plans::PlanPage,
    report::{BillingReport, ReportPage},
};
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
