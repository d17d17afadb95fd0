//! Lists of accounts.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Row, accounts};
use crate::{
    domain::{
        access::caller::Scope,
        accounts::{
            account::{Account, AccountCounts},
            policies::Policies,
        },
        values::ids::AccountId,
    },
    error::{Error, Result},
    store::rows::{self, Document, Room, Rows},
    telemetry::{RowStream as _, Statement as _},
};

/// Lists the accounts directly below the acting one by id, those after the given one.
pub async fn children(
    conn: &mut PgConnection,
    scope: &Scope,
    after: Option<AccountId>,
    limit: i64,
    room: Room,
) -> Result<Rows<Account>> {
    let rows = accounts!(
        "where a.tenant_id = $1 and a.parent_id = $2 and a.id > $3 order by a.id limit $4",
        scope.tenant().get(),
        scope.root().get(),
        after.map_or(Uuid::nil(), AccountId::get),
        limit,
    )
    .fetch(conn)
    .named("accounts.list_children");
    rows::page(rows, room, Row::listed).await
}

/// Lists all accounts of the tenant but the acting one, which is the provider's, by id, those after the given one.
pub async fn all_others(
    conn: &mut PgConnection,
    scope: &Scope,
    after: Option<AccountId>,
    limit: i64,
    room: Room,
) -> Result<Rows<Account>> {
    let rows = accounts!(
        "where a.tenant_id = $1 and a.id <> $2 and a.id > $3 order by a.id limit $4",
        scope.tenant().get(),
        scope.root().get(),
        after.map_or(Uuid::nil(), AccountId::get),
        limit,
    )
    .fetch(conn)
    .named("accounts.list_all_others");
    rows::page(rows, room, Row::listed).await
}

/// Lists all accounts below the acting one by id, those after the given one. What is below comes from an index: all of it is
/// found, and the page's accounts alone are read in full. The other conditions are written so that no index serves them: a
/// planner that knows nothing of the table would read all the tenant's accounts.
pub async fn descendants(
    conn: &mut PgConnection,
    scope: &Scope,
    after: Option<AccountId>,
    limit: i64,
    room: Room,
) -> Result<Rows<Account>> {
    let rows = accounts!(
        "
            cross join lateral (
                with below as materialized (
                    select b.id from accounts b
                    where b.tenant_id is not distinct from $1 and b.ancestors @> array[$2::uuid]
                )
                select array(
                    select b.id from below b where b.id <> $2 and b.id > $3 order by b.id limit $4
                ) as ids
            ) page
            where a.tenant_id = $1 and a.id = any(page.ids) order by a.id
        ",
        scope.tenant().get(),
        scope.root().get(),
        after.map_or(Uuid::nil(), AccountId::get),
        limit,
    )
    .fetch(conn)
    .named("accounts.list_descendants");
    rows::page(rows, room, Row::listed).await
}

/// Lists those of these accounts that are below the acting one, by id.
pub async fn of_ids(conn: &mut PgConnection, scope: &Scope, ids: &[AccountId], room: Room) -> Result<Rows<Account>> {
    let rows = accounts!(
        "where a.tenant_id = $1 and a.id = any($2) and $3 = any(a.ancestors) order by a.id",
        scope.tenant().get(),
        &ids.iter().map(|id| id.get()).collect::<Vec<_>>(),
        scope.root().get(),
    )
    .fetch(conn)
    .named("accounts.list_of_ids");
    rows::page(rows, room, Row::listed).await
}

/// An account's id and name.
#[derive(Clone, Debug)]
pub struct Named {
    /// The id.
    pub id: AccountId,
    /// The name.
    pub name: String,
}

/// The names of the next accounts directly below the acting one, by id.
pub async fn names_of_children(
    conn: &mut PgConnection,
    scope: &Scope,
    after: Option<AccountId>,
    limit: i64,
    room: Room,
) -> Result<Vec<Named>> {
    let rows = sqlx::query!(
        r#"
        select id, name from accounts
        where tenant_id = $1 and parent_id = $2 and id > $3
        order by id
        limit $4
        "#,
        scope.tenant().get(),
        scope.root().get(),
        after.map_or(Uuid::nil(), AccountId::get),
        limit,
    )
    .fetch(conn)
    .named("accounts.names_of_children");
    rows::all(rows, room, |row| Ok(named(row.id, row.name))).await
}

/// The names of the tenant's next accounts by id; that of the acting one, which is the provider's, is left out.
pub async fn names_of_all_others(
    conn: &mut PgConnection,
    scope: &Scope,
    after: Option<AccountId>,
    limit: i64,
    room: Room,
) -> Result<Vec<Named>> {
    let rows = sqlx::query!(
        r#"
        select id, name from accounts
        where tenant_id = $1 and id <> $2 and id > $3
        order by id
        limit $4
        "#,
        scope.tenant().get(),
        scope.root().get(),
        after.map_or(Uuid::nil(), AccountId::get),
        limit,
    )
    .fetch(conn)
    .named("accounts.names_of_all_others");
    rows::all(rows, room, |row| Ok(named(row.id, row.name))).await
}

/// The names of the next accounts below the acting one by id. What is below comes from an index.
pub async fn names_of_descendants(
    conn: &mut PgConnection,
    scope: &Scope,
    after: Option<AccountId>,
    limit: i64,
    room: Room,
) -> Result<Vec<Named>> {
    let rows = sqlx::query!(
        r#"
        with below as materialized (
            select b.id, b.name from accounts b
            where b.tenant_id is not distinct from $1 and b.ancestors @> array[$2::uuid]
        )
        select b.id as "id!", b.name as "name!" from below b where b.id <> $2 and b.id > $3 order by b.id limit $4
        "#,
        scope.tenant().get(),
        scope.root().get(),
        after.map_or(Uuid::nil(), AccountId::get),
        limit,
    )
    .fetch(conn)
    .named("accounts.names_of_descendants");
    rows::all(rows, room, |row| Ok(named(row.id, row.name))).await
}

fn named(id: Uuid, name: String) -> (usize, Named) {
    (size_of::<Named>() + name.len(), Named { id: AccountId::from_uuid(id), name })
}

/// Counts what each of these accounts has, up to one more than [`AccountCounts::COUNTED`].
pub async fn count(
    conn: &mut PgConnection,
    scope: &Scope,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, AccountCounts>> {
    let rows = sqlx::query!(
        r#"
        select i.id as "id!",
               (select count(*) from (
                   select from accounts a where a.tenant_id = $1 and a.parent_id = i.id limit $3
               ) c) as "children!",
               (select count(*) from (
                   select from customers c where c.tenant_id = $1 and c.account_id = i.id limit $3
               ) c) as "customers!"
        from unnest($2::uuid[]) as i (id)
        "#,
        scope.tenant().get(),
        &ids.iter().map(|id| id.get()).collect::<Vec<_>>(),
        i64::from(AccountCounts::COUNTED) + 1,
    )
    .fetch_all(conn)
    .named("accounts.count")
    .await?;
    rows.into_iter()
        .map(|row| {
            let [children, customers] = [row.children, row.customers].map(i32::try_from);
            let counts = AccountCounts {
                children: children.map_err(Error::internal)?,
                customers: customers.map_err(Error::internal)?,
            };
            Ok((AccountId::from_uuid(row.id), counts))
        })
        .collect()
}
