//! Accepting an invitation. The caller may be a member of nothing: the token names the tenant, and the answer is stored there.

use sqlx::PgConnection;

use super::{Access, cache::Stale, invitation_token::InvitationToken};
use crate::{
    domain::{
        access::{caller::Authenticated, member::Member, membership::Membership},
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::{
            ids::{EventId, MemberId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{Call, end, find_stored_by, replay_as_stored, to_stored, write_by},
        pool::Lease,
    },
    store::{self, access::accept::Opened},
};

impl Access {
    /// Accepts an invitation for the caller. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's AcceptInvitation.
    pub async fn accept_invitation(
        &self,
        caller: &Authenticated,
        token: &str,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let principal = &caller.author.principal;
        self.guesses.count(principal).await?;
        let token = &InvitationToken::parse(token).ok_or(Error::InvitationNotFound)?;
        let attempt = |mut lease: Lease| async move {
            let done = lease
                .transaction(end(options), async |conn| self.accept_locked(conn, caller, token, options).await)
                .await;
            done.map_err(|failure| match failure.broken_key() {
                // The principal became a member of the account meanwhile: the next try finds it.
                Some("members_principal_key") => Error::LostRace,
                _ => failure,
            })
        };
        let stale = Stale::Memberships(token.tenant, principal.clone());
        let call = Call::by(&caller.author, token.tenant, options).making_stale(Some(stale));
        self.mutations.run(call, attempt, replay_as_stored).await
    }

    async fn accept_locked(
        &self,
        conn: &mut PgConnection,
        caller: &Authenticated,
        token: &InvitationToken,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        let (author, tenant, hash) = (&caller.author, token.tenant, token.hash());
        let principal = &author.principal;
        let opened = store::access::accept::open(conn, tenant, token.invitation, &hash, principal).await?;
        let invitation = &opened.invitation;
        invitation.must_be_for(caller.email.as_ref(), self.emailless.contains(principal.issuer()))?;
        // A repeat is authorised afresh: who was removed since then is told what holds now.
        let stored = find_stored_by(conn, author, tenant, options).await?;
        if let Some(answer) = stored.filter(|_| opened.member.is_some()) {
            return Ok(Outcome::replayed(answer));
        }
        let answer = |member: &Member| Answer::Membership {
            membership: Membership::of(tenant, opened.account_name.clone(), member),
        };
        if let Some(member) = opened.member.as_ref().filter(|_| opened.accepted_by.as_ref() == Some(principal)) {
            return Ok(Outcome::unchanged(answer(member)));
        }
        let at = clock::now();
        invitation.must_be_open(at)?;
        let member = member(caller, &opened, at)?;
        let answer = answer(&member);
        let (stored, write) = (to_stored(&answer, options)?, write_by(author, Some(invitation.account), at, options));
        let events = [clock::new_id(), clock::new_id()].map(EventId::from_uuid);
        store::access::accept::accept(conn, tenant, &opened, &member, stored, (write, events)).await?;
        Ok(Outcome::changed(answer))
    }
}

/// The member that the caller becomes: one that it is already keeps the higher role.
fn member(caller: &Authenticated, opened: &Opened, at: Timestamp) -> Result<Member> {
    let invitation = &opened.invitation;
    if let Some(member) = &opened.member {
        member.must_be_known()?;
        return Ok(Member { role: member.role.max(invitation.role), waiting: false, ..member.clone() });
    }
    Ok(Member {
        id: MemberId::from_uuid(clock::new_id()),
        account: invitation.account,
        principal: caller.author.principal.clone(),
        role: invitation.role,
        created_at: at,
        waiting: false,
    })
}
