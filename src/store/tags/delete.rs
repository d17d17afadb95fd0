//! Deleting a tag: one statement takes it off all customers.

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
    store::{
        mutation::mutation,
        write::{NewEvent, Write},
    },
    telemetry::Statement as _,
};

/// Locks the customers that have a locked tag, in id order, at most `limit` of them. They include customers that the acting
/// account no longer sees.
///
/// # Errors
/// `ValueOfNewerRelease` if one of them holds a word that this release does not know.
pub async fn lock_customers(conn: &mut PgConnection, scope: &Scope, tag: &Tag, limit: i64) -> Result<Vec<CustomerId>> {
    let rows = sqlx::query!(
        r#"
        select c.id, c.type as customer_type, c.service_class, c.reach, c.origin, c.status, c.status_reason, c.merged_into
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
                status: &Status::stored(&row.status, row.status_reason, row.merged_into.map(CustomerId::from_uuid)),
            }
            .must_be_known()?;
            Ok(CustomerId::from_uuid(row.id))
        })
        .collect()
}

/// Deletes a locked tag and takes it off `customers`, which are all that have it, and locked: each gets a new revision of the
/// acting account's link, and an event, whose old and new names of tags the statement itself reads. The tag's own event is
/// `write.event`.
pub async fn delete(
    conn: &mut PgConnection,
    scope: &Scope,
    tag: &Tag,
    customers: &[(CustomerId, EventId)],
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let (ids, events): (Vec<Uuid>, Vec<Uuid>) = customers.iter().map(|(id, event)| (id.get(), event.get())).unzip();
    let deletion =
        NewEvent { audience: Some(scope.root()), ..write.event("TAG_DELETED", Changes::of_tag(Some(tag), None)) };
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[deletion], answer.as_slice()),
        "with deletion as materialized (
            select * from jsonb_to_recordset($10) as d (
                id uuid, type text, audience uuid, member_id uuid, request_id uuid, changes jsonb
            )
        ), element as materialized (
            select * from unnest($14::uuid[], $15::uuid[]) as e (customer_id, event_id)
        ), link as (
            update customer_links l set revision = l.revision + 1, tags = array_remove(l.tags, $13)
            from element e
            where l.tenant_id = $1 and l.customer_id = e.customer_id and l.account_id = $12
            returning l.customer_id, l.revision, l.tags, e.event_id
        ), head as (
            update customers c set owner_link_revision = link.revision, owner_tags = link.tags
            from link
            where c.tenant_id = $1 and c.id = link.customer_id and c.account_id = $12
        ), taken_off as (
            delete from customer_tags ct where ct.tenant_id = $1 and ct.tag_id = $13
        ), written as (
            delete from tags t where t.tenant_id = $1 and t.id = $13 and t.account_id = $12
            returning t.id
        ), named as (
            select link.event_id, c.id as customer_id, c.revision, names.*
            from link
            join customers c on c.tenant_id = $1 and c.id = link.customer_id
            cross join lateral (
                select jsonb_agg(t.name order by t.name_sort, t.id) as old,
                       jsonb_agg(t.name order by t.name_sort, t.id) filter (where t.id <> $13) as new
                from tags t
                where t.tenant_id = $1 and t.account_id = $12 and (t.id = any(link.tags) or t.id = $13)
            ) as names
        ), happened as (
            select n.customer_id as place, n.event_id as id, $16 as type, n.customer_id, n.revision, d.audience,
                   null::uuid as account_id, d.member_id, d.request_id, jsonb_build_object('tags', jsonb_build_object('old', n.old, 'new', n.new)) as changes
            from named n
            cross join deletion d
            union all
            select null, d.id, d.type, null, null, d.audience, null, d.member_id, d.request_id, d.changes from deletion d
        )" EVENTS_AND_ANSWERS r#" select count(*) as "written!" from written"#,
        scope.root().get(),
        tag.id.get(),
        &ids,
        &events,
        EventType::TagsChanged.as_str(),
    )
    .fetch_one(conn)
    .named("tags.delete")
    .await?;
    Ok(())
}
