//! Accepting an invitation: the invitation's token names the tenant, since the caller may be a member of nothing yet.

use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use super::{invitations::Row, members};
use crate::{
    domain::{
        access::{invitation::Invitation, member::Member},
        history::event::Changes,
        requests::principal::Principal,
        values::ids::{EventId, InvitationId, TenantId},
    },
    error::{Error, Result},
    store::{
        mutation::mutation,
        write::{NewEvent, Write, created},
    },
    telemetry::Statement as _,
};

/// An invitation that somebody wants to accept.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The invitation.
    pub invitation: Invitation,
    /// The name of its account.
    pub account_name: String,
    /// Who accepted it, if it was accepted.
    pub accepted_by: Option<Principal>,
    /// The member that the principal is of the account already.
    pub member: Option<Member>,
}

/// Locks the invitation that a token opens, and the principal's membership of its account.
///
/// # Errors
/// `InvitationNotFound`: the token was never given, or is of an earlier generation; `TenantSuspended`.
pub async fn open(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: InvitationId,
    token_hash: &[u8; 32],
    principal: &Principal,
) -> Result<Opened> {
    let row = sqlx::query!(
        r#"
        select i.id, i.account_id, i.email, i.role, i.language, i.state, i.created_at,
               i.created_by as "created_by: Json<Principal>", i.expires_at, i.sent_at, i.ended_at, i.member_id,
               i.accepted_by as "accepted_by: Json<Principal>",
               (select a.name from accounts a where a.tenant_id = i.tenant_id and a.id = i.account_id) as "name!",
               (select t.suspended_at is not null from tenants t where t.tenant_id = i.tenant_id) as "tenant_suspended!"
        from invitations i where i.tenant_id = $1 and i.id = $2 and i.token_hash = $3
        for update
        "#,
        tenant.get(),
        id.get(),
        token_hash,
    )
    .fetch_optional(&mut *conn)
    .named("invitations.open")
    .await?
    .ok_or(Error::InvitationNotFound)?;
    if row.tenant_suspended {
        return Err(Error::TenantSuspended);
    }
    let invitation = Invitation::from(Row {
        id: row.id,
        account_id: row.account_id,
        email: row.email,
        role: row.role,
        language: row.language,
        state: row.state,
        created_at: row.created_at,
        created_by: row.created_by,
        expires_at: row.expires_at,
        sent_at: row.sent_at,
        ended_at: row.ended_at,
        member_id: row.member_id,
    });
    let member = lock_member(conn, tenant, &invitation, principal).await?;
    let accepted_by = row.accepted_by.map(|accepted| accepted.0);
    Ok(Opened { invitation, account_name: row.name, accepted_by, member })
}

async fn lock_member(
    conn: &mut PgConnection,
    tenant: TenantId,
    invitation: &Invitation,
    principal: &Principal,
) -> Result<Option<Member>> {
    let row = sqlx::query_as!(
        members::Row,
        r#"
        select member_id, account_id, issuer, subject, role, created_at, accepted_at is null as "waiting!"
        from members
        where tenant_id = $1 and account_id = $2 and issuer = $3 and subject = $4
        for update
        "#,
        tenant.get(),
        invitation.account.get(),
        principal.issuer(),
        principal.subject(),
    )
    .fetch_optional(conn)
    .named("invitations.lock_member")
    .await?;
    Ok(row.map(Member::from))
}

/// Accepts an invitation: writes the member, who may have been one before, with the role that it has from now on. What happened to
/// the member are events of their own, with these ids.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat, or the principal has become a member meanwhile.
pub async fn accept(
    conn: &mut PgConnection,
    tenant: TenantId,
    opened: &Opened,
    member: &Member,
    answer: Option<Value>,
    (write, ids): (Write<'_>, [EventId; 2]),
) -> Result<()> {
    let invitation = &opened.invitation;
    let mut changes = Changes::of_member(opened.member.as_ref(), Some(member));
    changes.0.append(&mut created("invitation_id", invitation.id.to_string()).0);
    let mut events = vec![members::event(member.id, "INVITATION_ACCEPTED", changes, write)];
    events.extend(happened(opened.member.as_ref(), member, ids.map(|event| Write { event, ..write })));
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(tenant, &events, answer.as_slice()),
        "with principal as (
            insert into principals (issuer, subject, tenant_id, accepted) values ($2, $3, $1, true)
            on conflict on constraint principals_pkey do update set accepted = true where not principals.accepted
        ), written as (
            update invitations i
            set state = 'ACCEPTED', ended_at = $9, member_id = $14, accepted_by = $16
            where i.tenant_id = $1 and i.id = $12
            returning i.id
        ), changed as (
            update members m set role = $15, accepted_at = coalesce(m.accepted_at, $9)
            where m.tenant_id = $1 and m.member_id = $14 and not $17
            returning m.member_id
        ), made as (
            insert into members (tenant_id, member_id, account_id, issuer, subject, role, created_at, accepted_at)
            select $1, $14, $13, $2, $3, $15, $9, $9 where $17
            returning member_id
        )" RECORDED,
        invitation.id.get(),
        invitation.account.get(),
        member.id.get(),
        member.role.as_str(),
        Json(&member.principal) as _,
        opened.member.is_none(),
    )
    .fetch_one(conn)
    .named("invitations.accept")
    .await?;
    Ok(())
}

/// The events of the member that an accepted invitation makes or changes.
fn happened(before: Option<&Member>, after: &Member, [first, second]: [Write<'_>; 2]) -> Vec<NewEvent<Changes>> {
    let Some(before) = before else { return vec![members::added(after, first)] };
    let accepted = Member { waiting: after.waiting, ..before.clone() };
    let steps = [("MEMBER_ACCEPTED", before, &accepted, first), ("MEMBER_ROLE_CHANGED", &accepted, after, second)];
    steps
        .into_iter()
        .filter(|(_, before, after, _)| before != after)
        .map(|(event_type, before, after, write)| {
            members::event(after.id, event_type, Changes::of_member(Some(before), Some(after)), write)
        })
        .collect()
}
