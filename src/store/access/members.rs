//! Members of accounts.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::{caller::Scope, member::Member},
        history::event::Changes,
        requests::principal::Principal,
        values::{
            enums::Role,
            ids::{AccountId, MemberId, TenantId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    store::{
        mutation::mutation,
        write::{NewEvent, Write},
    },
    telemetry::Statement as _,
};

/// A row of `members`.
pub(super) struct Row {
    pub(super) member_id: Uuid,
    pub(super) account_id: Uuid,
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) role: String,
    pub(super) created_at: Timestamp,
    pub(super) waiting: bool,
}

impl From<Row> for Member {
    fn from(row: Row) -> Self {
        Self {
            id: MemberId::from_uuid(row.member_id),
            account: AccountId::from_uuid(row.account_id),
            principal: Principal::new(row.issuer, row.subject),
            role: Role::stored(&row.role),
            created_at: row.created_at,
            waiting: row.waiting,
        }
    }
}

/// Makes a principal a member of the acting account.
///
/// # Errors
/// A broken unique key, unmapped: it is one already, or the request is a repeat.
pub async fn add(
    conn: &mut PgConnection,
    scope: &Scope,
    member: &Member,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = added(member, write);
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with principal as (
            insert into principals (issuer, subject, tenant_id, accepted) values ($13, $14, $1, not $17::boolean)
            on conflict on constraint principals_pkey do update set accepted = true
            where excluded.accepted and not principals.accepted
        ), written as (
            insert into members (tenant_id, member_id, account_id, issuer, subject, role, created_at, accepted_at)
            values ($1, $15, $12, $13, $14, $16, $9, case when not $17::boolean then $9::timestamptz end)
            returning member_id
        )" RECORDED,
        scope.root().get(),
        member.principal.issuer(),
        member.principal.subject(),
        member.id.get(),
        member.role.as_str(),
        member.waiting,
    )
    .fetch_one(conn)
    .named("members.add")
    .await?;
    Ok(())
}

/// Finds the member that a principal is of the acting account.
pub async fn find(conn: &mut PgConnection, scope: &Scope, principal: &Principal) -> Result<Option<MemberId>> {
    let id = sqlx::query_scalar!(
        "select member_id from members where tenant_id = $1 and account_id = $2 and issuer = $3 and subject = $4",
        scope.tenant().get(),
        scope.root().get(),
        principal.issuer(),
        principal.subject(),
    )
    .fetch_optional(conn)
    .named("members.find")
    .await?;
    Ok(id.map(MemberId::from_uuid))
}

/// Locks a member of the acting account.
///
/// # Errors
/// `MemberNotFound`.
pub async fn lock(conn: &mut PgConnection, scope: &Scope, id: MemberId) -> Result<Member> {
    sqlx::query_as!(
        Row,
        r#"
        select member_id, account_id, issuer, subject, role, created_at, accepted_at is null as "waiting!"
        from members where tenant_id = $1 and member_id = $2 and account_id = $3
        for update
        "#,
        scope.tenant().get(),
        id.get(),
        scope.root().get(),
    )
    .fetch_optional(conn)
    .named("members.lock")
    .await?
    .map(Member::from)
    .ok_or(Error::MemberNotFound)
}

/// Gives a locked member another role.
pub async fn set_role(
    conn: &mut PgConnection,
    scope: &Scope,
    before: &Member,
    after: &Member,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = event(before.id, "MEMBER_ROLE_CHANGED", Changes::of_member(Some(before), Some(after)), write);
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            update members set role = $13 where tenant_id = $1 and member_id = $12 returning member_id
        )" RECORDED,
        before.id.get(),
        after.role.as_str(),
    )
    .fetch_one(conn)
    .named("members.set_role")
    .await?;
    Ok(())
}

/// Deletes a locked member. The event, of this type, keeps who it was, and its role.
pub async fn remove(
    conn: &mut PgConnection,
    tenant: TenantId,
    member: &Member,
    event_type: &'static str,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = event(member.id, event_type, Changes::of_member(Some(member), None), write);
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(tenant, &[event], answer.as_slice()),
        "with written as (
            delete from members where tenant_id = $1 and member_id = $12 returning member_id
        )" RECORDED,
        member.id.get(),
    )
    .fetch_one(conn)
    .named("members.remove")
    .await?;
    Ok(())
}

/// The event of a new member, in the history of its account.
pub(in crate::store) fn added(member: &Member, write: Write<'_>) -> NewEvent<Changes> {
    let event = event(member.id, "MEMBER_ADDED", Changes::of_member(None, Some(member)), write);
    NewEvent { account_id: Some(member.account), ..event }
}

/// The event of a member.
pub(super) fn event(
    member: MemberId,
    event_type: &'static str,
    changes: Changes,
    write: Write<'_>,
) -> NewEvent<Changes> {
    NewEvent { member_id: Some(member), ..write.event(event_type, changes) }
}

/// Locks the tenant's row against other changes of its members and invitations. It comes before any other lock: what is read
/// after it is as others committed it. Creates of customers, which hold the row `for key share`, do not wait.
pub async fn lock_tenant(conn: &mut PgConnection, tenant: TenantId) -> Result<()> {
    sqlx::query_scalar!("select tenant_id from tenants where tenant_id = $1 for no key update", tenant.get())
        .fetch_one(conn)
        .named("members.lock_tenant")
        .await?;
    Ok(())
}

/// Whether a principal is an ADMIN in the acting account, by its memberships there and above.
pub async fn is_admin(conn: &mut PgConnection, scope: &Scope, principal: &Principal) -> Result<bool> {
    let accounts: Vec<Uuid> = scope.path().ids().iter().map(|id| id.get()).collect();
    let found = sqlx::query_scalar!(
        r#"
        select exists (
            select from members
            where tenant_id = $1 and account_id = any($2) and issuer = $3 and subject = $4 and role = 'ADMIN'
        ) as "exists!"
        "#,
        scope.tenant().get(),
        &accounts,
        principal.issuer(),
        principal.subject(),
    )
    .fetch_one(conn)
    .named("members.is_admin")
    .await?;
    Ok(found)
}

/// Says whether the tenant's provider has an accepted ADMIN beside this member, in a transaction that has locked the tenant. In the
/// place of one that waits, another that waits is enough.
pub async fn has_other_leader(conn: &mut PgConnection, tenant: TenantId, member: &Member) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"
        select exists (
            select from members
            where tenant_id = $1 and account_id = $1 and member_id <> $2 and role = 'ADMIN'
              and ($3 or accepted_at is not null)
        ) as "exists!"
        "#,
        tenant.get(),
        member.id.get(),
        member.waiting,
    )
    .fetch_one(conn)
    .named("members.has_other_leader")
    .await?;
    Ok(found)
}
