//! Custom IDs: accounts' own ids for customers.

use serde::Serialize;
use sqlx::{PgConnection, types::Json};

use crate::{
    domain::{
        access::caller::Caller,
        customers::{custom_id_change::CustomIdChange, link::Link},
        history::{event::Changes, event_type::EventType},
        requests::answer::Answer,
        search::SearchableIds,
        values::custom_id::{CustomId, System},
    },
    error::Result,
    store::{
        customers::CustomerRecord,
        mutation::mutation,
        write::{NewAnswer, NewEvent, Write},
    },
    telemetry::Statement as _,
};

/// The result of a change of custom IDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// The change was written.
    Written,
    /// Nothing was written: the customer or the link has changed since it was read.
    Moved,
    /// Nothing was written: another customer has the custom ID of this system.
    Taken(System),
}

/// One system as the statement reads it. Without a value, its custom ID is cleared.
#[derive(Serialize)]
struct Element<'a> {
    system: &'a str,
    value: Option<&'a str>,
    value_key: Option<&'a str>,
    search_words: Option<String>,
    lexemes: Option<SearchableIds>,
}

/// Writes new custom IDs of the acting account, its link, which gets the next revision, an event for that account alone,
/// and the stored answer, if one is given, unless the customer or the link has changed since it was read. The customer's
/// row is locked first; its revision stays. A replaced custom ID stays as an alias.
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
    let (tenant, account, id) = (caller.scope().tenant(), caller.scope().root(), before.customer.id);
    let changes = Changes::of_custom_ids(&before.link.custom_ids, &after.custom_ids);
    let event = NewEvent {
        customer_id: Some(id),
        revision: Some(before.customer.revision),
        audience: Some(account),
        ..write.event(EventType::CustomIdsChanged.as_str(), changes)
    };
    let answer = match answer {
        Some(answer) => write.stored_answer(answer)?.map(|answer| NewAnswer { customer_id: Some(id), ..answer }),
        None => None,
    };
    let saved = mutation!(
        write.recorded(tenant, &[event], answer.as_slice()),
        "with element as materialized (
            select * from jsonb_to_recordset($12) as e (
                system text, value text, value_key text, search_words text, lexemes tsvector
            )
        ), taken as materialized (
            -- The unique key would refuse it, too, but two calls that take each other's ids would first wait for each other.
            select i.system
            from element e
            join custom_ids i on i.tenant_id = $1 and i.account_id = $14 and i.system = e.system
             and i.value_key = e.value_key and i.is_current and i.customer_id <> $13
        ), locked as materialized (
            select c.account_id, coalesce((
                select s.bucket from customer_search s where s.tenant_id = $1 and s.customer_id = $13
            ), 0) as bucket
            from customers c
            where c.tenant_id = $1 and c.id = $13 and c.revision = $15
              and (c.account_id <> $14 or c.owner_link_revision = $16) and not exists (select from taken)
            for update
        ), written as (
            insert into customer_links as l (tenant_id, customer_id, account_id, revision, custom_ids)
            select $1, $13, $14, $17, $18 from locked
            on conflict (tenant_id, customer_id, account_id)
            do update set revision = excluded.revision, custom_ids = excluded.custom_ids where l.revision = $16
            returning l.customer_id
        ), own as (
            update customers c set owner_link_revision = $17, owner_custom_ids = $18
            from locked, written
            where c.tenant_id = $1 and c.id = $13 and locked.account_id = $14
        ), retired as (
            update custom_ids i set is_current = false
            from written, element e
            where i.tenant_id = $1 and i.customer_id = $13 and i.account_id = $14 and i.is_current
              and i.system = e.system and i.value_key is distinct from e.value_key
            returning i.system
        ), put as (
            -- Counting the retired rows makes this wait for them: the key on current ones is checked row by row. A pure
            -- change of case finds its row, still current, and changes the value alone.
            insert into custom_ids as i (
                tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at, search_words, lexemes,
                bucket, elsewhere
            )
            select $1, $14, e.system, e.value_key, $13, e.value, true, $9, e.search_words, e.lexemes, l.bucket,
                   l.account_id <> $14
            from written cross join locked l cross join element e cross join (select count(*) from retired) as done
            where e.value is not null
            on conflict (tenant_id, account_id, system, value_key, customer_id)
            do update set value = excluded.value, is_current = true, search_words = excluded.search_words,
                          (lexemes, bucket, elsewhere) = (excluded.lexemes, excluded.bucket, excluded.elsewhere),
                          created_at = case when i.is_current then i.created_at else excluded.created_at end
        ), search as (
            -- The owner's are there too. Old values stay, as aliases. The keys of a row are rewritten as a whole, so only if
            -- there is a new one.
            -- At most some `domain::search::MOST_ID_LEXEMES`: beyond, those of the newest stay.
            update customer_search s set id_lexemes = n.lexemes || case when length(s.id_lexemes) < 10000 then s.id_lexemes else
                " ID_LEXEMES_WHERE "i.customer_id = $13 and i.account_id = $14
                    order by i.is_current desc, i.created_at desc limit 5000
                )) end
            from written
            cross join lateral (
                select string_agg(e.lexemes::text, ' ')::tsvector as lexemes from element e where e.lexemes is not null
            ) n
            where s.tenant_id = $1 and s.customer_id = $13 and s.account_id = $14
              and s.id_lexemes || n.lexemes <> s.id_lexemes
        )" HAPPENED EVENTS_AND_ANSWERS r#"
        select (select count(*) from written) as "written!", (select min(system) from taken) as taken"#,
        Json(elements(change)) as _,
        id.get(),
        account.get(),
        before.customer.revision,
        before.link.revision,
        after.revision,
        Json(&after.custom_ids) as _,
    )
    .fetch_one(conn)
    .named("custom_ids.save")
    .await?;
    if saved.written > 0 {
        return Ok(Saved::Written);
    }
    let taken = saved.taken.and_then(|taken| change.iter().find(|(system, _)| system.as_str() == taken));
    Ok(taken.map_or(Saved::Moved, |(system, _)| Saved::Taken(system.clone())))
}

fn elements(change: &CustomIdChange) -> Vec<Element<'_>> {
    change
        .iter()
        .map(|(system, id)| Element {
            system: system.as_str(),
            value: id.map(CustomId::as_str),
            value_key: id.map(|id| id.key().as_str()),
            search_words: id.map(|id| SearchableIds::words(id.as_str())),
            lexemes: id.map(|id| SearchableIds::of([id])),
        })
        .collect()
}
