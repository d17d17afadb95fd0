//! Creates customers. One statement writes, decided on the account as the cache of access has it. The statement names
//! the revisions of the account and the tenant that were decided on; if these have changed, it writes nothing, and the
//! decision is made again.

use std::sync::Arc;

use sqlx::PgConnection;

use super::{
    CustomerDetails, Customers,
    create_decision::{Refused, decide},
    duplicates::{self, PossibleDuplicate},
    new_customer::NewCustomer,
    taken::release_hidden,
};
use crate::{
    domain::{
        access::{caller::Caller, relation::Relation},
        accounts::account::Account,
        billing::{rate_plan::PlanTerms, refusal::BillingRefusal},
        duplicates::{Duplicate, DuplicatePolicy},
        fields::{
            field::Field,
            references::{References, refuse_foreign},
        },
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::{
            custom_id::System,
            ids::{AccountId, RatePlanId},
        },
    },
    error::{Error, Result},
    service::{
        mutation::{Call, end, find_stored, run_statement, write},
        pool::Lease,
    },
    store::{
        self,
        customers::{CustomerInsert, CustomerRecord},
    },
};

/// A customer that was created, and those that may be the same.
#[derive(Clone, Debug)]
pub struct Created {
    /// The customer.
    pub customer: CustomerDetails,
    /// The others, the most likely first.
    pub duplicates: Vec<PossibleDuplicate>,
}

impl Created {
    /// Without others.
    pub(super) fn alone(customer: CustomerDetails) -> Self {
        Self { customer, duplicates: Vec::new() }
    }
}

/// Decisions in one session; after that many changes of the account the runner begins again.
const TRIES: usize = 4;

impl Customers {
    /// Creates a customer of the acting account.
    ///
    /// # Errors
    /// See the contract's CreateCustomer.
    pub async fn create(&self, caller: &Caller, new: &NewCustomer, options: &Options) -> Result<Outcome<Created>> {
        let attempt = |lease| self.try_create(lease, caller, new, options);
        let replay = |answer| self.replay_created(caller, answer);
        match self.mutations.run(Call::new(caller, options), attempt, replay).await {
            Err(failure) => Err(self.explain(caller, new, failure).await),
            done => done,
        }
    }

    async fn try_create(
        &self,
        mut lease: Lease,
        caller: &Caller,
        new: &NewCustomer,
        options: &Options,
    ) -> Result<Outcome<Created>> {
        let mut account = Arc::new(caller.account().clone());
        let (mut looked_up, mut first) = (None, caller.first_plan().cloned());
        for _ in 0..TRIES {
            let plan = match new.rate_plan {
                Some(chosen) => lease.run(async |conn| chosen_plan(conn, caller, account.id, chosen).await).await?,
                None => Ok(first.clone()),
            };
            let (refusal, replay_first) = match decide(caller, &account, plan, new, options) {
                Ok(mut insert) => {
                    // Once: what changes between two tries is the account.
                    let others = match looked_up.take() {
                        Some(others) => others,
                        None => look_up(&mut lease, caller, new).await?,
                    };
                    insert.duplicates = others.iter().map(|(_, duplicate)| duplicate.clone()).collect();
                    let insert = Arc::new(insert);
                    if new.duplicates == DuplicatePolicy::Block && !others.is_empty() {
                        let found = Arc::unwrap_or_clone(insert).duplicates;
                        (Some(Error::PossibleDuplicate { found }), true)
                    } else if self.save(&mut lease, caller, &account, &insert, options).await? {
                        let record = record(&account, Arc::unwrap_or_clone(insert));
                        let customer = self.mutated_details(caller, options, record)?;
                        let duplicates = self.show_duplicates(caller, others)?;
                        return Ok(Outcome::changed(Created { customer, duplicates }));
                    } else {
                        looked_up = Some(others);
                        (None, true)
                    }
                }
                Err(Refused::BeforeReplay(refusal)) => (Some(refusal), false),
                Err(Refused::AfterReplay(refusal)) => (Some(refusal), true),
            };
            // Either the account is not as the cache has it, or the refusal is right.
            let now = lease.run(async |conn| store::accounts::get(conn, caller.scope(), account.id).await).await?;
            let first_now = lease
                .run(async |conn| store::billing::rate_plans::first(conn, caller.scope(), account.id).await)
                .await?;
            let same_plan = new.rate_plan.is_some() || plan_id(&first) == plan_id(&first_now);
            if now.revision == account.revision && now.tenant_revision == account.tenant_revision && same_plan {
                let replayed = async |conn: &mut PgConnection| self.find_replay(conn, caller, options).await;
                let replayed = if replay_first { Box::pin(lease.run(replayed)).await? } else { None };
                return match (replayed, refusal) {
                    (Some(details), _) => Ok(Outcome::replayed(details)),
                    (None, Some(refusal)) => Err(refusal),
                    (None, None) => Err(foreign(&mut lease, caller, account.id, &new.fields.references).await?),
                };
            }
            (account, first) = (Arc::new(now), first_now);
        }
        Err(Error::LostRace)
    }

