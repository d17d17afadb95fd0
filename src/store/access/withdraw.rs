//! Withdrawing the invitations of an account whose migration is reverted.

use sqlx::PgConnection;

use super::invitations::of_invitation;
use crate::{
    domain::{
        access::caller::Scope,
        values::ids::{AccountId, EventId, InvitationId},
    },
    error::Result,
    store::{mutation::mutation, write::Write},
    telemetry::Statement as _,
};

/// Locks the invitations of an account that nobody has accepted.
pub async fn lock_open(conn: &mut PgConnection, scope: &Scope, account: AccountId) -> Result<Vec<InvitationId>> {
    let ids = sqlx::query_scalar!(
        "select id from invitations
         where tenant_id = $1 and account_id = $2 and state in ('PENDING', 'SENT', 'FAILED')
         order by id
         for update",
        scope.tenant().get(),
        account.get(),
    )
    .fetch_all(conn)
    .named("invitations.lock_open")
    .await?;
    Ok(ids.into_iter().map(InvitationId::from_uuid).collect())
}

/// Revokes locked invitations of an account, with an event each, of these ids.
pub async fn withdraw(
    conn: &mut PgConnection,
    scope: &Scope,
    account: AccountId,
    invitations: &[(InvitationId, EventId)],
    write: Write<'_>,
) -> Result<()> {
    let events: Vec<_> = invitations
        .iter()
        .map(|(invitation, event)| {
            of_invitation("INVITATION_REVOKED", (account, *invitation), Write { event: *event, ..write })
        })
        .collect();
    mutation!(
        write.recorded(scope.tenant(), &events, NONE),
        "with written as (
            update invitations i set state = 'REVOKED', ended_at = $9
            where i.tenant_id = $1 and i.account_id = $12 and i.id = any($13)
            returning i.id
        )" RECORDED,
        account.get(),
        &invitations.iter().map(|(invitation, _)| invitation.get()).collect::<Vec<_>>(),
    )
    .fetch_one(conn)
    .named("invitations.withdraw")
    .await?;
    Ok(())
}

/// No stored answer: that of the call is its own write.
const NONE: &[()] = &[];
