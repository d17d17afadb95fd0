//! The customer: the aggregate that decides what may become of it.

use serde::{Deserialize, Serialize};

use crate::domain::{
    access::{caller::Scope, relation::Relation},
    accounts::account::{Account, Path},
    customers::{hold::Hold, migration::Migration, status::Status},
    fields::{customer_fields::CustomerFields, field::FieldPath},
    history::event_type::EventType,
    refusal::Refusal,
    requests::principal::Principal,
    values::{
        custom_id::CustomIds,
        enums::{CustomerType, Origin, Reach, ServiceClass},
        ids::{AccountId, CustomerId, HoldId},
        timestamp::Timestamp,
        violation::Rule,
    },
};

/// When something was done, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// When.
    #[serde(rename = "at")]
    pub at: Timestamp,
    /// The principal whose rights were used.
    #[serde(rename = "by")]
    pub by: Principal,
}

/// One customer, as its row keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Its id; never changes, whichever account owns it.
    #[serde(rename = "id")]
    pub id: CustomerId,
    /// The account that owns it.
    #[serde(rename = "account_id")]
    pub owner: AccountId,
    /// From the owner up to the provider.
    #[serde(rename = "ancestors")]
    pub path: Path,
    /// Counts changes of this record, from 1.
    #[serde(rename = "revision")]
    pub revision: i64,
    /// The fields that clients write.
    #[serde(rename = "fields")]
    pub fields: CustomerFields,
    /// Its status.
    #[serde(rename = "status")]
    pub status: Status,
    /// When it was archived, if it is.
    #[serde(rename = "archived_at")]
    pub archived_at: Option<Timestamp>,
    /// What blocks its migration, transfer, merge and erasure, the oldest first.
    #[serde(rename = "holds", default)]
    pub holds: Vec<Hold>,
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
    /// `RequiredToCreate` with what the account's policy asks for and the fields leave empty; `ValueOfNewerRelease` if the
    /// account's policies or the tenant's rule on names ask for something that this release does not know.
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

    /// Refuses to change a customer that holds a value of a newer release: this one does not know what the value means. Every use
    /// case that writes the customer or an account's link to it asks.
    ///
    /// # Errors
    /// `ValueOfNewerRelease` with the first such field.
    pub fn must_be_known(&self) -> Result<(), Refusal> {
        let CustomerFields { customer_type, service_class, reach, origin, .. } = self.fields;
        Words { customer_type, service_class, reach, origin, status: &self.status }.must_be_known()
    }

    /// The relation of the acting account to it.
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
    /// `Archived`, `RequiredToApprove` with what is missing, or `ValueOfNewerRelease`.
    pub fn may_approve(
        &self,
        missing: impl FnOnce(&CustomerFields) -> Result<Vec<FieldPath>, Refusal>,
    ) -> Result<bool, Refusal> {
        match self.status {
            Status::Active => Ok(false),
            Status::Suspended { .. } => {
                Err(Refusal::IllegalTransition("a SUSPENDED customer is resumed, not approved"))
            }
            Status::Pending | Status::Rejected { .. } => {
                self.must_be_unarchived()?;
                let missing = missing(&self.fields)?;
                if missing.is_empty() { Ok(true) } else { Err(Refusal::RequiredToApprove(missing)) }
            }
            Status::Unknown => self.must_be_known().map(|()| false),
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
            Status::Unknown => self.must_be_known().map(|()| false),
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
            Status::Unknown => self.must_be_known().map(|()| false),
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
            Status::Unknown => self.must_be_known().map(|()| false),
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