    /// Writes a new customer, with others if it can. Returns whether it did: not if the account or its tenant has changed.
    async fn save(
        &self,
        lease: &mut Lease,
        caller: &Caller,
        account: &Account,
        insert: &Arc<CustomerInsert>,
        options: &Options,
    ) -> Result<bool> {
        let alone = async |lease: &mut Lease| save_alone(lease, caller, account, insert, options).await;
        // What is rolled back is no part of what others commit.
        if options.validate_only || caller.is_suspended() {
            return alone(lease).await;
        }
        self.creations.write(lease, caller, account, insert, alone).await
    }

    /// The customer of this request's stored answer, if there is one.
    async fn find_replay(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        options: &Options,
    ) -> Result<Option<Created>> {
        match find_stored(conn, caller, options).await? {
            Some(answer) => self.replay_created_in(conn, caller, answer).await.map(Some),
            None => Ok(None),
        }
    }

    /// The customer of a stored answer, and those that may be the same as far as the caller still sees them.
    async fn replay_created(&self, caller: &Caller, answer: Answer) -> Result<Created> {
        let mut lease = self.pool.lease().await?;
        Box::pin(lease.run(async |conn| self.replay_created_in(conn, caller, answer).await)).await
    }

    async fn replay_created_in(&self, conn: &mut PgConnection, caller: &Caller, mut answer: Answer) -> Result<Created> {
        let duplicates = match &mut answer {
            Answer::Customer { duplicates, .. } => std::mem::take(duplicates),
            _ => Vec::new(),
        };
        let customer = self.replay_in(conn, caller, answer).await?;
        Ok(Created { customer, duplicates: self.stored_duplicates(conn, caller, duplicates).await? })
    }

    /// Turns a broken key into what it means to the caller.
    async fn explain(&self, caller: &Caller, new: &NewCustomer, failure: Error) -> Error {
        match failure.broken_key() {
            Some("custom_ids_value_key" | "custom_ids_system_key") => {
                let field = |system: &System| format!("customer.custom_ids.{}", system.as_str());
                self.custom_id_taken(caller, &new.custom_ids, None, field).await
            }
            _ => self.explain_taken(caller, caller.account().id, &new.fields, failure).await,
        }
    }
}

/// The customers that may be the same as the new one, unless nobody asks.
async fn look_up(lease: &mut Lease, caller: &Caller, new: &NewCustomer) -> Result<Vec<(CustomerRecord, Duplicate)>> {
    if new.duplicates == DuplicatePolicy::Ignore {
        return Ok(Vec::new());
    }
    let relation = Relation::OwnerOrAbove;
    lease.run(async |conn| duplicates::find(conn, caller, &new.fields, relation, None).await).await
}

/// Writes a new customer by a statement of its own.
///
/// A custom ID of a customer that the account does not see any more is not taken: it is released, in one transaction with
/// the creation.
async fn save_alone(
    lease: &mut Lease,
    caller: &Caller,
    account: &Account,
    insert: &CustomerInsert,
    options: &Options,
) -> Result<bool> {
    let (tenant, slice) = (caller.scope().tenant(), &[(insert, caller.author())]);
    let saved =
        run_statement(lease, options, async |conn| store::customers::create(conn, tenant, account, slice).await).await;
    let taken = match saved {
        Err(taken) if taken.broken_key() == Some("custom_ids_value_key") => taken,
        saved => return Ok(saved? == 1),
    };
    let released = async |conn: &mut PgConnection| {
        let write = write(caller, insert.customer.created.at, options);
        if !release_hidden(conn, caller, &insert.custom_ids, write).await? {
            return Err(taken);
        }
        match store::customers::create(conn, tenant, account, slice).await? {
            1 => Ok(true),
            // Nothing is released for a creation that is decided anew.
            _ => Err(Error::LostRace),
        }
    };
    lease.transaction(end(options), released).await
}

/// The plan that was chosen: one of the list that applies to the account; or why it cannot be had.
async fn chosen_plan(
    conn: &mut PgConnection,
    caller: &Caller,
    account: AccountId,
    chosen: RatePlanId,
) -> Result<Result<Option<PlanTerms>, BillingRefusal>> {
    Ok(match store::billing::rate_plans::listed(conn, caller.scope(), account, chosen).await? {
        Some(plan) if plan.archived => Err(BillingRefusal::RatePlanArchived),
        Some(plan) => Ok(Some(plan)),
        None => Err(BillingRefusal::RatePlanNotFound),
    })
}

fn plan_id(plan: &Option<PlanTerms>) -> Option<RatePlanId> {
    plan.as_ref().map(|plan| plan.id)
}

/// The new customer as its owner sees it, with the policies that it was decided by.
fn record(account: &Account, insert: CustomerInsert) -> CustomerRecord {
    let link = insert.link();
    CustomerRecord {
        customer: insert.customer,
        owner_link_revision: link.revision,
        link,
        owner_ids: insert.custom_ids,
        policies: Arc::clone(&account.policies),
        gone_sales_person: None,
        terms: insert.terms,
    }
}

/// The refusal of references to things that the account does not have.
async fn foreign(lease: &mut Lease, caller: &Caller, account: AccountId, references: &References) -> Result<Error> {
    let owned = lease
        .run(async |conn| store::customers::references::owned(conn, caller.scope(), account, references).await)
        .await?;
    let foreign: Vec<Field> = references.fields().filter(|field| references.get(*field) != owned.get(*field)).collect();
    // The account may have got it since.
    Ok(refuse_foreign(&foreign).map_or_else(Error::from, |()| Error::Contended))
}
