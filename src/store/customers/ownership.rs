//! Customers that go to another account. What belongs to a customer names it by its id, so moving it is an update of its row;
//! what the row repeats of the owner's link is read anew from the new owner's.
//!
//! Locks are taken in one order: the tenant's rule on names, the account that a migration made, the customers by id.

use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::{Caller, Scope},
        accounts::account::name_scope,
        customers::{
            customer::Customer,
            link::Link,
            migration::{AccountUsage, Migration},
        },
        fields::references::References,
        history::{event::Changes, event_type::EventType},
        requests::answer::Answer,
        tags::tag::Tag,
        values::{
            enums::NameUniqueness,
            ids::{AccountId, CustomerId, EventId},
        },
    },
    error::{Error, Result},
    store::{Write, json, principal_key},
    telemetry::Statement as _,
};

/// The tenant's rule on names, which stays until the transaction ends.
pub async fn hold_name_rule(conn: &mut PgConnection, scope: &Scope) -> Result<NameUniqueness> {
    let rule = sqlx::query_scalar!(
        "select name_uniqueness from tenants where tenant_id = $1 for key share",
        scope.tenant().get(),
    )
    .fetch_one(conn)
    .named("ownership.hold_name_rule")
    .await?;
    Ok(NameUniqueness::stored(&rule))
}

/// Locks an account: nobody creates anything in it until the transaction ends.
pub async fn lock_account(conn: &mut PgConnection, scope: &Scope, account: AccountId) -> Result<()> {
    sqlx::query_scalar!(
        "select id from accounts where tenant_id = $1 and id = $2 for update",
        scope.tenant().get(),
        account.get(),
    )
    .fetch_one(conn)
    .named("ownership.lock_account")
    .await?;
    Ok(())
}

/// What has become of an account that was made of a customer.
pub async fn used(
    conn: &mut PgConnection,
    scope: &Scope,
    account: AccountId,
    customer: CustomerId,
) -> Result<AccountUsage> {
    let found = sqlx::query_as!(
        AccountUsage,
        r#"
        select
            exists (select from branches b where b.tenant_id = $1 and b.account_id = $2) as "branch!",
            exists (select from accounts a where a.tenant_id = $1 and a.parent_id = $2) as "account!",
            exists (
                select from customers c where c.tenant_id = $1 and c.account_id = $2 and c.id <> $3
            ) as "customer!",
            exists (
                select from events e
                join members m on m.tenant_id = e.tenant_id and m.account_id = $2 and m.issuer = e.issuer
                 and m.subject = e.subject
                where e.tenant_id = $1 and e.acting_account_id = $2
            ) as "written!"
        "#,
        scope.tenant().get(),
        account.get(),
        customer.get(),
    )
    .fetch_one(conn)
    .named("ownership.used")
    .await?;
    Ok(found)
}

/// What another customer has already where a customer would go.
#[derive(Clone, Copy, Debug)]
pub struct Conflict {
    /// Which customer would go.
    pub customer: CustomerId,
    /// Its name, where names must be unique.
    pub name: bool,
    /// Its order reference.
    pub order_reference: bool,
}

/// Of customers that would go to an account, those that clash with customers that do not go with them.
pub async fn find_conflicts(
    conn: &mut PgConnection,
    scope: &Scope,
    to: AccountId,
    rule: NameUniqueness,
    moving: &[&Customer],
) -> Result<Vec<Conflict>> {
    let (ids, keys): (Vec<Uuid>, Vec<String>) =
        moving.iter().map(|customer| (customer.id.get(), customer.fields.name.key().as_str().to_owned())).unzip();
    let orders: Vec<Option<String>> = moving
        .iter()
        .map(|customer| customer.fields.order_reference.as_ref().map(|reference| reference.as_str().to_owned()))
        .collect();
    sqlx::query!(
        r#"
        select found.customer_id as "customer_id!", found.name as "name!", found.order_reference as "order_reference!"
        from unnest($2::uuid[], $3::text[], $4::text[]) as e (customer_id, name_key, order_reference)
        cross join lateral (
            select e.customer_id,
                   exists (
                       select from customers c
                       where c.tenant_id = $1 and c.name_scope = $5 and c.name_key = e.name_key and c.id <> all($2)
                   ) as name,
                   exists (
                       select from customers c
                       where c.tenant_id = $1 and c.account_id = $6 and c.order_reference = e.order_reference
                         and c.id <> all($2)
                   ) as order_reference
        ) as found
        where found.name or found.order_reference
        "#,
        scope.tenant().get(),
        &ids,
        &keys,
        &orders as _,
        name_scope(rule, scope.tenant(), to)?,
        to.get(),
    )
    .fetch_all(conn)
    .named("ownership.find_conflicts")
    .await?
    .into_iter()
    .map(|row| {
        let customer = CustomerId::from_uuid(row.customer_id);
        Ok(Conflict { customer, name: row.name, order_reference: row.order_reference })
    })
    .collect()
}

