//! Customers by many ids or by a custom ID: each read is one statement.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    CustomerRecord, path,
    row::{self, Row},
};
use crate::{
    domain::{
        access::caller::{Caller, Scope},
        fields::field::View,
        values::{
            custom_id::{CustomId, System},
            ids::CustomerId,
        },
    },
    error::{Error, Result},
    store::{
        rows::{self, Room},
        sql::sql,
    },
    telemetry::{RowStream as _, Statement as _},
};

/// Documents of one batch of a read, in bytes as the database keeps them uncompressed.
const BATCH_BYTES: i64 = 4 * 1024 * 1024;

/// Reads those of these customers that the caller's account sees, in the order of the ids, as far as the view shows them.
///
/// # Errors
/// `AnswerTooLarge` if they are larger together than an answer may be. Then no more than one of them is read.
pub async fn get_all(
    conn: &mut PgConnection,
    caller: &Caller,
    ids: &[CustomerId],
    view: View,
    room: Room,
) -> Result<Vec<CustomerRecord>> {
    let scope = caller.scope();
    let ids: Vec<Uuid> = ids.iter().filter(|id| scope.admits(**id)).map(|id| id.get()).collect();
    let rows = sql!(
        query_as Row,
        "with sized as materialized (
            select s.id, s.place, s.profile, sum(s.size) over (order by s.place rows unbounded preceding) as size
            from (
                select a.id, a.place, c.size, c.profile
                from (
                    select e.id, e.place from unnest($2::uuid[]) with ordinality as e (id, place) order by e.place
                ) a
                cross join lateral (
                    " SIZED_IN_VIEW " where c.tenant_id = $1 and c.id = a.id and " VISIBLE " offset 0
                ) c
            ) s
        ), cut as (
            select s.id from sized s where s.size > $6 limit 1
        )" RECORD_IN_VIEW OTHER_OWNERS_POLICIES r#"
        , null::bytea as "fingerprint?", null::jsonb as "answer?", null::text[] as "foreign?"
        , null::jsonb as "asked: row::Asked", exists (select from cut) as "cut!"
        from (select s.* from sized s limit case when exists (select from cut) then 1 end) f
        cross join lateral (
            select c.* from customers c where c.tenant_id = $1 and c.id = f.id offset 0
        ) c
        order by f.place"#,
        scope.tenant().get(),
        &ids,
        scope.root().get(),
        path(scope) as _,
        &view.left_out(),
        BATCH_BYTES,
    )
    .fetch(conn)
    .named("customers.get_all");
    rows::all(
        rows,
        room,
        |row: Row| {
            if row.cut { Err(Error::AnswerTooLarge) } else { Ok((row.cost(), row.seen(caller)?)) }
        },
    )
    .await
}

/// Reads the customers that have this custom ID of the acting account: in each system the one that has it now, else the
/// one that had it last, of those that the account sees. At most two: two mean two or more.
pub async fn lookup(
    conn: &mut PgConnection,
    caller: &Caller,
    id: &CustomId,
    system: Option<&System>,
    room: Room,
) -> Result<Vec<CustomerRecord>> {
    let scope = caller.scope();
    let rows = sql!(
        query_as Row,
        ONE_TO_READ READ_ONLY "
        from customers c
        where c.tenant_id = $1
          and c.id in (
              select distinct on (i.system) i.customer_id
              from custom_ids i
              join customers c on c.tenant_id = i.tenant_id and c.id = i.customer_id
              where i.tenant_id = $1 and i.account_id = $3 and i.value_key = $2 and i.system = coalesce($5, i.system)
                and " VISIBLE "
              order by i.system, i.is_current desc, i.created_at desc
          )
          and c.id = coalesce($6, c.id)
        limit 2",
        scope.tenant().get(),
        id.key().as_str(),
        scope.root().get(),
        path(scope) as _,
        system.map(System::as_str),
        scope.narrowed().map(CustomerId::get),
    )
    .fetch(conn)
    .named("customers.lookup");
    rows::all(rows, room, |row: Row| Ok((row.cost(), row.seen(caller)?))).await
}

/// Whether this former custom ID of a customer comes from one that was merged into it.
pub async fn came_by_merge(
    conn: &mut PgConnection,
    scope: &Scope,
    customer: CustomerId,
    id: &CustomId,
    system: Option<&System>,
) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"
        select coalesce(bool_and(i.merged_from is not null), false) as "merged!" from custom_ids i
        where i.tenant_id = $1 and i.customer_id = $2 and i.account_id = $3 and i.value_key = $4
          and i.system = coalesce($5, i.system)
        "#,
        scope.tenant().get(),
        customer.get(),
        scope.root().get(),
        id.key().as_str(),
        system.map(System::as_str),
    )
    .fetch_one(conn)
    .named("customers.came_by_merge")
    .await?;
    Ok(found)
}

/// Finds the customer that has this current custom ID of the acting account in one system, if the caller sees it. Aliases
/// do not count.
pub async fn find_by_custom_id(
    conn: &mut PgConnection,
    scope: &Scope,
    system: &System,
    id: &CustomId,
) -> Result<Option<CustomerId>> {
    let found = sql!(
        query_scalar,
        "select c.id
        from custom_ids i
        join customers c on c.tenant_id = i.tenant_id and c.id = i.customer_id
        where i.tenant_id = $1 and i.account_id = $3 and i.system = $2 and i.value_key = $5 and i.is_current and " VISIBLE,
        scope.tenant().get(),
        system.as_str(),
        scope.root().get(),
        path(scope) as _,
        id.key().as_str(),
    )
    .fetch_optional(conn)
    .named("customers.find_by_custom_id")
    .await?;
    Ok(found.map(CustomerId::from_uuid).filter(|id| scope.admits(*id)))
}
