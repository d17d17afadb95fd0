//! Erasing customers: what the program stores of them beside their row, and the row.

mod former_merges;

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

pub use self::former_merges::empty_former_merges;
use super::family::Relative;
use crate::{
    domain::{
        access::caller::{Caller, Scope},
        history::{erasure::kept_paths, event::Changes, event_type::EventType},
        requests::answer::Answer,
        values::{
            email::Email,
            ids::{CustomerId, EventId},
        },
    },
    error::Result,
    store::{
        mutation::mutation,
        write::{NewAnswer, NewEvent, Write},
    },
    telemetry::Statement as _,
};

/// Events that one statement empties.
const AT_ONCE: i64 = 500;

fn uuids(ids: &[CustomerId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.get()).collect()
}

/// The texts with an @ in the records of these customers: their email addresses are among them.
pub async fn texts_with_at(conn: &mut PgConnection, scope: &Scope, ids: &[CustomerId]) -> Result<Vec<String>> {
    let texts = sqlx::query_scalar!(
        r#"
        select distinct t.text #>> '{}' as "text!"
        from customers c
        cross join lateral jsonb_path_query(c.profile, 'strict $.** ? (@.type() == "string" && @ like_regex "@")') as t (text)
        where c.tenant_id = $1 and c.id = any($2)
        "#,
        scope.tenant().get(),
        &uuids(ids),
    )
    .fetch_all(conn)
    .named("erase.texts_with_at")
    .await?;
    Ok(texts)
}

/// The form in which addresses of invitations are compared.
#[must_use]
pub fn address_keys(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().map(|text| Email::stored(text).compared()).collect()
}

/// Empties the old and new values in the events of one locked customer, batch by batch. Returns the texts with an @ that were in
/// them, so that invitations to an earlier address are found too.
pub async fn empty_events(conn: &mut PgConnection, scope: &Scope, customer: CustomerId) -> Result<Vec<String>> {
    let kept = kept_paths();
    let (mut after, mut texts) = (-1, Vec::new());
    loop {
        let batch = sqlx::query!(
            r#"
            with part as materialized (
                select e.id, e.seq, e.changes from events e
                where e.tenant_id = $1 and e.customer_id = $2 and e.seq > $3
                order by e.seq
                limit $5
            ), emptied as (
                update events e set changes = coalesce((
                    select jsonb_object_agg(
                        f.path, case when f.path = any($4) then p.changes -> f.path else '{"old": null, "new": null}' end
                    )
                    from (
                        select distinct case when k.path like 'labels.%' then 'labels' else k.path end as path
                        from jsonb_object_keys(p.changes) as k (path)
                    ) f
                ), '{}')
                from part p
                where e.tenant_id = $1 and e.id = p.id
            )
            select (select max(p.seq) from part p) as last, array(
                select distinct t.text #>> '{}'
                from part p
                cross join lateral jsonb_path_query(
                    p.changes, 'strict $.** ? (@.type() == "string" && @ like_regex "@")'
                ) as t (text)
            ) as "texts!"
            "#,
            scope.tenant().get(),
            customer.get(),
            after,
            &kept,
            AT_ONCE,
        )
        .fetch_one(&mut *conn)
        .named("erase.empty_events")
        .await?;
        texts.extend(batch.texts);
        texts.sort_unstable();
        texts.dedup();
        match batch.last {
            Some(last) => after = last,
            None => return Ok(texts),
        }
    }
}

/// Deletes the invitations to these addresses, as they are compared, of the acting account and those below it, and the stored
/// answers that show them. Invitations of other accounts are theirs: an account must not end them by a customer of its own that
/// has the same address.
pub async fn delete_invitations(conn: &mut PgConnection, scope: &Scope, addresses: &[String]) -> Result<()> {
    if addresses.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        with gone as (
            delete from invitations i
            using accounts a
            where i.tenant_id = $1 and i.email_key = any($2)
              and a.tenant_id = $1 and a.id = i.account_id and $3 = any(a.ancestors)
            returning i.id
        )
        delete from requests r
        where r.tenant_id = $1 and r.answer -> 'invitation' ->> 'id' = any(array(select g.id::text from gone g))
        "#,
        scope.tenant().get(),
        addresses,
        scope.root().get(),
    )
    .execute(conn)
    .named("erase.delete_invitations")
    .await?;
    Ok(())
}

