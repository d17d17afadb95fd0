//! A customer becomes a reseller: one transaction makes the account, its first admin and what it is given copies of, and
//! moves the customer.

use std::sync::Arc;

use sqlx::PgConnection;

use super::{
    CustomerDetails, Customers,
    ownership::{Blocked, Blockers, moved, retrying_clashes},
};
use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::Account,
        customers::{
            customer::Customer,
            link::Link,
            migration::{FirstAdmin, Migration, MigrationPlan},
        },
        history::event_type::EventType,
        refusal::Blocker,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
            principal::Principal,
        },
        tags::tag::Tag,
        values::{
            email::Email,
            enums::Role,
            ids::{AccountId, CustomerId, EventId, TagId},
            name::AccountName,
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    service::{
        accounts::first_admin,
        clock,
        mutation::{end, write},
        seal::Revisions,
    },
    store::{self, Write, customers::CustomerRecord},
};

/// The reseller that a customer is to become.
#[derive(Clone, Debug)]
pub struct Reseller {
    /// The account's name; by default the customer's.
    pub name: Option<AccountName>,
    /// Its first admin, at once.
    pub admin: Option<Principal>,
    /// Who is invited to be that; by default whoever the customer's post goes to.
    pub email: Option<Email>,
    /// Whether it gets the owner's tags.
    pub copy_tags: bool,
    /// Whether it gets the owner's custom IDs.
    pub copy_custom_ids: bool,
}

/// What came of a migration.
#[derive(Clone, Debug)]
pub struct Migrated {
    /// The customer.
    pub customer: CustomerDetails,
    /// What was done, or would be.
    pub plan: MigrationPlan,
    /// Whether the plan's account is there; not if the call was only validated.
    pub stored: bool,
    /// What blocks it, where it was only to be known.
    pub blockers: Vec<Blocked>,
}

/// One call, with all that its tries share.
struct Attempt<'a> {
    caller: &'a Caller,
    id: CustomerId,
    reseller: &'a Reseller,
    options: &'a Options,
    etag: Option<Revisions>,
}

impl Customers {
    /// Makes a customer a reseller. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's MigrateCustomerToReseller.
    pub async fn migrate(
        &self,
        caller: &Caller,
        id: CustomerId,
        reseller: &Reseller,
        options: &Options,
    ) -> Result<Outcome<Migrated>> {
        let attempt = Attempt { caller, id, reseller, options, etag: self.etag(caller, id, options)? };
        let attempt = &attempt;
        let done = retrying_clashes(|| async move {
            let mut lease = self.pool.lease().await?;
            lease.transaction(end(options), async |conn| self.migrate_locked(conn, attempt).await).await
        })
        .await;
        // The new admin may have called before, and been nobody.
        self.access.forget();
        match done {
            Ok(outcome) => Ok(outcome),
            Err(failure) => {
                let answer = self.first_answer(caller, options, failure).await?;
                self.replay_migrated(caller, self.see(caller, id).await?, answer)
            }
        }
    }

    async fn migrate_locked(&self, conn: &mut PgConnection, attempt: &Attempt<'_>) -> Result<Outcome<Migrated>> {
        let Attempt { caller, id, reseller, options, .. } = *attempt;
        let scope = caller.scope();
        let rule = store::customers::ownership::hold_name_rule(conn, scope).await?;
        store::customers::lock(conn, scope, id).await?;
        let loaded = store::customers::load(conn, caller, id, options.request.as_ref(), None, None).await?;
        let before = &loaded.seen.customer;
        before.must_be_ours(caller)?;
        if let (Some(stored), Some(request)) = (loaded.stored.clone(), options.request.as_ref()) {
            return self.replay_migrated(caller, loaded.seen, stored.answer(request)?);
        }
        before.must_be_known()?;
        let owner = store::accounts::get(conn, scope, before.owner).await?;
        let decision = before.may_migrate();
        if decision == Ok(false) {
            let plan = MigrationPlan { account: Some(owner), ..MigrationPlan::default() };
            let customer = self.fresh(caller, options, loaded.seen)?.value;
            return Ok(Outcome::fresh(Migrated { customer, plan, stored: true, blockers: Vec::new() }));
        }
        self.check_etag(conn, (caller, id), attempt.etag, &loaded.seen).await?;
        let at = clock::now();
        let link = store::customers::ownership::link(conn, scope, id, owner.id).await?;
        let (plan, copies) = plan(before, &owner, &link, reseller, at);
        let mut blockers = Blockers::default();
        blockers.note(id, None, decision.err().into_iter().flatten());
        blockers.note(id, None, plan.admin.is_none().then_some(Blocker::NoAdminEmail));
        if let Some(blockers) = blockers.told(options)? {
            let customer = self.fresh(caller, options, loaded.seen)?.value;
            return Ok(Outcome::fresh(Migrated { customer, plan, stored: false, blockers }));
        }
        let Some(account) = &plan.account else { return Err(Error::internal("a migration without an account")) };
        let write = write(caller, at, options);
        make_account(conn, caller, account, plan.admin.as_ref(), write).await?;
        if let Some(copies) = &copies {
            let events = [clock::new_id(), clock::new_id()].map(EventId::from_uuid);
            store::customers::ownership::copy_link(conn, scope, before, (owner.id, account.id), copies, events, write)
                .await?;
        }
        let one = moved(caller, before, in_account(before, account, at), at);
        let answer = Answer::Migrated { customer: one.after.clone(), link: loaded.seen.link, plan: plan.clone() };
        store::customers::ownership::save(conn, caller, rule, &[one], EventType::Migrated, (&answer, Some(id)), write)
            .await?;
        let customer = self.as_it_is(conn, caller, id, options).await?;
        Ok(Outcome::fresh(Migrated { customer, plan, stored: !options.validate_only, blockers: Vec::new() }))
    }

