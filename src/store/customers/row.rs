//! A row of `customers` as statements read it, and the conversion to a customer.

use std::sync::Arc;

use sqlx::{Column as _, FromRow, Row as _, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::record::{BatchCustomer, CustomerRecord, LoadedCustomer};
use crate::{
    domain::{
        access::caller::Caller,
        accounts::{account::Path, policies},
        billing::{
            customer_billing,
            payment_summary::PaymentSummary,
            terms::{self, AskedTerms},
        },
        customers::{
            customer::{Customer, Stamp},
            hold, link, migration,
            status::Status,
        },
        fields::{customer_fields::CustomerFields, field::Field, profile},
        requests::principal,
        tags::tag,
        values::{
            custom_id,
            enums::{CustomerType, Origin, Reach, ServiceClass},
            ids::{AccountId, CustomerId, PaymentMethodId, RatePlanId},
            name::Name,
            text::Text,
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    store::{requests::Stored, rows::Document},
};

/// The types of the jsonb columns, by the names that `RECORD` gives them.
pub(super) type Profile = Document<Box<profile::Profile>>;
pub(super) type CustomIds = Document<custom_id::CustomIds>;
pub(super) type Principal = Json<principal::Principal>;
pub(super) type Link = Document<link::Link>;
pub(super) type Tags = Document<Vec<tag::Tag>>;
pub(super) type Holds = Document<Vec<hold::Hold>>;
pub(super) type Migration = Document<migration::Migration>;
pub(super) type Policies = Document<policies::Policies>;
pub(super) type Billing = Document<customer_billing::Billing>;
pub(super) type Terms = Document<terms::Terms>;
pub(super) type Asked = Document<AskedTerms>;

/// Memory of a row without its documents: the row, the customer or its message, and the strings in them.
const ROW: usize = 3 * 1024;
/// Memory for each byte of a document's text.
const PER_BYTE: usize = 2;
/// Memory of one contact, however short its text is.
const CONTACT: usize = 400;

/// One row of `RECORD` and what follows it, see [`sql!`](crate::store::sql::sql).
pub(in crate::store) struct Row {
    pub(super) id: Uuid,
    pub(super) account_id: Uuid,
    pub(super) ancestors: Vec<Uuid>,
    pub(super) revision: i64,
    pub(super) owner_link_revision: i64,
    pub(super) r#type: String,
    pub(super) service_class: String,
    pub(super) reach: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) status_reason: Option<String>,
    pub(super) archived_at: Option<Timestamp>,
    pub(super) branch_id: Option<Uuid>,
    pub(super) sales_person_id: Option<Uuid>,
    pub(super) gone_sales_person_id: Option<Uuid>,
    pub(super) origin: String,
    pub(super) order_reference: Option<String>,
    pub(super) merged_into: Option<Uuid>,
    pub(super) profile: Profile,
    pub(super) owner_ids: CustomIds,
    pub(super) holds: Holds,
    pub(super) default_payment_method_id: Option<Uuid>,
    pub(super) payment_method_count: i16,
    pub(super) rate_plan_id: Option<Uuid>,
    pub(super) billing: Billing,
    pub(super) terms: Option<Terms>,
    pub(super) migration: Option<Migration>,
    pub(super) owner_tags: Option<Tags>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) created_by: Principal,
    pub(super) updated_by: Principal,
    pub(super) link: Option<Link>,
    pub(super) policies: Option<Policies>,
    pub(super) fingerprint: Option<Vec<u8>>,
    pub(super) answer: Option<serde_json::Value>,
    pub(super) foreign: Option<Vec<String>>,
    pub(super) asked: Option<Asked>,
    /// Whether the statement left out rows that are too large together.
    pub(in crate::store) cut: bool,
}

/// A row of a statement that is built at run time: `RECORD` or `RECORD_IN_VIEW`, then the policies, then `cut` anywhere. The columns
/// are read by their places, because finding each by its name takes longer than reading it.
impl<'r> FromRow<'r, PgRow> for Row {
    fn from_row(row: &'r PgRow) -> sqlx::Result<Self> {
        let mut place = 0;
        macro_rules! next {
            ($name:literal) => {{
                debug_assert_eq!(row.column(place).name().split(['!', ':']).next(), Some($name));
                place += 1;
                row.try_get_unchecked(place - 1)?
            }};
        }
        // In the order of the columns.
        Ok(Self {
            id: next!("id"),
            account_id: next!("account_id"),
            ancestors: next!("ancestors"),
            revision: next!("revision"),
            owner_link_revision: next!("owner_link_revision"),
            r#type: next!("type"),
            service_class: next!("service_class"),
            reach: next!("reach"),
            name: next!("name"),
            status: next!("status"),
            status_reason: next!("status_reason"),
            archived_at: next!("archived_at"),
            branch_id: next!("branch_id"),
            sales_person_id: next!("sales_person_id"),
            origin: next!("origin"),
            order_reference: next!("order_reference"),
            merged_into: next!("merged_into"),
            default_payment_method_id: next!("default_payment_method_id"),
            payment_method_count: next!("payment_method_count"),
            migration: next!("migration"),
            created_at: next!("created_at"),
            updated_at: next!("updated_at"),
            created_by: next!("created_by"),
            updated_by: next!("updated_by"),
            gone_sales_person_id: next!("gone_sales_person_id"),
            profile: next!("profile"),
            holds: next!("holds"),
            rate_plan_id: next!("rate_plan_id"),
            billing: next!("billing"),
            terms: next!("terms"),
            owner_ids: next!("owner_ids"),
            owner_tags: next!("owner_tags"),
            link: next!("link"),
            policies: next!("policies"),
            fingerprint: None,
            answer: None,
            foreign: None,
            asked: None,
            cut: row.try_get("cut")?,
        })
    }
}

impl Row {
    /// What it costs in memory at most, decoded or as a message: about the same, and never both of all rows.
    pub(in crate::store) fn cost(&self) -> usize {
        let of = |document: Option<usize>| document.unwrap_or_default();
        let documents = self.profile.bytes
            + self.owner_ids.bytes
            + self.holds.bytes
            + self.billing.bytes
            + of(self.terms.as_ref().map(|document| document.bytes))
            + of(self.asked.as_ref().map(|document| document.bytes))
            + of(self.migration.as_ref().map(|document| document.bytes))
            + of(self.owner_tags.as_ref().map(|document| document.bytes))
            + of(self.link.as_ref().map(|document| document.bytes))
            + of(self.policies.as_ref().map(|document| document.bytes));
        ROW + PER_BYTE * documents + CONTACT * self.profile.value.contacts.as_slice().len()
    }

    /// The row with the stored answer that came along.
    pub(super) fn loaded(mut self, caller: &Caller) -> Result<LoadedCustomer> {
        let stored = Stored::from_columns(self.fingerprint.take(), self.answer.take());
        let foreign = self.foreign.take().unwrap_or_default();
        let foreign = foreign.iter().filter_map(|name| Field::parse(name)).collect();
        Ok(LoadedCustomer { seen: self.seen(caller)?, stored, foreign })
    }

    /// The row as a batch decides on it.
    pub(super) fn of_batch(self, caller: &Caller) -> BatchCustomer {
        let own = self.account_id == caller.scope().root().get();
        let linked = self.link.as_ref().map(|link| link.value.revision).unwrap_or_default();
        let link_revision = if own { self.owner_link_revision } else { linked };
        BatchCustomer { customer: self.customer(), link_revision }
    }

    /// The row as the caller's account sees it.
    pub(in crate::store) fn seen(mut self, caller: &Caller) -> Result<CustomerRecord> {
        let own = AccountId::from_uuid(self.account_id) == caller.scope().root();
        let owner_ids = std::mem::take(&mut self.owner_ids.value);
        let link = match self.link.take() {
            Some(link) => link.value,
            None if own => link::Link {
                revision: self.owner_link_revision,
                custom_ids: owner_ids.clone(),
                tags: self.owner_tags.take().map(|tags| tags.value).unwrap_or_default(),
            },
            None => link::Link::default(),
        };
        let policies = match self.policies.take() {
            Some(policies) => Arc::new(policies.value),
            None if own => Arc::clone(&caller.account().policies),
            None => return Err(Error::internal("a customer's owner has no policies")),
        };
        let owner_link_revision = self.owner_link_revision;
        let gone_sales_person = self.gone_sales_person_id;
        let mut terms = match self.terms.take() {
            Some(terms) => terms.value,
            None if own => terms::Terms { plan: caller.unassigned_plan().cloned(), ..Default::default() },
            None => terms::Terms::default(),
        };
        if let Some(asked) = self.asked.take() {
            terms.add(asked.value);
        }
        let customer = self.customer();
        Ok(CustomerRecord { customer, link, owner_link_revision, owner_ids, policies, gone_sales_person, terms })
    }

    /// The customer itself.
    fn customer(self) -> Customer {
        Customer {
            id: CustomerId::from_uuid(self.id),
            owner: AccountId::from_uuid(self.account_id),
            path: Path::stored(self.ancestors.into_iter().map(AccountId::from_uuid).collect()),
            revision: self.revision,
            fields: CustomerFields {
                customer_type: CustomerType::stored(&self.r#type),
                service_class: ServiceClass::stored(&self.service_class),
                reach: Reach::stored(&self.reach),
                name: Name::from(self.name),
                origin: Origin::stored(&self.origin),
                references: [(Field::BranchId, self.branch_id), (Field::SalesPersonId, self.sales_person_id)]
                    .into_iter()
                    .collect(),
                order_reference: self.order_reference.map(Text::stored),
                profile: self.profile.value,
            },
            status: Status::stored(&self.status, self.status_reason, self.merged_into.map(CustomerId::from_uuid)),
            archived_at: self.archived_at,
            holds: self.holds.value,
            payment: PaymentSummary {
                default: self.default_payment_method_id.map(PaymentMethodId::from_uuid),
                count: usize::try_from(self.payment_method_count).unwrap_or_default(),
            },
            migration: self.migration.map(|migration| migration.value),
            rate_plan: self.rate_plan_id.map(RatePlanId::from_uuid),
            billing: self.billing.value,
            created: Stamp { at: self.created_at, by: self.created_by.0 },
            updated: Stamp { at: self.updated_at, by: self.updated_by.0 },
        }
    }
}
