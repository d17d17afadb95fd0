//! The queue of the invitations' mails: rows that are PENDING and due. It serves all tenants. A row that was taken is due
//! again when the lease of its sender ends; `attempts` tells the sender whether it holds the row still.

use sqlx::{PgConnection, types::Json};

use super::invitations::TokenHash;
use crate::{
    domain::{
        history::event::Changes,
        requests::principal::Principal,
        values::{
            email::Email,
            ids::{AccountId, InvitationId, TenantId},
            language::Language,
            timestamp::Timestamp,
        },
    },
    error::Result,
    store::{
        mutation::mutation,
        write::{NewEvent, Write, created},
    },
    telemetry::Statement as _,
};

/// A mail that its taker is to send.
#[derive(Clone, Debug)]
pub struct QueuedMail {
    /// The tenant.
    pub tenant: TenantId,
    /// The invitation.
    pub invitation: InvitationId,
    /// The account to which it invites.
    pub account: AccountId,
    /// The account's name.
    pub account_name: String,
    /// Where the mail goes.
    pub email: Email,
    /// The mail's language; none: English.
    pub language: Option<Language>,
    /// The principal that invited.
    pub created_by: Principal,
    /// Until when the invitation can be accepted; none, as the token, in a row of an older release.
    pub expires_at: Option<Timestamp>,
    /// What the token's secret was derived from beside the ids.
    pub generation: i32,
    /// SHA-256 of the token's secret.
    pub token_hash: Option<Vec<u8>>,
    /// Mails that were asked for, this one included.
    pub mails: i32,
    /// Attempts, this one included: the number of the lease.
    pub attempts: i32,
    /// When the first attempt of this mail began.
    pub first_attempt_at: Timestamp,
}

/// Takes mails that are due: nobody else gets them before `until`. Those of a suspended tenant wait.
pub async fn take(conn: &mut PgConnection, now: Timestamp, until: Timestamp, limit: i64) -> Result<Vec<QueuedMail>> {
    let rows = sqlx::query!(
        r#"
        with due as (
            select i.tenant_id, i.id from invitations i
            where i.state = 'PENDING' and i.next_attempt_at <= $1 and not exists (
                select from tenants t where t.tenant_id = i.tenant_id and t.suspended_at is not null
            )
            order by i.next_attempt_at
            limit $3
            for update of i skip locked
        )
        update invitations i
        set attempts = i.attempts + 1, first_attempt_at = coalesce(i.first_attempt_at, $1), next_attempt_at = $2,
            leased_until = $2
        from due
        join accounts a on a.tenant_id = due.tenant_id
        where i.tenant_id = due.tenant_id and i.id = due.id and a.id = i.account_id
        returning i.tenant_id, i.id, i.account_id, a.name, i.email, i.language,
                  i.created_by as "created_by: Json<Principal>", i.expires_at, i.generation, i.token_hash, i.mails,
                  i.attempts, i.first_attempt_at as "first_attempt_at!"
        "#,
        now,
        until,
        limit,
    )
    .fetch_all(conn)
    .named("outbox.take")
    .await?;
    let mails = rows.into_iter().map(|row| QueuedMail {
        tenant: TenantId::from_uuid(row.tenant_id),
        invitation: InvitationId::from_uuid(row.id),
        account: AccountId::from_uuid(row.account_id),
        account_name: row.name,
        email: Email::stored(row.email),
        language: row.language.map(Language::stored),
        created_by: row.created_by.0,
        expires_at: row.expires_at,
        generation: row.generation,
        token_hash: row.token_hash,
        mails: row.mails,
        attempts: row.attempts,
        first_attempt_at: row.first_attempt_at,
    });
    Ok(mails.collect())
}

/// Gives the invitation of a mail that was taken a token, and what else a row of an older release lacks. Returns whether
/// the taker holds the row still.
pub async fn set_token(
    conn: &mut PgConnection,
    mail: &QueuedMail,
    token: TokenHash,
    expires_at: Timestamp,
) -> Result<bool> {
    let set = sqlx::query!(
        r#"
        update invitations
        set token_hash = $4, generation = $5, expires_at = $6, email_key = $7,
            inviter_account_id = coalesce(inviter_account_id, account_id), queued_at = coalesce(queued_at, created_at)
        where tenant_id = $1 and id = $2 and attempts = $3 and state = 'PENDING'
        "#,
        mail.tenant.get(),
        mail.invitation.get(),
        mail.attempts,
        &token.hash,
        token.generation,
        expires_at,
        mail.email.compared(),
    )
    .execute(conn)
    .named("outbox.set_token")
    .await?;
    Ok(set.rows_affected() > 0)
}

