//! Migrates a customer to a reseller account of its own: one transaction creates the account, its first admin and the
//! copies of tags and custom IDs, and moves the customer.

use std::sync::Arc;

use sqlx::PgConnection;

use super::{
    CustomerDetails, Customers,
    ownership::{Blocked, Blockers, conflict_is_lost_race, moved},
    plans::Plans,
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
        fields::references::References,
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
            unknown_fields::UnknownFields,
        },
    },
    error::{Error, Result},
    service::{
        access::cache::Stale,
        accounts::{first_admin, new_event},
        clock,
        mutation::{Call, end, write},
        pool::Lease,
        seal::Revisions,
    },
    store::{self, Write, customers::CustomerRecord},
};

/// The reseller that a customer becomes.
#[derive(Clone, Debug)]
pub struct Reseller {
    /// The account's name; by default the customer's.
    pub name: Option<AccountName>,
    /// The first admin, a principal that becomes a member at once.
    pub admin: Option<Principal>,
    /// The email address that gets the first admin's invitation; by default the customer's.
    pub email: Option<Email>,
    /// Whether the account gets copies of the owner's tags.
    pub copy_tags: bool,
    /// Whether the account gets copies of the owner's custom IDs.
    pub copy_custom_ids: bool,
}

/// The result of a migration.
#[derive(Clone, Debug)]
pub struct Migrated {
    /// The customer.
    pub customer: CustomerDetails,
    /// What was done, or would be.
    pub plan: MigrationPlan,
    /// Whether the plan's account is stored; not under `validate_only`.
    pub stored: bool,
    /// What blocks it, under `validate_only`.
    pub blockers: Vec<Blocked>,
}

/// One migration, with what its tries share.
struct Attempt<'a> {
    caller: &'a Caller,
    id: CustomerId,
    reseller: &'a Reseller,
    options: &'a Options,
    etag: Option<Revisions>,
}

