//! The customer: its record and its creation. `lifecycle.rs` has its transitions, `ownership.rs` its moves.

use serde::{Deserialize, Serialize};

use crate::domain::{
    access::{
        caller::{Caller, Scope},
        relation::Relation,
    },
    accounts::account::{Account, Path},
    billing::payment_summary::PaymentSummary,
    customers::{hold::Hold, migration::Migration, status::Status},
    fields::customer_fields::CustomerFields,
    history::event_type::EventType,
    refusal::Refusal,
    requests::principal::Principal,
    values::{
        custom_id::CustomIds,
        enums::{CustomerType, Origin, Reach, ServiceClass},
        ids::{AccountId, CustomerId},
        timestamp::Timestamp,
    },
};

/// The time and the author of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The time.
    #[serde(rename = "at")]
    pub at: Timestamp,
    /// The principal whose rights were used.
    #[serde(rename = "by")]
    pub by: Principal,
}

/// One customer, as its row stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The id. It never changes, also when the owner does.
    #[serde(rename = "id")]
    pub id: CustomerId,
    /// The account that owns it.
    #[serde(rename = "account_id")]
    pub owner: AccountId,
    /// The accounts from the owner up to the provider.
    #[serde(rename = "ancestors")]
    pub path: Path,
    /// The number of changes of this record, from 1.
    #[serde(rename = "revision")]
    pub revision: i64,
    /// The fields that clients write.
    #[serde(rename = "fields")]
    pub fields: CustomerFields,
    /// The status.
    #[serde(rename = "status")]
    pub status: Status,
    /// The time of archiving; none if it is not archived.
    #[serde(rename = "archived_at")]
    pub archived_at: Option<Timestamp>,
    /// The holds that block its migration, transfer, merge and erasure, the oldest first.
    #[serde(rename = "holds", default)]
    pub holds: Vec<Hold>,
    /// Its default payment method, and how many it has.
    #[serde(rename = "payment", default, skip_serializing_if = "PaymentSummary::is_empty")]
    pub payment: PaymentSummary,
    /// Its last migration to a reseller account of its own.
    #[serde(rename = "migration", default)]
    pub migration: Option<Migration>,
    /// Its creation.
    #[serde(rename = "created")]
    pub created: Stamp,
    /// Its last change.
    #[serde(rename = "updated")]
    pub updated: Stamp,
}

/// The words of closed sets that a customer's row holds.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each is the field of that name in the contract's Customer")]
pub struct Words<'a> {
    pub customer_type: CustomerType,
    pub service_class: ServiceClass,
    pub reach: Reach,
    pub origin: Origin,
    pub status: &'a Status,
}

impl Words<'_> {
    /// Refuses words of a newer release.
    ///
    /// # Errors
    /// `ValueOfNewerRelease` with the first one.
    pub fn must_be_known(&self) -> Result<(), Refusal> {
        let unknown = [
            (*self.status == Status::Unknown, "the customer's status"),
            (self.customer_type == CustomerType::Unknown, "the customer's type"),
            (self.service_class == ServiceClass::Unknown, "the customer's service_class"),
            (self.reach == Reach::Unknown, "the customer's reach"),
            (self.origin == Origin::Unknown, "the customer's origin"),
        ];
        let first = unknown.into_iter().find_map(|(unknown, what)| unknown.then_some(what));
        first.map_or(Ok(()), |what| Err(Refusal::ValueOfNewerRelease(what)))
    }
}

/// Whether a command changed the customer, and the type of the event to write.
#[must_use = "a change that is not saved is lost"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It changed the customer.
    Made(EventType),
    /// The customer was in the wanted state already.
    AlreadyMade,
}

impl Customer {
    /// Creates a customer of an account. It is ACTIVE at once if the account approves automatically and nothing is missing
    /// for that. `custom_ids` are the owner's.
    ///
    /// # Errors
    /// `RequiredToCreate` with the fields that the account's policy requires and that are empty; `ValueOfNewerRelease` if the
    /// account's policies or the tenant's rule on names are of a newer release.
    pub fn create(
        id: CustomerId,
        owner: &Account,
        mut fields: CustomerFields,
        custom_ids: &CustomIds,
        created: Stamp,
    ) -> Result<Self, Refusal> {
        let policies = &owner.policies;
        policies.must_be_known()?;
        owner.must_know_name_rule()?;
        if fields.profile.currency.is_none() {
            fields.profile.currency = policies.currency();
        }
        let missing = policies.required_to_create.missing(&fields, custom_ids);
        if !missing.is_empty() {
            return Err(Refusal::RequiredToCreate(missing));
        }
        let complete = policies.required_to_approve.missing(&fields, custom_ids).is_empty();
        Ok(Self {
            id,
            owner: owner.id,
            path: owner.path.clone(),
            revision: 1,
            fields,
            status: if policies.auto_approve && complete { Status::Active } else { Status::Pending },
            archived_at: None,
            holds: Vec::new(),
            payment: PaymentSummary::default(),
            migration: None,
            updated: created.clone(),
            created,
        })
    }

    /// Refuses to change a customer that has a value of a newer release, whose meaning this release does not know. Every use
    /// case that writes the customer or an account's link to it asks.
    ///
    /// # Errors
    /// `ValueOfNewerRelease` with the first such field.
    pub fn must_be_known(&self) -> Result<(), Refusal> {
        let CustomerFields { customer_type, service_class, reach, origin, .. } = self.fields;
        Words { customer_type, service_class, reach, origin, status: &self.status }.must_be_known()
    }

    /// The acting account's relation to the customer: owner or above, or below.
    #[must_use]
    pub fn relation(&self, scope: &Scope) -> Relation {
        if self.path.contains(scope.root()) { Relation::OwnerOrAbove } else { Relation::Below }
    }
    /// Refuses a caller whose account is below the owner.
    ///
    /// # Errors
    /// `FleetOwnedElsewhere`.
    pub fn must_be_ours(&self, caller: &Caller) -> Result<(), Refusal> {
        match self.relation(caller.scope()) {
            Relation::OwnerOrAbove => Ok(()),
            Relation::Below => Err(Refusal::FleetOwnedElsewhere),
        }
    }
}
