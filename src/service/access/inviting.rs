//! What all use cases that invite share: InviteMember, CreateAccount and MigrateCustomerToReseller.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;
use sqlx::PgConnection;
use tokio::sync::Notify;

use super::invitation_token::{FIRST_GENERATION, InvitationToken};
use crate::{
    config,
    domain::{
        access::{
            caller::Caller,
            invitation::{Invitation, InvitationState},
        },
        values::{
            email::Email,
            enums::Role,
            ids::{AccountId, InvitationId},
            language::Language,
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    service::{clock, seal::Sealer},
    store::{self, Write, access::invitations::TokenHash},
};

/// Invites. Clones share the wake-up of the sender.
#[derive(Clone)]
pub(in crate::service) struct Inviting {
    pub(in crate::service) sealer: Arc<Sealer>,
    pub(in crate::service) lifetime: TimeDelta,
    pub(in crate::service) lease: TimeDelta,
    queued: Arc<Notify>,
}

impl Inviting {
    pub(in crate::service) fn new(sealer: Arc<Sealer>, mail: &config::Mail) -> Self {
        let delta = |duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
        let (lifetime, lease) = (delta(mail.invitation_lifetime), delta(mail.pace.lease));
        Self { sealer, lifetime, lease, queued: Arc::default() }
    }

    /// A new invitation to an account.
    pub(in crate::service) fn invitation(
        &self,
        caller: &Caller,
        account: AccountId,
        email: Email,
        role: Role,
        language: Option<Language>,
        at: Timestamp,
    ) -> Invitation {
        Invitation {
            id: InvitationId::from_uuid(clock::new_id()),
            account,
            email,
            role,
            language,
            state: InvitationState::Pending,
            created_at: at,
            created_by: caller.author().principal.clone(),
            expires_at: Some(at + self.lifetime),
            sent_at: None,
            ended_at: None,
            member: None,
        }
    }

    /// Stores an invitation and queues its mail, in the transaction at hand, which has locked the tenant: so its limits hold.
    ///
    /// # Errors
    /// `InvitationExists`, `LimitReached`, or a broken unique key: the request is a repeat.
    pub(in crate::service) async fn store(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        invitation: &Invitation,
        answer: Option<Value>,
        write: Write<'_>,
    ) -> Result<()> {
        let target = (invitation.account, &invitation.email, None);
        let since = write.at - TimeDelta::days(1);
        let (counts, same) =
            store::access::invitation_counts::count(conn, caller.scope(), target, write.at, since).await?;
        if let Some(by) = same {
            return Err(Error::InvitationExists { by });
        }
        counts.admit()?;
        let token = self.first_token(caller, invitation.id)?;
        store::access::invitations::create(conn, caller.scope(), invitation, token, answer, write).await
    }

    fn first_token(&self, caller: &Caller, id: InvitationId) -> Result<TokenHash> {
        let token = InvitationToken::derive(&self.sealer, caller.scope().tenant(), id, FIRST_GENERATION).next();
        Ok(token.ok_or_else(|| Error::internal("no sealing key"))?.stored(FIRST_GENERATION))
    }

    /// Wakes the sender of this process: a mail was queued, and is committed.
    pub(in crate::service) fn wake(&self) {
        self.queued.notify_one();
    }

    /// Waits until a mail is queued by this process.
    pub(in crate::service) async fn queued(&self) {
        self.queued.notified().await;
    }
}
