//! Use cases on customers. Commands on one customer are here; each other way to write has a file of its own.

mod batch;
mod change;
mod create;
mod create_decision;
mod create_slices;
mod custom_ids;
mod details;
mod duplicates;
mod erase;
mod find;
mod gather;
mod merge;
mod merge_billing;
mod merge_parts;
mod migrate;
mod names;
mod new_customer;
pub(in crate::service) mod optimistic;
mod ownership;
mod plans;
mod revert;
mod search;
mod tagging;
mod taken;
mod transfer;
mod unmerge;
mod unmerge_parts;
mod upsert;

use std::sync::Arc;

pub use self::{
    batch::{BatchItem, BatchOutcomes},
    create::Created,
    duplicates::{Compared, PossibleDuplicate},
    find::{Availability, Found},
    merge::{Merge, MergeResult, Merged},
    merge_parts::BlockedMerge,
    migrate::{Migrated, Reseller},
    new_customer::NewCustomer,
    ownership::Blocked,
    plans::ReplacedPlan,
    revert::Reverted,
    search::{Match as SearchMatch, Matches},
    tagging::TagNames,
    transfer::Transferred,
    unmerge::Unmerged,
    upsert::{Match, Upsert, Upserted, named_twice},
};
use self::{create_slices::CreateSlices, gather::Gathering};
use crate::{
    domain::{
        access::{caller::Caller, relation::Relation},
        billing::terms::Charges,
        customers::{command::Command, customer::Customer, dms::DmsLink, hold::Hold, link::Link},
        fields::{customer_fields::CustomerFields, edit::Edit, path::FieldPath},
        reference::industries::Industries,
        requests::options::{Options, Outcome},
        values::{
            address::AddressPart,
            ids::{CustomerId, HoldId},
            name::Name,
            status_reason::StatusReason,
            text::Text,
        },
    },
    error::Result,
    service::{
        access::inviting::Inviting, clock, large_batches::LargeBatches, mutation::Mutations, pool::Pool, seal::Sealer,
    },
    store::customers::{ByCustomId, CustomerRecord},
};

/// The use cases on customers.
#[derive(Clone)]
pub struct Customers {
    pool: Pool,
    reads: Gathering<CustomerId>,
    look_ups: Gathering<ByCustomId>,
    /// Searches have sessions of their own, so that they never hold up anything else.
    searches: Pool,
    mutations: Mutations,
    creations: CreateSlices,
    large_batches: LargeBatches,
    sealer: Arc<Sealer>,
    inviting: Inviting,
}

/// A customer as the caller may see it.
#[derive(Clone, Debug)]
pub struct CustomerDetails {
    /// The customer.
    pub customer: Customer,
    /// The acting account's link to it.
    pub link: Link,
    /// The acting account's relation to the customer, which decides what it may see of it.
    pub relation: Relation,
    /// The customer's link to the acting account's dealer management system.
    pub dms_link: DmsLink,
    /// The RPCs that the caller may call on the customer now.
    pub allowed_actions: Vec<&'static str>,
    /// The fields that its approval still requires.
    pub missing_for_approval: Vec<FieldPath>,
    /// Whether the customer's sales person is no longer a member.
    pub sales_person_gone: bool,
    /// What it has of features and credit, and what that costs now.
    pub charges: Charges,
    /// The same before the call, if it put the customer on a plan.
    pub charges_before: Option<Box<Charges>>,
    /// The tenant's own industries, with which its industry is compared.
    pub industries: Option<Arc<Industries>>,
    /// The etag of this state; none under `validate_only`.
    pub etag: Option<String>,
}

impl Customers {
    pub(super) fn new(
        pool: Pool,
        searches: Pool,
        mutations: Mutations,
        large_batches: LargeBatches,
        sealer: Arc<Sealer>,
        inviting: Inviting,
    ) -> Self {
        let (reads, look_ups) = (Gathering::new(pool.clone()), Gathering::new(pool.clone()));
        let creations = CreateSlices::default();
        Self { pool, reads, look_ups, searches, mutations, creations, large_batches, sealer, inviting }
    }

    /// Reads one customer.
    ///
    /// # Errors
    /// `CustomerNotFound`.
    pub async fn get(&self, caller: &Caller, id: CustomerId) -> Result<CustomerDetails> {
        self.details(caller, self.get_record(caller, id).await?)
    }

    /// Updates fields.
    ///
    /// # Errors
    /// See the contract's UpdateCustomer.
    pub async fn update(
        &self,
        caller: &Caller,
        id: CustomerId,
        edits: Vec<Edit>,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        self.change(caller, id, &Command::Update(edits), options).await
    }

    /// Approves a customer. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's ApproveCustomer.
    pub async fn approve(
        &self,
        caller: &Caller,
        id: CustomerId,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        self.change(caller, id, &Command::Approve, options).await
    }

    /// Rejects a customer. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's RejectCustomer.
    pub async fn reject(
        &self,
        caller: &Caller,
        id: CustomerId,
        reason: StatusReason,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        self.change(caller, id, &Command::Reject(reason), options).await
    }

    /// Suspends a customer. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's SuspendCustomer.
    pub async fn suspend(
        &self,
        caller: &Caller,
        id: CustomerId,
        reason: StatusReason,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        self.change(caller, id, &Command::Suspend(reason), options).await
    }

    /// Resumes a customer. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's ResumeCustomer.
    pub async fn resume(&self, caller: &Caller, id: CustomerId, options: &Options) -> Result<Outcome<CustomerDetails>> {
        self.change(caller, id, &Command::Resume, options).await
    }

    /// Places a hold.
    ///
    /// # Errors
    /// See the contract's PlaceHold.
    pub async fn place_hold(
        &self,
        caller: &Caller,
        id: CustomerId,
        kind: Text<63>,
        reason: Text<500>,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        let placed_by = caller.author().principal.clone();
        let hold_id = HoldId::from_uuid(clock::new_id());
        let hold = Hold { hold_id, kind, reason, placed_at: clock::now(), placed_by, unknown: Default::default() };
        self.change(caller, id, &Command::PlaceHold(hold), options).await
    }

    /// Releases a hold. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's ReleaseHold.
    pub async fn release_hold(
        &self,
        caller: &Caller,
        id: CustomerId,
        hold: HoldId,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        self.change(caller, id, &Command::ReleaseHold(hold), options).await
    }

    /// Reads one customer, together with others that are read at the same time.
    async fn get_record(&self, caller: &Caller, id: CustomerId) -> Result<CustomerRecord> {
        self.reads.read(caller, &id).await
    }
}

/// Names similar to the fields' name, which is taken.
fn similar_names(fields: &CustomerFields) -> Vec<Name> {
    names::similar_names(&fields.name, fields.profile.primary_address.get(AddressPart::City))
}
