//! Commands on one customer: one statement reads, the domain decides, one statement writes if the customer is still at
//! the revision that was read.

use sqlx::PgConnection;

use super::{CustomerDetails, Customers, optimistic};
use crate::{
    domain::{
        access::caller::Caller,
        customers::{
            command::{Command, DecisionInputs},
            customer::{Change, Customer, Stamp},
        },
        fields::{customer_fields::CustomerFields, references::refuse_foreign},
        history::event::{Changes, paths_seen_from},
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
        mutation::{Call, write},
        seal::Revisions,
    },
    store::{
        self,
        customers::{CustomerRecord, LoadedCustomer},
    },
};

/// One command, with what its tries share.
struct Attempt<'a> {
    customers: &'a Customers,
    caller: &'a Caller,
    id: CustomerId,
    command: &'a Command,
    options: &'a Options,
    etag: Option<Revisions>,
}

impl optimistic::Attempt for Attempt<'_> {
    type Answer = CustomerDetails;

    /// The order of checks is the contract's: existence, rights, the stored answer, already made, etag, state,
    /// uniqueness.
    async fn decide_and_save(&self, conn: &mut PgConnection) -> Result<Option<Outcome<CustomerDetails>>> {
        let Attempt { customers, caller, id, command, options, etag } = *self;
        let request = options.request.as_ref();
        let loaded = store::customers::load(conn, caller, id, request, (&command.references(), Some(command))).await?;
        command.permits(caller, &loaded.seen.customer)?;
        if let (Some(stored), Some(request)) = (loaded.stored.clone(), request) {
            let details = customers.replay_over(caller, loaded.seen, stored.answer(request)?)?;
            return Ok(Some(Outcome::replayed(details)));
        }
        loaded.seen.customer.must_be_changeable()?;
        let at = clock::now();
        let (decision, mut after) = decide(caller, command, &loaded, at);
        let charges = |seen: &CustomerRecord| seen.terms.charges(seen.customer.rate_plan, &seen.customer.billing);
        let charges_before = command.plan().map(|_| Box::new(charges(&loaded.seen)));
        let answer = |details| CustomerDetails { charges_before, ..details };
        if decision == Ok(Change::AlreadyMade) {
            let details = customers.mutated_details(caller, options, loaded.seen)?;
            return Ok(Some(Outcome::unchanged(answer(details))));
        }
        customers.check_etag(conn, (caller, id), etag, &loaded.seen).await?;
        let event_type = match decision? {
            Change::Made(event_type) => event_type,
            Change::AlreadyMade => return Err(Error::internal("decided twice")),
        };
        refuse_foreign(&loaded.foreign)?;
        after.revision += 1;
        after.updated = Stamp { at, by: caller.author().principal.clone() };
        let before = &loaded.seen.customer;
        let changes = match command.plan() {
            // The plan that it was on is told in the event, its own or not.
            Some(_) => Changes::of(&Customer { rate_plan: loaded.seen.terms.plan_id(), ..before.clone() }, &after),
            None => Changes::of(before, &after),
        };
        let (happened, write) = ((event_type, changes), write(caller, at, options));
        if !store::customers::save_changes(conn, caller, &loaded.seen, &after, happened, write).await? {
            return Ok(None);
        }
        let terms = loaded.seen.terms.after(&after);
        let record = CustomerRecord { customer: after, terms, ..loaded.seen };
        let details = customers.mutated_details(caller, options, record)?;
        Ok(Some(Outcome::changed(answer(details))))
    }
}

impl Customers {
    /// Runs a command on one customer.
    pub(in crate::service) async fn change(
        &self,
        caller: &Caller,
        id: CustomerId,
        command: &Command,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        let etag = self.etag(caller, id, options)?;
        let attempt = &Attempt { customers: self, caller, id, command, options, etag };
        let run = |lease| optimistic::try_change(lease, (caller, id, options), attempt);
        let replay = |answer| self.replay(caller, answer);
        match self.mutations.run(Call::new(caller, options), run, replay).await {
            Err(failure) => Err(self.explain_fields(caller, id, command, failure).await),
            done => done,
        }
    }

    /// Adds what the command would break of a customer, beside what is known to be wrong with the request. Nothing of a customer that
    /// the caller may not change.
    pub async fn add_violations(&self, caller: &Caller, id: CustomerId, command: Command, violations: &mut Violations) {
        let Ok(record) = self.get_record(caller, id).await else { return };
        if command.permits(caller, &record.customer).is_err() {
            return;
        }
        let CustomerRecord { policies, owner_ids, terms, .. } = &record;
        let inputs = DecisionInputs { policies, owner_ids, acting: caller.account(), terms };
        let mut more = Violations::default();
        match command.decide(&mut record.customer.clone(), inputs, clock::now()) {
            Err(Refusal::BreaksRule(broken)) => _ = more.nest::<()>("customer", Err(broken)),
            Err(Refusal::RequiredToCreate(missing)) => {
                missing.iter().for_each(|path| more.push(format!("customer.{path}"), Rule::REQUIRED_BY_POLICY));
            }
            _ => {}
        }
        // Of contacts that cannot be read nothing is said to be missing.
        let unread = violations.concern("customer.contacts");
        for violation in more.all() {
            let is_unread = unread && violation.field.starts_with("customer.primary_contact");
            if !is_unread && !violations.concern(&violation.field) {
                violations.push(violation.field.clone(), violation.rule.clone());
            }
        }
    }

    /// The revisions that the call's etag names.
    pub(in crate::service) fn etag(
        &self,
        caller: &Caller,
        id: CustomerId,
        options: &Options,
    ) -> Result<Option<Revisions>> {
        self.opened_etag(caller, id, options.etag.as_deref(), "etag")
    }

    /// The revisions that an etag in this field of the request names.
    pub(super) fn opened_etag(
        &self,
        caller: &Caller,
        id: CustomerId,
        etag: Option<&str>,
        field: &str,
    ) -> Result<Option<Revisions>> {
        let Some(etag) = etag else { return Ok(None) };
        let opened = self.sealer.open_etag(caller.scope(), id, etag);
        let rule =
            Rule::new("must be an etag of this customer that the acting account was given; read the customer again");
        opened.map(Some).ok_or_else(|| Violations::of(field, rule).into())
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
    let CustomerRecord { policies, owner_ids, terms, .. } = &loaded.seen;
    let inputs = DecisionInputs { policies, owner_ids, acting: caller.account(), terms };
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
