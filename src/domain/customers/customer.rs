//! The customer: the aggregate that decides what may become of it.

use serde::{Deserialize, Serialize};

use crate::domain::{
    access::{caller::Scope, relation::Relation},
    accounts::account::{Account, Path},
    customers::{hold::Hold, migration::Migration},
    fields::customer_fields::CustomerFields,
    history::event_type::EventType,
    refusal::Refusal,
    requests::principal::Principal,
    values::{
        custom_id::CustomIds,
        ids::{AccountId, CustomerId, HoldId},
        status_reason::StatusReason,
        timestamp::Timestamp,
        violation::Rule,
    },
};

/// Where a customer stands. Being archived is a time stamp beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Waits to be approved or rejected.
    Pending,
    /// Approved.
    Active,
    /// Rejected; it can still be approved.
    Rejected {
        /// Why.
        reason: StatusReason,
    },
    /// Was ACTIVE, and can be again.
    Suspended {
        /// Why.
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

    /// Why it is so, where a reason is kept.
    #[must_use]
    pub fn reason(&self) -> Option<&StatusReason> {
        match self {
            Self::Rejected { reason } | Self::Suspended { reason } => Some(reason),
            Self::Pending | Self::Active => None,
        }
    }
}

/// When something was done, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// When.
    pub at: Timestamp,
    /// With whose rights.
    pub by: Principal,
}

/// One customer, as its row keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Never changes, whoever owns it.
    pub id: CustomerId,
    /// The account that owns it.
    pub owner: AccountId,
    /// From the owner up to the provider.
    pub path: Path,
    /// Counts changes of this record, from 1.
    pub revision: i64,
    /// What clients wrote.
    pub fields: CustomerFields,
    /// Where it stands.
    pub status: Status,
    /// When it was archived, if it is.
    pub archived_at: Option<Timestamp>,
    /// What blocks its migration, transfer, merge and erasure, the oldest first.
    #[serde(default)]
    pub holds: Vec<Hold>,
    /// Its migration to a reseller account of its own, the last one.
    #[serde(default)]
    pub migration: Option<Migration>,
    /// Its creation.
    pub created: Stamp,
    /// Its last change.
    pub updated: Stamp,
}

/// Whether a command changed the customer, and what happened, so that its caller knows what to write.
#[must_use = "a change that is not saved is lost"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It did.
    Made(EventType),
    /// It was so already.
    AlreadyMade,
}

impl Customer {
    /// A new customer of an account: ACTIVE at once if the account approves by itself and nothing is missing for that.
    /// `custom_ids` are the owner's.
    ///
    /// # Errors
    /// `RequiredToCreate` with what the account's policy asks for and the facts leave empty.
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

    /// Belongs to this account from now on.
    pub fn go_to(&mut self, account: &Account) {
        self.owner = account.id;
        self.path = account.path.clone();
    }

    /// How the account that looks at it stands to it.
    #[must_use]
    pub fn relation(&self, scope: &Scope) -> Relation {
        if self.path.contains(scope.root()) { Relation::OwnerOrAbove } else { Relation::Below }
    }

    /// Archives it. Archiving twice changes nothing.
    pub fn archive(&mut self, at: Timestamp) -> Change {
        if self.archived_at.is_some() {
            return Change::AlreadyMade;
        }
        self.archived_at = Some(at);
        Change::Made(EventType::Archived)
    }

    /// Takes it out of the archive. Doing so twice changes nothing.
    pub fn unarchive(&mut self) -> Change {
        match self.archived_at.take() {
            Some(_) => Change::Made(EventType::Unarchived),
            None => Change::AlreadyMade,
        }
    }

    /// Whether approving it would change something.
    ///
    /// # Errors
    /// `Archived`, or `RequiredToApprove` with what is missing.
    pub fn may_approve(
        &self,
        missing: impl FnOnce(&CustomerFields) -> Vec<crate::domain::fields::field::FieldPath>,
    ) -> Result<bool, Refusal> {
        match self.status {
            Status::Active => Ok(false),
            Status::Suspended { .. } => {
                Err(Refusal::IllegalTransition("a SUSPENDED customer is resumed, not approved"))
            }
            Status::Pending | Status::Rejected { .. } => {
                self.must_be_unarchived()?;
                let missing = missing(&self.fields);
                if missing.is_empty() { Ok(true) } else { Err(Refusal::RequiredToApprove(missing)) }
            }
        }
    }

    /// Whether rejecting it would change something.
    ///
    /// # Errors
    /// `IllegalTransition` of an ACTIVE one, `Archived`.
    pub fn may_reject(&self) -> Result<bool, Refusal> {
        match self.status {
            Status::Rejected { .. } => Ok(false),
            Status::Active => Err(Refusal::IllegalTransition("an ACTIVE customer cannot be rejected")),
            Status::Suspended { .. } => Err(Refusal::IllegalTransition("a SUSPENDED customer cannot be rejected")),
            Status::Pending => self.must_be_unarchived().map(|()| true),
        }
    }

    /// Whether suspending it would change something.
    ///
    /// # Errors
    /// `IllegalTransition` of one that is not ACTIVE.
    pub fn may_suspend(&self) -> Result<bool, Refusal> {
        match self.status {
            Status::Suspended { .. } => Ok(false),
            Status::Active => Ok(true),
            Status::Pending | Status::Rejected { .. } => {
                Err(Refusal::IllegalTransition("only an ACTIVE customer can be suspended"))
            }
        }
    }

    /// Whether resuming it would change something.
    ///
    /// # Errors
    /// `IllegalTransition` of one that is neither SUSPENDED nor ACTIVE.
    pub fn may_resume(&self) -> Result<bool, Refusal> {
        match self.status {
            Status::Active => Ok(false),
            Status::Suspended { .. } => Ok(true),
            Status::Pending | Status::Rejected { .. } => {
                Err(Refusal::IllegalTransition("only a SUSPENDED customer can be resumed"))
            }
        }
    }

    /// Places a hold beside those that there are.
    ///
    /// # Errors
    /// `BreaksRule` beyond [`Hold::MAX`].
    pub fn place_hold(&mut self, hold: Hold) -> Result<Change, Refusal> {
        if self.holds.len() >= Hold::MAX {
            return Err(Refusal::BreaksRule(
                "holds",
                Rule::new("must leave at most 20 holds on a customer; release one first"),
            ));
        }
        self.holds.push(hold);
        Ok(Change::Made(EventType::HoldPlaced))
    }

    /// Releases a hold. One that is not there has been released already.
    pub fn release_hold(&mut self, hold: HoldId) -> Change {
        let before = self.holds.len();
        self.holds.retain(|held| held.hold_id != hold);
        if self.holds.len() < before { Change::Made(EventType::HoldReleased) } else { Change::AlreadyMade }
    }

    fn must_be_unarchived(&self) -> Result<(), Refusal> {
        if self.archived_at.is_some() { Err(Refusal::Archived) } else { Ok(()) }
    }
}
