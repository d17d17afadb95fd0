//! Members of accounts.

use std::sync::{Mutex, PoisonError};

use sqlx::PgConnection;

use super::{Access, cache::Stale};
use crate::{
    domain::{
        access::{
            caller::Caller,
            member::{Member, WantedMembers},
        },
        refusal::Refusal,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
            principal::Principal,
        },
        values::{
            enums::Role,
            ids::{MemberId, TenantId},
        },
    },
    error::{Error, Result},
    service::{
        call, clock,
        mutation::{Call, end, find_stored, replay_as_stored, to_stored, write},
        page::{self, Page},
        pool::Lease,
        seal::PageContext,
    },
    store::{self, access::member_list::After},
};

impl Access {
    /// Makes a principal a member of the acting account. It waits for that one's consent, unless it is the caller.
    ///
    /// # Errors
    /// `MemberExists`, `Narrowed`.
    pub async fn add_member(
        &self,
        caller: &Caller,
        principal: Principal,
        role: Role,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let at = clock::now();
        let (id, account) = (MemberId::from_uuid(clock::new_id()), caller.scope().root());
        let waiting = principal != caller.author().principal;
        let member = Member { id, account, principal, role, created_at: at, waiting };
        let stale = Stale::of_member(caller.scope().tenant(), &member);
        let write = write(caller, at, options);
        let answer = Answer::Member { member: member.clone() };
        let (member, answer, stored) = (&member, &answer, &to_stored(&answer, options)?);
        let attempt = |mut lease: Lease| async move {
            lease
                .transaction(end(options), async |conn| {
                    store::access::members::lock_tenant(conn, caller.scope().tenant()).await?;
                    self.must_still_be_admin(conn, caller).await?;
                    store::access::members::add(conn, caller.scope(), member, stored.clone(), write).await
                })
                .await?;
            Ok(Outcome::changed(answer.clone()))
        };
        let call = Call::new(caller, options).making_stale(Some(stale));
        let done = self.mutations.run(call, attempt, replay_as_stored).await;
        match done {
            Err(failure) if failure.broken_key() == Some("members_principal_key") => {}
            done => return done,
        }
        let by = async {
            let mut lease = self.pool.lease().await?;
            lease.run(async |conn| store::access::members::find(conn, caller.scope(), &member.principal).await).await
        };
        Err(Error::MemberExists { by: by.await.unwrap_or_default() })
    }

    /// Gives a member of the acting account another role, or none: then it is removed. Safe to repeat.
    ///
    /// # Errors
    /// `MemberNotFound`, `Narrowed`, `LastAdmin`, `ValueOfNewerRelease`.
    pub async fn set_role(
        &self,
        caller: &Caller,
        member: MemberId,
        role: Option<Role>,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let stale = &Mutex::default();
        let run = |mut lease: Lease| async move {
            let change = Change { caller, member, role, options, stale };
            lease.transaction(end(options), async |conn| self.set_role_locked(conn, change).await).await
        };
        self.mutations.run(Call::new(caller, options).finding_stale(stale), run, replay_as_stored).await
    }

    /// Lists the members of the acting account, and on request those of the accounts above it, nearest first, all or those of
    /// an issuer or subject. Each member comes with the position of its account in the path.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list_members(
        &self,
        caller: &Caller,
        wanted: &WantedMembers,
        size: usize,
        token: &str,
    ) -> Result<Page<(i32, Member)>> {
        let after: Option<After> = self.sealer.open_page(&page_context(caller, wanted), token)?;
        let limit = page::limit(size);
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| {
                store::access::member_list::list(conn, caller.scope(), wanted, after.as_ref(), limit, call::hold).await
            })
            .await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this member.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn members_token(
        &self,
        caller: &Caller,
        wanted: &WantedMembers,
        (step, last): &(i32, Member),
    ) -> Result<String> {
        let principal = &last.principal;
        let after =
            After { step: *step, issuer: principal.issuer().to_owned(), subject: principal.subject().to_owned() };
        self.sealer.page_token(&page_context(caller, wanted), &after)
    }
}

/// A new role of a member, or its removal.
struct Change<'a> {
    caller: &'a Caller,
    member: MemberId,
    role: Option<Role>,
    options: &'a Options,
    stale: &'a Mutex<Option<Stale>>,
}

impl Access {
    async fn set_role_locked(&self, conn: &mut PgConnection, change: Change<'_>) -> Result<Outcome<Answer>> {
        let Change { caller, member: id, role, options, stale } = change;
        let scope = caller.scope();
        store::access::members::lock_tenant(conn, scope.tenant()).await?;
        let locked = match store::access::members::lock(conn, scope, id).await {
            // Not refused yet: the first call of this request may have removed it.
            Err(Error::MemberNotFound) => None,
            locked => Some(locked?),
        };
        if let Some(answer) = find_stored(conn, caller, options).await? {
            return Ok(Outcome::replayed(answer));
        }
        self.must_still_be_admin(conn, caller).await?;
        let before = locked.ok_or(Error::MemberNotFound)?;
        before.must_be_known()?;
        let after = role.map(|role| Member { role, ..before.clone() });
        let answer = Answer::Member { member: after.as_ref().unwrap_or(&before).clone() };
        if after.as_ref() == Some(&before) {
            return Ok(Outcome::unchanged(answer));
        }
        must_leave_a_leader(conn, scope.tenant(), &before, after.as_ref()).await?;
        *stale.lock().unwrap_or_else(PoisonError::into_inner) = Some(Stale::of_member(scope.tenant(), &before));
        let (stored, write) = (to_stored(&answer, options)?, write(caller, clock::now(), options));
        match &after {
            Some(after) => store::access::members::set_role(conn, scope, &before, after, stored, write).await?,
            None => {
                store::access::members::remove(conn, scope.tenant(), &before, "MEMBER_REMOVED", stored, write).await?;
            }
        }
        Ok(Outcome::changed(answer))
    }

    /// Refuses a caller whose rights are from before the last change of members: what this server knows of it may be two seconds
    /// old, and who was removed or got a lower role must not give itself another one in that time. In a transaction that has locked
    /// the tenant.
    ///
    /// # Errors
    /// `RoleTooLow`.
    pub(super) async fn must_still_be_admin(&self, conn: &mut PgConnection, caller: &Caller) -> Result<()> {
        let principal = &caller.author().principal;
        if self.service_role(principal).is_some() {
            return Ok(());
        }
        let is_admin = store::access::members::is_admin(conn, caller.scope(), principal).await?;
        if is_admin { Ok(()) } else { Err(Error::RoleTooLow(Role::Admin)) }
    }
}

/// Refuses a change that leaves a tenant's provider without an accepted ADMIN; or where none has accepted yet, without any that
/// could. Others that take one away wait until this transaction ends.
///
/// # Errors
/// `LastAdmin`.
pub(super) async fn must_leave_a_leader(
    conn: &mut PgConnection,
    tenant: TenantId,
    before: &Member,
    after: Option<&Member>,
) -> Result<()> {
    let stays = !before.may_lead(tenant) || after.is_some_and(|after| after.may_lead(tenant));
    if stays || store::access::members::has_other_leader(conn, tenant, before).await? {
        return Ok(());
    }
    Err(Refusal::LastAdmin.into())
}

fn page_context<'a>(caller: &Caller, wanted: &'a WantedMembers) -> PageContext<'a, WantedMembers> {
    PageContext::new("ListMembers", caller, wanted)
}
