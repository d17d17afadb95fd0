//! What can be done to one customer: who may, what it changes, and so what a caller could do next. The commands
//! themselves and `allowed_actions` ask the same functions.

use crate::domain::{
    access::{caller::Caller, relation::Relation},
    accounts::{account::Account, policies::Policies},
    customers::{
        customer::{Change, Customer},
        hold::Hold,
        status::Status,
    },
    fields::{edit::Edit, field::FieldPath},
    history::event_type::EventType,
    refusal::Refusal,
    requests::contract,
    values::{
        custom_id::CustomIds,
        enums::{Reach, Role},
        ids::HoldId,
        status_reason::StatusReason,
        timestamp::Timestamp,
    },
};

/// Changes the acting account's own link, so that whoever sees the customer may do it.
const UPDATE_CUSTOM_ID: &str = "UpdateCustomId";
const MODIFY_TAGS: &str = "ModifyCustomerTags";

/// One command on one customer.
#[derive(Clone, Debug)]
pub enum Command {
    /// Changes fields.
    Update(Vec<Edit>),
    /// Makes it ACTIVE.
    Approve,
    /// Makes it REJECTED, for a reason.
    Reject(StatusReason),
    /// Makes it SUSPENDED, for a reason.
    Suspend(StatusReason),
    /// Makes it ACTIVE again.
    Resume,
    /// Places a hold.
    PlaceHold(Hold),
    /// Releases a hold.
    ReleaseHold(HoldId),
    /// Archives it.
    Archive,
    /// Takes it out of the archive.
    Unarchive,
}

/// What a decision depends on beside the customer itself.
#[derive(Clone, Copy, Debug)]
pub struct DecisionInputs<'a> {
    /// The owner's policies.
    pub policies: &'a Policies,
    /// The owner's custom IDs of the customer.
    pub owner_ids: &'a CustomIds,
    /// The acting account: it has the tenant's rule on names.
    pub acting: &'a Account,
}

impl Command {
    /// Whether the caller may do this to this customer, whatever state it is in.
    ///
    /// # Errors
    /// `FleetOwnedElsewhere`, `RoleTooLow`.
    pub fn permits(&self, caller: &Caller, customer: &Customer) -> Result<(), Refusal> {
        customer.must_be_ours(caller)?;
        match self {
            Self::Update(edits) if edits.iter().any(|edit| matches!(edit, Edit::Reach(_))) => {
                caller.must_be(Role::ServiceManager)
            }
            _ => Ok(()),
        }
    }

    /// Does it to the customer in memory, and says what happened.
    ///
    /// # Errors
    /// What the customer's state refuses.
    pub fn decide(&self, customer: &mut Customer, on: DecisionInputs<'_>, at: Timestamp) -> Result<Change, Refusal> {
        match self {
            Self::Update(edits) => customer.update(edits, on),
            Self::Approve => {
                if !customer.may_approve(|fields| on.policies.missing_to_approve(fields, on.owner_ids))? {
                    return Ok(Change::AlreadyMade);
                }
                customer.status = Status::Active;
                Ok(Change::Made(EventType::Approved))
            }
            Self::Reject(reason) => {
                if !customer.may_reject()? {
                    return Ok(Change::AlreadyMade);
                }
                customer.status = Status::Rejected { reason: reason.clone() };
                Ok(Change::Made(EventType::Rejected))
            }
            Self::Suspend(reason) => {
                if !customer.may_suspend()? {
                    return Ok(Change::AlreadyMade);
                }
                customer.status = Status::Suspended { reason: reason.clone() };
                Ok(Change::Made(EventType::Suspended))
            }
            Self::Resume => {
                if !customer.may_resume()? {
                    return Ok(Change::AlreadyMade);
                }
                customer.status = Status::Active;
                Ok(Change::Made(EventType::Resumed))
            }
            // The time of the decision: a try that lost a race is not when it was placed.
            Self::PlaceHold(hold) => customer.place_hold(Hold { placed_at: at, ..hold.clone() }),
            Self::ReleaseHold(hold) => Ok(customer.release_hold(*hold)),
            Self::Archive => Ok(customer.archive(at)),
            Self::Unarchive => Ok(customer.unarchive()),
        }
    }
}

impl Customer {
    /// Refuses a caller whose account sees the customer only through its reach.
    ///
    /// # Errors
    /// `FleetOwnedElsewhere`.
    pub fn must_be_ours(&self, caller: &Caller) -> Result<(), Refusal> {
        match self.relation(caller.scope()) {
            Relation::OwnerOrAbove => Ok(()),
            Relation::Below => Err(Refusal::FleetOwnedElsewhere),
        }
    }

