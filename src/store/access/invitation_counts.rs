//! How many mails were asked for: the limits on invitations depend on it.

use sqlx::PgConnection;

use crate::{
    domain::{
        access::{caller::Scope, invitation::InvitationCounts},
        values::{
            email::Email,
            ids::{AccountId, InvitationId},
            timestamp::Timestamp,
        },
    },
    error::Result,
    telemetry::Statement as _,
};

/// What was asked for since a time, of the acting account and for an address; and the open invitation of the account and
/// the address, if there is one. In a transaction that has locked the tenant: the limits of an address and of the tenant are of all
/// its accounts together.
pub async fn count(
    conn: &mut PgConnection,
    scope: &Scope,
    (account, email): (AccountId, &Email),
    now: Timestamp,
    since: Timestamp,
) -> Result<(InvitationCounts, Option<InvitationId>)> {
    let row = sqlx::query!(
        r#"
        select
            (
                select count(*) from (
                    select from invitations i
                    where i.tenant_id = $1 and i.account_id = $2 and i.state in ('PENDING', 'SENT')
                      and coalesce(i.expires_at > $5, true)
                    limit $7
                ) mine
            ) as "open!",
            (
                select coalesce(sum(i.mails), 0) from invitations i
                where i.tenant_id = $1 and i.inviter_account_id = $3 and i.queued_at > $6
            ) as "by_account!",
            (
                select coalesce(sum(i.mails), 0) from invitations i where i.tenant_id = $1 and i.queued_at > $6
            ) as "in_tenant!",
            (
                select coalesce(sum(i.mails), 0) from invitations i
                where i.tenant_id = $1 and i.email_key = $4 and i.queued_at > $6
            ) as "to_address!",
            (
                select i.id from invitations i
                where i.tenant_id = $1 and i.email_key = $4 and i.account_id = $2 and i.state in ('PENDING', 'SENT')
                  and i.expires_at > $5
                limit 1
            ) as same
        "#,
        scope.tenant().get(),
        account.get(),
        scope.root().get(),
        email.compared(),
        now,
        since,
        InvitationCounts::MAX_OPEN,
    )
    .fetch_one(conn)
    .named("invitations.count")
    .await?;
    let counts = InvitationCounts {
        open: row.open,
        by_account: row.by_account,
        in_tenant: row.in_tenant,
        to_address: row.to_address,
    };
    Ok((counts, row.same.map(InvitationId::from_uuid)))
}
