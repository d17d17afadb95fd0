//! The second form of a write: an optimistic command on one customer.

use serde::Serialize;
use sqlx::{PgConnection, types::Json};

use super::{CustomerRecord, columns::Scalars, save_billing::save_billing};
use crate::{
    domain::{
        access::caller::Caller,
        billing::relied::{Relied, UseChange},
        customers::customer::Customer,
        duplicates::FLEET,
        history::{event::Changes, event_type::EventType},
        requests::answer::Answer,
        values::{sort_key::SortKey, text::Text},
    },
    error::Result,
    store::{
        duplicates,
        mutation::mutation,
        search,
        write::{NewAnswer, NewEvent, Recorded, Write},
    },
    telemetry::Statement as _,
};

/// Writes a changed customer, its event and the stored answer, unless the customer has changed since it was read. Returns
/// whether it wrote them. `after.revision` must be one more than the revision that was read.
///
/// # Errors
/// A broken unique key, unmapped: the caller knows whether to look for a stored answer first.
pub async fn save(
    conn: &mut PgConnection,
    caller: &Caller,
    before: &CustomerRecord,
    after: &Customer,
    happened: EventType,
    write: Write<'_>,
) -> Result<bool> {
    let changes = Changes::of(&before.customer, after);
    save_changes(conn, caller, before, after, (happened, changes), write).await
}

/// The same with an event that has other changes than those of the record.
///
/// # Errors
/// As above.
pub async fn save_changes(
    conn: &mut PgConnection,
    caller: &Caller,
    before: &CustomerRecord,
    after: &Customer,
    (happened, changes): (EventType, Changes),
    write: Write<'_>,
) -> Result<bool> {
    let id = after.id;
    let event =
        NewEvent { customer_id: Some(id), revision: Some(after.revision), ..write.event(happened.as_str(), changes) };
    let answer = write
        .answer(Answer::of_customer(after, &before.link))
        .map(|answer| NewAnswer { customer_id: Some(id), ..answer });
    let events = [event];
    let recorded = write.recorded(caller.scope().tenant(), &events, answer.as_slice());
    let billed = |customer: &Customer| (customer.rate_plan, customer.billing.clone());
    let saved = if billed(&before.customer) != billed(after) {
        save_billing(conn, before, after, &recorded).await?
    } else if before.customer.fields == after.fields {
        save_state(conn, before, after, &recorded).await?
    } else {
        save_fields(conn, before, after, &recorded).await?
    };
    Ok(saved == 1)
}

/// Writes what commands other than an update change: one column after the other is cheaper than a record of all, and the
/// profile, which is large, stays as it is.
async fn save_state<A: Serialize>(
    conn: &mut PgConnection,
    before: &CustomerRecord,
    after: &Customer,
    recorded: &Recorded<'_, NewEvent<Changes>, A>,
) -> Result<i64> {
    let saved = mutation!(
        recorded,
        "with written as (
            update customers set
                revision = revision + 1, status = $15, status_reason = $16, archived_at = $17, holds = $18, updated_at = $9,
                updated_by = $19
            where tenant_id = $1 and id = $12 and revision = $13 and owner_link_revision = $14
            returning id
        )" RECORDED,
        after.id.get(),
        before.customer.revision,
        before.owner_link_revision,
        after.status.as_str(),
        after.status.reason().map(Text::as_str),
        after.archived_at,
        Json(&after.holds) as _,
        Json(&after.updated.by) as _,
    )
    .fetch_one(conn)
    .named("customers.save_state")
    .await?;
    Ok(saved.written)
}

/// Writes all that an update can change.
async fn save_fields<A: Serialize>(
    conn: &mut PgConnection,
    before: &CustomerRecord,
    after: &Customer,
    recorded: &Recorded<'_, NewEvent<Changes>, A>,
) -> Result<i64> {
    let fields = &after.fields;
    // The searched text changes rarely, and writing it costs every index of it.
    let searchable = search::change(&before.customer.fields, fields);
    let (gone, new) = duplicates::change(&before.customer.fields, fields);
    let name_sort = SortKey::of(fields.name.as_str());
    let relied = Relied::of(&before.customer, after, &before.terms);
    let uses = UseChange::of(&before.customer, after, &before.terms);
    let saved = mutation!(
        recorded,
        "with " RELIED ", written as (
            -- name_scope stays: a change of the tenant's rule sets it on every row. A name that stays keeps its key, which
            -- may be of an older rule: by today's another customer can have it.
            update customers set
                (" SCALARS ") = (select " SCALARS " from jsonb_populate_record(null::customers, $15)),
                revision = revision + 1, name_sort = $21, profile = $17, holds = $18, updated_at = $9, updated_by = $19,
                name_key = case when name = $15::jsonb ->> 'name' then name_key else $16 end
            where tenant_id = $1 and id = $22 and revision = $13 and owner_link_revision = $14
              and (select held from relied)
            returning id, account_id, ancestors
        ), use_gone as (
            delete from feature_uses u using written w
            where u.tenant_id = $1 and u.customer_id = w.id and u.key = any($23)
        ), use_new as (
            insert into feature_uses (tenant_id, customer_id, key)
            select $1, w.id, k.key from written w cross join unnest($24::text[]) as k (key)
        ), search as (
            insert into customer_search (
                tenant_id, customer_id, account_id, ancestors, name, name_sort, bucket, doc, country, lexemes, version
            )
            select $1, w.id, w.account_id, w.ancestors, s.name, s.name_sort, s.bucket, s.doc, s.country, s.lexemes, s.version
            from written w cross join jsonb_populate_record(null::customer_search, $20) as s
            where $20::jsonb is not null
            on conflict (tenant_id, customer_id) do update set
                (name, name_sort, bucket, doc, country, lexemes, version) = (
                    excluded.name, excluded.name_sort, excluded.bucket, excluded.doc, excluded.country, excluded.lexemes, excluded.version
                )
        ), custom_id as (
            update custom_ids i set bucket = s.bucket
            from written w cross join jsonb_populate_record(null::customer_search, $20) as s
            where i.tenant_id = $1 and i.customer_id = w.id and i.bucket <> s.bucket and $20::jsonb is not null
        ), no_duplicate as (
            delete from duplicate_keys d
            where d.tenant_id = $1 and d.customer_id = (select id from written) and d.key = any($25)
              and d.customer_id <> '00000000-0000-0000-0000-000000000000'
        ), duplicate as (
            insert into duplicate_keys (tenant_id, account_id, key, customer_id)
            select $1, a.id, k.key, w.id
            from written w
            cross join unnest($26::bigint[]) as k (key)
            cross join lateral unnest(w.ancestors) as a (id)
            where k.key & $27 = 0 or a.id = w.account_id
            on conflict do nothing
        )" RECORDED,
        Json(&relied) as _,
        before.customer.revision,
        before.owner_link_revision,
        Json(Scalars::from(after)) as _,
        fields.name.key().as_str(),
        Json(&fields.profile) as _,
        Json(&after.holds) as _,
        Json(&after.updated.by) as _,
        searchable.map(Json) as _,
        name_sort.as_bytes(),
        after.id.get(),
        &uses.gone,
        &uses.new,
        &gone,
        &new,
        FLEET,
    )
    .fetch_one(conn)
    .named("customers.save_fields")
    .await?;
    Ok(saved.written)
}
