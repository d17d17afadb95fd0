//! Invitations: an email address becomes a member of the acting account when a principal proves it.

use chrono::TimeDelta;
use sqlx::PgConnection;

use super::Access;
use crate::{
    domain::{
        access::{
            caller::Caller,
            invitation::{Invitation, InvitationChange, InvitationState},
        },
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::{email::Email, enums::Role, ids::InvitationId, language::Language},
    },
    error::{Error, Result},
    service::{
        call, clock,
        mutation::{Call, end, find_stored, replay_as_stored, to_stored, write},
        page::{self, Page},
        pool::Lease,
        seal::PageContext,
    },
    store,
};

/// Who is invited to the acting account.
#[derive(Clone, Debug)]
pub struct Invitee {
    /// The address.
    pub email: Email,
    /// What the member may do.
    pub role: Role,
    /// The language of the mail.
    pub language: Option<Language>,
}

impl Access {
    /// Invites an email address to the acting account.
    ///
    /// # Errors
    /// See the contract's InviteMember.
    pub async fn invite_member(&self, caller: &Caller, invitee: Invitee, options: &Options) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let Invitee { email, role, language } = invitee;
        let account = caller.scope().root();
        let invitation = &self.inviting.invitation(caller, account, email, role, language, clock::now());
        let attempt = |mut lease: Lease| async move {
            lease
                .transaction(end(options), async |conn| {
                    store::access::members::lock_tenant(conn, caller.scope().tenant()).await?;
                    if let Some(answer) = find_stored(conn, caller, options).await? {
                        return Ok(Outcome::replayed(answer));
                    }
                    self.must_still_be_admin(conn, caller).await?;
                    let answer = Answer::Invitation { invitation: invitation.clone() };
                    let (stored, write) = (to_stored(&answer, options)?, write(caller, invitation.created_at, options));
                    self.inviting.store(conn, caller, invitation, stored, write).await?;
                    Ok(Outcome::changed(answer))
                })
                .await
        };
        self.run_and_wake(caller, options, attempt).await
    }

    /// Sends the mail of an invitation again, and renews its time.
    ///
    /// # Errors
    /// See the contract's ResendInvitation.
    pub async fn resend_invitation(
        &self,
        caller: &Caller,
        id: InvitationId,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let attempt = |mut lease: Lease| async move {
            lease.transaction(end(options), async |conn| self.resend_locked(conn, caller, id, options).await).await
        };
        self.run_and_wake(caller, options, attempt).await
    }

    async fn resend_locked(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        id: InvitationId,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        store::access::members::lock_tenant(conn, caller.scope().tenant()).await?;
        let mut invitation = store::access::invitations::lock(conn, caller.scope(), id).await?;
        if let Some(answer) = find_stored(conn, caller, options).await? {
            return Ok(Outcome::replayed(answer));
        }
        self.must_still_be_admin(conn, caller).await?;
        let at = clock::now();
        let another = invitation.resend(at, self.inviting.lifetime)?;
        let target = (invitation.account, &invitation.email, Some(id));
        let since = at - TimeDelta::days(1);
        let (counts, same) = store::access::invitation_counts::count(conn, caller.scope(), target, at, since).await?;
        if let Some(by) = same {
            return Err(Error::InvitationExists { by });
        }
        counts.admit()?;
        let answer = Answer::Invitation { invitation: invitation.clone() };
        let (stored, write) = (to_stored(&answer, options)?, write(caller, at, options));
        let lease = self.inviting.lease;
        let resent = (&invitation, another);
        store::access::invitations::resend(conn, caller.scope(), resent, lease, stored, write).await?;
        Ok(Outcome::changed(answer))
    }

    /// Withdraws an invitation. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's RevokeInvitation.
    pub async fn revoke_invitation(
        &self,
        caller: &Caller,
        id: InvitationId,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let attempt = |mut lease: Lease| async move {
            lease.transaction(end(options), async |conn| revoke_locked(conn, caller, id, options).await).await
        };
        self.mutations.run(Call::new(caller, options), attempt, replay_as_stored).await
    }

    /// Runs a mutation that queues a mail, and wakes the sender.
    async fn run_and_wake<A>(
        &self,
        caller: &Caller,
        options: &Options,
        attempt: impl Fn(Lease) -> A,
    ) -> Result<Outcome<Answer>>
    where
        A: Future<Output = Result<Outcome<Answer>>>,
    {
        let outcome = self.mutations.run(Call::new(caller, options), attempt, replay_as_stored).await?;
        if outcome.changed && !options.validate_only {
            self.inviting.wake();
        }
        Ok(outcome)
    }

    /// Lists the invitations to the acting account, the newest first, each with its state now: all, or those in one of these
    /// states.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list_invitations(
        &self,
        caller: &Caller,
        states: &[InvitationState],
        size: usize,
        token: &str,
    ) -> Result<Page<(Invitation, InvitationState)>> {
        let before: Option<InvitationId> = self.sealer.open_page(&page_context(caller, states), token)?;
        let (limit, now) = (page::limit(size), clock::now());
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| {
                let wanted = (states, now);
                store::access::invitations::list(conn, caller.scope(), wanted, before, limit, call::hold).await
            })
            .await?;
        let page = Page::of(found, size);
        let with_state = |invitation: Invitation| {
            let state = invitation.state_at(now);
            (invitation, state)
        };
        Ok(Page { items: page.items.into_iter().map(with_state).collect(), more: page.more })
    }

    /// The token of the page after this invitation.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn invitations_token(&self, caller: &Caller, states: &[InvitationState], last: &Invitation) -> Result<String> {
        self.sealer.page_token(&page_context(caller, states), &last.id)
    }
}

async fn revoke_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    id: InvitationId,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let mut invitation = store::access::invitations::lock(conn, caller.scope(), id).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    let at = clock::now();
    let change = invitation.revoke(at)?;
    let answer = Answer::Invitation { invitation: invitation.clone() };
    if change == InvitationChange::AlreadyMade {
        return Ok(Outcome::unchanged(answer));
    }
    let (stored, write) = (to_stored(&answer, options)?, write(caller, at, options));
    store::access::invitations::revoke(conn, caller.scope(), &invitation, stored, write).await?;
    Ok(Outcome::changed(answer))
}

fn page_context<'a>(caller: &Caller, states: &'a [InvitationState]) -> PageContext<'a, [InvitationState]> {
    PageContext::new("ListInvitations", caller, states)
}