/// An account's link to a customer, whoever owns the customer; one that was never written is empty.
pub async fn link(conn: &mut PgConnection, scope: &Scope, customer: CustomerId, account: AccountId) -> Result<Link> {
    let found = sqlx::query_scalar!(
        r#"
        select jsonb_build_object('revision', l.revision, 'custom_ids', l.custom_ids, 'tags', (
            select coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) order by t.name_key), '[]')
            from tags t where t.tenant_id = l.tenant_id and t.id = any(l.tags)
        )) as "link!: Json<Link>"
        from customer_links l
        where l.tenant_id = $1 and l.customer_id = $2 and l.account_id = $3
        "#,
        scope.tenant().get(),
        customer.get(),
        account.get(),
    )
    .fetch_optional(conn)
    .named("ownership.link")
    .await?;
    Ok(found.map(|link| link.0).unwrap_or_default())
}

/// Gives an account that has neither tags nor customers yet a link to a customer: the tags are made for it, its custom IDs
/// are those that `from` has. Each of the two is a revision of the link, with an event for that account alone.
pub async fn copy_link(
    conn: &mut PgConnection,
    scope: &Scope,
    customer: &Customer,
    (from, to): (AccountId, AccountId),
    link: &Link,
    events: [EventId; 2],
    write: Write<'_>,
) -> Result<()> {
    let of = |value: fn(&Tag) -> &str| link.tags.iter().map(|tag| value(tag).to_owned()).collect::<Vec<_>>();
    let systems: Vec<String> = link.custom_ids.keys().map(|system| system.as_str().to_owned()).collect();
    let nothing = Link::default();
    let told = [
        (EventType::CustomIdsChanged, Changes::of_custom_ids(&nothing.custom_ids, &link.custom_ids)),
        (EventType::TagsChanged, Changes::of_tags(&nothing.tags, &link.tags)),
    ];
    let told: Vec<_> = told
        .iter()
        .zip(events)
        .filter(|((_, changes), _)| !changes.0.is_empty())
        .map(|((happened, changes), event)| {
            serde_json::json!({"id": event, "type": happened.as_str(), "changes": changes})
        })
        .collect();
    sqlx::query!(
        r#"
        with tag as (
            insert into tags (tenant_id, id, account_id, name, name_key, created_at)
            select $1, t.id, $4, t.name, t.name_key, $9
            from unnest($5::uuid[], $6::text[], $7::text[]) as t (id, name, name_key)
        ), put_on as (
            insert into customer_tags (tenant_id, customer_id, account_id, tag_id)
            select $1, $2, $4, t.id from unnest($5::uuid[]) as t (id)
        ), custom_id as (
            insert into custom_ids (tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at)
            select $1, $4, i.system, i.value_key, $2, i.value, true, $9
            from custom_ids i
            where i.tenant_id = $1 and i.customer_id = $2 and i.account_id = $3 and i.is_current and i.system = any($8)
        ), event as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, customer_id, revision, audience, issuer, subject, actors,
                acting_account_id, rpc, request_id, trace_id, workload, changes
            )
            select $1, e.id, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), $9, e.type, $2,
                   $12, $4, $13, $14, $15, $16, $17, $18, $19, $20, e.changes
            from jsonb_to_recordset($10) as e (id uuid, type text, changes jsonb)
        )
        insert into customer_links (tenant_id, customer_id, account_id, revision, custom_ids, tags)
        values ($1, $2, $4, jsonb_array_length($10), $11, $5)
        "#,
        scope.tenant().get(),
        customer.id.get(),
        from.get(),
        to.get(),
        &link.tags.iter().map(|tag| tag.id.get()).collect::<Vec<_>>(),
        &of(|tag| tag.name.as_str()),
        &of(|tag| tag.name.key().as_str()),
        &systems,
        write.at,
        json(&told)?,
        json(&link.custom_ids)?,
        customer.revision,
        write.author.principal.issuer(),
        write.author.principal.subject(),
        write.actors()?,
        write.acting.map(AccountId::get),
        write.author.rpc.name(),
        write.request_id(),
        write.author.trace_id,
        write.author.workload(),
    )
    .execute(conn)
    .named("ownership.copy_link")
    .await?;
    Ok(())
}