/// Notes that a mail server has taken the mail. Its event names the principal that invited.
pub async fn mark_sent(conn: &mut PgConnection, mail: &QueuedMail, write: Write<'_>) -> Result<()> {
    mutation!(
        write.recorded(mail.tenant, &[event("INVITATION_SENT", mail, write)], NONE),
        "with written as (
            update invitations i set state = 'SENT', sent_at = $9
            where i.tenant_id = $1 and i.id = $12 and i.attempts = $13 and i.state = 'PENDING'
            returning i.id
        )" RECORDED,
        mail.invitation.get(),
        mail.attempts,
    )
    .fetch_one(conn)
    .named("outbox.mark_sent")
    .await?;
    Ok(())
}

fn event(event_type: &'static str, mail: &QueuedMail, write: Write<'_>) -> NewEvent<Changes> {
    let changes: Changes = created("invitation_id", mail.invitation.to_string());
    NewEvent { account_id: Some(mail.account), ..write.event(event_type, changes) }
}

/// Holds the mail until a time, and returns whether the taker holds it still: the mail server is about to get its text.
pub async fn hold(conn: &mut PgConnection, mail: &QueuedMail, until: Timestamp) -> Result<bool> {
    let held = sqlx::query!(
        "update invitations set next_attempt_at = $4, leased_until = $4
         where tenant_id = $1 and id = $2 and attempts = $3 and state = 'PENDING'",
        mail.tenant.get(),
        mail.invitation.get(),
        mail.attempts,
        until,
    )
    .execute(conn)
    .named("outbox.hold")
    .await?;
    Ok(held.rows_affected() > 0)
}

/// Gives the mail back until a time; until an earlier one if it was asked for again meanwhile.
pub async fn put_back(
    conn: &mut PgConnection,
    mail: &QueuedMail,
    until: Timestamp,
    if_asked_again: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "update invitations
         set next_attempt_at = case when first_attempt_at is null then $5::timestamptz else $4 end, leased_until = null
         where tenant_id = $1 and id = $2 and attempts = $3 and state = 'PENDING'",
        mail.tenant.get(),
        mail.invitation.get(),
        mail.attempts,
        until,
        if_asked_again,
    )
    .execute(conn)
    .named("outbox.put_back")
    .await?;
    Ok(())
}

/// Gives the mail up, unless it was asked for again meanwhile. Its event names the principal that invited. Returns whether it did.
pub async fn give_up(conn: &mut PgConnection, mail: &QueuedMail, write: Write<'_>) -> Result<bool> {
    let written = mutation!(
        write.recorded(mail.tenant, &[event("INVITATION_FAILED", mail, write)], NONE),
        "with written as (
            update invitations i set state = 'FAILED', ended_at = $9
            where i.tenant_id = $1 and i.id = $12 and i.attempts = $13 and i.state = 'PENDING'
              and i.first_attempt_at is not null
            returning i.id
        )" RECORDED,
        mail.invitation.get(),
        mail.attempts,
    )
    .fetch_one(conn)
    .named("outbox.give_up")
    .await?;
    Ok(written.written > 0)
}

/// No stored answer: background work is not repeated.
const NONE: &[()] = &[];

/// How many mails wait, of which at most 10,000 are counted, and since when the oldest of all waits.
pub async fn status(conn: &mut PgConnection) -> Result<(i64, Option<Timestamp>)> {
    let row = sqlx::query!(
        r#"
        with pending as not materialized (
            select coalesce(i.queued_at, i.created_at) as since from invitations i
            where i.state = 'PENDING' and coalesce(i.expires_at > now(), true) and not exists (
                select from tenants t where t.tenant_id = i.tenant_id and t.suspended_at is not null
            )
        )
        select (select count(*) from (select from pending limit 10000) counted) as "waiting!",
               (select since from pending order by since limit 1) as since
        "#
    )
    .fetch_one(conn)
    .named("outbox.status")
    .await?;
    Ok((row.waiting, row.since))
}

/// Deletes up to `limit` invitations that ended before a time, and returns how many.
pub async fn sweep(conn: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64> {
    let swept = sqlx::query!(
        r#"
        delete from invitations
        where ctid = any(array(
            select ctid from invitations where coalesce(ended_at, expires_at) < $1 limit $2 for update skip locked
        ))
        "#,
        before,
        limit,
    )
    .execute(conn)
    .named("outbox.sweep")
    .await?;
    Ok(swept.rows_affected())
}

/// What the token of an invitation is derived from, if it can be accepted: for `dev`, which prints the link.
pub async fn find_token(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: InvitationId,
) -> Result<Option<(i32, Option<Vec<u8>>)>> {
    let row = sqlx::query!(
        "select generation, token_hash from invitations
         where tenant_id = $1 and id = $2 and state in ('PENDING', 'SENT', 'FAILED') and expires_at > now()",
        tenant.get(),
        id.get(),
    )
    .fetch_optional(conn)
    .named("outbox.find_token")
    .await?;
    Ok(row.map(|row| (row.generation, row.token_hash)))
}
