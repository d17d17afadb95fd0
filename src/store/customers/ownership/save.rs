//! What is written when customers go to another account.

use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::{Caller, Scope},
        accounts::account::{Path, name_scope},
        billing::relied::UseChange,
        customers::{customer::Customer, link::Link, migration::Migration},
        duplicates::FLEET,
        history::{event::Changes, event_type::EventType},
        requests::answer::Answer,
        tags::tag::Tag,
        values::{
            enums::NameUniqueness,
            ids::{AccountId, CustomerId, EventId},
        },
    },
    error::{Error, Result},
    store::{
        customers::columns::{BilledColumns, Scalars},
        mutation::mutation,
        write::{NewAnswer, NewEvent, Write},
    },
    telemetry::Statement as _,
};

/// Gives an account that is about to own a customer, and has neither tags nor customers yet, a link to it: the tags are
/// created in it, the custom IDs are those of the account `from`. Each of the two is a revision of the link, with an event for
/// the new account alone; each new tag has an event too, by its id in `tag_events`.
pub async fn copy_link(
    conn: &mut PgConnection,
    scope: &Scope,
    customer: &Customer,
    (from, to): (AccountId, AccountId),
    link: &Link,
    (events, tag_events): ([EventId; 2], Vec<EventId>),
    write: Write<'_>,
) -> Result<()> {
    let texts = |text: fn(&Tag) -> &str| link.tags.iter().map(|tag| text(tag).to_owned()).collect::<Vec<_>>();
    let systems: Vec<String> = link.custom_ids.keys().map(|system| system.as_str().to_owned()).collect();
    let empty = Link::default();
    let changes = [
        (EventType::CustomIdsChanged, Changes::of_custom_ids(&empty.custom_ids, &link.custom_ids)),
        (EventType::TagsChanged, Changes::of_tags(&empty.tags, &link.tags)),
    ];
    let mut events: Vec<NewEvent<Changes>> = changes
        .into_iter()
        .zip(events)
        .filter(|((_, changes), _)| !changes.0.is_empty())
        .map(|((happened, changes), event)| NewEvent {
            id: event,
            customer_id: Some(customer.id),
            revision: Some(customer.revision),
            audience: Some(to),
            ..write.event(happened.as_str(), changes)
        })
        .collect();
    let revision = i64::try_from(events.len()).map_err(Error::internal)?;
    events.extend(link.tags.iter().zip(tag_events).map(|(tag, event)| NewEvent {
        id: event,
        audience: Some(to),
        account_id: Some(to),
        ..write.event("TAG_CREATED", Changes::of_tag(None, Some(tag)))
    }));
    mutation!(
        write.recorded(scope.tenant(), &events, &[] as &[NewAnswer<()>]),
        "with tag as (
            insert into tags (tenant_id, id, account_id, name, name_key, name_sort, created_at)
            select $1, t.id, $14, t.name, t.name_key, t.name_sort, $9
            from unnest($15::uuid[], $16::text[], $17::text[], $20::bytea[]) as t (id, name, name_key, name_sort)
        ), put_on as (
            insert into customer_tags (tenant_id, customer_id, account_id, tag_id)
            select $1, $12, $14, t.id from unnest($15::uuid[]) as t (id)
        ), custom_id as (
            insert into custom_ids (
                tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at, search_words, lexemes,
                bucket
            )
            select $1, $14, i.system, i.value_key, $12, i.value, true, $9, i.search_words, i.lexemes, i.bucket
            from custom_ids i
            where i.tenant_id = $1 and i.customer_id = $12 and i.account_id = $13 and i.is_current
              and i.system = any($18)
        ), written as (
            insert into customer_links (tenant_id, customer_id, account_id, revision, custom_ids, tags)
            values ($1, $12, $14, $21, $19, $15)
            returning customer_id
        )" RECORDED,
        customer.id.get(),
        from.get(),
        to.get(),
        &link.tags.iter().map(|tag| tag.id.get()).collect::<Vec<_>>(),
        &texts(|tag| tag.name.as_str()),
        &texts(|tag| tag.name.key().as_str()),
        &systems,
        Json(&link.custom_ids) as _,
        &link.tags.iter().map(|tag| tag.sort_key().as_bytes().to_vec()).collect::<Vec<_>>(),
        revision,
    )
    .fetch_one(conn)
    .named("ownership.copy_link")
    .await?;
    Ok(())
}

/// A locked customer that goes to another account.
#[derive(Clone, Debug)]
pub struct Move {
    /// The customer after the change.
    pub after: Customer,
    /// The id of its event.
    pub event: EventId,
    /// The changed fields.
    pub changes: Changes,
    /// What changes in what it uses, if it gets another plan.
    pub uses: UseChange,
}

/// One row of `customers` as the statement reads it.
#[derive(Serialize)]
struct Element<'a> {
    id: CustomerId,
    account_id: AccountId,
    ancestors: &'a Path,
    name_scope: Option<Uuid>,
    migration: Option<&'a Migration>,
    #[serde(flatten)]
    billed: BilledColumns<'a>,
    #[serde(flatten)]
    scalars: Scalars<'a>,
}

