//! The customer: its record and its creation. `lifecycle.rs` has its transitions, `ownership.rs` its moves.

use serde::{Deserialize, Serialize};

use crate::domain::{
    access::{
        caller::{Caller, Scope},
        relation::Relation,
    },
    accounts::account::{Account, Path},
    customers::{hold::Hold, migration::Migration},
    fields::customer_fields::CustomerFields,
    history::event_type::EventType,
    refusal::Refusal,
    requests::principal::Principal,
    values::{
        custom_id::CustomIds,
        ids::{AccountId, CustomerId},
        status_reason::StatusReason,
        timestamp::Timestamp,
    },
};

/// The status of a customer. Being archived is a timestamp beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Waits to be approved or rejected.
    Pending,
    /// Approved.
    Active,
    /// Rejected; it can still be approved.
    Rejected {
        /// The reason.
        reason: StatusReason,
    },
    /// Was ACTIVE, and can be again.
    Suspended {
        /// The reason.
        reason: StatusReason,
    },
}

impl Status {
    /// The text that is stored.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active => "ACTIVE",
            Self::Rejected { .. } => "REJECTED",
            Self::Suspended { .. } => "SUSPENDED",
        }
    }

    /// The reason for it; statuses without one have none.
    #[must_use]
    pub fn reason(&self) -> Option<&StatusReason> {
        match self {
            Self::Rejected { reason } | Self::Suspended { reason } => Some(reason),
            Self::Pending | Self::Active => None,
        }
    }
}

/// The time and the author of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The time.
    pub at: Timestamp,
    /// The principal whose rights were used.
    pub by: Principal,
}

/// One customer, as its row stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The id. It never changes, also when the owner does.
    pub id: CustomerId,
    /// The account that owns it.
    pub owner: AccountId,
    /// The accounts from the owner up to the provider.
    pub path: Path,
    /// The number of changes of this record, from 1.
    pub revision: i64,
    /// The fields that clients write.
    pub fields: CustomerFields,
    /// The status.
    pub status: Status,
    /// The time of archiving; none if it is not archived.
    pub archived_at: Option<Timestamp>,
    /// The holds that block its migration, transfer, merge and erasure, the oldest first.
    #[serde(default)]
    pub holds: Vec<Hold>,
    /// Its last migration to a reseller account of its own.
    #[serde(default)]
    pub migration: Option<Migration>,
    /// Its creation.
    pub created: Stamp,
    /// Its last change.
    pub updated: Stamp,
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
    /// `RequiredToCreate` with the fields that the account's policy requires and that are empty.
    pub fn create(
        id: CustomerId,
        owner: &Account,
        mut fields: CustomerFields,
        custom_ids: &CustomIds,
        created: Stamp,
    ) -> Result<Self, Refusal> {
        let policies = &owner.policies;
        if fields.profile.currency.is_none() {
            fields.profile.currency.clone_from(&policies.default_currency);
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
            migration: None,
            updated: created.clone(),
            created,
        })
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
