//! The transitions of a customer: its status, the archive and its holds. Each `may_…` function decides for the command and
//! for `allowed_actions`.

use crate::domain::{
    billing::{customer_billing::Billing, payment_summary::PaymentSummary},
    customers::{
        command::DecisionInputs,
        customer::{Change, Customer},
        hold::Hold,
        migration::Migration,
        status::Status,
    },
    fields::{customer_fields::CustomerFields, references::References},
    history::event_type::EventType,
    refusal::Refusal,
    values::{
        ids::HoldId,
        name::Name,
        timestamp::Timestamp,
        unknown_fields::UnknownFields,
        violation::{Rule, Violations},
    },
};

impl Customer {
    /// Archives it. Archiving twice changes nothing.
    pub fn archive(&mut self, at: Timestamp) -> Change {
        if self.archived_at.is_some() {
            return Change::AlreadyMade;
        }
        self.archived_at = Some(at);
        Change::Made(EventType::Archived)
    }

    /// Unarchives it. Unarchiving twice changes nothing.
    pub fn unarchive(&mut self) -> Change {
        match self.archived_at.take() {
            Some(_) => Change::Made(EventType::Unarchived),
            None => Change::AlreadyMade,
        }
    }

    /// Whether approving it would change something.
    ///
    /// # Errors
    /// `IllegalTransition` of a SUSPENDED one, `Archived`, `RequiredToApprove` with the empty fields, or `ValueOfNewerRelease`.
    pub fn may_approve(&self, on: DecisionInputs<'_>) -> Result<bool, Refusal> {
        match self.status {
            Status::Active => Ok(false),
            Status::Suspended { .. } => {
                Err(Refusal::IllegalTransition("a SUSPENDED customer is resumed, not approved"))
            }
            Status::Pending | Status::Rejected { .. } => {
                self.must_be_unarchived()?;
                on.policies.must_be_known()?;
                let missing = self.missing_for_approval(on);
                if missing.is_empty() { Ok(true) } else { Err(Refusal::RequiredToApprove(missing)) }
            }
            Status::Merged { .. } | Status::Erased | Status::Unknown => self.must_be_changeable().map(|()| false),
        }
    }

    /// Whether rejecting it would change something.
    ///
    /// # Errors
    /// `IllegalTransition` of an ACTIVE or SUSPENDED one, `Archived`.
    pub fn may_reject(&self) -> Result<bool, Refusal> {
        match self.status {
            Status::Rejected { .. } => Ok(false),
            Status::Active => Err(Refusal::IllegalTransition("an ACTIVE customer cannot be rejected")),
            Status::Suspended { .. } => Err(Refusal::IllegalTransition("a SUSPENDED customer cannot be rejected")),
            Status::Pending => self.must_be_unarchived().map(|()| true),
            Status::Merged { .. } | Status::Erased | Status::Unknown => self.must_be_changeable().map(|()| false),
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
            Status::Merged { .. } | Status::Erased | Status::Unknown => self.must_be_changeable().map(|()| false),
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
            Status::Merged { .. } | Status::Erased | Status::Unknown => self.must_be_changeable().map(|()| false),
        }
    }

    /// Adds a hold.
    ///
    /// # Errors
    /// `BreaksRule` beyond [`Hold::MAX`].
    pub fn place_hold(&mut self, hold: Hold) -> Result<Change, Refusal> {
        if self.holds.len() >= Hold::MAX {
            let rule = Rule::new("must leave at most 20 holds on a customer; release one first");
            return Err(Refusal::BreaksRule(Violations::of("holds", rule)));
        }
        self.holds.push(hold);
        Ok(Change::Made(EventType::HoldPlaced))
    }

    /// Releases a hold. Releasing it twice changes nothing.
    pub fn release_hold(&mut self, hold: HoldId) -> Change {
        let before = self.holds.len();
        self.holds.retain(|held| held.hold_id != hold);
        if self.holds.len() < before { Change::Made(EventType::HoldReleased) } else { Change::AlreadyMade }
    }

    /// Whether erasing it would change something. A MERGED one can be erased.
    ///
    /// # Errors
    /// `Held` with a hold on it.
    pub fn may_erase(&self) -> Result<bool, Refusal> {
        match self.status {
            Status::Erased => Ok(false),
            _ if !self.holds.is_empty() => Err(Refusal::Held),
            _ => Ok(true),
        }
    }

    /// Takes all personal data away. The ids in its migration stay.
    pub fn erase(&mut self) -> Change {
        if self.status == Status::Erased {
            return Change::AlreadyMade;
        }
        let fields = CustomerFields {
            customer_type: self.fields.customer_type,
            service_class: self.fields.service_class,
            reach: self.fields.reach,
            ..CustomerFields::new(Name::erased(), self.fields.origin)
        };
        self.fields = fields;
        self.holds.clear();
        self.payment = PaymentSummary::default();
        self.billing = Billing::default();
        let migration = self.migration.take();
        self.migration = migration.map(|migration| Migration {
            references: References::default(),
            unknown: UnknownFields::default(),
            ..migration
        });
        self.status = Status::Erased;
        Change::Made(EventType::Erased)
    }

    /// Refuses an archived customer.
    pub(in crate::domain) fn must_be_unarchived(&self) -> Result<(), Refusal> {
        if self.archived_at.is_some() { Err(Refusal::Archived) } else { Ok(()) }
    }
}
