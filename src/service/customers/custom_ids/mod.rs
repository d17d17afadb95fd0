//! Commands that change the acting account's custom IDs of one customer, alone or together with fields: one statement
//! reads, the domain decides, and one statement writes if nothing changed meanwhile. Two that belong together, and the last
//! try, are written under the customer's lock.

mod change_set;

use sqlx::PgConnection;

pub(super) use self::change_set::Ids;
use self::change_set::{CustomIdChangeSet, change_set};
use super::{
    CustomerDetails, Customers,
    change::{branch, sales_person},
    create::{not_a_branch, not_a_sales_person},
};
use crate::{
    domain::{
        access::caller::Caller,
        customers::{command::Command, custom_id_change::CustomIdChange, link::Link},
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::{custom_id::System, enums::Role, ids::CustomerId, timestamp::Timestamp},
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
        customers::{CustomerRecord, LoadedCustomer, custom_ids::Saved},
    },
    telemetry::{self, RetryReason},
};

/// Tries without a lock: of custom IDs alone as of other commands on one customer, once of what may take two statements.
const OPTIMISTIC_TRIES: [usize; 2] = [2, 1];

/// One command, with all that its tries share.
pub(super) struct Attempt<'a> {
    pub(super) caller: &'a Caller,
    pub(super) id: CustomerId,
    pub(super) ids: Ids<'a>,
    /// What else changes.
    pub(super) fields: Option<&'a Command>,
    pub(super) options: &'a Options,
    pub(super) etag: Option<Revisions>,
    /// The path of a system's value in the request, for who is told that it is taken.
    pub(super) field: fn(&System) -> String,
}

