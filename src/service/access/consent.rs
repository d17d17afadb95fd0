//! A principal's own memberships: it lists, accepts and declines them. It acts in no account, so each is looked for in the
//! tenants that named it; and its answer is stored in the membership's tenant.

use std::sync::{Mutex, PoisonError};

use sqlx::PgConnection;

use super::{Access, cache::Stale, members::must_leave_a_leader};
use crate::{
    domain::{
        access::{caller::Authenticated, membership::Membership},
        requests::{
            answer::Answer,
            options::{Options, Outcome},
            principal::Principal,
        },
        values::ids::{MemberId, TenantId},
    },
    error::{Error, Result},
    service::{
        call, clock,
        mutation::{Call, end, find_stored_by, replay_as_stored, to_stored, write_by},
        page::{self, Page},
        pool::Lease,
        seal::PageContext,
    },
    store::{self, access::memberships::After},
};

/// What a principal does with its membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// It agrees.
    Accept,
    /// It ends the membership.
    Decline,
}

/// One call.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    caller: &'a Authenticated,
    tenant: TenantId,
    member: MemberId,
    consent: Consent,
    options: &'a Options,
    stale: &'a Mutex<Option<Stale>>,
}

impl Access {
    /// Lists the caller's memberships: those that it has accepted, then those that wait.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn memberships(&self, caller: &Authenticated, size: usize, token: &str) -> Result<Page<Membership>> {
        let query = query(caller);
        let after: Option<After> = self.sealer.open_page(&page_context(&query), token)?;
        let (principal, after, limit) = (&caller.author.principal, after.unwrap_or_default(), page::limit(size));
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| {
                store::access::memberships::list(conn, principal, caller.tenant, after, limit, call::hold).await
            })
            .await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this membership.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn memberships_token(&self, caller: &Authenticated, last: &Membership) -> Result<String> {
        let after = After { waiting: last.waiting, tenant: last.tenant.get(), account: last.account.get() };
        self.sealer.page_token(&page_context(&query(caller)), &after)
    }

    /// Accepts or declines one of the caller's own memberships. Safe to repeat.
    ///
    /// # Errors
    /// `MembershipNotFound`, `TenantSuspended`, `Narrowed`, `LastAdmin`, `ValueOfNewerRelease`.
    pub async fn decide(
        &self,
        caller: &Authenticated,
        member: MemberId,
        consent: Consent,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let (author, request) = (&caller.author, options.request.as_ref());
        let tenant = {
            let mut lease = self.pool.lease().await?;
            lease
                .run(async |conn| {
                    store::access::consent::find_tenant(conn, author, caller.tenant, member, request).await
                })
                .await?
        };
        let tenant = tenant.ok_or(Error::MembershipNotFound)?;
        let stale = Mutex::default();
        let attempt = Attempt { caller, tenant, member, consent, options, stale: &stale };
        let run = |mut lease: Lease| async move {
            lease.transaction(end(options), async |conn| decide_locked(conn, attempt).await).await
        };
        let call = Call::by(author, tenant, options).finding_stale(&stale);
        self.mutations.run(call, run, replay_as_stored).await
    }
}

async fn decide_locked(conn: &mut PgConnection, attempt: Attempt<'_>) -> Result<Outcome<Answer>> {
    let Attempt { caller, tenant, member: id, consent, options, stale } = attempt;
    let author = &caller.author;
    store::access::consent::lock_tenant(conn, tenant).await?;
    let locked = match store::access::consent::lock(conn, tenant, &author.principal, id).await {
        // Not refused yet: the first call of this request may have ended it.
        Err(Error::MembershipNotFound) => None,
        locked => Some(locked?),
    };
    let stored = find_stored_by(conn, author, tenant, options).await?;
    // A repeat is authorised afresh: of one that was accepted and is gone nothing is told.
    if let Some(answer) = stored.filter(|_| consent == Consent::Decline || locked.is_some()) {
        return Ok(Outcome::replayed(answer));
    }
    let (before, account_name) = locked.ok_or(Error::MembershipNotFound)?;
    before.must_be_known()?;
    let answer = |member| Answer::Membership { membership: Membership::of(tenant, account_name, member) };
    if consent == Consent::Accept && !before.waiting {
        return Ok(Outcome::unchanged(answer(&before)));
    }
    *stale.lock().unwrap_or_else(PoisonError::into_inner) = Some(match consent {
        Consent::Accept => Stale::Memberships(tenant, author.principal.clone()),
        Consent::Decline => Stale::of_member(tenant, &before),
    });
    let write = write_by(author, Some(before.account), clock::now(), options);
    match consent {
        Consent::Accept => {
            let mut after = before.clone();
            after.waiting = false;
            let answer = answer(&after);
            let stored = to_stored(&answer, options)?;
            store::access::consent::accept(conn, tenant, &before, &after, stored, write).await?;
            Ok(Outcome::changed(answer))
        }
        Consent::Decline => {
            must_leave_a_leader(conn, tenant, &before, None).await?;
            let answer = answer(&before);
            let stored = to_stored(&answer, options)?;
            store::access::members::remove(conn, tenant, &before, "MEMBER_DECLINED", stored, write).await?;
            Ok(Outcome::changed(answer))
        }
    }
}

/// What selects the memberships that a caller lists.
fn query(caller: &Authenticated) -> (&Principal, Option<TenantId>) {
    (&caller.author.principal, caller.tenant)
}

fn page_context<'a>(
    query: &'a (&'a Principal, Option<TenantId>),
) -> PageContext<'a, (&'a Principal, Option<TenantId>)> {
    PageContext::without_account("WhoAmI", query)
}
