//! What can be done with customers. One file per write shape; reads are here.

mod batch;
mod change;
mod create;
mod custom_ids;
mod find;
mod migrate;
mod ownership;
mod revert;
mod search;
mod tagging;
mod transfer;
mod upsert;

use std::sync::Arc;

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
        fields::{customer_fields::CustomerFields, edit::Edit, field::FieldPath},
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
        access::Access,
        clock,
        pool::Pool,
        seal::{Revisions, Sealer},
    },
    store::{self, customers::CustomerRecord},
};

/// The use cases on customers.
#[derive(Clone)]
pub struct Customers {
    pool: Pool,
    /// Sessions of their own: however many search, and however long it takes, everything else goes on.
    searches: Pool,
    sealer: Arc<Sealer>,
    access: Arc<Access>,
}

/// A customer as a caller is shown it.
#[derive(Clone, Debug)]
pub struct CustomerDetails {
    /// The customer.
    pub customer: Customer,
    /// The acting account's link to it.
    pub link: Link,
    /// How the acting account stands to it, and so what of it may be shown.
    pub relation: Relation,
    /// How it stands to the acting account's dealer management system.
    pub dms_link: DmsLink,
    /// What the caller could do with it now.
    pub allowed_actions: Vec<&'static str>,
    /// What its approval still asks for.
    pub missing_for_approval: Vec<FieldPath>,
    /// Names this state; none of a customer that was only validated.
    pub etag: Option<String>,
}

impl Customers {
    pub(super) fn new(pool: Pool, searches: Pool, sealer: Arc<Sealer>, access: Arc<Access>) -> Self {
        Self { pool, searches, sealer, access }
    }

    /// Reads one customer.
    ///
    /// # Errors
    /// `CustomerNotFound`.
    pub async fn get(&self, caller: &Caller, id: CustomerId) -> Result<CustomerDetails> {
        self.show(caller, self.see(caller, id).await?)
    }

    /// Changes fields.
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

    /// One customer, in one statement: what a reader of many calls at once can stand behind.
    async fn see(&self, caller: &Caller, id: CustomerId) -> Result<CustomerRecord> {
        self.pool.lease().await?.run(async |conn| store::customers::get(conn, caller, id).await).await
    }

    fn show(&self, caller: &Caller, seen: CustomerRecord) -> Result<CustomerDetails> {
        let revisions = Revisions { customer: seen.customer.revision, link: seen.link.revision };
        let etag = self.sealer.etag(caller.scope(), seen.customer.id, revisions)?;
        Ok(CustomerDetails { etag: Some(etag), ..would_be(caller, seen) })
    }

    /// What came of this very call: the customer as it is, or as it would be if the call was only validated.
    fn fresh(&self, caller: &Caller, options: &Options, seen: CustomerRecord) -> Result<Outcome<CustomerDetails>> {
        let shown = if options.validate_only { would_be(caller, seen) } else { self.show(caller, seen)? };
        Ok(Outcome::fresh(shown))
    }

    /// A stored answer, shown to a caller that may see the customer today.
    async fn replay(&self, caller: &Caller, answer: Answer) -> Result<Outcome<CustomerDetails>> {
        let Answer::Customer { customer, .. } = &answer else { return Err(not_of_one()) };
        let now = self.see(caller, customer.id).await?;
        self.replay_seen(caller, now, answer)
    }

    /// The same where the customer was just seen.
    fn replay_seen(&self, caller: &Caller, now: CustomerRecord, answer: Answer) -> Result<Outcome<CustomerDetails>> {
        let Answer::Customer { customer, link } = answer else { return Err(not_of_one()) };
        self.show(caller, CustomerRecord { customer, link, ..now }).map(Outcome::replayed)
    }
}

fn not_of_one() -> Error {
    Error::internal("the stored answer is not of one customer")
}

/// A customer as it would be: without an etag, as nobody can read that state.
fn would_be(caller: &Caller, seen: CustomerRecord) -> CustomerDetails {
    let inputs = DecisionInputs { policies: &seen.policies, owner_ids: &seen.owner_ids, acting: caller.account() };
    CustomerDetails {
        relation: seen.customer.relation(caller.scope()),
        dms_link: DmsLink::of(&seen.customer, &seen.link, caller),
        allowed_actions: seen.customer.allowed_actions(caller, inputs, clock::now()),
        missing_for_approval: match seen.customer.relation(caller.scope()) {
            Relation::OwnerOrAbove => seen.customer.missing_for_approval(inputs),
            Relation::Below => Vec::new(),
        },
        customer: seen.customer,
        link: seen.link,
        etag: None,
    }
}

/// Names near a taken one, to suggest those of them that are free. A long one is cut, so that what tells it apart fits.
fn near(fields: &CustomerFields) -> Vec<Name> {
    find::near(&fields.name, fields.profile.primary_address.get(AddressPart::City))
}
