//! How many mails were asked for: the limits on invitations depend on it.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::{caller::Scope, invitation_counts::InvitationCounts},
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
/// the address, if there is one. The invitation that is sent again does not count as open. In a transaction that has locked the
/// tenant: the limits of an address and of the tenant are of all its accounts together.
///
/// An invitation whose last mail is not in `invitation_mails` is one of an older release: it counts all its mails.
pub async fn count(
    conn: &mut PgConnection,
    scope: &Scope,
    (account, email, sent_again): (AccountId, &Email, Option<InvitationId>),
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
                      and coalesce(i.expires_at > $5, true) and i.id <> $8
                    limit $7
                ) mine
            ) as "open!",
            (
                select count(*) from invitation_mails m
                where m.tenant_id = $1 and m.account_id = $3 and m.asked_at > $6
            ) + (
                select coalesce(sum(i.mails), 0) from invitations i
                where i.tenant_id = $1 and i.inviter_account_id = $3 and i.queued_at > $6 and not exists (
                    select from invitation_mails m
                    where m.tenant_id = $1 and m.invitation_id = i.id and m.asked_at = i.queued_at
                )
            ) as "by_account!",
            (
                select count(*) from invitation_mails m where m.tenant_id = $1 and m.asked_at > $6
            ) + (
                select coalesce(sum(i.mails), 0) from invitations i
                where i.tenant_id = $1 and i.queued_at > $6 and not exists (
                    select from invitation_mails m
                    where m.tenant_id = $1 and m.invitation_id = i.id and m.asked_at = i.queued_at
                )
            ) as "in_tenant!",
            (
                select count(*) from invitations i
                join invitation_mails m on m.tenant_id = $1 and m.invitation_id = i.id
                where i.tenant_id = $1 and i.email_key = any($4) and i.queued_at > $6 and m.asked_at > $6
            ) + (
                select coalesce(sum(i.mails), 0) from invitations i
                where i.tenant_id = $1 and i.email_key = any($4) and i.queued_at > $6 and not exists (
                    select from invitation_mails m
                    where m.tenant_id = $1 and m.invitation_id = i.id and m.asked_at = i.queued_at
                )
            ) as "to_address!",
            (
                select i.id from invitations i
                where i.tenant_id = $1 and i.email_key = any($4) and i.account_id = $2
                  and i.state in ('PENDING', 'SENT') and i.expires_at > $5 and i.id <> $8
                limit 1
            ) as same
        "#,
        scope.tenant().get(),
        account.get(),
        scope.root().get(),
        &email.keys(),
        now,
        since,
        InvitationCounts::MAX_OPEN,
        sent_again.map_or(Uuid::nil(), InvitationId::get),
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
