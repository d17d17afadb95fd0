//! The columns of `customers` as statements write them: JSON objects, of which `jsonb_populate_record` makes rows. Their
//! names are the columns' names; which of them a statement takes, it says itself.

use serde::Serialize;
use uuid::Uuid;

use crate::domain::{
    billing::customer_billing::Billing,
    customers::{customer::Customer, link::Link},
    fields::{profile::Profile, references::References},
    requests::principal::Principal,
    values::{
        custom_id::CustomIds,
        ids::{CustomerId, RatePlanId},
        sort_key::SortKey,
        text::Text,
        timestamp::Timestamp,
    },
};

/// The columns of `SCALARS`, see [`sql!`](crate::store::sql::sql).
#[derive(Serialize)]
pub(super) struct Scalars<'a> {
    r#type: &'static str,
    service_class: &'static str,
    reach: &'static str,
    name: &'a str,
    status: &'static str,
    status_reason: Option<&'a str>,
    archived_at: Option<Timestamp>,
    origin: &'static str,
    order_reference: Option<&'a str>,
    merged_into: Option<CustomerId>,
    #[serde(flatten)]
    references: &'a References,
}

impl<'a> From<&'a Customer> for Scalars<'a> {
    fn from(customer: &'a Customer) -> Self {
        let fields = &customer.fields;
        Self {
            r#type: fields.customer_type.as_str(),
            service_class: fields.service_class.as_str(),
            reach: fields.reach.as_str(),
            name: fields.name.as_str(),
            status: customer.status.as_str(),
            status_reason: customer.status.reason().map(Text::as_str),
            archived_at: customer.archived_at,
            origin: fields.origin.as_str(),
            order_reference: fields.order_reference.as_ref().map(Text::as_str),
            merged_into: customer.status.merged_into(),
            references: &fields.references,
        }
    }
}

/// The columns of billing.
#[derive(Serialize)]
pub(super) struct BilledColumns<'a> {
    rate_plan_id: Option<RatePlanId>,
    billing: &'a Billing,
}

impl<'a> From<&'a Customer> for BilledColumns<'a> {
    fn from(customer: &'a Customer) -> Self {
        Self { rate_plan_id: customer.rate_plan, billing: &customer.billing }
    }
}

/// The columns of `CREATED_COLUMNS`.
#[derive(Serialize)]
pub(super) struct CreatedColumns<'a> {
    id: CustomerId,
    revision: i64,
    owner_link_revision: i64,
    owner_custom_ids: &'a CustomIds,
    name_key: &'a str,
    name_sort: SortKey,
    name_scope: Option<Uuid>,
    profile: &'a Profile,
    created_at: Timestamp,
    updated_at: Timestamp,
    created_by: &'a Principal,
    updated_by: &'a Principal,
    #[serde(flatten)]
    billed: BilledColumns<'a>,
    #[serde(flatten)]
    scalars: Scalars<'a>,
}

impl<'a> CreatedColumns<'a> {
    /// A new customer with its owner's link.
    pub(super) fn new(customer: &'a Customer, name_scope: Option<Uuid>, link: &'a Link) -> Self {
        Self {
            id: customer.id,
            revision: customer.revision,
            owner_link_revision: link.revision,
            owner_custom_ids: &link.custom_ids,
            name_key: customer.fields.name.key().as_str(),
            name_sort: SortKey::of(customer.fields.name.as_str()),
            name_scope,
            profile: &customer.fields.profile,
            created_at: customer.created.at,
            updated_at: customer.updated.at,
            created_by: &customer.created.by,
            updated_by: &customer.updated.by,
            billed: BilledColumns::from(customer),
            scalars: Scalars::from(customer),
        }
    }
}