impl Customers {
    /// Migrates a customer to a reseller account. Safe to repeat.
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
        let attempt = &Attempt { caller, id, reseller, options, etag: self.etag(caller, id, options)? };
        let run = |mut lease: Lease| async move {
            lease
                .transaction(end(options), async |conn| Box::pin(self.migrate_locked(conn, attempt)).await)
                .await
                .map_err(conflict_is_lost_race)
        };
        let replay = async |answer| self.replay_migrated(caller, self.get_record(caller, id).await?, answer);
        // The first admin may have called before, as a member of no account.
        let stale = reseller.admin.clone().map(|admin| match admin == caller.author().principal {
            true => Stale::Memberships(caller.scope().tenant(), admin),
            false => Stale::WaitingMemberships(caller.scope().tenant(), admin),
        });
        let outcome = self.mutations.run(Call::new(caller, options).making_stale(stale), run, replay).await?;
        if outcome.changed && !options.validate_only {
            self.inviting.wake();
        }
        Ok(outcome)
    }

    async fn migrate_locked(&self, conn: &mut PgConnection, attempt: &Attempt<'_>) -> Result<Outcome<Migrated>> {
        let Attempt { caller, id, reseller, options, .. } = *attempt;
        let scope = caller.scope();
        let rule = store::customers::ownership::hold_name_rule(conn, scope).await?;
        if reseller.admin.is_none() {
            // For the limits on invitations.
            store::access::members::lock_tenant(conn, scope.tenant()).await?;
        }
        store::customers::lock(conn, scope, id).await?;
        let loaded =
            store::customers::load(conn, caller, id, options.request.as_ref(), (&References::default(), None)).await?;
        let before = &loaded.seen.customer;
        before.must_be_ours(caller)?;
        if let (Some(stored), Some(request)) = (loaded.stored.clone(), options.request.as_ref()) {
            let migrated = self.replay_migrated(caller, loaded.seen, stored.answer(request)?)?;
            return Ok(Outcome::replayed(migrated));
        }
        before.must_be_known()?;
        let owner = store::accounts::get(conn, scope, before.owner).await?;
        let decision = before.may_migrate();
        if decision == Ok(false) {
            let plan = MigrationPlan { account: Some(owner), ..MigrationPlan::default() };
            let customer = self.mutated_details(caller, options, loaded.seen)?;
            return Ok(Outcome::unchanged(Migrated { customer, plan, stored: true, blockers: Vec::new() }));
        }
        self.check_etag(conn, (caller, id), attempt.etag, &loaded.seen).await?;
        let at = clock::now();
        let link = store::customers::ownership::link(conn, scope, id, owner.id).await?;
        let (mut plan, copies) = plan(before, &owner, &link, reseller, at);
        // The new account begins with the list that applies to the owner.
        let plans = Plans::read(conn, caller, owner.id, &[id]).await?;
        let settled = plan.account.as_ref().map(|account| plans.settle(before, in_account(before, account, at)));
        let settled = settled.transpose();
        if let Ok(Some(settled)) = &settled {
            plan.take(settled.before.rate_plan, settled.after.rate_plan);
        }
        let mut blockers = Blockers::default();
        blockers.add(id, None, decision.err().into_iter().flatten());
        blockers.add(id, None, plan.admin.is_none().then_some(Blocker::NoAdminEmail));
        blockers.add(id, None, settled.as_ref().err().copied());
        if let Some(blockers) = blockers.report(options)? {
            let customer = self.mutated_details(caller, options, loaded.seen)?;
            return Ok(Outcome::unchanged(Migrated { customer, plan, stored: false, blockers }));
        }
        let (Some(account), Ok(Some(settled))) = (&plan.account, settled) else {
            return Err(Error::internal("a migration without an account"));
        };
        let write = write(caller, at, options);
        self.create_account(conn, caller, (account, before), plan.admin.as_ref(), write).await?;
        if let Some(copies) = &copies {
            let tag_events = copies.tags.iter().map(|_| EventId::from_uuid(clock::new_id())).collect();
            let events = ([clock::new_id(), clock::new_id()].map(EventId::from_uuid), tag_events);
            store::customers::ownership::copy_link(conn, scope, before, (owner.id, account.id), copies, events, write)
                .await?;
        }
        let moves = [moved(caller, settled, at)];
        let answer = Answer::Migrated { customer: moves[0].after.clone(), link: loaded.seen.link, plan: plan.clone() };
        let event_type = EventType::Migrated;
        store::customers::ownership::save(conn, caller, rule, &moves, event_type, (&answer, Some(id)), write).await?;
        let customer = self.details_in_transaction(conn, caller, id, options).await?;
        Ok(Outcome::changed(Migrated { customer, plan, stored: !options.validate_only, blockers: Vec::new() }))
    }

    /// Creates the account, and makes or invites its first admin, in the language of the customer.
    async fn create_account(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        (account, customer): (&Account, &Customer),
        admin: Option<&FirstAdmin>,
        write: Write<'_>,
    ) -> Result<()> {
        let member = match admin {
            Some(FirstAdmin::Principal(principal)) => {
                Some(first_admin(account.id, principal.clone(), Some(write.author), write.at))
            }
            _ => None,
        };
        let creation = Write { event: new_event(), ..write };
        let member = member.as_ref().map(|member| (member, new_event()));
        store::accounts::create(conn, caller.scope(), account, member, None, creation).await?;
        if let Some(FirstAdmin::Invited(email)) = admin {
            let language = customer.fields.profile.language.clone();
            let invitation =
                self.inviting.invitation(caller, account.id, email.clone(), Role::Admin, language, write.at);
            let invited = Write { event: new_event(), ..write };
            self.inviting.store(conn, caller, &invitation, None, invited).await?;
        }
        Ok(())
    }

    /// The migration of a stored answer, for a caller that may see the customer today.
    fn replay_migrated(&self, caller: &Caller, now: CustomerRecord, answer: Answer) -> Result<Migrated> {
        let Answer::Migrated { customer, link, plan } = answer else {
            return Err(Error::internal("the stored answer is not of a migration"));
        };
        let customer = self.details(caller, CustomerRecord { customer, link, ..now })?;
        Ok(Migrated { customer, plan, stored: true, blockers: Vec::new() })
    }
}

/// The plan of a migration, and the link that the new account gets, if it gets one.
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
        references: customer.fields.references.clone(),
        ..MigrationPlan::default()
    };
    let empty = copies.custom_ids.is_empty() && copies.tags.is_empty();
    (plan, (!empty).then_some(copies))
}

/// The customer in the account that is made of it.
fn in_account(before: &Customer, account: &Account, at: Timestamp) -> Customer {
    let mut after = before.clone();
    let references = after.go_to(account);
    after.migration = Some(Migration {
        account: account.id,
        from: before.owner,
        at,
        references,
        reverted_at: None,
        unknown: UnknownFields::default(),
    });
    after
}