    /// A stored answer, shown to a caller that has just seen the customer.
    fn replay_migrated(&self, caller: &Caller, now: CustomerRecord, answer: Answer) -> Result<Outcome<Migrated>> {
        let Answer::Migrated { customer, link, plan } = answer else {
            return Err(Error::internal("the stored answer is not of a migration"));
        };
        let customer = self.show(caller, CustomerRecord { customer, link, ..now })?;
        Ok(Outcome::replayed(Migrated { customer, plan, stored: true, blockers: Vec::new() }))
    }
}

/// What a migration would do, and the link that the new account would get, if it gets one.
fn plan(
    customer: &Customer,
    owner: &Account,
    link: &Link,
    reseller: &Reseller,
    at: Timestamp,
) -> (MigrationPlan, Option<Link>) {
    let id = AccountId::from_uuid(clock::new_id());
    let name = reseller.name.clone().unwrap_or_else(|| AccountName::stored(customer.fields.name.as_str().to_owned()));
    let account = owner.child(id, name, Arc::clone(&owner.policies), at).ok();
    let invited = || reseller.email.as_ref().or_else(|| customer.email()).cloned().map(FirstAdmin::Invited);
    let new_tag = |tag: &Tag| Tag { id: TagId::from_uuid(clock::new_id()), name: tag.name.clone() };
    let copies = Link {
        custom_ids: if reseller.copy_custom_ids { link.custom_ids.clone() } else { Default::default() },
        tags: if reseller.copy_tags { link.tags.iter().map(new_tag).collect() } else { Vec::new() },
        ..Link::default()
    };
    let plan = MigrationPlan {
        account,
        admin: reseller.admin.clone().map(FirstAdmin::Principal).or_else(invited),
        tags: copies.tags.iter().map(|tag| tag.name.clone()).collect(),
        custom_ids: copies.custom_ids.clone(),
        branch: customer.fields.branch,
        sales_person: customer.fields.sales_person,
    };
    let empty = copies.custom_ids.is_empty() && copies.tags.is_empty();
    (plan, (!empty).then_some(copies))
}

async fn make_account(
    conn: &mut PgConnection,
    caller: &Caller,
    account: &Account,
    admin: Option<&FirstAdmin>,
    write: Write<'_>,
) -> Result<()> {
    let member = match admin {
        Some(FirstAdmin::Principal(principal)) => Some(first_admin(account.id, principal.clone(), write.at)),
        _ => None,
    };
    let creation = Write { event: EventId::from_uuid(clock::new_id()), ..write };
    store::accounts::create(conn, caller.scope(), account, member.as_ref(), None, creation).await?;
    if let Some(FirstAdmin::Invited(email)) = admin {
        let id = clock::new_id();
        store::access::invitations::create(conn, caller.scope(), id, account.id, email, Role::Admin, write).await?;
    }
    Ok(())
}

/// The customer as the account that was made of it has it.
fn in_account(before: &Customer, account: &Account, at: Timestamp) -> Customer {
    let mut after = before.clone();
    after.migration = Some(Migration {
        account: account.id,
        from: before.owner,
        at,
        branch: after.fields.branch.take(),
        sales_person: after.fields.sales_person.take(),
        reverted_at: None,
        unknown: Default::default(),
    });
    after.go_to(account);
    after
}