/// Writes customers into the accounts that they go to, with an event each and one stored answer. `subject` is the customer
/// that the answer is about; none for a batch. Links stay; the new owner's is repeated in the row.
///
/// # Errors
/// A broken unique key, unmapped: a customer of the same name or order reference was written meanwhile.
pub async fn save(
    conn: &mut PgConnection,
    caller: &Caller,
    rule: NameUniqueness,
    moves: &[Move],
    happened: EventType,
    (answer, subject): (&Answer, Option<CustomerId>),
    write: Write<'_>,
) -> Result<()> {
    let tenant = caller.scope().tenant();
    let elements: Vec<Element<'_>> = moves
        .iter()
        .map(|Move { after, .. }| {
            Ok(Element {
                id: after.id,
                account_id: after.owner,
                ancestors: &after.path,
                name_scope: name_scope(rule, tenant, after.owner)?,
                migration: after.migration.as_ref(),
                billed: BilledColumns::from(after),
                scalars: Scalars::from(after),
            })
        })
        .collect::<Result<_>>()?;
    let events: Vec<NewEvent<&Changes>> = moves
        .iter()
        .map(|Move { after, event, changes, .. }| NewEvent {
            id: *event,
            customer_id: Some(after.id),
            revision: Some(after.revision),
            ..write.event(happened.as_str(), changes)
        })
        .collect();
    let answer = write.stored_answer(answer)?.map(|answer| NewAnswer { customer_id: subject, ..answer });
    let (gone, new) = (keys(moves, |uses| &uses.gone), keys(moves, |uses| &uses.new));
    mutation!(
        write.recorded(tenant, &events, answer.as_slice()),
        "with element as materialized (
            select id, account_id, ancestors, name_scope, migration, rate_plan_id, billing, " SCALARS "
            from jsonb_populate_recordset(null::customers, $12)
        ), written as (
            update customers c set
                (account_id, ancestors, name_scope, migration, rate_plan_id, billing, " SCALARS ") = (
                    select account_id, ancestors, name_scope, migration, rate_plan_id, billing, " SCALARS "
                    from (select e.*) as moved
                ),
                owner_link_revision = coalesce(l.revision, 0), owner_custom_ids = coalesce(l.custom_ids, '{}'),
                owner_tags = coalesce(l.tags, '{}'), revision = c.revision + 1, updated_at = $9, updated_by = $13
            from element e
            left join customer_links l
              on l.tenant_id = $1 and l.customer_id = e.id and l.account_id = e.account_id
            where c.tenant_id = $1 and c.id = e.id
            returning c.id, c.account_id, c.ancestors
        ), use_gone as (
            delete from feature_uses u using written w, unnest($14::uuid[], $15::text[]) as k (id, key)
            where u.tenant_id = $1 and u.customer_id = w.id and k.id = w.id and u.key = k.key
        ), use_new as (
            insert into feature_uses (tenant_id, customer_id, key)
            select $1, w.id, k.key from written w join unnest($16::uuid[], $17::text[]) as k (id, key) on k.id = w.id
        ), custom_id as (
            update custom_ids i set elsewhere = i.account_id <> w.account_id
            from written w
            where i.tenant_id = $1 and i.customer_id = w.id and i.elsewhere = (i.account_id = w.account_id)
        ), search as (
            update customer_search s set account_id = w.account_id, ancestors = w.ancestors, id_lexemes =
                " ID_LEXEMES_WHERE "i.customer_id = w.id and i.account_id = w.account_id" NEWEST "
            from written w
            where s.tenant_id = $1 and s.customer_id = w.id
        ), duplicate_key as materialized (
            select distinct w.id, w.account_id, w.ancestors, k.key
            from written w
            cross join lateral (
                select d.key from duplicate_keys d
                where d.tenant_id = $1 and d.customer_id = w.id and d.customer_id <> '00000000-0000-0000-0000-000000000000'
                offset 0
            ) k
        ), no_duplicate as (
            -- An account that is on both paths keeps its rows.
            delete from duplicate_keys d using written w
            where d.tenant_id = $1 and d.customer_id = w.id and d.customer_id = any(array(select id from written))
              and d.customer_id <> '00000000-0000-0000-0000-000000000000'
              and d.account_id <> all(case when d.key & $18 = 0 then w.ancestors else array[w.account_id] end)
        ), duplicate as (
            insert into duplicate_keys (tenant_id, account_id, key, customer_id)
            select $1, a.id, k.key, k.id
            from duplicate_key k
            cross join lateral unnest(k.ancestors) as a (id)
            where k.key & $18 = 0 or a.id = k.account_id
            on conflict do nothing
        )" RECORDED,
        Json(&elements) as _,
        Json(&write.author.principal) as _,
        &gone.0,
        &gone.1,
        &new.0,
        &new.1,
        FLEET,
    )
    .fetch_one(conn)
    .named("ownership.save")
    .await?;
    Ok(())
}

/// Keys of what customers use, each with its customer.
fn keys(moves: &[Move], of: fn(&UseChange) -> &[String]) -> (Vec<Uuid>, Vec<String>) {
    moves.iter().flat_map(|it| of(&it.uses).iter().map(|key| (it.after.id.get(), key.clone()))).unzip()
}
