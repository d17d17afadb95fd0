//! The transitions of a customer: its status, the archive and its holds. Each `may_…` function decides for the command and
//! for `allowed_actions`.

use crate::domain::{
    customers::{
        command::DecisionInputs,
        customer::{Change, Customer},
        hold::Hold,
        status::Status,
    },
    history::event_type::EventType,
    refusal::Refusal,
    values::{
        ids::HoldId,
        timestamp::Timestamp,
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
            Status::Unknown => self.must_be_known().map(|()| false),
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

    /// Refuses an archived customer.
    pub(in crate::domain) fn must_be_unarchived(&self) -> Result<(), Refusal> {
        if self.archived_at.is_some() { Err(Refusal::Archived) } else { Ok(()) }
    }
}
