//! Imports customers, row by row: each is an upsert of its own, in one session after the other, so that an import takes no more of the
//! service than one caller who sends them one by one.
//!
//! A customer is in one row only, and a repeat writes no customer that the first call has written. Otherwise a repeat, which executes
//! rows that were not written and leaves those that were, could write an earlier row over a later one.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use tokio::task::yield_now;

use super::Exchange;
use crate::{
    domain::{
        access::caller::Caller,
        duplicates::Duplicate,
        requests::options::{Options, Repeatable},
        values::{
            custom_id::System,
            ids::{CustomerId, RequestId},
            violation::Violations,
        },
    },
    error::{Error, Result},
    service::{
        call,
        customers::{Upsert, Upserted, named_twice},
    },
    store,
};

/// A row to import.
#[derive(Debug)]
pub struct Row {
    /// What could be read of it.
    pub upsert: Option<Upsert>,
    /// What is wrong with it, as far as it could be read.
    pub violations: Violations,
    /// The customer that it names: by a custom ID in a system, or by its id.
    pub names: Option<(Option<System>, String)>,
    /// Its idempotency key.
    pub request: Option<Repeatable>,
}

/// The rows that were there before a row.
struct Before {
    /// What they named.
    names: HashSet<(Option<System>, String)>,
    /// The customers that they named, and those that an earlier call with the same request_id has written.
    customers: HashSet<CustomerId>,
    /// The rows that it has written, by their keys.
    written: HashMap<RequestId, CustomerId>,
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
    /// Imports rows in their order, each with the key of its stored answer if the call can be repeated. `read` reads a row when its turn
    /// comes, for the caller as it is then; `answer` makes its answer, with what that costs in memory.
    ///
    /// # Errors
    /// What the first row met, if every other row would meet it too.
    pub async fn import<R, A>(
        &self,
        caller: &Caller,
        rows: Vec<(R, Option<RequestId>)>,
        read: impl Fn(&Caller, R, Option<RequestId>) -> Row,
        answer: impl Fn(usize, Imported) -> (usize, A),
        options: &Options,
    ) -> Result<Vec<A>> {
        let begun = Instant::now();
        // The last tenth is for the answer and for the row that is being written.
        let time = caller.author().deadline.map(|deadline| deadline.saturating_duration_since(begun) * 9 / 10);
        let keys: Vec<RequestId> = rows.iter().filter_map(|(_, key)| *key).collect();
        let mut before = self.before(caller, &keys).await?;
        let count = rows.len();
        // Its bytes and the copy of it are gone, and each row goes when it is read.
        let message = call::shrink_message(|whole| whole / 2);
        let (mut answers, mut held, mut ended) = (Vec::with_capacity(count), call::holder(), false);
        for (place, (row, key)) in rows.into_iter().enumerate() {
            ended = ended || time.is_some_and(|time| begun.elapsed() >= time);
            let imported = if ended {
                Imported::NotTried
            } else {
                let tried = match self.access.admit_again(caller).await {
                    Ok(now) => Box::pin(self.import_row(&now, read(&now, row, key), options, &mut before)).await,
                    Err(refused) => {
                        ended = true;
                        Err(refused)
                    }
                };
                match tried {
                    Ok(done) => Imported::Done(Box::new(done)),
                    Err(failure) if failure.concerns_all_calls() && place == 0 => return Err(failure),
                    Err(failure) => {
                        ended = ended || failure.concerns_all_calls();
                        Imported::Failed(failure)
                    }
                }
            };
            let (cost, answered) = answer(place, imported);
            // What is written cannot be refused any more.
            held.grow_beyond(cost);
            answers.push(answered);
            // What the row has read is in its answer. And rows that are refused at once shall not keep a thread to themselves.
            call::release();
            call::shrink_message(|_| message / count * (count - place - 1));
            yield_now().await;
        }
        Ok(answers)
    }

    /// What an earlier call with these keys has written.
    async fn before(&self, caller: &Caller, keys: &[RequestId]) -> Result<Before> {
        let written = if keys.is_empty() {
            HashMap::new()
        } else {
            let (tenant, author) = (caller.scope().tenant(), caller.author());
            let mut lease = self.pool.lease().await?;
            lease.run(async |conn| store::requests::answered(conn, tenant, author, keys).await).await?
        };
        Ok(Before { names: HashSet::new(), customers: written.values().copied().collect(), written })
    }

    async fn import_row(&self, caller: &Caller, row: Row, options: &Options, before: &mut Before) -> Result<Done> {
        let Row { mut upsert, mut violations, names, request } = row;
        let is_written = request.is_some_and(|request| before.written.contains_key(&request.key));
        if let Some(name) = names
            && !before.names.insert(name.clone())
            && !is_written
        {
            violations.extend(named_twice(name.0.as_ref()));
        }
        if !violations.is_empty()
            && let Some(read) = upsert.take()
        {
            self.customers.add_upsert_violations(caller, read, &mut violations).await;
        }
        let upsert = violations.finish(upsert)?;
        let options = Options { request, ..options.clone() };
        let (outcome, result) = if is_written {
            self.customers.upsert(caller, &upsert, &options).await?
        } else {
            self.customers.upsert_once(caller, &upsert, &options, &mut before.customers).await?
        };
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