/// A locked customer that goes to another account.
#[derive(Clone, Debug)]
pub struct Move {
    /// The customer there.
    pub after: Customer,
    /// The id of its event.
    pub event: EventId,
    /// What changes.
    pub changes: Changes,
}

#[derive(Serialize)]
struct Element<'a> {
    customer_id: Uuid,
    account_id: Uuid,
    ancestors: Vec<Uuid>,
    name_scope: Option<Uuid>,
    #[serde(flatten)]
    references: &'a References,
    migration: Option<&'a Migration>,
    event_id: Uuid,
    changes: &'a Changes,
}

/// Writes customers into the accounts that they go to, with an event each and one stored answer. `one` is the customer that
/// the answer tells of, if it tells of one. Links are as they are; the new owner's is repeated in the row.
///
/// # Errors
/// A broken unique key, unmapped: a customer of the same name or order reference was written meanwhile.
pub async fn save(
    conn: &mut PgConnection,
    caller: &Caller,
    rule: NameUniqueness,
    moves: &[Move],
    happened: EventType,
    (answer, one): (&Answer, Option<CustomerId>),
    write: Write<'_>,
) -> Result<()> {
    let tenant = caller.scope().tenant();
    let elements: Vec<Element<'_>> = moves
        .iter()
        .map(|Move { after, event, changes }| {
            Ok(Element {
                customer_id: after.id.get(),
                account_id: after.owner.get(),
                ancestors: after.path.ids().iter().map(|id| id.get()).collect(),
                name_scope: name_scope(rule, tenant, after.owner)?,
                references: &after.fields.references,
                migration: after.migration.as_ref(),
                event_id: event.get(),
                changes,
            })
        })
        .collect::<Result<_>>()?;
    sqlx::query!(
        r#"
        with element as materialized (
            select * from jsonb_to_recordset($2) as e (
                customer_id uuid, account_id uuid, ancestors uuid[], name_scope uuid, branch_id uuid, sales_person_id uuid,
                migration jsonb, event_id uuid, changes jsonb
            )
        ), head as (
            update customers c set
                account_id = e.account_id, ancestors = e.ancestors, name_scope = e.name_scope, branch_id = e.branch_id,
                sales_person_id = e.sales_person_id, migration = e.migration, revision = c.revision + 1,
                owner_link_revision = coalesce(l.revision, 0), owner_custom_ids = coalesce(l.custom_ids, '{}'),
                owner_tags = coalesce(l.tags, '{}'), updated_at = $3, updated_by = $4
            from element e
            left join customer_links l
              on l.tenant_id = $1 and l.customer_id = e.customer_id and l.account_id = e.account_id
            where c.tenant_id = $1 and c.id = e.customer_id
            returning c.id, c.revision, e.event_id, e.changes
        ), event as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, customer_id, revision, issuer, subject, actors,
                acting_account_id, rpc, request_id, trace_id, workload, changes
            )
            select $1, head.event_id, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), $3,
                   $5, head.id, head.revision, $6, $7, $8, $9, $10, $11, $12, $17, head.changes
            from head
        )
        insert into requests (tenant_id, principal, rpc, request_id, fingerprint, customer_id, answer, created_at)
        select $1, $13, $10, $11, $14, $15, $16, $3
        where $11::uuid is not null
        "#,
        tenant.get(),
        Json(&elements) as _,
        write.at,
        json(&write.author.principal)?,
        happened.as_str(),
        write.author.principal.issuer(),
        write.author.principal.subject(),
        write.actors()?,
        write.acting.map(AccountId::get),
        write.author.rpc.name(),
        write.request_id(),
        write.author.trace_id,
        principal_key(&write.author.principal),
        write.fingerprint(),
        one.map(CustomerId::get),
        write.request.map(|_| answer.to_stored()).transpose().map_err(Error::internal)?,
        write.author.workload(),
    )
    .execute(conn)
    .named("ownership.save")
    .await?;
    Ok(())
}
