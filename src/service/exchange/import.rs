//! Imports customers, row by row: each is an upsert of its own, in one session after the other, so that an import takes no more of the
//! service than one caller who sends them one by one.
//!
//! A customer is in one row only. Otherwise a repeat, which executes rows that were not written and leaves those that were, could
//! write an earlier row over a later one.

use std::{collections::HashSet, time::Instant};

use tokio::task::yield_now;

use super::Exchange;
use crate::{
    domain::{
        access::caller::Caller,
        duplicates::Duplicate,
        requests::options::{Options, Repeatable},
        values::{ids::CustomerId, violation::Violations},
    },
    error::{Error, Result},
    service::{
        call,
        customers::{Match, Upsert, Upserted},
    },
};

/// A row to import.
#[derive(Debug)]
pub struct Row {
    /// What could be read of it.
    pub upsert: Option<Upsert>,
    /// What is wrong with it, as far as it could be read.
    pub violations: Violations,
    /// Its idempotency key.
    pub request: Option<Repeatable>,
}

/// What became of a row.
#[derive(Debug)]
pub enum Imported {
    /// The customer is as the row has it.
    Done(Box<Done>),
    /// It was refused.
    Failed(Error),
    /// The import ended before it.
    NotTried,
}

/// The customer of a row, after it.
#[derive(Debug)]
pub struct Done {
    /// The customer; none of one that is not stored, as the call only checks.
    pub id: Option<CustomerId>,
    /// Its etag; none if the call only checks.
    pub etag: Option<String>,
    /// What was done.
    pub result: Upserted,
    /// Whether an earlier call did it.
    pub replayed: bool,
    /// The others that may be the same as the new one, the most likely first.
    pub duplicates: Vec<Duplicate>,
}

impl Exchange {
    /// Imports rows in their order. Each is read when its turn comes, for the caller as it is then, and answered by `answer`.
    ///
    /// # Errors
    /// What the first row met, if every other row would meet it too.
    pub async fn import<R, A>(
        &self,
        caller: &Caller,
        rows: Vec<R>,
        mut read: impl FnMut(&Caller, usize, R) -> Row,
        mut answer: impl FnMut(usize, Imported) -> A,
        options: &Options,
    ) -> Result<Vec<A>> {
        let begun = Instant::now();
        // The last tenth is for the answer and for the row that is being written.
        let time = caller.author().deadline.map(|deadline| deadline.saturating_duration_since(begun) * 9 / 10);
        let (mut answers, mut ended, mut named) = (Vec::with_capacity(rows.len()), false, HashSet::new());
        for (place, row) in rows.into_iter().enumerate() {
            ended = ended || time.is_some_and(|time| begun.elapsed() >= time);
            if ended {
                answers.push(answer(place, Imported::NotTried));
                continue;
            }
            let imported = match self.access.admit_again(caller).await {
                Ok(now) => Box::pin(self.import_row(&now, read(&now, place, row), options, &mut named)).await,
                Err(refused) => {
                    ended = true;
                    Err(refused)
                }
            };
            answers.push(match imported {
                Ok(done) => answer(place, Imported::Done(Box::new(done))),
                Err(failure) if failure.concerns_all_calls() && place == 0 => return Err(failure),
                Err(failure) => {
                    ended = ended || failure.concerns_all_calls();
                    answer(place, Imported::Failed(failure))
                }
            });
            // What the row has read is in its answer. And rows that are refused at once shall not keep a thread to themselves.
            call::release();
            yield_now().await;
        }
        Ok(answers)
    }

    async fn import_row(
        &self,
        caller: &Caller,
        row: Row,
        options: &Options,
        named: &mut HashSet<CustomerId>,
    ) -> Result<Done> {
        let Row { mut upsert, mut violations, request } = row;
        if !violations.is_empty()
            && let Some(Upsert { by: Match::Id(id), update, .. }) = upsert.take()
        {
            self.customers.add_violations(caller, id, update, &mut violations).await;
        }
        let upsert = violations.finish(upsert)?;
        let options = Options { request, ..options.clone() };
        let (outcome, result) = self.customers.upsert_once(caller, &upsert, &options, named).await?;
        let customer = outcome.value.customer;
        let is_stored = !(options.validate_only && result == Upserted::Created);
        Ok(Done {
            id: is_stored.then_some(customer.customer.id),
            etag: customer.etag,
            result,
            replayed: outcome.replayed,
            duplicates: outcome.value.duplicates.into_iter().map(|other| other.duplicate).collect(),
        })
    }
}
