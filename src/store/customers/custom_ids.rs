//! Accounts' own ids for customers.

use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    domain::{
        access::caller::{Caller, Scope},
        customers::{custom_id_change::CustomIdChange, link::Link},
        history::{event::Changes, event_type::EventType},
        requests::answer::Answer,
        values::custom_id::{CustomId, CustomIds, System},
    },
    error::{Error, Result},
    store::{Write, customers::CustomerRecord, json, principal_key},
    telemetry::Statement as _,
};

/// Of these, the first system in which a customer of the acting account has that custom ID.
pub async fn first_taken(conn: &mut PgConnection, scope: &Scope, ids: &CustomIds) -> Result<Option<System>> {
    let (systems, keys): (Vec<String>, Vec<String>) =
        ids.iter().map(|(system, id)| (system.as_str().to_owned(), id.key().as_str().to_owned())).unzip();
    let taken = sqlx::query_scalar!(
        r#"
        select c.system
        from custom_ids c
        join unnest($3::text[], $4::text[]) as asked (system, value_key)
          on asked.system = c.system and asked.value_key = c.value_key
        where c.tenant_id = $1 and c.account_id = $2 and c.is_current
        order by c.system
        limit 1
        "#,
        scope.tenant().get(),
        scope.root().get(),
        &systems,
        &keys,
    )
    .fetch_optional(conn)
    .named("custom_ids.first_taken")
    .await?;
    Ok(taken.and_then(|taken| ids.keys().find(|system| system.as_str() == taken).cloned()))
}

/// What became of a change of custom IDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It was written.
    Written,
    /// Nothing was: the customer or the link is not as it was read.
    Moved,
    /// Nothing was: another customer has the custom ID of this system.
    Taken(System),
}

/// One system as the statement reads it; without a value it is cleared.
#[derive(Serialize)]
struct Element<'a> {
    system: &'a str,
    value: Option<&'a str>,
    value_key: Option<&'a str>,
}

/// Writes new custom IDs of the acting account, its link, which gets the next revision, an event for that account alone,
/// and the stored answer, if one is given, provided the customer and the link are still as they were read. The
/// customer's row is locked first; its revision stays. What is replaced stays as an alias.
///
/// # Errors
/// A broken unique key, unmapped: the caller knows whether to look for a stored answer first.
pub async fn save(
    conn: &mut PgConnection,
    caller: &Caller,
    before: &CustomerRecord,
    change: &CustomIdChange,
    after: &Link,
    write: Write<'_>,
    answer: Option<&Answer>,
) -> Result<Saved> {
    let saved = sqlx::query!(
        r#"
        with element as materialized (
            select * from jsonb_to_recordset($6) as e (system text, value text, value_key text)
        ), taken as materialized (
            -- The unique key would say so too, but two that take each other's ids would wait for each other first.
            select i.system
            from element e
            join custom_ids i on i.tenant_id = $1 and i.account_id = $3 and i.system = e.system
             and i.value_key = e.value_key and i.is_current and i.customer_id <> $2
        ), locked as materialized (
            select c.account_id, c.revision
            from customers c
            where c.tenant_id = $1 and c.id = $2 and c.revision = $4
              and (c.account_id <> $3 or c.owner_link_revision = $5) and not exists (select from taken)
            for update
        ), link as (
            insert into customer_links as l (tenant_id, customer_id, account_id, revision, custom_ids)
            select $1, $2, $3, $7, $8 from locked
            on conflict (tenant_id, customer_id, account_id)
            do update set revision = excluded.revision, custom_ids = excluded.custom_ids where l.revision = $5
            returning l.revision
        ), own as (
            update customers c set owner_link_revision = $7, owner_custom_ids = $8
            from locked, link
            where c.tenant_id = $1 and c.id = $2 and locked.account_id = $3
        ), retired as (
            update custom_ids i set is_current = false
            from link, element e
            where i.tenant_id = $1 and i.customer_id = $2 and i.account_id = $3 and i.is_current
              and i.system = e.system and i.value_key is distinct from e.value_key
            returning i.system
        ), put as (
            -- Counting what was retired makes this wait for it: the key on current ones is looked at row by row. A pure
            -- change of case finds its row, still current, and changes the value alone.
            insert into custom_ids as i (
                tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at
            )
            select $1, $3, e.system, e.value_key, $2, e.value, true, $9
            from link cross join element e cross join (select count(*) from retired) as done
            where e.value is not null
            on conflict (tenant_id, account_id, system, value_key, customer_id)
            do update set value = excluded.value, is_current = true,
                          created_at = case when i.is_current then i.created_at else excluded.created_at end
        ), event as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, customer_id, revision, audience, issuer, subject, actors,
                acting_account_id, rpc, request_id, trace_id, workload, changes
            )
            select $1, $10, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), $9, $11, $2,
                   locked.revision, $3, $12, $13, $14, $3, $15, $16, $17, $22, $18
            from link cross join locked
        ), answer as (
            insert into requests (tenant_id, principal, rpc, request_id, fingerprint, customer_id, answer, created_at)
            select $1, $19, $15, $16, $20, $2, $21, $9
            from link
            where $21::jsonb is not null
        )
        select (select revision from link) as revision, (select min(system) from taken) as taken
        "#,
        caller.scope().tenant().get(),
        before.customer.id.get(),
        caller.scope().root().get(),
        before.customer.revision,
        before.link.revision,
        json(&elements(change))?,
        after.revision,
        json(&after.custom_ids)?,
        write.at,
        write.event.get(),
        EventType::CustomIdsChanged.as_str(),
        write.author.principal.issuer(),
        write.author.principal.subject(),
        write.actors()?,
        write.author.rpc.name(),
        write.request_id(),
        write.author.trace_id,
        json(&Changes::of_custom_ids(&before.link.custom_ids, &after.custom_ids))?,
        principal_key(&write.author.principal),
        write.fingerprint(),
        answer.filter(|_| write.request.is_some()).map(Answer::to_stored).transpose().map_err(Error::internal)?,
        write.author.workload(),
    )
    .fetch_one(conn)
    .named("custom_ids.save")
    .await?;
    let taken = saved.taken.and_then(|taken| change.iter().find(|(system, _)| system.as_str() == taken));
    Ok(match (saved.revision, taken) {
        (Some(_), _) => Saved::Written,
        (None, taken) => taken.map_or(Saved::Moved, |(system, _)| Saved::Taken(system.clone())),
    })
}

fn elements(change: &CustomIdChange) -> Vec<Element<'_>> {
    change
        .iter()
        .map(|(system, id)| Element {
            system: system.as_str(),
            value: id.map(CustomId::as_str),
            value_key: id.map(|id| id.key().as_str()),
        })
        .collect()
}
