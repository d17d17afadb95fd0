//! UpdateAccount. A change of the tenant's rule on names writes all its customers; it and a look for equal names go in
//! batches, so that no statement takes long, whatever the tenant's size.

use sqlx::PgConnection;

use super::Accounts;
use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::{Account, AccountEdit, RuleChange},
        refusal::Refusal,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::{
            enums::NameUniqueness,
            ids::{AccountId, CustomerId},
            violation::{Rule, Violations},
        },
    },
    error::{Error, Result},
    service::{
        access::cache::Stale,
        call, clock,
        mutation::{Call, end, find_stored, is_in_time, to_stored, write},
        pool::{Lease, part},
        seal::PageContext,
    },
    store::{
        self,
        accounts::name_rule::{self, Conflict, Place},
    },
};

/// Batches of customers that are looked at for one page of conflicts: 500,000 customers.
const BATCHES: usize = 100;

/// How often the customers of one statement are tried; the call's deadline usually ends it before.
const TRIES: usize = 100;

/// An account after an update.
#[derive(Clone, Debug)]
pub struct Updated {
    /// The account.
    pub account: Account,
    /// Customers with the same name where the new rule forbids it, under `validate_only`.
    pub conflicts: Vec<Conflict>,
    /// Where the next page of them begins, if there is one.
    pub next: Option<Place>,
}

impl Updated {
    fn complete(account: Account) -> Self {
        Self { account, conflicts: Vec::new(), next: None }
    }
}

/// The page of conflicts that a call asks for.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    size: usize,
    after: Option<&'a Place>,
}

impl Accounts {
    /// Changes the acting account or one below it.
    ///
    /// # Errors
    /// See the contract's UpdateAccount.
    pub async fn update_account(
        &self,
        caller: &Caller,
        id: AccountId,
        edit: &AccountEdit,
        (size, token): (usize, &str),
        options: &Options,
    ) -> Result<Outcome<Updated>> {
        caller.must_not_be_narrowed()?;
        let token = if options.validate_only { token } else { "" };
        let after: Option<Place> = self.sealer.open_page(&context(caller, &edit.name_uniqueness), token)?;
        let asked = Asked { size, after: after.as_ref() };
        let tenant = caller.scope().tenant();
        // The rule and the industries, and whatever the accounts of the tenant copy of them.
        let of_tenant = edit.name_uniqueness.is_some() || edit.industries.is_some();
        let stale = if of_tenant { Stale::Tenant(tenant) } else { Stale::Account(tenant, id) };
        let attempt = |lease| try_update(lease, caller, id, edit, asked, options);
        let replay = async |answer| replayed(answer);
        let done = self.mutations.run(Call::new(caller, options).making_stale(Some(stale)), attempt, replay).await;
        done.map_err(|failure| failure.on_key("customers_name_key", Refusal::NameConflicts.into()))
    }

    /// The token of the page of conflicts after this place.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn conflicts_token(&self, caller: &Caller, edit: &AccountEdit, last: &Place) -> Result<String> {
        self.sealer.page_token(&context(caller, &edit.name_uniqueness), last)
    }
}

async fn try_update(
    mut lease: Lease,
    caller: &Caller,
    id: AccountId,
    edit: &AccountEdit,
    asked: Asked<'_>,
    options: &Options,
) -> Result<Outcome<Updated>> {
    if let Some(rule) = edit.name_uniqueness {
        // Before any lock: a tenant with equal names waits for nothing.
        let found = lease.run(async |conn| look_first(conn, caller, id, (rule, edit), asked, options).await).await?;
        if let Some(outcome) = found {
            return Ok(outcome);
        }
    }
    lease.transaction(end(options), async |conn| update_locked(conn, caller, id, edit, options).await).await
}

/// Looks for customers with equal names if the rule becomes stricter; none if nothing is in its way.
async fn look_first(
    conn: &mut PgConnection,
    caller: &Caller,
    id: AccountId,
    (rule, edit): (NameUniqueness, &AccountEdit),
    asked: Asked<'_>,
    options: &Options,
) -> Result<Option<Outcome<Updated>>> {
    let account = store::accounts::get(conn, caller.scope(), id).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Some(Outcome::replayed(replayed(answer)?)));
    }
    must_be_provider(&account, edit)?;
    if RuleChange::between(account.name_uniqueness, rule)? != RuleChange::Stricter {
        return Ok(None);
    }
    let size = if options.validate_only { asked.size } else { 1 };
    let (conflicts, next) = find_conflicts(conn, caller, rule, Asked { size, ..asked }).await?;
    // A further page follows one with conflicts.
    let is_free = conflicts.is_empty() && next.is_none() && asked.after.is_none();
    match (is_free, options.validate_only) {
        (true, _) => Ok(None),
        (false, true) => Ok(Some(Outcome::unchanged(Updated { account, conflicts, next }))),
        // What was not looked at yet, the unique key checks.
        (false, false) if conflicts.is_empty() => Ok(None),
        (false, false) => Err(Refusal::NameConflicts.into()),
    }
}

