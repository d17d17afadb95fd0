//! Invitations to become a member of an account. `outbox` has the queue of their mails.

use chrono::TimeDelta;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::{
            caller::Scope,
            invitation::{Invitation, InvitationState},
        },
        history::event::Changes,
        requests::principal::Principal,
        values::{
            email::Email,
            enums::Role,
            ids::{AccountId, InvitationId, MemberId},
            language::Language,
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    store::{
        mutation::mutation,
        rows::{self, Room, Rows},
        write::{NewEvent, Write, created},
    },
    telemetry::{RowStream as _, Statement as _},
};

/// An invitation as the statements read it.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) account_id: Uuid,
    pub(super) email: String,
    pub(super) role: String,
    pub(super) language: Option<String>,
    pub(super) state: String,
    pub(super) created_at: Timestamp,
    pub(super) created_by: Json<Principal>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) sent_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) member_id: Option<Uuid>,
}

impl From<Row> for Invitation {
    fn from(row: Row) -> Self {
        Self {
            id: InvitationId::from_uuid(row.id),
            account: AccountId::from_uuid(row.account_id),
            email: Email::stored(row.email),
            role: Role::stored(&row.role),
            language: row.language.map(Language::stored),
            state: InvitationState::stored(&row.state),
            created_at: row.created_at,
            created_by: row.created_by.0,
            expires_at: row.expires_at,
            sent_at: row.sent_at,
            ended_at: row.ended_at,
            member: row.member_id.map(MemberId::from_uuid),
        }
    }
}

/// What of an invitation's token is stored.
#[derive(Clone, Copy, Debug)]
pub struct TokenHash {
    /// What the secret was derived from beside the ids.
    pub generation: i32,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
}

/// Stores an invitation and queues its mail, which counts to the acting account.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat.
pub async fn create(
    conn: &mut PgConnection,
    scope: &Scope,
    invitation: &Invitation,
    token: TokenHash,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = event("INVITATION_CREATED", invitation, created("role", invitation.role.as_str()), write);
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            insert into invitations (
                tenant_id, id, account_id, email, email_key, role, language, created_at, created_by, expires_at,
                inviter_account_id, generation, token_hash, queued_at, next_attempt_at
            )
            values ($1, $12, $13, $14, $15, $16, $17, $9, $18, $19, $20, $21, $22, $9, $9)
            returning id
        ), mail as (
            insert into invitation_mails (tenant_id, invitation_id, asked_at, account_id) values ($1, $12, $9, $20)
        )" RECORDED,
        invitation.id.get(),
        invitation.account.get(),
        invitation.email.as_str(),
        invitation.email.compared(),
        invitation.role.as_str(),
        invitation.language.as_ref().map(Language::as_str),
        Json(&invitation.created_by) as _,
        invitation.expires_at,
        scope.root().get(),
        token.generation,
        &token.hash,
    )
    .fetch_one(conn)
    .named("invitations.create")
    .await?;
    Ok(())
}

/// An event on an invitation, of the account that it is to: it says what identifies the invitation, and never the address.
fn event(
    event_type: &'static str,
    invitation: &Invitation,
    mut changes: Changes,
    write: Write<'_>,
) -> NewEvent<Changes> {
    let mut event = of_invitation(event_type, (invitation.account, invitation.id), write);
    event.changes.0.append(&mut changes.0);
    event
}

/// The same of an invitation of which only the ids are known.
pub(super) fn of_invitation(
    event_type: &'static str,
    (account, id): (AccountId, InvitationId),
    write: Write<'_>,
) -> NewEvent<Changes> {
    let changes = created("invitation_id", id.to_string());
    NewEvent { account_id: Some(account), ..write.event(event_type, changes) }
}

/// Locks an invitation to the acting account.
///
/// # Errors
/// `InvitationNotFound`.
pub async fn lock(conn: &mut PgConnection, scope: &Scope, id: InvitationId) -> Result<Invitation> {
    sqlx::query_as!(
        Row,
        r#"
        select id, account_id, email, role, language, state, created_at, created_by as "created_by: Json<Principal>",
               expires_at, sent_at, ended_at, member_id
        from invitations where tenant_id = $1 and account_id = $2 and id = $3
        for update
        "#,
        scope.tenant().get(),
        scope.root().get(),
        id.get(),
    )
    .fetch_optional(conn)
    .named("invitations.lock")
    .await?
    .map(Invitation::from)
    .ok_or(Error::InvitationNotFound)
}

/// Queues the mail of an invitation again, which counts to the acting account. One that waits still is sent once: `another` is
/// false.
pub async fn resend(
    conn: &mut PgConnection,
    scope: &Scope,
    (invitation, another): (&Invitation, bool),
    lease: TimeDelta,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = event("INVITATION_RESENT", invitation, Changes::default(), write);
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            update invitations i
            set state = 'PENDING', expires_at = $13, ended_at = null, email_key = $15, first_attempt_at = null,
                mails = i.mails + case when $17 then 1 else 0 end,
                queued_at = case when $17 then $9 else coalesce(i.queued_at, i.created_at) end,
                -- The mail may be with a replica right now: its lease is never shortened.
                next_attempt_at = case when $17 then $9 else least(i.next_attempt_at, greatest($16, i.leased_until)) end
            where i.tenant_id = $1 and i.id = $12
            returning i.id
        ), mail as (
            insert into invitation_mails (tenant_id, invitation_id, asked_at, account_id)
            select $1, $12, $9, $14 where $17
            on conflict do nothing
        )" RECORDED,
        invitation.id.get(),
        invitation.expires_at,
        scope.root().get(),
        invitation.email.compared(),
        write.at + lease,
        another,
    )
    .fetch_one(conn)
    .named("invitations.resend")
    .await?;
    Ok(())
}

/// Revokes an invitation.
pub async fn revoke(
    conn: &mut PgConnection,
    scope: &Scope,
    invitation: &Invitation,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = event("INVITATION_REVOKED", invitation, Changes::default(), write);
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            update invitations i set state = 'REVOKED', ended_at = $9 where i.tenant_id = $1 and i.id = $12
            returning i.id
        )" RECORDED,
        invitation.id.get(),
    )
    .fetch_one(conn)
    .named("invitations.revoke")
    .await?;
    Ok(())
}

/// Lists the invitations to the acting account, the newest first, those before the given one: all, or those in one of these states
/// at a time.
pub async fn list(
    conn: &mut PgConnection,
    scope: &Scope,
    (states, now): (&[InvitationState], Timestamp),
    before: Option<InvitationId>,
    limit: i64,
    room: Room,
) -> Result<Rows<Invitation>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        select id, account_id, email, role, language, state, created_at, created_by as "created_by: Json<Principal>",
               expires_at, sent_at, ended_at, member_id
        from invitations
        where tenant_id = $1 and account_id = $2 and id < $3
          and ($5::text[] = '{}' or $5 @> array[
              case when state in ('PENDING', 'SENT') and expires_at <= $6 then 'EXPIRED' else state end
          ])
        order by id desc
        limit $4
        "#,
        scope.tenant().get(),
        scope.root().get(),
        before.map_or(Uuid::max(), InvitationId::get),
        limit,
        &states.iter().map(|state| state.as_str().to_owned()).collect::<Vec<_>>(),
        now,
    )
    .fetch(conn)
    .named("invitations.list");
    rows::page(rows, room, |row| {
        let texts = row.email.len() + row.created_by.0.issuer().len() + row.created_by.0.subject().len();
        Ok(Some((2 * (size_of::<Invitation>() + texts), row.into())))
    })
    .await
}
