//! The link in a mail, and the token in it.

use super::Mailer;
use crate::{
    domain::values::{
        ids::{InvitationId, TenantId},
        timestamp::Timestamp,
    },
    error::{Error, Result},
    service::access::invitation_token::InvitationToken,
    store::{self, access::outbox::QueuedMail},
};

/// What the link of a mail has.
pub(super) struct Ticket {
    /// The token.
    pub(super) token: InvitationToken,
    /// What its secret was derived from beside the ids.
    pub(super) generation: i32,
    /// Until when it can be used.
    pub(super) expires_at: Timestamp,
}

/// The link of an invitation, and the token in it.
#[derive(Clone)]
pub struct Link {
    /// The link.
    pub url: String,
    /// The token.
    pub token: String,
}

impl Mailer {
    /// The token of the mail's link, with its end: the stored one. A row of an older release has none, and gets one; so does
    /// one whose token was derived from a key that is no longer configured. None: another replica has taken the mail.
    pub(super) async fn ticket(&self, mail: &QueuedMail, now: Timestamp) -> Result<Option<Ticket>> {
        let expires_at = mail.expires_at.unwrap_or(now + self.inviting.lifetime);
        let (tenant, id) = (mail.tenant, mail.invitation);
        if let Some(token) = self.stored_token(tenant, id, mail.generation, mail.token_hash.as_deref())
            && mail.expires_at.is_some()
        {
            return Ok(Some(Ticket { token, generation: mail.generation, expires_at }));
        }
        let generation = mail.generation + i32::from(mail.token_hash.is_some());
        let token = InvitationToken::derive(&self.inviting.sealer, tenant, id, generation).next();
        let token = token.ok_or_else(|| Error::internal("no sealing key"))?;
        let stored = token.stored(generation);
        let mut lease = self.pool.lease().await?;
        let ours =
            lease.run(async |conn| store::access::outbox::set_token(conn, mail, stored, expires_at).await).await?;
        Ok(ours.then_some(Ticket { token, generation, expires_at }))
    }

    fn stored_token(
        &self,
        tenant: TenantId,
        id: InvitationId,
        generation: i32,
        hash: Option<&[u8]>,
    ) -> Option<InvitationToken> {
        let hash = hash?;
        InvitationToken::derive(&self.inviting.sealer, tenant, id, generation).find(|token| token.hash() == hash)
    }

    /// The link of an invitation that can be accepted: for `dev`, which prints it.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn link(&self, tenant: TenantId, id: InvitationId) -> Result<Option<Link>> {
        let mut lease = self.pool.lease().await?;
        let found = lease.run(async |conn| store::access::outbox::find_token(conn, tenant, id).await).await?;
        let token = found.and_then(|(generation, hash)| self.stored_token(tenant, id, generation, hash.as_deref()));
        Ok(token.map(|token| Link { url: self.mail.link(&token.text()), token: token.text() }))
    }
}
