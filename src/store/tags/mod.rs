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
        path,
        sql::{mutation, sql},
        write::{NewEvent, Write},
    },
    telemetry::Statement as _,
};

/// Lists the acting account's tags by folded name, those after the given one, with the number of visible customers that
/// have each.
pub async fn list(conn: &mut PgConnection, scope: &Scope, after: Option<&str>, limit: i64) -> Result<Vec<TagUse>> {
    sql!(
        query,
        r#"
        select t.id, t.name, (
            select count(*) from (
                select from customer_tags ct
                join customers c on c.tenant_id = ct.tenant_id and c.id = ct.customer_id
                where ct.tenant_id = t.tenant_id and ct.tag_id = t.id and ct.customer_id = coalesce($6, ct.customer_id)
                  and "# VISIBLE r#"
                limit $7
            ) as seen
        ) as "customers!"
        from tags t
        where t.tenant_id = $1 and t.account_id = $3 and t.name_key > $2
        order by t.name_key
        limit $5
        "#,
        scope.tenant().get(),
        after.unwrap_or_default(),
        scope.root().get(),
        &path(scope),
        limit,
        scope.narrowed().map(CustomerId::get),
        i64::try_from(TagUse::COUNTED + 1).map_err(Error::internal)?,
    )
    .fetch_all(conn)
    .named("tags.list")
    .await?
    .into_iter()
    .map(|row| {
        let customers = usize::try_from(row.customers).map_err(Error::internal)?;
        Ok(TagUse { tag: Tag { id: TagId::from_uuid(row.id), name: TagName::from(row.name) }, customers })
    })
    .collect()
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
            insert into tags (tenant_id, id, account_id, name, name_key, created_at)
            select $1, t.id, $12, t.name, t.name_key, $9
            from unnest($13::uuid[], $14::text[], $15::text[]) as t (id, name, name_key)
            returning id
        )" RECORDED,
        scope.root().get(),
        &new.iter().map(|(tag, _)| tag.id.get()).collect::<Vec<_>>(),
        &texts(|tag| tag.name.as_str()),
        &texts(|tag| tag.name.key().as_str()),
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
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            update tags set name = $14, name_key = $15 where tenant_id = $1 and id = $13 and account_id = $12
            returning id
        )" RECORDED,
        scope.root().get(),
        after.id.get(),
        after.name.as_str(),
        after.name.key().as_str(),
    )
    .fetch_one(conn)
    .named("tags.rename")
    .await?;
    Ok(())
}
