//! Tags put on customers and taken off: the third write shape, on links. The customers' rows are locked, and only the
//! owner's are written: they repeat its link.

use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::Caller,
        customers::link::Link,
        history::{event::Changes, event_type::EventType},
        requests::answer::Answer,
        values::ids::{CustomerId, EventId},
    },
    error::{Error, Result},
    store::{Write, json, principal_key},
    telemetry::Statement as _,
};

/// One locked customer whose tags change.
#[derive(Clone, Debug)]
pub struct Tagging {
    /// Which.
    pub customer: CustomerId,
    /// The id of its event.
    pub event: EventId,
    /// The acting account's link as it was.
    pub before: Link,
    /// The link with other tags.
    pub after: Link,
}

#[derive(Serialize)]
struct Element {
    customer_id: Uuid,
    event_id: Uuid,
    tags: Vec<Uuid>,
    put_on: Vec<Uuid>,
    taken_off: Vec<Uuid>,
    changes: Changes,
}

impl From<&Tagging> for Element {
    fn from(one: &Tagging) -> Self {
        let ids = |link: &Link| link.tags.iter().map(|tag| tag.id.get()).collect::<Vec<_>>();
        let (before, tags) = (ids(&one.before), ids(&one.after));
        Self {
            customer_id: one.customer.get(),
            event_id: one.event.get(),
            put_on: tags.iter().filter(|tag| !before.contains(tag)).copied().collect(),
            taken_off: before.iter().filter(|tag| !tags.contains(tag)).copied().collect(),
            tags,
            changes: Changes::of_tags(&one.before.tags, &one.after.tags),
        }
    }
}

/// Writes the acting account's links to locked customers, with an event each that it alone is shown, and one stored
/// answer.
pub async fn save_tagging(
    conn: &mut PgConnection,
    caller: &Caller,
    changed: &[Tagging],
    answer: &Answer,
    write: Write<'_>,
) -> Result<()> {
    let elements: Vec<Element> = changed.iter().map(Element::from).collect();
    sqlx::query!(
        r#"
        with element as materialized (
            select * from jsonb_to_recordset($3) as e (
                customer_id uuid, event_id uuid, tags uuid[], put_on uuid[], taken_off uuid[], changes jsonb
            )
        ), link as (
            insert into customer_links as l (tenant_id, customer_id, account_id, revision, custom_ids, tags)
            select $1, e.customer_id, $2, 1, '{}', e.tags from element e
            on conflict (tenant_id, customer_id, account_id)
            do update set revision = l.revision + 1, tags = excluded.tags
            returning l.customer_id, l.revision, l.tags
        ), head as (
            update customers c set owner_link_revision = link.revision, owner_tags = link.tags
            from link
            where c.tenant_id = $1 and c.id = link.customer_id and c.account_id = $2
        ), put_on as (
            insert into customer_tags (tenant_id, customer_id, account_id, tag_id)
            select $1, e.customer_id, $2, t.id from element e cross join lateral unnest(e.put_on) as t (id)
        ), taken_off as (
            delete from customer_tags ct
            using element e cross join lateral unnest(e.taken_off) as t (id)
            where ct.tenant_id = $1 and ct.customer_id = e.customer_id and ct.account_id = $2 and ct.tag_id = t.id
        ), event as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, customer_id, revision, audience, issuer, subject, actors,
                acting_account_id, rpc, request_id, trace_id, workload, changes
            )
            select $1, e.event_id, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), $4,
                   $5, c.id, c.revision, $2, $6, $7, $8, $2, $9, $10, $11, $15, e.changes
            from link
            join element e on e.customer_id = link.customer_id
            join customers c on c.tenant_id = $1 and c.id = link.customer_id
        )
        insert into requests (tenant_id, principal, rpc, request_id, fingerprint, answer, created_at)
        select $1, $12, $9, $10, $13, $14, $4 where $10::uuid is not null
        "#,
        caller.scope().tenant().get(),
        caller.scope().root().get(),
        json(&elements)?,
        write.at,
        EventType::TagsChanged.as_str(),
        write.author.principal.issuer(),
        write.author.principal.subject(),
        write.actors()?,
        write.author.rpc.name(),
        write.request_id(),
        write.author.trace_id,
        principal_key(&write.author.principal),
        write.fingerprint(),
        write.request.map(|_| answer.to_stored()).transpose().map_err(Error::internal)?,
        write.author.workload(),
    )
    .execute(conn)
    .named("customers.save_tagging")
    .await?;
    Ok(())
}
