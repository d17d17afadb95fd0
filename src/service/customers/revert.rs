//! Reverts a migration: the customer returns to the account that it came from.

use sqlx::PgConnection;

use super::{
    CustomerDetails, Customers,
    ownership::{Blocked, Blockers, add_conflicts, conflict_is_lost_race, moved},
    plans::Plans,
};
use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::Account,
        customers::{customer::Customer, migration::Migration},
        fields::references::References,
        history::event_type::EventType,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::ids::CustomerId,
    },
    error::{Error, Result},
    service::{
        accounts::new_event,
        clock,
        mutation::{Call, end, write},
        pool::Lease,
        seal::Revisions,
    },
    store,
};

/// The result of a revert.
#[derive(Clone, Debug)]
pub struct Reverted {
    /// The customer.
    pub customer: CustomerDetails,
    /// What blocks it, under `validate_only`.
    pub blockers: Vec<Blocked>,
}

impl Reverted {
    fn unblocked(customer: CustomerDetails) -> Self {
        Self { customer, blockers: Vec::new() }
    }
}

impl Customers {
    /// Reverts a migration. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's RevertCustomerMigration.
    pub async fn revert_migration(
        &self,
        caller: &Caller,
        id: CustomerId,
        options: &Options,
    ) -> Result<Outcome<Reverted>> {
        let etag = self.etag(caller, id, options)?;
        let attempt = |mut lease: Lease| async move {
            lease
                .transaction(end(options), async |conn| {
                    Box::pin(self.revert_locked(conn, caller, id, options, etag)).await
                })
                .await
                .map_err(conflict_is_lost_race)
        };
        let replay = async |answer| self.replay(caller, answer).await.map(Reverted::unblocked);
        self.mutations.run(Call::new(caller, options), attempt, replay).await
    }

    async fn revert_locked(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        id: CustomerId,
        options: &Options,
        etag: Option<Revisions>,
    ) -> Result<Outcome<Reverted>> {
        let scope = caller.scope();
        let rule = store::customers::ownership::hold_name_rule(conn, scope).await?;
        // Read without a lock first: the account that was made of the customer is locked before the customer.
        let unlocked = store::customers::load(conn, caller, id, None, (&References::default(), None)).await?.seen;
        unlocked.customer.must_be_ours(caller)?;
        let account = unlocked.customer.migrated().map(|migration| migration.account);
        if let Some(account) = account {
            store::customers::ownership::lock_account(conn, scope, account).await?;
        }
        store::customers::lock(conn, scope, id).await?;
        let loaded =
            store::customers::load(conn, caller, id, options.request.as_ref(), (&References::default(), None)).await?;
        let before = &loaded.seen.customer;
        // Checked again: the customer may have moved to another account before it was locked.
        before.must_be_ours(caller)?;
        if let (Some(stored), Some(request)) = (loaded.stored.clone(), options.request.as_ref()) {
            let customer = self.replay_over(caller, loaded.seen, stored.answer(request)?)?;
            return Ok(Outcome::replayed(Reverted::unblocked(customer)));
        }
        before.must_be_known()?;
        if before.migrated().map(|migration| migration.account) != account {
            return Err(Error::LostRace);
        }
        let at = clock::now();
        let decision = before.may_revert(at);
        if decision == Ok(false) {
            let customer = self.mutated_details(caller, options, loaded.seen)?;
            return Ok(Outcome::unchanged(Reverted::unblocked(customer)));
        }
        self.check_etag(conn, (caller, id), etag, &loaded.seen).await?;
        let mut blockers = Blockers::default();
        blockers.add(id, None, decision.err().into_iter().flatten());
        let mut after = None;
        if let Some(migration) = before.migrated() {
            let home = store::accounts::get(conn, scope, migration.from).await?;
            let usage = store::customers::ownership::used(conn, scope, migration.account, id).await?;
            blockers.add(id, None, usage.blockers());
            add_conflicts(conn, caller, home.id, rule, &[(None, before)], &mut blockers).await?;
            let plans = Plans::read(conn, caller, home.id, &[id]).await?;
            match plans.settle(before, at_home(conn, caller, before, &home, migration).await?) {
                Ok(settled) => after = Some((settled, migration.account)),
                Err(blocker) => blockers.add(id, None, [blocker]),
            }
        }
        let blocked = blockers.report(options)?;
        let (Some((mut settled, account)), None) = (after, &blocked) else {
            let customer = self.mutated_details(caller, options, loaded.seen)?;
            return Ok(Outcome::unchanged(Reverted { customer, blockers: blocked.unwrap_or_default() }));
        };
        let migration = settled.after.migration.take();
        settled.after.migration = migration.map(|migration| Migration { reverted_at: Some(at), ..migration });
        let write = write(caller, at, options);
        let open = store::access::withdraw::lock_open(conn, scope, account).await?;
        let withdrawn: Vec<_> = open.into_iter().map(|invitation| (invitation, new_event())).collect();
        if !withdrawn.is_empty() {
            store::access::withdraw::withdraw(conn, scope, account, &withdrawn, write).await?;
        }
        let moves = [moved(caller, settled, at)];
        let answer = Answer::Customer { customer: moves[0].after.clone(), link: loaded.seen.link };
        let event_type = EventType::MigrationReverted;
        store::customers::ownership::save(conn, caller, rule, &moves, event_type, (&answer, Some(id)), write).await?;
        let customer = self.details_in_transaction(conn, caller, id, options).await?;
        Ok(Outcome::changed(Reverted::unblocked(customer)))
    }
}

/// The customer as the account that it came from had it, with its branch and sales person if these still exist.
async fn at_home(
    conn: &mut PgConnection,
    caller: &Caller,
    before: &Customer,
    home: &Account,
    migration: &Migration,
) -> Result<Customer> {
    let mut after = before.clone();
    after.go_to(home);
    after.fields.references =
        store::customers::references::owned(conn, caller.scope(), home.id, &migration.references).await?;
    Ok(after)
}
