//! Members of accounts.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::{caller::Scope, member::Member},
        requests::principal::Principal,
        values::{
            enums::Role,
            ids::{AccountId, MemberId},
        },
    },
    error::Result,
    store::{
        rows::{self, Room, Rows},
        sql::mutation,
        write::{NewEvent, Write, created},
    },
    telemetry::{RowStream as _, Statement as _},
};

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
    let event =
        NewEvent { member_id: Some(member.id), ..write.event("MEMBER_ADDED", created("role", member.role.as_str())) };
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with principal as (
            insert into principals (issuer, subject, tenant_id) values ($13, $14, $1) on conflict do nothing
        ), written as (
            insert into members (tenant_id, member_id, account_id, issuer, subject, role, created_at)
            values ($1, $15, $12, $13, $14, $16, $9)
            returning member_id
        )" RECORDED,
        scope.root().get(),
        member.principal.issuer(),
        member.principal.subject(),
        member.id.get(),
        member.role.as_str(),
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

/// The last member of a page: its account's step in the acting account's path, then its issuer and subject.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct After {
    /// Steps up from the acting account, from 1.
    pub step: i32,
    /// The last issuer.
    pub issuer: String,
    /// The last subject.
    pub subject: String,
}

/// Lists the members of the acting account, or of every account on its path, nearest first, each by issuer and subject.
/// Returns each member with its account's step in the path.
pub async fn list(
    conn: &mut PgConnection,
    scope: &Scope,
    inherited: bool,
    after: Option<&After>,
    limit: i64,
    room: Room,
) -> Result<Rows<(i32, Member)>> {
    let accounts: Vec<Uuid> =
        scope.path().ids().iter().take(if inherited { usize::MAX } else { 1 }).map(|id| id.get()).collect();
    let rows = sqlx::query!(
        r#"
        select a.step::int as "step!", m.member_id, m.account_id, m.issuer, m.subject, m.role, m.created_at
        from unnest($2::uuid[]) with ordinality as a (id, step)
        cross join lateral (
            select * from members m
            where m.tenant_id = $1 and m.account_id = a.id
              and (a.step, m.issuer, m.subject) > ($3, $4 collate "C", $5 collate "C")
            order by m.issuer, m.subject
            limit $6
        ) m
        where a.step >= $3
        order by a.step, m.issuer, m.subject
        limit $6
        "#,
        scope.tenant().get(),
        &accounts,
        i64::from(after.map_or(0, |after| after.step)),
        after.map_or("", |after| after.issuer.as_str()),
        after.map_or("", |after| after.subject.as_str()),
        limit,
    )
    .fetch(conn)
    .named("members.list");
    rows::page(rows, room, |row| {
        let cost = 2 * (size_of::<Member>() + row.issuer.len() + row.subject.len());
        let member = Member {
            id: MemberId::from_uuid(row.member_id),
            account: AccountId::from_uuid(row.account_id),
            principal: Principal::new(row.issuer, row.subject),
            role: Role::stored(&row.role),
            created_at: row.created_at,
        };
        Ok(Some((cost, (row.step, member))))
    })
    .await
}
