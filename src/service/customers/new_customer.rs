//! What a customer is created of.

use crate::domain::{
    billing::credit::AskedLimit,
    duplicates::DuplicatePolicy,
    fields::customer_fields::CustomerFields,
    values::{custom_id::CustomIds, ids::RatePlanId},
};

/// A customer to create.
#[derive(Clone, Debug)]
pub struct NewCustomer {
    /// Its fields.
    pub fields: CustomerFields,
    /// The acting account's custom IDs of it.
    pub custom_ids: CustomIds,
    /// The places of contacts that came with an id, as those of an existing customer do. A customer is not created with them.
    pub known_contacts: Vec<usize>,
    /// The rate plan that was chosen; by default the first one.
    pub rate_plan: Option<RatePlanId>,
    /// Its credit limit.
    pub credit_limit: Option<AskedLimit>,
    /// What is done if the customer may exist already.
    pub duplicates: DuplicatePolicy,
}
