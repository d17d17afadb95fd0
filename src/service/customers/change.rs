//! Commands on one customer: one statement reads, the domain decides, one statement writes if nothing changed meanwhile.
//! The last try locks the row first. No lock outlives a round trip before that, and no session is left open.

use sqlx::PgConnection;

use super::{
    CustomerDetails, Customers,
    create::{not_a_branch, not_a_sales_person},
};
use crate::{
    domain::{
        access::caller::Caller,
        customers::{
            command::{Command, DecisionInputs},
            customer::{Change, Customer, Stamp},
        },
        fields::edit::Edit,
        history::event_type::EventType,
        refusal::Refusal,
        requests::options::{Options, Outcome},
        values::{
            ids::{BranchId, CustomerId, MemberId},
            timestamp::Timestamp,
            violation::{Rule, Violations},
        },
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{retrying, settle, write},
        pool::End,
        seal::Revisions,
    },
    store::{
        self,
        customers::{CustomerRecord, LoadedCustomer},
    },
    telemetry::{self, RetryReason},
};

/// Tries without a lock. Of 32 writers on one row most lose three races in a row, so the next takes the lock.
const OPTIMISTIC_TRIES: usize = 2;

/// One command, with all that its tries share.
struct Attempt<'a> {
    caller: &'a Caller,
    id: CustomerId,
    command: &'a Command,
    options: &'a Options,
    etag: Option<Revisions>,
}

impl Customers {
    /// Reads, decides, and saves if nothing changed meanwhile.
    pub(super) async fn change(
        &self,
        caller: &Caller,
        id: CustomerId,
        command: &Command,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        let attempt = Attempt { caller, id, command, options, etag: self.etag(caller, id, options)? };
        let failure = match retrying(|| self.try_change(&attempt)).await {
            Err(error) if error.broken_key().is_some() || error.is_retriable() || error.is_lock_timeout() => error,
            Err(error @ Error::Unavailable { .. }) => error,
            done => return done,
        };
        let request = options.request.as_ref();
        match settle(&self.pool, caller.scope().tenant(), caller.author(), request, failure).await {
            Ok(answer) => self.replay(caller, answer).await,
            Err(failure) => Err(self.explain_fields(caller, id, command, failure).await),
        }
    }

    async fn try_change(&self, attempt: &Attempt<'_>) -> Result<Outcome<CustomerDetails>> {
        let mut lease = self.pool.lease().await?;
        // What is only validated is written under the lock, and rolled back: the same statement, so the same checks.
        let tries = if attempt.options.validate_only { 0 } else { OPTIMISTIC_TRIES };
        for _ in 0..tries {
            if let Some(done) = lease.run(async |conn| self.decide_and_save(conn, attempt).await).await? {
                return Ok(done);
            }
            telemetry::measure(|metrics| metrics.again(RetryReason::LostRace));
        }
        let end = if attempt.options.validate_only { End::Rollback } else { End::Commit };
        let done = lease
            .transaction(end, async |conn| {
                store::customers::lock(conn, attempt.caller.scope(), attempt.id).await?;
                self.decide_and_save(conn, attempt).await
            })
            .await?;
        done.ok_or(Error::Contended)
    }

    /// One try; nothing if the customer changed between the reading and the writing.
    ///
    /// The order is the contract's: existence, rights, the stored answer, already made, etag, state, uniqueness.
    async fn decide_and_save(
        &self,
        conn: &mut PgConnection,
        attempt: &Attempt<'_>,
    ) -> Result<Option<Outcome<CustomerDetails>>> {
        let Attempt { caller, id, command, options, .. } = *attempt;
        let request = options.request.as_ref();
        let loaded = store::customers::load(conn, caller, id, request, sales_person(command), branch(command)).await?;
        command.permits(caller, &loaded.seen.customer)?;
        if let (Some(stored), Some(request)) = (loaded.stored.clone(), request) {
            // The customer was just found in the caller's sight: the stored answer may be shown.
            return self.replay_seen(caller, loaded.seen, stored.answer(request)?).map(Some);
        }
        loaded.seen.customer.must_be_known()?;
        let at = clock::now();
        let (decision, mut after) = decide(caller, command, &loaded, at);
        if decision == Ok(Change::AlreadyMade) {
            return self.fresh(caller, options, loaded.seen).map(Some);
        }
        self.check_etag(conn, (caller, id), attempt.etag, &loaded.seen).await?;
        let happened = match decision? {
            Change::Made(happened) => happened,
            Change::AlreadyMade => return Err(Error::internal("decided twice")),
        };
        if !loaded.sales_person_fits {
            return Err(not_a_sales_person());
        }
        if !loaded.branch_fits {
            return Err(not_a_branch());
        }
        after.revision += 1;
        after.updated = Stamp { at, by: caller.author().principal.clone() };
        if !self.save(conn, attempt, &loaded.seen, &after, happened).await? {
            return Ok(None);
        }
        let seen = CustomerRecord { customer: after, ..loaded.seen };
        self.fresh(caller, options, seen).map(Some)
    }

