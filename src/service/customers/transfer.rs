//! Customers transferred to another account of the tenant: one transaction, all or none.

use sqlx::PgConnection;

use super::{
    BatchItem, BatchOutcomes, Customers, batch,
    ownership::{Blocked, Blockers, moved, note_clashes, retrying_clashes},
};
use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::Account,
        customers::customer::Customer,
        history::event_type::EventType,
        requests::{
            answer::{Answer, BatchOutcome},
            options::{Options, Outcome},
        },
        values::ids::AccountId,
    },
    error::Result,
    service::{
        clock,
        mutation::{end, write},
    },
    store,
};

/// What came of a transfer.
#[derive(Clone, Debug)]
pub struct Transferred {
    /// Each customer, in the request's order; none if anything blocks.
    pub outcomes: BatchOutcomes,
    /// What blocks it, where it was only to be known.
    pub blockers: Vec<Blocked>,
}

/// What one try came to.
enum Done {
    Answered(Box<Outcome<Answer>>),
    Blocked(Vec<Blocked>),
}

impl Customers {
    /// Moves customers to another account, all or none. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's TransferCustomers.
    pub async fn transfer(
        &self,
        caller: &Caller,
        batch: &[BatchItem],
        to: AccountId,
        options: &Options,
    ) -> Result<Outcome<Transferred>> {
        let done = retrying_clashes(|| async move {
            let mut lease = self.pool.lease().await?;
            lease.transaction(end(options), async |conn| transfer_locked(conn, caller, batch, to, options).await).await
        })
        .await;
        let answered = match done {
            Ok(Done::Blocked(blockers)) => {
                return Ok(Outcome::fresh(Transferred { outcomes: Vec::new(), blockers }));
            }
            Ok(Done::Answered(outcome)) => Ok(*outcome),
            Err(failure) => Err(failure),
        };
        let outcome = self.outcomes(caller, options, answered).await?;
        Ok(outcome.map(|outcomes| Transferred { outcomes, blockers: Vec::new() }))
    }
}

async fn transfer_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    batch: &[BatchItem],
    to: AccountId,
    options: &Options,
) -> Result<Done> {
    let scope = caller.scope();
    let rule = store::customers::ownership::hold_name_rule(conn, scope).await?;
    let to = store::accounts::get(conn, scope, to).await?;
    let found = batch::lock(conn, caller, batch, |customer| customer.must_be_ours(caller)).await?;
    if let Some(answer) = batch::stored(conn, caller, options).await? {
        return Ok(Done::Answered(Box::new(Outcome::replayed(answer))));
    }
    batch::must_be_known(batch, &found)?;
    let mut blockers = Blockers::default();
    let (mut moving, mut touched) = (Vec::new(), Vec::with_capacity(batch.len()));
    for named in batch {
        let Some(seen) = found.get(&named.id) else { continue };
        let decision = seen.customer.may_transfer(to.id);
        let changed = decision != Ok(false);
        touched.push(BatchOutcome {
            customer: named.id,
            changed,
            revision: seen.customer.revision + i64::from(changed),
            link_revision: seen.link.revision,
        });
        if changed {
            moving.push((Some(*named), &seen.customer));
        }
        blockers.note(named.id, Some(named), decision.err().into_iter().flatten());
    }
    note_clashes(conn, caller, to.id, rule, &moving, &mut blockers).await?;
    if let Some(blocked) = blockers.in_order_of(batch).told(options)? {
        return Ok(Done::Blocked(blocked));
    }
    let answer = Answer::Batch { touched };
    if !moving.is_empty() {
        let at = clock::now();
        let moves: Vec<_> =
            moving.iter().map(|(_, before)| moved(caller, before, in_account(before, &to), at)).collect();
        let write = write(caller, at, options);
        store::customers::ownership::save(conn, caller, rule, &moves, EventType::Transferred, (&answer, None), write)
            .await?;
    }
    Ok(Done::Answered(Box::new(Outcome::fresh(answer))))
}

/// The customer as another account has it: branch and sales person are the former owner's.
fn in_account(before: &Customer, to: &Account) -> Customer {
    let mut after = before.clone();
    after.fields.branch = None;
    after.fields.sales_person = None;
    after.go_to(to);
    after
}