    /// Gives fields new values; the status stays as it is.
    fn update(&mut self, edits: &[Edit], on: DecisionInputs<'_>) -> Result<Change, Refusal> {
        let required = &on.policies.required_to_create;
        let missing_before = required.missing(&self.fields, on.owner_ids);
        let before = self.fields.clone();
        // A label that goes makes room for one that comes.
        let (goes, comes): (Vec<_>, Vec<_>) = edits.iter().partition(|edit| matches!(edit, Edit::Label(_, None)));
        for edit in goes.into_iter().chain(comes) {
            self.fields.apply(edit.clone()).map_err(|(field, rule)| Refusal::BreaksRule(field.as_str(), rule))?;
        }
        self.fields.profile.keep_unknown(&before.profile);
        if self.fields == before {
            return Ok(Change::AlreadyMade);
        }
        // What was empty before the policy asked for it may stay so; what is filled in may not be emptied.
        let mut missing = required.missing(&self.fields, on.owner_ids);
        missing.retain(|path| !missing_before.contains(path));
        if !missing.is_empty() {
            return Err(Refusal::RequiredToCreate(missing));
        }
        if self.fields.name.key() != before.name.key() {
            on.acting.must_know_name_rule()?;
        }
        Ok(Change::Made(EventType::Updated))
    }

    /// What the owner's policy still asks for before this customer can become ACTIVE, among the fields that this release knows;
    /// nothing if it is ACTIVE.
    #[must_use]
    pub fn missing_for_approval(&self, on: DecisionInputs<'_>) -> Vec<FieldPath> {
        match self.status {
            Status::Active | Status::Suspended { .. } | Status::Unknown => Vec::new(),
            Status::Pending | Status::Rejected { .. } => {
                on.policies.required_to_approve.missing(&self.fields, on.owner_ids)
            }
        }
    }

    /// The names of the RPCs that the caller could call on this customer now with an effect: none on a customer that holds a
    /// value of a newer release.
    #[must_use]
    pub fn allowed_actions(&self, caller: &Caller, on: DecisionInputs<'_>, at: Timestamp) -> Vec<&'static str> {
        if self.must_be_known().is_err() {
            return Vec::new();
        }
        let whole = self.relation(caller.scope()) == Relation::OwnerOrAbove;
        let has_custom_id_role =
            caller.account().policies.custom_id_role.role().is_ok_and(|least| caller.role() >= least);
        let can_move = on.acting.must_know_name_rule().is_ok();
        let approvable = || self.may_approve(|fields| on.policies.missing_to_approve(fields, on.owner_ids));
        let actions = [
            ("UpdateCustomer", true),
            (MODIFY_TAGS, true),
            (UPDATE_CUSTOM_ID, self.fields.reach == Reach::Fleet || has_custom_id_role),
            ("ApproveCustomer", approvable() == Ok(true)),
            ("RejectCustomer", self.may_reject() == Ok(true)),
            ("SuspendCustomer", self.may_suspend() == Ok(true)),
            ("ResumeCustomer", self.may_resume() == Ok(true)),
            ("PlaceHold", self.holds.len() < Hold::MAX),
            ("ReleaseHold", !self.holds.is_empty()),
            ("ArchiveCustomers", self.archived_at.is_none()),
            ("UnarchiveCustomers", self.archived_at.is_some()),
            ("MigrateCustomerToReseller", can_move && self.may_migrate() == Ok(true)),
            // Whether the new account is in use already, and the former owner in reach, is seen when it is called.
            ("RevertCustomerMigration", can_move && self.may_revert(at) == Ok(true)),
            ("TransferCustomers", can_move && self.holds.is_empty()),
        ];
        actions
            .into_iter()
            // Below the owner of a FLEET customer one has a link of one's own, and nothing else.
            .filter(|(name, possible)| {
                *possible && (whole || [MODIFY_TAGS, UPDATE_CUSTOM_ID].contains(name)) && has_role(caller, name)
            })
            .map(|(name, _)| name)
            .collect()
    }
}

/// Whether the contract's floor lets the caller call this RPC of CustomerService.
fn has_role(caller: &Caller, name: &str) -> bool {
    contract::RPCS
        .iter()
        .find(|rpc| rpc.path.strip_prefix("/clientele.v1.CustomerService/") == Some(name))
        .is_some_and(|rpc| matches!(rpc.access, contract::Access::Least(least) if caller.role() >= least))
}