    async fn save(
        &self,
        conn: &mut PgConnection,
        attempt: &Attempt<'_>,
        before: &CustomerRecord,
        after: &Customer,
        happened: EventType,
    ) -> Result<bool> {
        let write = write(attempt.caller, after.updated.at, attempt.options);
        store::customers::save(conn, attempt.caller, before, after, happened, write).await
    }

    /// The state that a call names.
    pub(super) fn etag(&self, caller: &Caller, id: CustomerId, options: &Options) -> Result<Option<Revisions>> {
        let Some(etag) = &options.etag else { return Ok(None) };
        let opened = self.sealer.open_etag(caller.scope(), id, etag);
        let rule = Rule::new("must be an etag of this customer, as the acting account was given it; read it again");
        opened.map(Some).ok_or_else(|| Violations::of("etag", rule).into())
    }

    /// Refuses where the customer is not in the state that the call names.
    pub(super) async fn check_etag(
        &self,
        conn: &mut PgConnection,
        (caller, id): (&Caller, CustomerId),
        etag: Option<Revisions>,
        seen: &CustomerRecord,
    ) -> Result<()> {
        let current = Revisions { customer: seen.customer.revision, link: seen.link.revision };
        let Some(read) = etag.filter(|read| *read != current) else { return Ok(()) };
        let scope = caller.scope();
        let [read, now] = [read, current].map(|revisions| (revisions.customer, revisions.link));
        let changed = store::history::changed_since(conn, scope, id, read, now).await?;
        Err(Error::EtagMismatch { etag: self.sealer.etag(scope, id, current)?, changed })
    }

    /// Says what a broken key means to the caller.
    pub(super) async fn explain_fields(
        &self,
        caller: &Caller,
        id: CustomerId,
        command: &Command,
        failure: Error,
    ) -> Error {
        match failure.broken_key() {
            Some("customers_order_reference_key") => Error::OrderReferenceTaken,
            Some("customers_name_key") => match self.see(caller, id).await {
                Ok(seen) => {
                    let fields = decide_facts(command, seen.customer.fields);
                    self.name_taken(caller, seen.customer.owner, &fields).await
                }
                Err(_) => Error::NameTaken { free: Vec::new() },
            },
            _ => failure,
        }
    }
}

/// What the domain says, and the customer as it would be.
fn decide(
    caller: &Caller,
    command: &Command,
    loaded: &LoadedCustomer,
    at: Timestamp,
) -> (Result<Change, Refusal>, Customer) {
    let CustomerRecord { policies, owner_ids, .. } = &loaded.seen;
    let inputs = DecisionInputs { policies, owner_ids, acting: caller.account() };
    let mut after = loaded.seen.customer.clone();
    let decision = command.decide(&mut after, inputs, at);
    (decision, after)
}

/// The facts with the command's new name and place, to suggest names near them.
fn decide_facts(
    command: &Command,
    mut fields: crate::domain::fields::customer_fields::CustomerFields,
) -> crate::domain::fields::customer_fields::CustomerFields {
    if let Command::Update(edits) = command {
        for edit in edits {
            // A refused edit leaves the facts as they are, which is good enough for a suggestion.
            _ = fields.apply(edit.clone());
        }
    }
    fields
}

/// The sales person that an update names.
pub(super) fn sales_person(command: &Command) -> Option<MemberId> {
    let Command::Update(edits) = command else { return None };
    edits.iter().find_map(|edit| if let Edit::SalesPerson(member) = edit { *member } else { None })
}

/// The branch that an update names.
pub(super) fn branch(command: &Command) -> Option<BranchId> {
    let Command::Update(edits) = command else { return None };
    edits.iter().find_map(|edit| if let Edit::Branch(branch) = edit { *branch } else { None })
}
