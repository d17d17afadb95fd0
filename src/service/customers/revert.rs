//! A migration taken back: the customer returns to the account that it came from.

use sqlx::PgConnection;

use super::{
    CustomerDetails, Customers,
    ownership::{Blocked, Blockers, moved, note_clashes, retrying_clashes},
};
use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::Account,
        customers::{customer::Customer, migration::Migration},
        history::event_type::EventType,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::ids::CustomerId,
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{end, write},
        seal::Revisions,
    },
    store,
};

/// What came of taking a migration back.
#[derive(Clone, Debug)]
pub struct Reverted {
    /// The customer.
    pub customer: CustomerDetails,
    /// What blocks it, where it was only to be known.
    pub blockers: Vec<Blocked>,
}

impl Customers {
    /// Takes a migration back. Safe to repeat.
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
        let done = retrying_clashes(|| async move {
            let mut lease = self.pool.lease().await?;
            lease
                .transaction(end(options), async |conn| self.revert_locked(conn, caller, id, options, etag).await)
                .await
        })
        .await;
        match done {
            Ok(outcome) => Ok(outcome),
            Err(failure) => {
                let answer = self.first_answer(caller, options, failure).await?;
                Ok(self.replay(caller, answer).await?.map(|customer| Reverted { customer, blockers: Vec::new() }))
            }
        }
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
        // Looked at without a lock first: its account is locked before it.
        let seen = store::customers::load(conn, caller, id, None, None, None).await?.seen;
        seen.customer.must_be_ours(caller)?;
        let account = seen.customer.migrated().map(|migration| migration.account);
        if let Some(account) = account {
            store::customers::ownership::lock_account(conn, scope, account).await?;
        }
        store::customers::lock(conn, scope, id).await?;
        let loaded = store::customers::load(conn, caller, id, options.request.as_ref(), None, None).await?;
        let before = &loaded.seen.customer;
        // Once more: it may have gone to another account before it was locked.
        before.must_be_ours(caller)?;
        if let (Some(stored), Some(request)) = (loaded.stored.clone(), options.request.as_ref()) {
            let outcome = self.replay_seen(caller, loaded.seen, stored.answer(request)?)?;
            return Ok(outcome.map(|customer| Reverted { customer, blockers: Vec::new() }));
        }
        before.must_be_known()?;
        if before.migrated().map(|migration| migration.account) != account {
            return Err(Error::Contended);
        }
        let at = clock::now();
        let decision = before.may_revert(at);
        if decision == Ok(false) {
            let customer = self.fresh(caller, options, loaded.seen)?.value;
            return Ok(Outcome::fresh(Reverted { customer, blockers: Vec::new() }));
        }
        self.check_etag(conn, (caller, id), etag, &loaded.seen).await?;
        let mut blockers = Blockers::default();
        blockers.note(id, None, decision.err().into_iter().flatten());
        let mut after = None;
        if let Some(migration) = before.migrated() {
            let home = store::accounts::get(conn, scope, migration.from).await?;
            blockers.note(
                id,
                None,
                store::customers::ownership::used(conn, scope, migration.account, id).await?.blockers(),
            );
            note_clashes(conn, caller, home.id, rule, &[(None, before)], &mut blockers).await?;
            after = Some((at_home(conn, caller, before, &home, migration).await?, migration.account));
        }
        let told = blockers.told(options)?;
        let (Some((mut after, account)), None) = (after, &told) else {
            let customer = self.fresh(caller, options, loaded.seen)?.value;
            return Ok(Outcome::fresh(Reverted { customer, blockers: told.unwrap_or_default() }));
        };
        after.migration = after.migration.map(|migration| Migration { reverted_at: Some(at), ..migration });
        store::access::invitations::withdraw(conn, scope, account).await?;
        let one = moved(caller, before, after, at);
        let answer = Answer::Customer { customer: one.after.clone(), link: loaded.seen.link };
        let write = write(caller, at, options);
        store::customers::ownership::save(
            conn,
            caller,
            rule,
            &[one],
            EventType::MigrationReverted,
            (&answer, Some(id)),
            write,
        )
        .await?;
        let customer = self.as_it_is(conn, caller, id, options).await?;
        Ok(Outcome::fresh(Reverted { customer, blockers: Vec::new() }))
    }
}

/// The customer as the account that it came from had it, as far as that is still there.
async fn at_home(
    conn: &mut PgConnection,
    caller: &Caller,
    before: &Customer,
    home: &Account,
    migration: &Migration,
) -> Result<Customer> {
    let (branch, sales_person) = store::customers::ownership::still_there(
        conn,
        caller.scope(),
        home.id,
        migration.branch,
        migration.sales_person,
    )
    .await?;
    let mut after = before.clone();
    after.fields.branch = branch;
    after.fields.sales_person = sales_person;
    after.go_to(home);
    Ok(after)
}
