//! Transfers customers to another account of the tenant: one transaction, all or none.

use sqlx::PgConnection;

use super::{
    BatchItem, BatchOutcomes, Customers, batch,
    ownership::{Blocked, Blockers, add_conflicts, conflict_is_lost_race, moved},
    plans::{Plans, ReplacedPlan, Settled},
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
        values::ids::{AccountId, CustomerId},
    },
    error::Result,
    service::{
        clock,
        mutation::{Call, end, find_stored, write},
        pool::Lease,
    },
    store,
};

/// The result of a transfer.
#[derive(Clone, Debug)]
pub struct Transferred {
    /// Each customer, in the request's order; none if any is blocked.
    pub outcomes: BatchOutcomes,
    /// The customers whose plan is replaced, in the request's order; none of a repeat.
    pub replaced_plans: Vec<ReplacedPlan>,
    /// What blocks them, under `validate_only`.
    pub blockers: Vec<Blocked>,
}

/// The result of one attempt.
enum Attempted {
    Answered(Box<Answer>, Vec<ReplacedPlan>),
    Blocked(Vec<Blocked>),
}

impl Attempted {
    fn unmoved(answer: Answer) -> Self {
        Self::Answered(Box::new(answer), Vec::new())
    }
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
        let attempt = |mut lease: Lease| async move {
            lease
                .transaction(end(options), async |conn| transfer_locked(conn, caller, batch, to, options).await)
                .await
                .map_err(conflict_is_lost_race)
        };
        let replay = async |answer| Ok(Attempted::unmoved(answer));
        let _permit = self.large_batches.admit(caller, batch.len()).await?;
        let done = self.mutations.run(Call::new(caller, options), attempt, replay).await?;
        let transferred = match &done.value {
            Attempted::Blocked(blockers) => {
                Transferred { outcomes: Vec::new(), replaced_plans: Vec::new(), blockers: blockers.clone() }
            }
            Attempted::Answered(answer, replaced) => Transferred {
                outcomes: self.batch_outcomes(caller, options, answer)?,
                replaced_plans: replaced.clone(),
                blockers: Vec::new(),
            },
        };
        Ok(done.map(|_| transferred))
    }
}

async fn transfer_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    batch: &[BatchItem],
    to: AccountId,
    options: &Options,
) -> Result<Outcome<Attempted>> {
    let scope = caller.scope();
    let rule = store::customers::ownership::hold_name_rule(conn, scope).await?;
    let to = store::accounts::get(conn, scope, to).await?;
    let customers = batch::lock(conn, caller, batch, |customer| customer.must_be_ours(caller)).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(Attempted::unmoved(answer)));
    }
    batch::must_be_changeable(batch, &customers)?;
    let mut blockers = Blockers::default();
    let (mut moving, mut outcomes) = (Vec::new(), Vec::with_capacity(batch.len()));
    for item in batch {
        let Some(locked) = customers.get(&item.id) else { continue };
        let before = &locked.customer;
        let decision = before.may_transfer(to.id);
        let changed = decision != Ok(false);
        outcomes.push(BatchOutcome {
            customer: item.id,
            changed,
            revision: before.revision + i64::from(changed),
            link_revision: locked.link_revision,
        });
        if changed {
            moving.push((Some(*item), before));
        }
        blockers.add(item.id, Some(item), decision.err().into_iter().flatten());
    }
    let ids: Vec<CustomerId> = moving.iter().map(|(_, before)| before.id).collect();
    let plans = Plans::read(conn, caller, to.id, &ids).await?;
    let mut settled = Vec::with_capacity(moving.len());
    for (item, before) in &moving {
        match plans.settle(before, in_account(before, &to)) {
            Ok(step) => settled.push(step),
            Err(blocker) => blockers.add(before.id, item.as_ref(), [blocker]),
        }
    }
    add_conflicts(conn, caller, to.id, rule, &moving, &mut blockers).await?;
    if let Some(blocked) = blockers.in_order_of(batch).report(options)? {
        return Ok(Outcome::unchanged(Attempted::Blocked(blocked)));
    }
    let answer = Answer::Batch { touched: outcomes };
    if moving.is_empty() {
        return Ok(Outcome::unchanged(Attempted::unmoved(answer)));
    }
    let at = clock::now();
    let replaced = settled.iter().filter_map(Settled::replaced).collect();
    let moves: Vec<_> = settled.into_iter().map(|step| moved(caller, step, at)).collect();
    let (event_type, write) = (EventType::Transferred, write(caller, at, options));
    store::customers::ownership::save(conn, caller, rule, &moves, event_type, (&answer, None), write).await?;
    Ok(Outcome::changed(Attempted::Answered(Box::new(answer), replaced)))
}

/// The customer as another account has it.
fn in_account(before: &Customer, to: &Account) -> Customer {
    let mut after = before.clone();
    after.go_to(to);
    after
}
