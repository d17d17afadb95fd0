//! Tags put on customers and taken off: a batch that writes links. The customers' rows are locked; only those of the acting
//! account's own customers are written, as they repeat its link.

use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::{Caller, Scope},
        customers::link::Link,
        history::{event::Changes, event_type::EventType},
        requests::answer::Answer,
        values::ids::{CustomerId, EventId, TagId},
    },
    error::Result,
    store::{
        mutation::mutation,
        write::{NewEvent, Write},
    },
    telemetry::Statement as _,
};

/// One locked customer whose tags change.
#[derive(Clone, Debug)]
pub struct Tagging {
    /// Its id.
    pub customer: CustomerId,
    /// Its revision, which stays.
    pub revision: i64,
    /// The id of its event.
    pub event: EventId,
    /// The acting account's link before the change.
    pub before: Link,
    /// The link with its new tags.
    pub after: Link,
}

/// The acting account's link to a customer that has one: its revision, and its tags.
#[derive(Clone, Debug)]
pub struct Tagged {
    /// The customer.
    pub customer: CustomerId,
    /// The revision of the link.
    pub revision: i64,
    /// The tags, in no order.
    pub tags: Vec<TagId>,
}

/// Reads the acting account's links to locked customers.
pub async fn read_tags(conn: &mut PgConnection, scope: &Scope, customers: &[CustomerId]) -> Result<Vec<Tagged>> {
    let rows = sqlx::query!(
        r#"
        select customer_id, revision, tags from customer_links
        where tenant_id = $1 and customer_id = any($2) and account_id = $3
        "#,
        scope.tenant().get(),
        &customers.iter().map(|id| id.get()).collect::<Vec<_>>(),
        scope.root().get(),
    )
    .fetch_all(conn)
    .named("customers.read_tags")
    .await?;
    let tagged = rows.into_iter().map(|row| Tagged {
        customer: CustomerId::from_uuid(row.customer_id),
        revision: row.revision,
        tags: row.tags.into_iter().map(TagId::from_uuid).collect(),
    });
    Ok(tagged.collect())
}

#[derive(Serialize)]
struct Element {
    customer_id: CustomerId,
    tags: Vec<Uuid>,
    put_on: Vec<Uuid>,
    taken_off: Vec<Uuid>,
}

impl From<&Tagging> for Element {
    fn from(tagging: &Tagging) -> Self {
        let ids = |link: &Link| link.tags.iter().map(|tag| tag.id.get()).collect::<Vec<_>>();
        let (before, tags) = (ids(&tagging.before), ids(&tagging.after));
        Self {
            customer_id: tagging.customer,
            put_on: tags.iter().filter(|tag| !before.contains(tag)).copied().collect(),
            taken_off: before.iter().filter(|tag| !tags.contains(tag)).copied().collect(),
            tags,
        }
    }
}

/// Writes the acting account's links to locked customers, with an event each that this account alone sees, and the stored
/// answer if one is given.
pub async fn save_tagging(
    conn: &mut PgConnection,
    caller: &Caller,
    changed: &[Tagging],
    answer: Option<&Answer>,
    write: Write<'_>,
) -> Result<()> {
    let (tenant, account) = (caller.scope().tenant(), caller.scope().root());
    let elements: Vec<Element> = changed.iter().map(Element::from).collect();
    let events: Vec<NewEvent<Changes>> = changed
        .iter()
        .map(|Tagging { customer, revision, event, before, after }| NewEvent {
            id: *event,
            customer_id: Some(*customer),
            revision: Some(*revision),
            audience: Some(account),
            ..write.event(EventType::TagsChanged.as_str(), Changes::of_tags(&before.tags, &after.tags))
        })
        .collect();
    let answer = answer.map(|answer| write.stored_answer(answer)).transpose()?.flatten();
    mutation!(
        write.recorded(tenant, &events, answer.as_slice()),
        "with element as materialized (
            select * from jsonb_to_recordset($12) as e (customer_id uuid, tags uuid[], put_on uuid[], taken_off uuid[])
        ), written as (
            insert into customer_links as l (tenant_id, customer_id, account_id, revision, custom_ids, tags)
            select $1, e.customer_id, $13, 1, '{}', e.tags from element e
            on conflict (tenant_id, customer_id, account_id)
            do update set revision = l.revision + 1, tags = excluded.tags
            returning l.customer_id, l.revision, l.tags
        ), head as (
            update customers c set owner_link_revision = w.revision, owner_tags = w.tags
            from written w
            where c.tenant_id = $1 and c.id = w.customer_id and c.account_id = $13
        ), put_on as (
            insert into customer_tags (tenant_id, customer_id, account_id, tag_id)
            select $1, e.customer_id, $13, t.id from element e cross join lateral unnest(e.put_on) as t (id)
        ), taken_off as (
            delete from customer_tags ct
            using element e cross join lateral unnest(e.taken_off) as t (id)
            where ct.tenant_id = $1 and ct.customer_id = e.customer_id and ct.account_id = $13 and ct.tag_id = t.id
        )" RECORDED,
        Json(&elements) as _,
        account.get(),
    )
    .fetch_one(conn)
    .named("customers.save_tagging")
    .await?;
    Ok(())
}