/// Erases locked customers, with an event each and one stored answer, which is about the first. Their events must be empty by
/// now. Every link keeps its row, and one that had something gets a new revision.
pub async fn erase(
    conn: &mut PgConnection,
    caller: &Caller,
    erased: &[(Relative, EventId, Changes)],
    answer: &Answer,
    write: Write<'_>,
) -> Result<()> {
    let ids: Vec<CustomerId> = erased.iter().map(|(relative, ..)| relative.id).collect();
    let events: Vec<NewEvent<&Changes>> = erased
        .iter()
        .map(|(relative, event, changes)| NewEvent {
            id: *event,
            customer_id: Some(relative.id),
            revision: Some(relative.revision + 1),
            ..write.event(EventType::Erased.as_str(), changes)
        })
        .collect();
    let answer = write.stored_answer(answer)?.map(|answer| NewAnswer { customer_id: ids.first().copied(), ..answer });
    mutation!(
        write.recorded(caller.scope().tenant(), &events, answer.as_slice()),
        "with repeated as (
            delete from requests r where r.tenant_id = $1 and r.customer_id = any($12)
        ), custom_id as (
            delete from custom_ids i where i.tenant_id = $1 and i.customer_id = any($12)
        ), tag as (
            delete from customer_tags t where t.tenant_id = $1 and t.customer_id = any($12)
        ), search as (
            delete from customer_search s where s.tenant_id = $1 and s.customer_id = any($12)
        ), duplicate as (
            delete from duplicate_keys d where d.tenant_id = $1 and d.customer_id = any($12)
        ), payment_method as (
            delete from payment_methods p where p.tenant_id = $1 and p.customer_id = any($12)
        ), feature_use as (
            delete from feature_uses f where f.tenant_id = $1 and f.customer_id = any($12)
        ), image as (
            -- All of a merge: they hold each other's data.
            delete from merge_images m where m.tenant_id = $1 and m.merge_id = any(array(
                select k.merge_id from merge_images k where k.tenant_id = $1 and k.customer_id = any($12)
            ))
        ), link as (
            update customer_links l set revision = l.revision + 1, custom_ids = '{}', tags = '{}'
            where l.tenant_id = $1 and l.customer_id = any($12) and (l.custom_ids <> '{}' or l.tags <> '{}')
            returning l.customer_id, l.account_id, l.revision
        ), written as (
            update customers c set
                status = 'ERASED', status_reason = null, merged_into = null, name = '', name_key = c.id::text, name_sort = '',
                name_scope = null, order_reference = null, branch_id = null, sales_person_id = null, profile = '{}',
                holds = '[]', billing = '{}', default_payment_method_id = null, payment_method_count = 0,
                owner_custom_ids = '{}', owner_tags = '{}', owner_link_revision = coalesce((
                    select l.revision from link l where l.customer_id = c.id and l.account_id = c.account_id
                ), c.owner_link_revision),
                -- The ids and times in it.
                migration = case when c.migration is not null then jsonb_strip_nulls(jsonb_build_object(
                    'account_id', c.migration -> 'account_id', 'from_account_id', c.migration -> 'from_account_id',
                    'at', c.migration -> 'at', 'reverted_at', c.migration -> 'reverted_at'
                )) end,
                revision = c.revision + 1, updated_at = $9, updated_by = $13
            where c.tenant_id = $1 and c.id = any($12)
            returning c.id
        )" RECORDED,
        &uuids(&ids),
        Json(&write.author.principal) as _,
    )
    .fetch_one(conn)
    .named("erase.erase")
    .await?;
    Ok(())
}
