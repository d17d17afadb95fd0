//! Creates an account whose first admin is invited by email.

use super::{Accounts, new_event};
use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::Account,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::{email::Email, enums::Role, language::Language, timestamp::Timestamp},
    },
    error::Result,
    service::{
        mutation::{Call, end, find_stored, replay_as_stored, to_stored, write},
        pool::Lease,
    },
    store::{self, Write},
};

impl Accounts {
    /// Creates the account, and the invitation of its first admin to this address, in one transaction: the limits
    /// on invitations hold.
    pub(super) async fn create_and_invite(
        &self,
        caller: &Caller,
        (account, email, language): (Account, Email, Option<Language>),
        at: Timestamp,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        let invitation = self.inviting.invitation(caller, account.id, email, Role::Admin, language, at);
        let answer = Answer::Account { account, admin: None, invitation: Some(invitation) };
        let (answer, stored) = (&answer, &to_stored(&answer, options)?);
        let attempt = |mut lease: Lease| async move {
            lease
                .transaction(end(options), async |conn| {
                    store::access::members::lock_tenant(conn, caller.scope().tenant()).await?;
                    if let Some(answer) = find_stored(conn, caller, options).await? {
                        return Ok(Outcome::replayed(answer));
                    }
                    if let Answer::Account { account, invitation: Some(invitation), .. } = answer {
                        let write = write(caller, at, options);
                        store::accounts::create(conn, caller.scope(), account, None, stored.clone(), write).await?;
                        let write = Write { event: new_event(), ..write };
                        self.inviting.store(conn, caller, invitation, None, write).await?;
                    }
                    Ok(Outcome::changed(answer.clone()))
                })
                .await
        };
        let outcome = self.mutations.run(Call::new(caller, options), attempt, replay_as_stored).await?;
        if outcome.changed && !options.validate_only {
            self.inviting.wake();
        }
        Ok(outcome)
    }
}
