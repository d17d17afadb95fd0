//! Use cases on customers. Commands on one customer are here; each other way to write has a file of its own.

mod batch;
mod change;
mod create;
mod custom_ids;
mod find;
mod migrate;
mod names;
mod ownership;
mod revert;
mod search;
mod tagging;
mod taken;
mod transfer;
mod upsert;

use std::sync::Arc;

use sqlx::PgConnection;

pub use self::{
    batch::{BatchItem, BatchOutcomes},
    create::NewCustomer,
    find::{Availability, Found},
    migrate::{Migrated, Reseller},
    ownership::Blocked,
    revert::Reverted,
    search::{Match as SearchMatch, Matches},
    tagging::TagNames,
    transfer::Transferred,
    upsert::{Match, Upsert, Upserted},
};
use crate::{
    domain::{
        access::{caller::Caller, relation::Relation},
        customers::{
            command::{Command, DecisionInputs},
            customer::Customer,
            dms::DmsLink,
            hold::Hold,
            link::Link,
        },
        fields::{customer_fields::CustomerFields, edit::Edit, field::View, path::FieldPath},
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::{
            address::AddressPart,
            ids::{CustomerId, HoldId},
            name::Name,
            status_reason::StatusReason,
            text::Text,
        },
    },
    error::{Error, Result},
    service::{
        access::inviting::Inviting,
        call, clock,
        large_batches::LargeBatches,
        mutation::Mutations,
        pool::Pool,
        seal::{Revisions, Sealer},
    },
    store::{self, customers::CustomerRecord},
};

/// The use cases on customers.
#[derive(Clone)]
pub struct Customers {
    pool: Pool,
    /// Searches have sessions of their own, so that they never hold up anything else.
    searches: Pool,
    mutations: Mutations,
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
        Self { pool, searches, mutations, large_batches, sealer, inviting }
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

    /// Reads one customer, in one statement.
    async fn get_record(&self, caller: &Caller, id: CustomerId) -> Result<CustomerRecord> {
        self.pool.lease().await?.run(async |conn| store::customers::get(conn, caller, id, call::hold).await).await
    }

    /// A stored customer, with its etag.
    fn details(&self, caller: &Caller, record: CustomerRecord) -> Result<CustomerDetails> {
        let etag = self.etag_of(caller, &record)?;
        Ok(CustomerDetails { etag: Some(etag), ..preview(caller, record) })
    }

    /// A stored customer in a view. The view BASIC has neither actions nor what its approval requires, and the customer may have
    /// been read without what they depend on.
    fn details_in(&self, caller: &Caller, record: CustomerRecord, view: View) -> Result<CustomerDetails> {
        if view == View::Full {
            return self.details(caller, record);
        }
        let etag = self.etag_of(caller, &record)?;
        let sales_person_gone = record.is_sales_person_gone();
        let CustomerRecord { customer, link, .. } = record;
        Ok(CustomerDetails {
            sales_person_gone,
            relation: customer.relation(caller.scope()),
            dms_link: DmsLink::of(&customer, &link, caller),
            allowed_actions: Vec::new(),
            missing_for_approval: Vec::new(),
            customer,
            link,
            etag: Some(etag),
        })
    }

    fn etag_of(&self, caller: &Caller, record: &CustomerRecord) -> Result<String> {
        let revisions = Revisions { customer: record.customer.revision, link: record.link.revision };
        self.sealer.etag(caller.scope(), record.customer.id, revisions)
    }

    /// The customer that a mutation answers with. Under `validate_only` it has no etag: its state is not stored.
    fn mutated_details(&self, caller: &Caller, options: &Options, record: CustomerRecord) -> Result<CustomerDetails> {
        if options.validate_only { Ok(preview(caller, record)) } else { self.details(caller, record) }
    }

    /// The customer of a stored answer, for a caller that may see the customer today.
    async fn replay(&self, caller: &Caller, answer: Answer) -> Result<CustomerDetails> {
        self.pool.lease().await?.run(async |conn| self.replay_in(conn, caller, answer).await).await
    }

    /// The same in a session that the call has already.
    async fn replay_in(&self, conn: &mut PgConnection, caller: &Caller, answer: Answer) -> Result<CustomerDetails> {
        let Answer::Customer { customer, .. } = &answer else { return Err(other_answer()) };
        let now = store::customers::get(conn, caller, customer.id, call::hold).await?;
        self.replay_over(caller, now, answer)
    }

    /// The same over the customer as it was just read.
    fn replay_over(&self, caller: &Caller, now: CustomerRecord, answer: Answer) -> Result<CustomerDetails> {
        let Answer::Customer { customer, link } = answer else { return Err(other_answer()) };
        self.details(caller, CustomerRecord { customer, link, ..now })
    }
}

fn other_answer() -> Error {
    Error::internal("the stored answer is not of one customer")
}

/// A customer without an etag.
fn preview(caller: &Caller, record: CustomerRecord) -> CustomerDetails {
    let inputs = DecisionInputs { policies: &record.policies, owner_ids: &record.owner_ids, acting: caller.account() };
    let relation = record.customer.relation(caller.scope());
    CustomerDetails {
        relation,
        sales_person_gone: record.is_sales_person_gone(),
        dms_link: DmsLink::of(&record.customer, &record.link, caller),
        allowed_actions: record.customer.allowed_actions(caller, inputs, clock::now()),
        missing_for_approval: match relation {
            Relation::OwnerOrAbove => record.customer.missing_for_approval(inputs),
            Relation::Below => Vec::new(),
        },
        customer: record.customer,
        link: record.link,
        etag: None,
    }
}

/// Names similar to the fields' name, which is taken.
fn similar_names(fields: &CustomerFields) -> Vec<Name> {
    names::similar_names(&fields.name, fields.profile.primary_address.get(AddressPart::City))
}
