//! Commands on one customer: one statement reads, the domain decides, one statement writes if the customer is still at
//! the revision that was read. The last try locks the row first. Before that no lock is held over a round trip, and no
//! transaction is open between statements.

use sqlx::PgConnection;

use super::{CustomerDetails, Customers};
use crate::{
    domain::{
        access::caller::Caller,
        customers::{
            command::{Command, DecisionInputs},
            customer::{Change, Customer, Stamp},
        },
        fields::{customer_fields::CustomerFields, references::refuse_foreign},
        history::{event::paths_seen_from, event_type::EventType},
        refusal::Refusal,
        requests::options::{Options, Outcome},
        values::{
            ids::CustomerId,
            timestamp::Timestamp,
            violation::{Rule, Violations},
        },
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{Call, end, write},
        pool::Lease,
        seal::Revisions,
    },
    store::{
        self,
        customers::{CustomerRecord, LoadedCustomer},
    },
    telemetry::{self, RetryReason},
};

/// Tries without a lock. Of 32 writers on one row most lose three races in a row, so the third try takes the lock.
const OPTIMISTIC_TRIES: usize = 2;

/// One command, with what its tries share.
struct Attempt<'a> {
    caller: &'a Caller,
    id: CustomerId,
    command: &'a Command,
    options: &'a Options,
    etag: Option<Revisions>,
}

impl Customers {
    /// Runs a command on one customer.
    pub(super) async fn change(
        &self,
        caller: &Caller,
        id: CustomerId,
        command: &Command,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        let attempt = &Attempt { caller, id, command, options, etag: self.etag(caller, id, options)? };
        let call = Call::new(caller, options);
        let replay = |answer| self.replay(caller, answer);
        match self.mutations.run(call, |lease| self.try_change(lease, attempt), replay).await {
            Err(failure) => Err(self.explain_fields(caller, id, command, failure).await),
            done => done,
        }
    }

    async fn try_change(&self, mut lease: Lease, attempt: &Attempt<'_>) -> Result<Outcome<CustomerDetails>> {
        // `validate_only` writes under the lock and rolls back: the same statement, so the same checks.
        let tries = if attempt.options.validate_only { 0 } else { OPTIMISTIC_TRIES };
        for _ in 0..tries {
            if let Some(outcome) = lease.run(async |conn| self.decide_and_save(conn, attempt).await).await? {
                return Ok(outcome);
            }
            telemetry::measure(|metrics| metrics.write_retried(RetryReason::Conflict));
        }
        let outcome = lease
            .transaction(end(attempt.options), async |conn| {
                store::customers::lock(conn, attempt.caller.scope(), attempt.id).await?;
                self.decide_and_save(conn, attempt).await
            })
            .await?;
        outcome.ok_or(Error::Contended)
    }

    /// One try; none if the customer changed between the read and the write.
    ///
    /// The order of checks is the contract's: existence, rights, the stored answer, already made, etag, state,
    /// uniqueness.
    async fn decide_and_save(
        &self,
        conn: &mut PgConnection,
        attempt: &Attempt<'_>,
    ) -> Result<Option<Outcome<CustomerDetails>>> {
        let Attempt { caller, id, command, options, .. } = *attempt;
        let request = options.request.as_ref();
        let loaded = store::customers::load(conn, caller, id, request, &command.references()).await?;
        command.permits(caller, &loaded.seen.customer)?;
        if let (Some(stored), Some(request)) = (loaded.stored.clone(), request) {
            let details = self.replay_over(caller, loaded.seen, stored.answer(request)?)?;
            return Ok(Some(Outcome::replayed(details)));
        }
        loaded.seen.customer.must_be_known()?;
        let at = clock::now();
        let (decision, mut after) = decide(caller, command, &loaded, at);
        if decision == Ok(Change::AlreadyMade) {
            return self.mutated_details(caller, options, loaded.seen).map(Outcome::unchanged).map(Some);
        }
        self.check_etag(conn, (caller, id), attempt.etag, &loaded.seen).await?;
        let event_type = match decision? {
            Change::Made(event_type) => event_type,
            Change::AlreadyMade => return Err(Error::internal("decided twice")),
        };
        refuse_foreign(&loaded.foreign)?;
        after.revision += 1;
        after.updated = Stamp { at, by: caller.author().principal.clone() };
        if !self.save(conn, attempt, &loaded.seen, &after, event_type).await? {
            return Ok(None);
        }
        let record = CustomerRecord { customer: after, ..loaded.seen };
        self.mutated_details(caller, options, record).map(Outcome::changed).map(Some)
    }

    async fn save(
        &self,
        conn: &mut PgConnection,
        attempt: &Attempt<'_>,
        before: &CustomerRecord,
        after: &Customer,
        event_type: EventType,
    ) -> Result<bool> {
        let write = write(attempt.caller, after.updated.at, attempt.options);
        store::customers::save(conn, attempt.caller, before, after, event_type, write).await
    }

    /// The revisions that the call's etag names.
    pub(in crate::service) fn etag(
        &self,
        caller: &Caller,
        id: CustomerId,
        options: &Options,
    ) -> Result<Option<Revisions>> {
        let Some(etag) = &options.etag else { return Ok(None) };
        let opened = self.sealer.open_etag(caller.scope(), id, etag);
        let rule =
            Rule::new("must be an etag of this customer that the acting account was given; read the customer again");
        opened.map(Some).ok_or_else(|| Violations::of("etag", rule).into())
    }

    /// Refuses if the customer is not in the state that the etag names.
    pub(in crate::service) async fn check_etag(
        &self,
        conn: &mut PgConnection,
        (caller, id): (&Caller, CustomerId),
        etag: Option<Revisions>,
        record: &CustomerRecord,
    ) -> Result<()> {
        let current = Revisions { customer: record.customer.revision, link: record.link.revision };
        let Some(read) = etag.filter(|read| *read != current) else { return Ok(()) };
        let scope = caller.scope();
        let [read, now] = [read, current].map(|revisions| (revisions.customer, revisions.link));
        let relation = record.customer.relation(scope);
        let changed = store::history::changed_since(conn, scope, id, read, now).await?;
        let changed = changed.map(|paths| paths_seen_from(relation, paths));
        Err(Error::EtagMismatch { etag: self.sealer.etag(scope, id, current)?, changed })
    }

    /// Turns a broken key into what it means to the caller.
    pub(super) async fn explain_fields(
        &self,
        caller: &Caller,
        id: CustomerId,
        command: &Command,
        failure: Error,
    ) -> Error {
        if !matches!(failure.broken_key(), Some("customers_order_reference_key" | "customers_name_key")) {
            return failure;
        }
        match self.get_record(caller, id).await {
            Ok(record) => {
                let fields = edited(command, record.customer.fields);
                self.explain_taken(caller, record.customer.owner, &fields, failure).await
            }
            // It left the caller's sight meanwhile, or cannot be read: the broken key is what is known.
            Err(_) if failure.broken_key() == Some("customers_name_key") => {
                Error::NameTaken { free: Vec::new(), by: None }
            }
            Err(_) => Error::OrderReferenceTaken { by: None },
        }
    }
}

/// The domain's decision, and the customer after it.
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

/// The fields after an update, whose name and city the suggestions follow.
fn edited(command: &Command, mut fields: CustomerFields) -> CustomerFields {
    if let Command::Update(edits) = command {
        for edit in edits {
            // A refused edit leaves the fields as they are, which is good enough for a suggestion.
            _ = fields.apply(edit.clone());
        }
    }
    fields
}
