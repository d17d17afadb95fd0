//! Commands that change the acting account's custom IDs of one customer, alone or together with fields: one statement
//! reads, the domain decides, and one statement writes if the customer is still at the revision that was read. A change
//! of both takes two statements, which run under the customer's lock, as does the last try.

mod attempt;
mod change_set;

use sqlx::PgConnection;

pub(super) use self::attempt::{Attempt, CustomIdEdit};
use self::change_set::{CustomIdChangeSet, change_set};
use super::{CustomerDetails, Customers, taken::release_hidden};
use crate::{
    domain::{
        access::caller::Caller,
        customers::{command::Command, custom_id_change::CustomIdChange, link::Link},
        fields::references::refuse_foreign,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::{custom_id::System, enums::Role, ids::CustomerId, timestamp::Timestamp},
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{Call, end, write},
        pool::Lease,
    },
    store::{
        self,
        customers::{CustomerRecord, LoadedCustomer, custom_ids::Saved},
    },
    telemetry::{self, RetryReason},
};

/// Tries without a lock: two for custom IDs alone, as for other commands on one customer; one if fields may change too.
const OPTIMISTIC_TRIES: [usize; 2] = [2, 1];

impl Customers {
    /// Sets, changes or clears the acting account's custom ID of a customer in one system. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's UpdateCustomId.
    pub async fn update_custom_id(
        &self,
        caller: &Caller,
        id: CustomerId,
        change: &CustomIdChange,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        let etag = self.etag(caller, id, options)?;
        let field = |_: &System| "custom_id".to_owned();
        let attempt = Attempt { caller, id, ids: CustomIdEdit::Change(change), fields: None, options, etag, field };
        self.change_ids(&attempt).await
    }

    /// Runs a command on custom IDs.
    pub(super) async fn change_ids(&self, attempt: &Attempt<'_>) -> Result<Outcome<CustomerDetails>> {
        let Attempt { caller, options, .. } = *attempt;
        let run = |lease| self.try_change_ids(lease, attempt);
        let replay = |answer| self.replay(caller, answer);
        // Boxed: what may take two statements is a large future.
        match Box::pin(self.mutations.run(Call::new(caller, options), run, replay)).await {
            Err(failure) => Err(self.explain_ids(attempt, failure).await),
            done => done,
        }
    }

    async fn try_change_ids(&self, mut lease: Lease, attempt: &Attempt<'_>) -> Result<Outcome<CustomerDetails>> {
        let tries =
            if attempt.options.validate_only { 0 } else { OPTIMISTIC_TRIES[usize::from(attempt.fields.is_some())] };
        for _ in 0..tries {
            if let Some(outcome) = lease.run(async |conn| Box::pin(self.decide_ids(conn, attempt, false)).await).await?
            {
                return Ok(outcome);
            }
            telemetry::measure(|metrics| metrics.write_retried(RetryReason::Conflict));
        }
        let outcome = lease
            .transaction(end(attempt.options), async |conn| {
                store::customers::lock(conn, attempt.caller.scope(), attempt.id).await?;
                Box::pin(self.decide_ids(conn, attempt, true)).await
            })
            .await?;
        outcome.ok_or(Error::Contended)
    }

    /// One try; none if the customer or the link changed between the read and the write, or if two statements have to
    /// write without a lock.
    async fn decide_ids(
        &self,
        conn: &mut PgConnection,
        attempt: &Attempt<'_>,
        locked: bool,
    ) -> Result<Option<Outcome<CustomerDetails>>> {
        let Attempt { caller, id, fields, options, .. } = *attempt;
        let request = options.request.as_ref();
        let references = fields.map(Command::references).unwrap_or_default();
        let loaded = store::customers::load(conn, caller, id, request, (&references, fields)).await?;
        let change = attempt.change_of(&loaded.seen)?;
        self.permits(conn, attempt, &change, &loaded.seen).await?;
        if let (Some(stored), Some(request)) = (loaded.stored.clone(), request) {
            let details = match stored.answer(request)? {
                answer if is_of(&answer, id) => self.replay_over(caller, loaded.seen, answer)?,
                // An upsert's first call was on another customer, which had the custom ID then.
                answer => self.replay_in(conn, caller, answer).await?,
            };
            return Ok(Some(Outcome::replayed(details)));
        }
        loaded.seen.customer.must_be_changeable()?;
        let at = clock::now();
        let change_set = change_set(attempt, &loaded.seen, change, at);
        if let Ok(CustomIdChangeSet { customer: None, ids: None }) = change_set {
            return self.mutated_details(caller, options, loaded.seen).map(Outcome::unchanged).map(Some);
        }
        self.check_etag(conn, (caller, id), attempt.etag, &loaded.seen).await?;
        let change_set = change_set?;
        refuse_foreign(&loaded.foreign)?;
        if change_set.customer.is_some() && change_set.ids.is_some() && !locked {
            return Ok(None);
        }
        let saved = self.save_change_set(conn, attempt, loaded, change_set, (at, locked)).await?;
        let Some(record) = saved else { return Ok(None) };
        self.mutated_details(caller, options, record).map(Outcome::changed).map(Some)
    }

