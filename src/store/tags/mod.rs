//! The catalogues of tags. Whoever adds to one holds its account (`accounts::lock_lists`); whoever puts a tag on
//! customers holds the tag against deletion, and only then locks customers: that order has no circle.

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
    store::{Write, json, path, principal_key},
    telemetry::Statement as _,
};

/// Lists the acting account's tags by folded name, those after the given one, with how many customers in sight have
/// each.
pub async fn list(conn: &mut PgConnection, scope: &Scope, after: Option<&str>, limit: i64) -> Result<Vec<TagUse>> {
    sqlx::query!(
        r#"
        select t.id, t.name, (
            select count(*) from (
                select from customer_tags ct
                join customers c on c.tenant_id = ct.tenant_id and c.id = ct.customer_id
                where ct.tenant_id = t.tenant_id and ct.tag_id = t.id and ct.customer_id = coalesce($6, ct.customer_id)
                  and ($2 = any(c.ancestors) or (c.reach = 'FLEET' and c.account_id = any($3)))
                limit $7
            ) as seen
        ) as "customers!"
        from tags t
        where t.tenant_id = $1 and t.account_id = $2 and t.name_key > $4
        order by t.name_key
        limit $5
        "#,
        scope.tenant().get(),
        scope.root().get(),
        &path(scope),
        after.unwrap_or_default(),
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

/// The acting account's tags of these names, by id, held against deletion and renaming until the transaction ends.
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

/// Locks one of the acting account's tags until the transaction ends: nobody puts it on customers meanwhile.
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

/// How many tags the acting account has.
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

/// Adds tags to the acting account's catalogue, each with an event; keeps the answer, if there is one to be kept.
///
/// # Errors
/// A broken unique key, unmapped: the account has a tag of such a name, or the request_id came before.
pub async fn create(
    conn: &mut PgConnection,
    scope: &Scope,
    new: &[(Tag, EventId)],
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let of = |value: fn(&Tag) -> &str| new.iter().map(|(tag, _)| value(tag).to_owned()).collect::<Vec<_>>();
    sqlx::query!(
        r#"
        with element as materialized (
            select * from unnest($3::uuid[], $4::text[], $5::text[], $6::uuid[], $17::jsonb[])
                as e (id, name, name_key, event_id, changes)
        ), tag as (
            insert into tags (tenant_id, id, account_id, name, name_key, created_at)
            select $1, e.id, $2, e.name, e.name_key, $7 from element e
        ), event as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, audience, issuer, subject, actors, acting_account_id, rpc,
                request_id, trace_id, workload, changes
            )
            select $1, e.event_id, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), $7,
                   'TAG_CREATED', $2, $8, $9, $10, $2, $11, $12, $13, $18, e.changes
            from element e
        )
        insert into requests (tenant_id, principal, rpc, request_id, fingerprint, answer, created_at)
        select $1, $14, $11, $12, $15, $16, $7 where $12::uuid is not null and $16::jsonb is not null
        "#,
        scope.tenant().get(),
        scope.root().get(),
        &new.iter().map(|(tag, _)| tag.id.get()).collect::<Vec<_>>(),
        &of(|tag| tag.name.as_str()),
        &of(|tag| tag.name.key().as_str()),
        &new.iter().map(|(_, event)| event.get()).collect::<Vec<_>>(),
        write.at,
        write.author.principal.issuer(),
        write.author.principal.subject(),
        write.actors()?,
        write.author.rpc.name(),
        write.request_id(),
        write.author.trace_id,
        principal_key(&write.author.principal),
        write.fingerprint(),
        answer,
        &new.iter().map(|(tag, _)| json(&Changes::of_tag(None, Some(tag)))).collect::<Result<Vec<_>>>()?,
        write.author.workload(),
    )
    .execute(conn)
    .named("tags.create")
    .await?;
    Ok(())
}

/// Gives a locked tag another name.
///
/// # Errors
/// A broken unique key, unmapped: another tag has the name, or the request_id came before.
pub async fn rename(
    conn: &mut PgConnection,
    scope: &Scope,
    before: &Tag,
    after: &Tag,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    sqlx::query!(
        r#"
        with tag as (
            update tags set name = $4, name_key = $5 where tenant_id = $1 and id = $3 and account_id = $2
        ), event as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, audience, issuer, subject, actors, acting_account_id, rpc,
                request_id, trace_id, workload, changes
            )
            values (
                $1, $6, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), $7, 'TAG_RENAMED',
                $2, $8, $9, $10, $2, $11, $12, $13, $18, $14
            )
        )
        insert into requests (tenant_id, principal, rpc, request_id, fingerprint, answer, created_at)
        select $1, $15, $11, $12, $16, $17, $7 where $12::uuid is not null
        "#,
        scope.tenant().get(),
        scope.root().get(),
        after.id.get(),
        after.name.as_str(),
        after.name.key().as_str(),
        write.event.get(),
        write.at,
        write.author.principal.issuer(),
        write.author.principal.subject(),
        write.actors()?,
        write.author.rpc.name(),
        write.request_id(),
        write.author.trace_id,
        json(&Changes::of_tag(Some(before), Some(after)))?,
        principal_key(&write.author.principal),
        write.fingerprint(),
        answer,
        write.author.workload(),
    )
    .execute(conn)
    .named("tags.rename")
    .await?;
    Ok(())
}
