//! The list of an account's members.

use sqlx::PgConnection;
use uuid::Uuid;

use super::members::Row;
use crate::{
    domain::access::{
        caller::Scope,
        member::{Member, WantedMembers},
    },
    error::Result,
    store::rows::{self, Room, Rows},
    telemetry::RowStream as _,
};

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
    wanted: &WantedMembers,
    after: Option<&After>,
    limit: i64,
    room: Room,
) -> Result<Rows<(i32, Member)>> {
    let accounts: Vec<Uuid> =
        scope.path().ids().iter().take(if wanted.inherited { usize::MAX } else { 1 }).map(|id| id.get()).collect();
    let rows = sqlx::query!(
        r#"
        select a.step::int as "step!", m.member_id, m.account_id, m.issuer, m.subject, m.role, m.created_at,
               m.accepted_at is null as "waiting!"
        from unnest($2::uuid[]) with ordinality as a (id, step)
        cross join lateral (
            select * from members m
            where m.tenant_id = $1 and m.account_id = a.id
              and (a.step, m.issuer, m.subject) > ($3, $4 collate "C", $5 collate "C")
              and m.issuer = coalesce($7, m.issuer) and m.subject = coalesce($8, m.subject)
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
        wanted.issuer,
        wanted.subject,
    )
    .fetch(conn)
    .named("members.list");
    rows::page(rows, room, |row| {
        let cost = 2 * (size_of::<Member>() + row.issuer.len() + row.subject.len());
        let member = Row {
            member_id: row.member_id,
            account_id: row.account_id,
            issuer: row.issuer,
            subject: row.subject,
            role: row.role,
            created_at: row.created_at,
            waiting: row.waiting,
        };
        Ok(Some((cost, (row.step, member.into()))))
    })
    .await
}
