//! A tag deleted: off all customers, in one statement.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::Scope,
        customers::{customer::Words, status::Status},
        history::{event::Changes, event_type::EventType},
        tags::tag::Tag,
        values::{
            enums::{CustomerType, Origin, Reach, ServiceClass},
            ids::{CustomerId, EventId},
        },
    },
    error::Result,
    store::{Write, json, principal_key},
    telemetry::Statement as _,
};

/// Locks the customers that have a locked tag, in id order; at most `limit` of them. Those out of sight have it too.
///
/// # Errors
/// `ValueOfNewerRelease` if one of them holds a word that this release does not know.
pub async fn lock_customers(conn: &mut PgConnection, scope: &Scope, tag: &Tag, limit: i64) -> Result<Vec<CustomerId>> {
    let rows = sqlx::query!(
        r#"
        select c.id, c.type as customer_type, c.service_class, c.reach, c.origin, c.status, c.status_reason
        from customers c
        where c.tenant_id = $1 and c.id = any(array(
            select ct.customer_id from customer_tags ct where ct.tenant_id = $1 and ct.tag_id = $2 limit $3
        ))
        order by c.id
        for update
        "#,
        scope.tenant().get(),
        tag.id.get(),
        limit,
    )
    .fetch_all(conn)
    .named("tags.lock_customers")
    .await?;
    rows.into_iter()
        .map(|row| {
            Words {
                customer_type: CustomerType::stored(&row.customer_type),
                service_class: ServiceClass::stored(&row.service_class),
                reach: Reach::stored(&row.reach),
                origin: Origin::stored(&row.origin),
                status: &Status::stored(&row.status, row.status_reason),
            }
            .must_be_known()?;
            Ok(CustomerId::from_uuid(row.id))
        })
        .collect()
}

/// Deletes a locked tag and takes it off the customers, which are all that have it, and locked too: each gets a new
/// revision of the acting account's link, and an event. The tag's own event is `write.event`.
pub async fn delete(
    conn: &mut PgConnection,
    scope: &Scope,
    tag: &Tag,
    customers: &[(CustomerId, EventId)],
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let (ids, events): (Vec<Uuid>, Vec<Uuid>) = customers.iter().map(|(id, event)| (id.get(), event.get())).unzip();
    sqlx::query!(
        r#"
        with element as materialized (
            select * from unnest($4::uuid[], $5::uuid[]) as e (customer_id, event_id)
        ), link as (
            update customer_links l set revision = l.revision + 1, tags = array_remove(l.tags, $3)
            from element e
            where l.tenant_id = $1 and l.customer_id = e.customer_id and l.account_id = $2
            returning l.customer_id, l.revision, l.tags, e.event_id
        ), head as (
            update customers c set owner_link_revision = link.revision, owner_tags = link.tags
            from link
            where c.tenant_id = $1 and c.id = link.customer_id and c.account_id = $2
        ), taken_off as (
            delete from customer_tags ct where ct.tenant_id = $1 and ct.tag_id = $3
        ), gone as (
            delete from tags t where t.tenant_id = $1 and t.id = $3 and t.account_id = $2
        ), named as (
            select link.event_id, c.id as customer_id, c.revision, names.*
            from link
            join customers c on c.tenant_id = $1 and c.id = link.customer_id
            cross join lateral (
                select jsonb_agg(t.name order by t.name_key) as old,
                       jsonb_agg(t.name order by t.name_key) filter (where t.id <> $3) as new
                from tags t
                where t.tenant_id = $1 and t.account_id = $2 and (t.id = any(link.tags) or t.id = $3)
            ) as names
            order by c.id
        ), event as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, customer_id, revision, audience, issuer, subject, actors,
                acting_account_id, rpc, request_id, trace_id, workload, changes
            )
            select $1, n.event_id, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), $6, $7,
                   n.customer_id, n.revision, $2, $8, $9, $10, $2, $11, $12, $13, $19,
                   jsonb_build_object('tags', jsonb_build_object('old', n.old, 'new', n.new))
            from named n
        ), deletion as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, audience, issuer, subject, actors, acting_account_id, rpc,
                request_id, trace_id, workload, changes
            )
            values (
                $1, $14, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), $6, 'TAG_DELETED',
                $2, $8, $9, $10, $2, $11, $12, $13, $19, $15
            )
        )
        insert into requests (tenant_id, principal, rpc, request_id, fingerprint, answer, created_at)
        select $1, $16, $11, $12, $17, $18, $6 where $12::uuid is not null
        "#,
        scope.tenant().get(),
        scope.root().get(),
        tag.id.get(),
        &ids,
        &events,
        write.at,
        EventType::TagsChanged.as_str(),
        write.author.principal.issuer(),
        write.author.principal.subject(),
        write.actors()?,
        write.author.rpc.name(),
        write.request_id(),
        write.author.trace_id,
        write.event.get(),
        json(&Changes::of_tag(Some(tag), None))?,
        principal_key(&write.author.principal),
        write.fingerprint(),
        answer,
        write.author.workload(),
    )
    .execute(conn)
    .named("tags.delete")
    .await?;
    Ok(())
}