/// A page of the customers with equal names, and where the next page begins.
async fn find_conflicts(
    conn: &mut PgConnection,
    caller: &Caller,
    rule: NameUniqueness,
    asked: Asked<'_>,
) -> Result<(Vec<Conflict>, Option<Place>)> {
    let (mut conflicts, mut after) = (Vec::new(), asked.after.cloned());
    for _ in 0..BATCHES {
        let part = name_rule::find_conflicts(conn, caller.scope(), rule, after.as_ref()).await?;
        call::note_progress();
        conflicts.extend(part.conflicts);
        if conflicts.len() > asked.size {
            conflicts.truncate(asked.size);
            let last = conflicts.last().map(|last| last.at.clone());
            return Ok((conflicts, last));
        }
        after = part.last;
        if after.is_none() {
            break;
        }
    }
    Ok((conflicts, after))
}

async fn update_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    id: AccountId,
    edit: &AccountEdit,
    options: &Options,
) -> Result<Outcome<Updated>> {
    let scope = caller.scope();
    // The tenant's row first, as creates do; only the provider's account has the rule.
    let changes_rule = edit.name_uniqueness.is_some() && id.get() == scope.tenant().get() && id == scope.root();
    if changes_rule {
        name_rule::lock(conn, scope).await?;
    }
    let before = store::accounts::lock(conn, scope, id).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(replayed(answer)?));
    }
    must_be_provider(&before, edit)?;
    let wanted = edit.name_uniqueness.unwrap_or(before.name_uniqueness);
    let change = if changes_rule { RuleChange::between(before.name_uniqueness, wanted)? } else { RuleChange::None };
    let mut after = before.edited(edit.clone());
    if after == before {
        return Ok(Outcome::unchanged(Updated::complete(before)));
    }
    after.revision += 1;
    after.tenant_revision += i64::from(change != RuleChange::None);
    // Under `validate_only` the look for equal names has said what the unique key would say.
    if change != RuleChange::None && !options.validate_only {
        let mut last = None;
        loop {
            last = apply(conn, caller, wanted, last).await?;
            if last.is_none() {
                break;
            }
        }
    }
    let answer = Answer::Account { account: after.clone(), admin: None, invitation: None };
    let stored = to_stored(&answer, options)?;
    let write = write(caller, clock::now(), options);
    store::accounts::edit::update(conn, scope, &before, &after, stored, write).await?;
    Ok(Outcome::changed(Updated::complete(after)))
}

/// Writes the next customers, so that they follow a rule. Other calls may hold one of them for longer than a lock is waited for:
/// then these customers alone are tried again, so that nothing that was written before is lost. A call that holds a customer and
/// waits for the tenant's row ends first, by its own limit.
async fn apply(
    conn: &mut PgConnection,
    caller: &Caller,
    rule: NameUniqueness,
    after: Option<CustomerId>,
) -> Result<Option<CustomerId>> {
    let mut tries = 1;
    loop {
        let done = part(conn, async |conn| name_rule::apply(conn, caller.scope(), rule, after).await).await;
        call::note_progress();
        match done {
            Err(failure)
                if (failure.is_lock_timeout() || failure.is_retriable())
                    && tries < TRIES
                    && is_in_time(caller.author()) =>
            {
                tries += 1;
            }
            done => return done,
        }
    }
}

fn replayed(answer: Answer) -> Result<Updated> {
    match answer {
        Answer::Account { account, .. } => Ok(Updated::complete(account)),
        _ => Err(Error::internal("the stored answer is not of an account")),
    }
}

/// Refuses to change in another account what the provider's has.
fn must_be_provider(account: &Account, edit: &AccountEdit) -> Result<()> {
    let rule = match (account.is_provider(), &edit.name_uniqueness, &edit.industries) {
        (false, Some(_), _) => {
            "must not name name_uniqueness: only the provider's account has the tenant's rule on names"
        }
        (false, None, Some(_)) => "must not name industries: only the provider's account has the tenant's industries",
        _ => return Ok(()),
    };
    Err(Violations::of("update_mask", Rule::new(rule)).into())
}

fn context<'a>(caller: &Caller, rule: &'a Option<NameUniqueness>) -> PageContext<'a, Option<NameUniqueness>> {
    PageContext::new("UpdateAccount", caller, rule)
}
