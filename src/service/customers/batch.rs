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
        call, clock,
        mutation::{Call, end, find_stored, replay_as_stored, write},
        pool::Lease,
        seal::Revisions,
    },
    store::{
        self,
        customers::{Archiving, BatchCustomer},
    },
};

/// The outcomes of a batch in the request's order: each customer, whether it changed, and its etag if it is stored.
pub type BatchOutcomes = Vec<(CustomerId, bool, Option<String>)>;

/// A customer that a batch names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchItem {
    /// The index in the request at which the customer is named first; repeated ids count as well.
    pub index: usize,
    /// Its id.
    pub id: CustomerId,
}

impl BatchItem {
    /// The field of the request that errors name.
    pub(super) fn field(&self) -> String {
        format!("customer_ids[{}]", self.index)
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
        self.move_to_archive(caller, batch, Direction::In, options).await
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
        self.move_to_archive(caller, batch, Direction::Out, options).await
    }

    async fn move_to_archive(
        &self,
        caller: &Caller,
        batch: &[BatchItem],
        direction: Direction,
        options: &Options,
    ) -> Result<Outcome<BatchOutcomes>> {
        self.change_batch(caller, options, batch.len(), |mut lease| async move {
            lease
                .transaction(end(options), async |conn| archive_locked(conn, caller, batch, direction, options).await)
                .await
        })
        .await
    }

    /// Runs a command on a batch that writes this many rows.
    pub(super) async fn change_batch<A>(
        &self,
        caller: &Caller,
        options: &Options,
        writes: usize,
        attempt: impl Fn(Lease) -> A,
    ) -> Result<Outcome<BatchOutcomes>>
    where
        A: Future<Output = Result<Outcome<Answer>>>,
    {
        let _permit = self.large_batches.admit(caller, writes).await?;
        let done = self.mutations.run(Call::new(caller, options), attempt, replay_as_stored).await?;
        let outcomes = self.batch_outcomes(caller, options, &done.value)?;
        Ok(done.map(|_| outcomes))
    }

    /// The outcomes of a batch's answer, with etags.
    pub(super) fn batch_outcomes(&self, caller: &Caller, options: &Options, answer: &Answer) -> Result<BatchOutcomes> {
        let Answer::Batch { touched } = answer else {
            return Err(Error::internal("the stored answer is not of a batch"));
        };
        let outcomes = touched.iter().map(|outcome| {
            let revisions = Revisions { customer: outcome.revision, link: outcome.link_revision };
            let etag = self.sealer.etag(caller.scope(), outcome.customer, revisions)?;
            Ok((outcome.customer, outcome.changed, (!options.validate_only).then_some(etag)))
        });
        outcomes.collect()
    }
}

/// Locks a batch's customers in id order, and reads what batches decide by.
///
/// # Errors
/// Of the first customer in the request's order that does not exist for the caller, or that it may not do this to. The
/// error names the field.
pub(super) async fn lock(
    conn: &mut PgConnection,
    caller: &Caller,
    batch: &[BatchItem],
    permits: impl Fn(&Customer) -> Result<(), Refusal>,
) -> Result<HashMap<CustomerId, BatchCustomer>> {
    let ids: Vec<CustomerId> = batch.iter().map(|item| item.id).collect();
    let customers = store::customers::lock_all(conn, caller, &ids, call::hold).await?;
    let customers: HashMap<CustomerId, BatchCustomer> =
        customers.into_iter().map(|locked| (locked.customer.id, locked)).collect();
    for item in batch {
        let Some(locked) = customers.get(&item.id) else {
            return Err(Error::CustomerNotFound { at: Some(item.field()) });
        };
        permits(&locked.customer).map_err(|refusal| Error::refused_at(refusal, item.field()))?;
    }
    Ok(customers)
}

/// Refuses to change customers that were merged or erased, or have values of a newer release.
///
/// # Errors
/// `Merged`, `Erased`, `ValueOfNewerRelease` for the first in the request's order.
pub(super) fn must_be_changeable(batch: &[BatchItem], customers: &HashMap<CustomerId, BatchCustomer>) -> Result<()> {
    batch.iter().filter_map(|item| Some((item, customers.get(&item.id)?))).try_for_each(|(item, locked)| {
        locked.customer.must_be_changeable().map_err(|refusal| Error::refused_at(refusal, item.field()))
    })
}

async fn archive_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    batch: &[BatchItem],
    direction: Direction,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let (command, event_type) = match direction {
        Direction::In => (Command::Archive, EventType::Archived),
        Direction::Out => (Command::Unarchive, EventType::Unarchived),
    };
    let mut customers = lock(conn, caller, batch, |customer| command.permits(caller, customer)).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    must_be_changeable(batch, &customers)?;
    let at = clock::now();
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut changes = Vec::new();
    for BatchItem { id, .. } in batch {
        if let Some(locked) = customers.remove(id) {
            let (outcome, change) = decide_archiving(&locked, direction, at);
            outcomes.push(outcome);
            changes.extend(change);
        }
    }
    let answer = Answer::Batch { touched: outcomes };
    if changes.is_empty() {
        return Ok(Outcome::unchanged(answer));
    }
    let write = write(caller, at, options);
    let archived_at = (direction == Direction::In).then_some(at);
    store::customers::save_archiving(conn, caller, &changes, archived_at, event_type, &answer, write).await?;
    Ok(Outcome::changed(answer))
}

/// Decides on one customer: its outcome, and what to write if it changes.
fn decide_archiving(locked: &BatchCustomer, direction: Direction, at: Timestamp) -> (BatchOutcome, Option<Archiving>) {
    let before = &locked.customer;
    let mut after = before.clone();
    let change = match direction {
        Direction::In => after.archive(at),
        Direction::Out => after.unarchive(),
    };
    let changed = change != Change::AlreadyMade;
    let outcome = BatchOutcome {
        customer: after.id,
        changed,
        revision: before.revision + i64::from(changed),
        link_revision: locked.link_revision,
    };
    let archiving = changed.then(|| Archiving {
        customer: after.id,
        revision: outcome.revision,
        event: EventId::from_uuid(clock::new_id()),
        changes: Changes::of(before, &after),
    });
    (outcome, archiving)
}
