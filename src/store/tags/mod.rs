//! The accounts' catalogues of tags. A call that adds to one locks its account (`accounts::lock_lists`). A call that puts a
//! tag on customers first locks the tag against deletion and then the customers: in that order no two calls deadlock.

mod delete;

use serde_json::Value;
use sqlx::PgConnection;

pub use self::delete::{delete, lock_customers};
use crate::{
    domain::{
        access::caller::Scope,
        history::event::Changes,
        tags::tag::{Tag, TagName, TagUse},
        values::ids::{CustomerId, EventId, TagId},
    },
    error::{Error, Result},
    store::{
        mutation::mutation,
        path,
        rows::{self, ByName, Room, Rows},
        sql::sql,
        write::{NewEvent, Write},
    },
    telemetry::{RowStream as _, Statement as _},
};

/// Customers that are counted for one page: the tag that exceeds it begins the next page.
const COUNTED_ON_PAGE: i64 = 100_000;

/// Lists the acting account's tags by name, those after the given position, with the number of visible customers that have
/// each. Whether a customer is visible is looked up once, however many of the tags it has. If there are so many with a
/// tag that the first ones may not be all, and one of these is not visible, the tag's own are counted.
pub async fn list(
    conn: &mut PgConnection,
    scope: &Scope,
    after: &ByName,
    limit: i64,
    room: Room,
) -> Result<Rows<(ByName, TagUse)>> {
    let rows = sql!(
        query,
        r#"
        with page as materialized (
            select t.id, t.name, t.name_sort, row_number() over (order by t.name_sort, t.id) as nth
            from (
                select t.id, t.name, t.name_sort from tags t
                where t.tenant_id = $1 and t.account_id = $3 and (t.name_sort, t.id) > ($2, $9)
                order by t.name_sort, t.id
                limit $5
            ) t
        ), cut as (
            select s.nth from (
                select p.nth, sum(u.customers) over (order by p.nth rows unbounded preceding) as customers
                from (select page.id, page.nth from page order by page.nth) p
                cross join lateral (
                    select count(*) as customers from (
                        select from customer_tags ct
                        where ct.tenant_id = $1 and ct.tag_id = p.id and ct.customer_id = coalesce($6, ct.customer_id)
                        limit $7
                    ) as first
                ) u
            ) s
            where s.customers > $8::bigint and s.nth > 1
            limit 1
        ), used as materialized (
            select p.id, u.customer_id
            from page p
            cross join lateral (
                select ct.customer_id from customer_tags ct
                where ct.tenant_id = $1 and ct.tag_id = p.id and ct.customer_id = coalesce($6, ct.customer_id)
                limit $7
            ) u
            where p.nth < coalesce((select cut.nth from cut), $5 + 1)
        ), visible as materialized (
            select d.customer_id
            from (select distinct used.customer_id from used) d
            cross join lateral (
                select from customers c where c.tenant_id = $1 and c.id = d.customer_id and "# VISIBLE r#"
                offset 0
            ) c
        ), counted as materialized (
            -- A join by customer would be a nested loop where there are no statistics yet: 30 million comparisons, 4 s.
            select s.id, count(*) as looked_at, count(*) filter (where s.is_visible) as customers
            from (
                select e.id, bool_or(e.id is null) over (partition by e.customer_id) as is_visible
                from (
                    select used.id, used.customer_id from used union all select null, visible.customer_id from visible
                ) e
            ) s
            where s.id is not null
            group by s.id
        )
        select p.id as "id!", p.name as "name!", p.name_sort as "name_sort!", exists (select from cut) as "cut!",
               case when n.looked_at is null then 0
                    when n.looked_at < $7 or n.customers = n.looked_at then n.customers
                    else (
                        select count(*) from (
                            select from customer_tags ct
                            cross join lateral (
                                select from customers c
                                where c.tenant_id = $1 and c.id = ct.customer_id and "# VISIBLE r#"
                                offset 0
                            ) c
                            where ct.tenant_id = $1 and ct.tag_id = p.id
                            limit $7
                        ) as seen
                    )
               end as "customers!"
        from page p
        left join counted n on n.id = p.id
        where p.nth < coalesce((select cut.nth from cut), $5 + 1)
        order by p.nth
        "#,
        scope.tenant().get(),
        after.key.as_bytes(),
        scope.root().get(),
        &path(scope),
        limit,
        scope.narrowed().map(CustomerId::get),
        i64::try_from(TagUse::COUNTED + 1).map_err(Error::internal)?,
        COUNTED_ON_PAGE,
        after.id,
    )
    .fetch(conn)
    .named("tags.list");
    let mut cut = false;
    let page = rows::page(rows, room, |row| {
        cut = row.cut;
        let customers = usize::try_from(row.customers).map_err(Error::internal)?;
        let tag = Tag { id: TagId::from_uuid(row.id), name: TagName::from(row.name) };
        let texts = tag.name.as_str().len() + tag.name.key().as_str().len();
        let cost = size_of::<(ByName, TagUse)>() + 2 * texts + row.name_sort.len();
        Ok(Some((cost, (ByName::new(row.name_sort, row.id), TagUse { tag, customers }))))
    })
    .await?;
    Ok(Rows { full: page.full || cut, ..page })
}