/// A customer after a command, and whether the command changed it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) outcome: Outcome<CustomerDetails>,
    pub(super) changed: bool,
}

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
        let attempt = Attempt { caller, id, ids: Ids::Change(change), fields: None, options, etag, field };
        // Boxed: what may take two statements is a large future.
        Box::pin(self.change_ids(&attempt)).await.map(|done| done.outcome)
    }

    /// Reads, decides, and saves if nothing changed meanwhile.
    pub(super) async fn change_ids(&self, attempt: &Attempt<'_>) -> Result<Done> {
        let Attempt { caller, options, .. } = *attempt;
        let failure = match Box::pin(retrying(|| self.try_change_ids(attempt))).await {
            Err(error) if error.broken_key().is_some() || error.is_retriable() || error.is_lock_timeout() => error,
            Err(error @ Error::Unavailable { .. }) => error,
            done => return done,
        };
        let request = options.request.as_ref();
        match settle(&self.pool, caller.scope().tenant(), caller.author(), request, failure).await {
            Ok(answer) => self.replay(caller, answer).await.map(|outcome| Done { outcome, changed: true }),
            Err(failure) => Err(self.explain_ids(attempt, failure).await),
        }
    }

    async fn try_change_ids(&self, attempt: &Attempt<'_>) -> Result<Done> {
        let mut lease = self.pool.lease().await?;
        let tries =
            if attempt.options.validate_only { 0 } else { OPTIMISTIC_TRIES[usize::from(attempt.fields.is_some())] };
        for _ in 0..tries {
            if let Some(done) = lease.run(async |conn| self.decide_ids(conn, attempt, false).await).await? {
                return Ok(done);
            }
            telemetry::measure(|metrics| metrics.again(RetryReason::LostRace));
        }
        let end = if attempt.options.validate_only { End::Rollback } else { End::Commit };
        let done = lease
            .transaction(end, async |conn| {
                store::customers::lock(conn, attempt.caller.scope(), attempt.id).await?;
                self.decide_ids(conn, attempt, true).await
            })
            .await?;
        done.ok_or(Error::Contended)
    }

    /// One try; nothing if the customer or the link changed between the reading and the writing, or if two statements have
    /// to write and nothing holds them together.
    async fn decide_ids(&self, conn: &mut PgConnection, attempt: &Attempt<'_>, locked: bool) -> Result<Option<Done>> {
        let Attempt { caller, id, fields, options, .. } = *attempt;
        let request = options.request.as_ref();
        let (sales_person, branch) = (fields.and_then(sales_person), fields.and_then(branch));
        let loaded = store::customers::load(conn, caller, id, request, sales_person, branch).await?;
        let change = attempt.wanted(&loaded.seen)?;
        self.permits(conn, attempt, &change, &loaded.seen).await?;
        if let (Some(stored), Some(request)) = (loaded.stored.clone(), request) {
            let outcome = self.replay_of(caller, loaded.seen, stored.answer(request)?).await?;
            return Ok(Some(Done { outcome, changed: true }));
        }
        loaded.seen.customer.must_be_known()?;
        let at = clock::now();
        let change_set = change_set(attempt, &loaded.seen, change, at);
        if let Ok(CustomIdChangeSet { customer: None, ids: None }) = change_set {
            return self
                .fresh(attempt.caller, attempt.options, loaded.seen)
                .map(|outcome| Some(Done { outcome, changed: false }));
        }
        self.check_etag(conn, (caller, id), attempt.etag, &loaded.seen).await?;
        let change_set = change_set?;
        if !loaded.sales_person_fits {
            return Err(not_a_sales_person());
        }
        if !loaded.branch_fits {
            return Err(not_a_branch());
        }
        if change_set.customer.is_some() && change_set.ids.is_some() && !locked {
            return Ok(None);
        }
        let Some(seen) = self.save_change_set(conn, attempt, loaded, change_set, at).await? else { return Ok(None) };
        self.fresh(attempt.caller, attempt.options, seen).map(|outcome| Some(Done { outcome, changed: true }))
    }

    /// Writes the plan, the answer with the last part; nothing if the customer is not as it was read.
    async fn save_change_set(
        &self,
        conn: &mut PgConnection,
        attempt: &Attempt<'_>,
        loaded: LoadedCustomer,
        change_set: CustomIdChangeSet,
        at: Timestamp,
    ) -> Result<Option<CustomerRecord>> {
        let caller = attempt.caller;
        let write = || write(caller, at, attempt.options);
        let mut seen = loaded.seen;
        if let Some((change, ids)) = change_set.ids {
            let link = Link { revision: seen.link.revision + 1, custom_ids: ids, tags: seen.link.tags.clone() };
            let answer = Answer::Customer { customer: seen.customer.clone(), link: link.clone() };
            let answer = change_set.customer.is_none().then_some(&answer);
            match store::customers::custom_ids::save(conn, caller, &seen, &change, &link, write(), answer).await? {
                Saved::Written => {}
                Saved::Moved => return Ok(None),
                Saved::Taken(system) => return Err(Error::CustomIdTaken { field: Some((attempt.field)(&system)) }),
            }
            if seen.customer.owner == caller.scope().root() {
                seen.owner_link_revision = link.revision;
                seen.owner_ids = link.custom_ids.clone();
            }
            seen.link = link;
        }
        if let Some((customer, happened)) = change_set.customer {
            if !store::customers::save(conn, caller, &seen, &customer, happened, write()).await? {
                return Ok(None);
            }
            seen.customer = customer;
        }
        Ok(Some(seen))
    }

    /// Whether the caller may: the fields as in UpdateCustomer, the custom IDs as their rule says.
    async fn permits(
        &self,
        conn: &mut PgConnection,
        attempt: &Attempt<'_>,
        change: &CustomIdChange,
        seen: &CustomerRecord,
    ) -> Result<()> {
        let Attempt { caller, fields, .. } = *attempt;
        if let Some(fields) = fields {
            fields.permits(caller, &seen.customer)?;
        }
        // An ADMIN has every role but one that this release does not know.
        let must_ask = caller.role() < Role::Admin || caller.account().policies.custom_id_role.role().is_err();
        if must_ask && change.takes_custom_id_role(seen.customer.fields.reach, &seen.link.custom_ids) {
            caller.must_be(custom_id_role(conn, caller, seen).await?)?;
        }
        Ok(())
    }

    /// A stored answer; usually of the customer that was just found in the caller's sight.
    async fn replay_of(
        &self,
        caller: &Caller,
        now: CustomerRecord,
        answer: Answer,
    ) -> Result<Outcome<CustomerDetails>> {
        match &answer {
            Answer::Customer { customer, .. } if customer.id == now.customer.id => {
                self.replay_seen(caller, now, answer)
            }
            _ => self.replay(caller, answer).await,
        }
    }

    /// Says what a broken key means to the caller.
    async fn explain_ids(&self, attempt: &Attempt<'_>, failure: Error) -> Error {
        match (failure.broken_key(), attempt.fields) {
            (Some("custom_ids_value_key"), _) => {
                let system = self.first_taken(attempt.caller, &attempt.put()).await;
                Error::CustomIdTaken { field: system.map(|system| (attempt.field)(&system)) }
            }
            (Some(_), Some(fields)) => self.explain_fields(attempt.caller, attempt.id, fields, failure).await,
            _ => failure,
        }
    }
}

/// The acting account's policy as it is now. Of a customer of its own it came along with the customer.
async fn custom_id_role(conn: &mut PgConnection, caller: &Caller, seen: &CustomerRecord) -> Result<Role> {
    let root = caller.scope().root();
    if seen.customer.owner == root {
        return Ok(seen.policies.custom_id_role.role()?);
    }
    let account = store::accounts::get(conn, caller.scope(), root).await?;
    Ok(account.policies.custom_id_role.role()?)
}
