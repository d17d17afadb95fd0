//! The commands on one customer: who may give each, and what it changes.

use crate::domain::{
    access::caller::Caller,
    accounts::{account::Account, policies::Policies},
    billing::{credit::AskedLimit, feature::FeatureCode, terms::Terms},
    customers::{
        customer::{Change, Customer},
        hold::Hold,
        status::Status,
    },
    fields::{edit::Edit, path::FieldPath, references::References, settle::Tables},
    history::event_type::EventType,
    refusal::Refusal,
    requests::principal::Principal,
    values::{
        custom_id::CustomIds,
        enums::Role,
        ids::{HoldId, RatePlanId},
        status_reason::StatusReason,
        text::Text,
        timestamp::Timestamp,
    },
};

/// One command on one customer.
#[derive(Clone, Debug)]
pub enum Command {
    /// Changes fields.
    Update(Vec<Edit>),
    /// Makes it ACTIVE.
    Approve,
    /// Makes it REJECTED, with a reason.
    Reject(StatusReason),
    /// Makes it SUSPENDED, with a reason.
    Suspend(StatusReason),
    /// Makes it ACTIVE again.
    Resume,
    /// Places a hold.
    PlaceHold(Hold),
    /// Releases a hold.
    ReleaseHold(HoldId),
    /// Archives it.
    Archive,
    /// Unarchives it.
    Unarchive,
    /// Activates a feature, or changes its quantity.
    ActivateFeature {
        /// The feature.
        code: FeatureCode,
        /// How many of it.
        quantity: u32,
        /// Who does it.
        by: Principal,
    },
    /// Deactivates a feature.
    DeactivateFeature(FeatureCode),
    /// Sets the credit limit, or takes it away.
    SetCreditLimit {
        /// The limit; none takes it away.
        limit: Option<AskedLimit>,
        /// Whether it may be less than what is used.
        force: bool,
    },
    /// Puts it on another rate plan.
    AssignRatePlan(RatePlanId),
}

/// The inputs of a decision beside the customer itself.
#[derive(Clone, Copy, Debug)]
pub struct DecisionInputs<'a> {
    /// The owner's policies.
    pub policies: &'a Policies,
    /// The owner's custom IDs of the customer.
    pub owner_ids: &'a CustomIds,
    /// The acting account: it has the tenant's rule on names.
    pub acting: &'a Account,
    /// The rate plan and the features that apply to the customer.
    pub terms: &'a Terms,
}

impl Command {
    /// Checks that the caller may give this command on this customer, in whatever state it is.
    ///
    /// # Errors
    /// `FleetOwnedElsewhere`, `RoleTooLow`.
    pub fn permits(&self, caller: &Caller, customer: &Customer) -> Result<(), Refusal> {
        customer.must_be_ours(caller)?;
        match self {
            Self::Update(edits) if edits.iter().any(|edit| matches!(edit, Edit::Reach(_))) => {
                caller.must_be(Role::ServiceManager)
            }
            Self::SetCreditLimit { force: true, .. } => caller.must_be(Role::Admin),
            _ => Ok(()),
        }
    }

    /// The references that the command sets. They must be the owner's, which only the store can check.
    #[must_use]
    pub fn references(&self) -> References {
        let Self::Update(edits) = self else { return References::default() };
        let of = |edit: &Edit| if let Edit::Reference(field, id) = edit { Some((*field, *id)) } else { None };
        edits.iter().filter_map(of).collect()
    }

    /// The feature that the command names: its terms, and its price, must be read.
    #[must_use]
    pub fn feature(&self) -> Option<&FeatureCode> {
        match self {
            Self::ActivateFeature { code, .. } | Self::DeactivateFeature(code) => Some(code),
            _ => None,
        }
    }

    /// The rate plan that the command names: its prices must be read.
    #[must_use]
    pub fn plan(&self) -> Option<RatePlanId> {
        if let Self::AssignRatePlan(plan) = self { Some(*plan) } else { None }
    }

