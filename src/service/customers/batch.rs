//! Commands on many customers: one transaction, all or none, rows locked in id order.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::Customers;
use crate::{
    domain::{
        access::caller::Caller,
        customers::{
            command::Command,
            customer::{Change, Customer},
        },
        history::{event::Changes, event_type::EventType},
        refusal::Refusal,
        requests::{
            answer::{Answer, BatchOutcome},
            options::{Options, Outcome},
        },
        values::{
            ids::{CustomerId, EventId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{end, retrying, settle, write},
        seal::Revisions,
    },
    store::{
        self,
        customers::{Archiving, CustomerRecord},
    },
};

/// What a batch did: each customer in the request's order, with whether it changed and its etag, if it was stored.
pub type BatchOutcomes = Vec<(CustomerId, bool, Option<String>)>;

/// A customer that a batch names, and at which place of the request first: an error tells the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchItem {
    /// Counted from 0, with those that were named again.
    pub place: usize,
    /// Which.
    pub id: CustomerId,
}

impl BatchItem {
    /// The place, as errors tell it.
    pub(super) fn at(&self) -> String {
        format!("customer_ids[{}]", self.place)
    }
}

/// Into the archive, or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

impl Customers {
    /// Archives customers, all or none. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's ArchiveCustomers.
    pub async fn archive(
        &self,
        caller: &Caller,
        batch: &[BatchItem],
        options: &Options,
    ) -> Result<Outcome<BatchOutcomes>> {
        self.archiving(caller, batch, Direction::In, options).await
    }

    /// Takes customers out of the archive, all or none. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's UnarchiveCustomers.
    pub async fn unarchive(
        &self,
        caller: &Caller,
        batch: &[BatchItem],
        options: &Options,
    ) -> Result<Outcome<BatchOutcomes>> {
        self.archiving(caller, batch, Direction::Out, options).await
    }

    async fn archiving(
        &self,
        caller: &Caller,
        batch: &[BatchItem],
        direction: Direction,
        options: &Options,
    ) -> Result<Outcome<BatchOutcomes>> {
        let done = retrying(|| async move {
            let mut lease = self.pool.lease().await?;
            lease
                .transaction(end(options), async |conn| archive_locked(conn, caller, batch, direction, options).await)
                .await
        })
        .await;
        self.outcomes(caller, options, done).await
    }

    /// What a batch did, or its own first call.
    pub(super) async fn outcomes(
        &self,
        caller: &Caller,
        options: &Options,
        done: Result<Outcome<Answer>>,
    ) -> Result<Outcome<BatchOutcomes>> {
        let outcome = match done {
            Ok(outcome) => outcome,
            Err(failure) if is_final(&failure) => return Err(failure),
            Err(failure) => {
                let request = options.request.as_ref();
                settle(&self.pool, caller.scope().tenant(), caller.author(), request, failure)
                    .await
                    .map(Outcome::replayed)?
            }
        };
        let Answer::Batch { touched } = outcome.value else {
            return Err(Error::internal("the stored answer is not of a batch"));
        };
        let outcomes = touched
            .into_iter()
            .map(|one| {
                let revisions = Revisions { customer: one.revision, link: one.link_revision };
                let etag = self.sealer.etag(caller.scope(), one.customer, revisions)?;
                Ok((one.customer, one.changed, (!options.validate_only).then_some(etag)))
            })
            .collect::<Result<_>>()?;
        Ok(Outcome { value: outcomes, replayed: outcome.replayed })
    }
}

/// What no stored answer can lie behind: the order of checks has existence and rights before it.
fn is_final(failure: &Error) -> bool {
    matches!(
        failure,
        Error::CustomerNotFound { .. } | Error::Refused { .. } | Error::RequestIdReused | Error::Internal(_)
    )
}

/// Locks a batch's customers in id order.
///
/// # Errors
/// Of the first in the request's order that the caller does not see, or may not do this to: which, and where.
pub(super) async fn lock(
    conn: &mut PgConnection,
    caller: &Caller,
    batch: &[BatchItem],
    permits: impl Fn(&Customer) -> Result<(), Refusal>,
) -> Result<HashMap<CustomerId, CustomerRecord>> {
    let ids: Vec<CustomerId> = batch.iter().map(|named| named.id).collect();
    let found = store::customers::lock_all(conn, caller, &ids).await?;
    let found: HashMap<CustomerId, CustomerRecord> = found.into_iter().map(|seen| (seen.customer.id, seen)).collect();
    for named in batch {
        let Some(seen) = found.get(&named.id) else { return Err(Error::CustomerNotFound { at: Some(named.at()) }) };
        permits(&seen.customer).map_err(|refusal| Error::refused_at(refusal, named.at()))?;
    }
    Ok(found)
}

/// Refuses to change customers that hold values of a newer release.
///
/// # Errors
/// Of the first in the request's order: which value, and where.
pub(super) fn must_be_known(batch: &[BatchItem], found: &HashMap<CustomerId, CustomerRecord>) -> Result<()> {
    batch.iter().filter_map(|item| Some((item, found.get(&item.id)?))).try_for_each(|(item, seen)| {
        seen.customer.must_be_known().map_err(|refusal| Error::refused_at(refusal, item.at()))
    })
}

/// The stored answer of a batch, if it came before.
pub(super) async fn stored(conn: &mut PgConnection, caller: &Caller, options: &Options) -> Result<Option<Answer>> {
    let Some(request) = &options.request else { return Ok(None) };
    let stored = store::requests::find(conn, caller.scope().tenant(), caller.author(), request).await?;
    stored.map(|stored| stored.answer(request)).transpose()
}

async fn archive_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    batch: &[BatchItem],
    direction: Direction,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let (command, happened) = match direction {
        Direction::In => (Command::Archive, EventType::Archived),
        Direction::Out => (Command::Unarchive, EventType::Unarchived),
    };
    let mut found = lock(conn, caller, batch, |customer| command.permits(caller, customer)).await?;
    if let Some(answer) = stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    must_be_known(batch, &found)?;
    let at = clock::now();
    let mut touched = Vec::with_capacity(batch.len());
    let mut changed = Vec::new();
    for BatchItem { id, .. } in batch {
        if let Some(seen) = found.remove(id) {
            let (one, change) = touch(&seen, direction, at);
            touched.push(one);
            changed.extend(change);
        }
    }
    let answer = Answer::Batch { touched };
    if changed.is_empty() {
        return Ok(Outcome::fresh(answer));
    }
    let write = write(caller, at, options);
    let archived_at = (direction == Direction::In).then_some(at);
    store::customers::save_archiving(conn, caller, &changed, archived_at, happened, &answer, write).await?;
    Ok(Outcome::fresh(answer))
}

/// Decides on one customer; what is to be written if it changed.
fn touch(seen: &CustomerRecord, direction: Direction, at: Timestamp) -> (BatchOutcome, Option<Archiving>) {
    let mut after = seen.customer.clone();
    let change = match direction {
        Direction::In => after.archive(at),
        Direction::Out => after.unarchive(),
    };
    let changed = change != Change::AlreadyMade;
    let touched = BatchOutcome {
        customer: after.id,
        changed,
        revision: seen.customer.revision + i64::from(changed),
        link_revision: seen.link.revision,
    };
    let archiving = changed.then(|| Archiving {
        customer: after.id,
        event: EventId::from_uuid(clock::new_id()),
        changes: Changes::of(&seen.customer, &after),
    });
    (touched, archiving)
}
