//! The columns that every reading of customers has, and what they become.

use std::sync::Arc;

use sqlx::types::Json;
use uuid::Uuid;

use super::{CustomerRecord, LoadedCustomer};
use crate::{
    domain::{
        access::caller::Caller,
        accounts::{account::Path, policies},
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
            ids::{AccountId, CustomerId},
            name::Name,
            text::Text,
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    store::requests::Stored,
};

/// `select` of the record's columns and what is given, into [`Row`]. $1 is the tenant, $3 the acting account. The acting
/// account's link is in the row itself if it owns the customer; only otherwise is it looked up. `columns!(@record text)` is
/// the select alone, as text, for the one statement that is put together.
macro_rules! columns {
    (@record $to:ident $($given:tt)*) => {
        $crate::store::customers::row::columns! {
            @$to
            r#"
            select c.id, c.account_id, c.ancestors, c.revision, c.owner_link_revision, c.type as customer_type,
                   c.service_class, c.reach, c.name, c.status, c.status_reason, c.archived_at, c.branch_id,
                   c.sales_person_id, c.origin, c.order_reference, c.profile as "profile: row::Profile",
                   c.owner_custom_ids as "owner_ids: row::CustomIds", c.holds as "holds: row::Holds",
                   c.migration as "migration: row::Migration",
                   case when c.account_id = $3 and c.owner_tags <> '{}' then (
                       select jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) order by t.name_key)
                       from tags t where t.tenant_id = c.tenant_id and t.id = any(c.owner_tags)
                   ) end as "owner_tags: row::Tags",
                   c.created_at, c.updated_at,
                   c.created_by as "created_by: row::Principal", c.updated_by as "updated_by: row::Principal",
                   case when c.account_id <> $3 then (
                       select jsonb_build_object('revision', l.revision, 'custom_ids', l.custom_ids, 'tags', (
                           select coalesce(
                               jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) order by t.name_key), '[]'
                           )
                           from tags t where t.tenant_id = l.tenant_id and t.id = any(l.tags)
                       ))
                       from customer_links l
                       where l.tenant_id = c.tenant_id and l.customer_id = c.id and l.account_id = $3
                   ) end as "link: row::Link"
            "#
            $($given)*
        }
    };
    (@text $record:literal) => {
        $record
    };
    (@checked $record:literal $rest:literal, $($argument:tt)*) => {
        sqlx::query_as!($crate::store::customers::row::Row, $record + $rest, $($argument)*)
    };
    ($rest:literal, $($argument:tt)*) => {
        $crate::store::customers::row::columns!(@record checked $rest, $($argument)*)
    };
}
pub(in crate::store) use columns;

/// The types of the jsonb columns, by the names that the statements give them.
pub(super) type Profile = Json<profile::Profile>;
pub(super) type CustomIds = Json<custom_id::CustomIds>;
pub(super) type Principal = Json<principal::Principal>;
pub(super) type Link = Json<link::Link>;
pub(super) type Tags = Json<Vec<tag::Tag>>;
pub(super) type Holds = Json<Vec<hold::Hold>>;
pub(super) type Migration = Json<migration::Migration>;
pub(super) type Policies = Json<policies::Policies>;

/// One row of [`columns!`]. A statement that is put together names its columns as the checked ones do.
#[derive(sqlx::FromRow)]
pub(in crate::store) struct Row {
    pub(super) id: Uuid,
    pub(super) account_id: Uuid,
    pub(super) ancestors: Vec<Uuid>,
    pub(super) revision: i64,
    pub(super) owner_link_revision: i64,
    pub(super) customer_type: String,
    pub(super) service_class: String,
    pub(super) reach: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) status_reason: Option<String>,
    pub(super) archived_at: Option<Timestamp>,
    pub(super) branch_id: Option<Uuid>,
    pub(super) sales_person_id: Option<Uuid>,
    pub(super) origin: String,
    pub(super) order_reference: Option<String>,
    #[sqlx(rename = "profile: row::Profile")]
    pub(super) profile: Profile,
    #[sqlx(rename = "owner_ids: row::CustomIds")]
    pub(super) owner_ids: CustomIds,
    #[sqlx(rename = "holds: row::Holds")]
    pub(super) holds: Holds,
    #[sqlx(rename = "migration: row::Migration")]
    pub(super) migration: Option<Migration>,
    #[sqlx(rename = "owner_tags: row::Tags")]
    pub(super) owner_tags: Option<Tags>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    #[sqlx(rename = "created_by: row::Principal")]
    pub(super) created_by: Principal,
    #[sqlx(rename = "updated_by: row::Principal")]
    pub(super) updated_by: Principal,
    #[sqlx(rename = "link: row::Link")]
    pub(super) link: Option<Link>,
    #[sqlx(rename = "policies: row::Policies")]
    pub(super) policies: Option<Policies>,
    #[sqlx(default)]
    pub(super) fingerprint: Option<Vec<u8>>,
    #[sqlx(default)]
    pub(super) answer: Option<serde_json::Value>,
    #[sqlx(default)]
    pub(super) foreign: Option<Vec<String>>,
}

impl Row {
    /// The row with the stored answer that came along.
    pub(super) fn loaded(mut self, caller: &Caller) -> Result<LoadedCustomer> {
        let stored = Stored::from_columns(self.fingerprint.take(), self.answer.take());
        let foreign = self.foreign.take().unwrap_or_default();
        let foreign = foreign.iter().filter_map(|name| Field::parse(name)).collect();
        Ok(LoadedCustomer { seen: self.seen(caller)?, stored, foreign })
    }

    /// The row as the caller's account sees it.
    pub(in crate::store) fn seen(self, caller: &Caller) -> Result<CustomerRecord> {
        let owner = AccountId::from_uuid(self.account_id);
        let own = owner == caller.scope().root();
        let link = match self.link {
            Some(Json(link)) => link,
            None if own => link::Link {
                revision: self.owner_link_revision,
                custom_ids: self.owner_ids.0.clone(),
                tags: self.owner_tags.map(|tags| tags.0).unwrap_or_default(),
            },
            None => link::Link::default(),
        };
        let policies = match self.policies {
            Some(Json(policies)) => Arc::new(policies),
            None if own => Arc::clone(&caller.account().policies),
            None => return Err(Error::internal("a customer's owner has no policies")),
        };
        let customer = Customer {
            id: CustomerId::from_uuid(self.id),
            owner,
            path: Path::stored(self.ancestors.into_iter().map(AccountId::from_uuid).collect()),
            revision: self.revision,
            fields: CustomerFields {
                customer_type: CustomerType::stored(&self.customer_type),
                service_class: ServiceClass::stored(&self.service_class),
                reach: Reach::stored(&self.reach),
                name: Name::from(self.name),
                origin: Origin::stored(&self.origin),
                references: [(Field::BranchId, self.branch_id), (Field::SalesPersonId, self.sales_person_id)]
                    .into_iter()
                    .collect(),
                order_reference: self.order_reference.map(Text::stored),
                profile: self.profile.0,
            },
            status: Status::stored(&self.status, self.status_reason),
            archived_at: self.archived_at,
            holds: self.holds.0,
            migration: self.migration.map(|migration| migration.0),
            created: Stamp { at: self.created_at, by: self.created_by.0 },
            updated: Stamp { at: self.updated_at, by: self.updated_by.0 },
        };
        Ok(CustomerRecord {
            customer,
            link,
            owner_link_revision: self.owner_link_revision,
            owner_ids: self.owner_ids.0,
            policies,
        })
    }
}