    /// Changes the customer in memory.
    ///
    /// # Errors
    /// The refusal of a command that the customer's state does not allow.
    pub fn decide(&self, customer: &mut Customer, on: DecisionInputs<'_>, at: Timestamp) -> Result<Change, Refusal> {
        match self {
            Self::Update(edits) => customer.update(edits, on),
            Self::Approve => {
                if !customer.may_approve(on)? {
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
            // The time of the decision: an earlier attempt may have lost a race.
            Self::PlaceHold(hold) => customer.place_hold(Hold { placed_at: at, ..hold.clone() }),
            Self::ReleaseHold(hold) => Ok(customer.release_hold(*hold)),
            Self::Archive => Ok(customer.archive(at)),
            Self::Unarchive => Ok(customer.unarchive()),
            Self::ActivateFeature { code, quantity, by } => {
                customer.activate_feature(code, *quantity, on.terms, (by, at))
            }
            Self::DeactivateFeature(code) => customer.deactivate_feature(code, on.terms),
            Self::SetCreditLimit { limit, force } => {
                let change = customer.set_credit_limit(limit.as_ref(), *force, on.terms)?;
                let missing = on.policies.required_to_create.missing_terms((true, limit.is_some()));
                // Like a field: what is required and set may not be taken away.
                if change == Change::AlreadyMade || missing.is_empty() {
                    Ok(change)
                } else {
                    Err(Refusal::RequiredToCreate(missing))
                }
            }
            Self::AssignRatePlan(plan) => customer.assign_plan(*plan, on.terms),
        }
    }
}

impl Customer {
    /// Writes fields. The status does not change.
    fn update(&mut self, edits: &[Edit], on: DecisionInputs<'_>) -> Result<Change, Refusal> {
        let required = &on.policies.required_to_create;
        let missing_before = required.missing(&self.fields, on.owner_ids);
        let before = self.fields.clone();
        // Labels are removed first: there is a limit on their number.
        let (removals, others): (Vec<_>, Vec<_>) = edits.iter().partition(|edit| matches!(edit, Edit::Label(_, None)));
        for edit in removals.into_iter().chain(others) {
            self.fields.apply(edit.clone()).map_err(Refusal::BreaksRule)?;
        }
        let region = on.policies.default_region.as_ref().map(Text::as_str);
        let tables = Tables { region, industries: on.acting.industries.as_deref() };
        self.fields.settle(&before.profile, tables).map_err(Refusal::BreaksRule)?;
        self.fields.profile.keep_unknown(&before.profile);
        if self.fields == before {
            return Ok(Change::AlreadyMade);
        }
        // A field that was empty before the policy required it may stay empty; a filled one may not be emptied.
        let mut missing = required.missing(&self.fields, on.owner_ids);
        missing.retain(|path| !missing_before.contains(path));
        if !missing.is_empty() {
            return Err(Refusal::RequiredToCreate(missing));
        }
        if self.fields.service_class != before.service_class {
            self.must_suit_service_class(on.terms)?;
        }
        if self.fields.name.key() != before.name.key() {
            on.acting.must_know_name_rule()?;
        }
        Ok(Change::Made(EventType::Updated))
    }

    /// The fields that the owner's policy requires and that are empty, before the customer can become ACTIVE. Required fields
    /// of a newer release are not among them.
    #[must_use]
    pub fn missing_for_approval(&self, on: DecisionInputs<'_>) -> Vec<FieldPath> {
        match self.status {
            Status::Active | Status::Suspended { .. } | Status::Unknown => Vec::new(),
            Status::Pending | Status::Rejected { .. } => {
                let required = &on.policies.required_to_approve;
                let billed = (on.terms.plan.is_some(), self.billing.credit_limit.is_some());
                let mut missing = required.missing(&self.fields, on.owner_ids);
                missing.extend(required.missing_terms(billed));
                missing
            }
        }
    }
}