/// Reads the acting account's tags of these ids, in no order.
pub async fn get_all(conn: &mut PgConnection, scope: &Scope, ids: &[TagId]) -> Result<Vec<Tag>> {
    let rows = sqlx::query!(
        "select id, name from tags where tenant_id = $1 and id = any($2) and account_id = $3",
        scope.tenant().get(),
        &ids.iter().map(|id| id.get()).collect::<Vec<_>>(),
        scope.root().get(),
    )
    .fetch_all(conn)
    .named("tags.get_all")
    .await?;
    Ok(rows.into_iter().map(|row| Tag { id: TagId::from_uuid(row.id), name: TagName::from(row.name) }).collect())
}

/// Reads the acting account's tags of these names, by id, and locks them against deletion and renaming until the
/// transaction ends.
pub async fn hold_named(conn: &mut PgConnection, scope: &Scope, names: &[&TagName]) -> Result<Vec<Tag>> {
    let keys: Vec<String> = names.iter().map(|name| name.key().as_str().to_owned()).collect();
    let rows = sqlx::query!(
        r#"
        select id, name from tags
        where tenant_id = $1 and account_id = $2 and name_key = any($3)
        order by id
        for key share
        "#,
        scope.tenant().get(),
        scope.root().get(),
        &keys,
    )
    .fetch_all(conn)
    .named("tags.hold_named")
    .await?;
    Ok(rows.into_iter().map(|row| Tag { id: TagId::from_uuid(row.id), name: TagName::from(row.name) }).collect())
}

/// Finds the acting account's tag of this name.
pub async fn find(conn: &mut PgConnection, scope: &Scope, name: &TagName) -> Result<Option<TagId>> {
    let id = sqlx::query_scalar!(
        "select id from tags where tenant_id = $1 and account_id = $2 and name_key = $3",
        scope.tenant().get(),
        scope.root().get(),
        name.key().as_str(),
    )
    .fetch_optional(conn)
    .named("tags.find")
    .await?;
    Ok(id.map(TagId::from_uuid))
}

/// Locks one of the acting account's tags until the transaction ends: no other call puts it on customers meanwhile.
pub async fn lock(conn: &mut PgConnection, scope: &Scope, id: TagId) -> Result<Tag> {
    let name = sqlx::query_scalar!(
        "select name from tags where tenant_id = $1 and id = $2 and account_id = $3 for update",
        scope.tenant().get(),
        id.get(),
        scope.root().get(),
    )
    .fetch_optional(conn)
    .named("tags.lock")
    .await?;
    name.map(|name| Tag { id, name: TagName::from(name) }).ok_or(Error::TagNotFound)
}

/// Counts the acting account's tags.
pub async fn count(conn: &mut PgConnection, scope: &Scope) -> Result<usize> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from tags where tenant_id = $1 and account_id = $2"#,
        scope.tenant().get(),
        scope.root().get(),
    )
    .fetch_one(conn)
    .named("tags.count")
    .await?;
    usize::try_from(count).map_err(Error::internal)
}

/// Adds tags to the acting account's catalogue, each with an event. Stores the answer if one is given.
///
/// # Errors
/// A broken unique key, unmapped: the account has a tag of such a name, or the request is a repeat.
pub async fn create(
    conn: &mut PgConnection,
    scope: &Scope,
    new: &[(Tag, EventId)],
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let texts = |text: fn(&Tag) -> &str| new.iter().map(|(tag, _)| text(tag).to_owned()).collect::<Vec<_>>();
    let events: Vec<NewEvent<Changes>> = new
        .iter()
        .map(|(tag, event)| NewEvent {
            id: *event,
            audience: Some(scope.root()),
            ..write.event("TAG_CREATED", Changes::of_tag(None, Some(tag)))
        })
        .collect();
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &events, answer.as_slice()),
        "with written as (
            insert into tags (tenant_id, id, account_id, name, name_key, name_sort, created_at)
            select $1, t.id, $12, t.name, t.name_key, t.name_sort, $9
            from unnest($13::uuid[], $14::text[], $15::text[], $16::bytea[]) as t (id, name, name_key, name_sort)
            returning id
        )" RECORDED,
        scope.root().get(),
        &new.iter().map(|(tag, _)| tag.id.get()).collect::<Vec<_>>(),
        &texts(|tag| tag.name.as_str()),
        &texts(|tag| tag.name.key().as_str()),
        &new.iter().map(|(tag, _)| tag.sort_key().as_bytes().to_vec()).collect::<Vec<_>>(),
    )
    .fetch_one(conn)
    .named("tags.create")
    .await?;
    Ok(())
}

/// Gives a locked tag another name.
///
/// # Errors
/// A broken unique key, unmapped: another tag has the name, or the request is a repeat.
pub async fn rename(
    conn: &mut PgConnection,
    scope: &Scope,
    before: &Tag,
    after: &Tag,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = NewEvent {
        audience: Some(scope.root()),
        ..write.event("TAG_RENAMED", Changes::of_tag(Some(before), Some(after)))
    };
    let answer = answer.and_then(|answer| write.answer(answer));
    let name_sort = after.sort_key();
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            update tags set name = $14, name_key = $15, name_sort = $16
            where tenant_id = $1 and id = $13 and account_id = $12
            returning id
        )" RECORDED,
        scope.root().get(),
        after.id.get(),
        after.name.as_str(),
        after.name.key().as_str(),
        name_sort.as_bytes(),
    )
    .fetch_one(conn)
    .named("tags.rename")
    .await?;
    Ok(())
}