    /// Writes the change set, the answer with its last part; none if the customer is not at the revision that was read, or
    /// has to be locked first.
    async fn save_change_set(
        &self,
        conn: &mut PgConnection,
        attempt: &Attempt<'_>,
        loaded: LoadedCustomer,
        change_set: CustomIdChangeSet,
        (at, locked): (Timestamp, bool),
    ) -> Result<Option<CustomerRecord>> {
        let caller = attempt.caller;
        let write = || write(caller, at, attempt.options);
        let mut record = loaded.seen;
        if let Some((change, ids)) = change_set.ids {
            let link = Link { revision: record.link.revision + 1, custom_ids: ids, tags: record.link.tags.clone() };
            let answer =
                Answer::Customer { customer: record.customer.clone(), link: link.clone(), duplicates: Vec::new() };
            let answer = change_set.customer.is_none().then_some(&answer);
            let mut saved =
                store::customers::custom_ids::save(conn, caller, &record, &change, &link, write(), answer).await?;
            if let Saved::Taken(_) = saved {
                must_be_hidden(conn, attempt).await?;
                // Release and change are two statements, under the customer's lock.
                if !locked {
                    return Ok(None);
                }
                release_hidden(conn, caller, &attempt.ids_to_set(), write()).await?;
                saved =
                    store::customers::custom_ids::save(conn, caller, &record, &change, &link, write(), answer).await?;
            }
            match saved {
                Saved::Written => {}
                Saved::Moved => return Ok(None),
                // It came back, or another call was quicker.
                Saved::Taken(_) => return must_be_hidden(conn, attempt).await.map(|()| None),
            }
            if record.customer.owner == caller.scope().root() {
                record.owner_link_revision = link.revision;
                record.owner_ids = link.custom_ids.clone();
            }
            record.link = link;
        }
        if let Some((customer, event_type)) = change_set.customer {
            if !store::customers::save(conn, caller, &record, &customer, event_type, write()).await? {
                return Ok(None);
            }
            record.customer = customer;
        }
        Ok(Some(record))
    }

    /// Refuses what the caller may not do: fields as in UpdateCustomer, custom IDs by their own rule.
    async fn permits(
        &self,
        conn: &mut PgConnection,
        attempt: &Attempt<'_>,
        change: &CustomIdChange,
        record: &CustomerRecord,
    ) -> Result<()> {
        let Attempt { caller, fields, .. } = *attempt;
        if let Some(fields) = fields {
            fields.permits(caller, &record.customer)?;
        }
        // An ADMIN has every role except one of a newer release.
        let must_ask = caller.role() < Role::Admin || caller.account().policies.custom_id_role.role().is_err();
        if must_ask && change.takes_custom_id_role(record.customer.fields.reach, &record.link.custom_ids) {
            caller.must_be(custom_id_role(conn, caller, record).await?)?;
        }
        Ok(())
    }

    /// Turns a broken key into what it means to the caller.
    async fn explain_ids(&self, attempt: &Attempt<'_>, failure: Error) -> Error {
        match (failure.broken_key(), attempt.fields) {
            (Some("custom_ids_value_key"), _) => {
                self.custom_id_taken(attempt.caller, &attempt.ids_to_set(), Some(attempt.id), attempt.field).await
            }
            (Some(_), Some(fields)) => self.explain_fields(attempt.caller, attempt.id, fields, failure).await,
            _ => failure,
        }
    }
}

/// Refuses a custom ID that another customer has, if the acting account sees that one.
async fn must_be_hidden(conn: &mut PgConnection, attempt: &Attempt<'_>) -> Result<()> {
    let ids = attempt.ids_to_set();
    let taken = store::customers::taken::by_custom_ids(conn, attempt.caller.scope(), &ids, Some(attempt.id)).await?;
    taken.map_or(Ok(()), |(system, by)| Err(Error::CustomIdTaken { field: Some((attempt.field)(&system)), by }))
}

fn is_of(answer: &Answer, id: CustomerId) -> bool {
    matches!(answer, Answer::Customer { customer, .. } if customer.id == id)
}

/// The acting account's current policy. If it owns the customer, the policy was read with the customer.
async fn custom_id_role(conn: &mut PgConnection, caller: &Caller, record: &CustomerRecord) -> Result<Role> {
    let root = caller.scope().root();
    if record.customer.owner == root {
        return Ok(record.policies.custom_id_role.role()?);
    }
    let account = store::accounts::get(conn, caller.scope(), root).await?;
    Ok(account.policies.custom_id_role.role()?)
}
