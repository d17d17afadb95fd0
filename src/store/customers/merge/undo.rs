//! Undoing a merge: what it moved goes back, as far as nobody has changed it since.

use std::collections::BTreeSet;

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

pub use super::lost::{LostId, lost_ids};
use super::{Changed, copy_owners_links, events, payment_methods};
use crate::{
    domain::{
        access::caller::{Caller, Scope},
        duplicates::{FLEET, Key},
        fields::references::References,
        search::Searchable,
        values::ids::{AccountId, CustomerId},
    },
    error::Result,
    store::{
        mutation::mutation,
        write::{NewAnswer, Write},
    },
    telemetry::Statement as _,
};

/// The accounts whose custom IDs or tags go back.
pub async fn accounts(conn: &mut PgConnection, scope: &Scope, merge: Uuid) -> Result<Vec<AccountId>> {
    let accounts = sqlx::query_scalar!(
        r#"
        select distinct (g.moved ->> 'account_id')::uuid as "account_id!"
        from merge_images m
        cross join lateral jsonb_array_elements((m.image -> 'custom_ids') || (m.image -> 'tags')) as g (moved)
        where m.tenant_id = $1 and m.merge_id = $2 and m.place > 1
        order by 1
        "#,
        scope.tenant().get(),
        merge,
    )
    .fetch_all(conn)
    .named("undo.accounts")
    .await?;
    Ok(accounts.into_iter().map(AccountId::from_uuid).collect())
}

/// Moves custom IDs and tags back. In the systems of `lost` the survivor or another customer keeps the value, and the one that
/// had it gets it as an alias.
#[expect(clippy::too_many_lines, reason = "three statements, one after the other")]
pub async fn give_back(
    conn: &mut PgConnection,
    scope: &Scope,
    merge: Uuid,
    (survivor, others): (CustomerId, &[CustomerId]),
    (accounts, lost): (&[AccountId], &[LostId]),
) -> Result<()> {
    let tenant = scope.tenant().get();
    let customers: Vec<Uuid> = std::iter::once(survivor).chain(others.iter().copied()).map(CustomerId::get).collect();
    let lost_accounts: Vec<Uuid> = lost.iter().map(|lost| lost.account.get()).collect();
    let lost_systems: Vec<String> = lost.iter().map(|lost| lost.system.clone()).collect();
    sqlx::query!(
        "
        with image as materialized (
            select m.place, m.customer_id as of_customer, i.*, exists (
                select from unnest($4::uuid[], $5::text[]) as k (account_id, system)
                where k.account_id = i.account_id and k.system = i.system
            ) as is_lost
            from merge_images m
            cross join lateral jsonb_populate_recordset(null::custom_ids, m.image -> 'custom_ids') i
            where m.tenant_id = $1 and m.merge_id = $2
        ), gone as (
            -- What the survivor did not have itself.
            delete from custom_ids n
            using image t
            where n.tenant_id = $1 and n.customer_id = $3 and t.place > 1 and not t.is_lost
              and n.account_id = t.account_id and n.system = t.system and n.value_key = t.value_key
              and not exists (
                  select from image o
                  where o.place = 1 and o.account_id = n.account_id and o.system = n.system and o.value_key = n.value_key
              )
            returning n.value_key
        ), alias_again as (
            update custom_ids n set is_current = false
            from image o
            where n.tenant_id = $1 and n.customer_id = $3 and n.is_current and o.place = 1 and not o.is_current
              and not o.is_lost and n.account_id = o.account_id and n.system = o.system and n.value_key = o.value_key
              and exists (
                  select from image t
                  where t.place > 1 and t.is_current and t.account_id = o.account_id and t.system = o.system
                    and t.value_key = o.value_key
              )
            returning n.value_key
        )
        insert into custom_ids (
            tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at, search_words, lexemes, bucket,
            elsewhere, merged_from
        )
        select $1, t.account_id, t.system, t.value_key, t.of_customer, t.value, t.is_current and not t.is_lost, t.created_at,
               t.search_words, coalesce(t.lexemes, ''), t.bucket, t.elsewhere, t.merged_from
        from image t
        -- Counting makes this wait for both: the key on current ones is checked row by row.
        cross join (select count(*) from gone) as deleted
        cross join (select count(*) from alias_again) as demoted
        where t.place > 1
        on conflict (tenant_id, account_id, system, value_key, customer_id) do nothing
        ",
        tenant,
        merge,
        survivor.get(),
        &lost_accounts,
        &lost_systems,
    )
    .execute(&mut *conn)
    .named("undo.custom_ids")
    .await?;
    sqlx::query!(
        "
        with image as materialized (
            select m.place, m.customer_id as of_customer, g.account_id, g.tag_id
            from merge_images m
            cross join lateral jsonb_populate_recordset(null::customer_tags, m.image -> 'tags') g
            where m.tenant_id = $1 and m.merge_id = $2
        ), gone as (
            delete from customer_tags n
            using image t
            where n.tenant_id = $1 and n.customer_id = $3 and t.place > 1 and n.account_id = t.account_id
              and n.tag_id = t.tag_id
              and not exists (
                  select from image o where o.place = 1 and o.account_id = n.account_id and o.tag_id = n.tag_id
              )
        )
        insert into customer_tags (tenant_id, customer_id, account_id, tag_id)
        select $1, t.of_customer, t.account_id, t.tag_id
        from image t
        -- A tag may have been deleted meanwhile.
        join tags k on k.tenant_id = $1 and k.id = t.tag_id
        where t.place > 1
        on conflict (tenant_id, customer_id, account_id, tag_id) do nothing
        ",
        tenant,
        merge,
        survivor.get(),
    )
    .execute(&mut *conn)
    .named("undo.tags")
    .await?;
    sqlx::query!(
        "
        insert into customer_links as l (tenant_id, customer_id, account_id, revision, custom_ids, tags)
        select $1, c.customer_id, a.account_id, 1, coalesce((
                   select jsonb_object_agg(i.system, i.value) from custom_ids i
                   where i.tenant_id = $1 and i.customer_id = c.customer_id and i.account_id = a.account_id and i.is_current
               ), '{}'), array(
                   select t.id from customer_tags g
                   join tags t on t.tenant_id = g.tenant_id and t.id = g.tag_id
                   where g.tenant_id = $1 and g.customer_id = c.customer_id and g.account_id = a.account_id
                   order by t.name_sort, t.id
               )
        from unnest($2::uuid[]) as c (customer_id)
        cross join unnest($3::uuid[]) as a (account_id)
        where exists (
            select from customer_links k
            where k.tenant_id = $1 and k.customer_id = c.customer_id and k.account_id = a.account_id
        )
        on conflict (tenant_id, customer_id, account_id) do update set
            revision = l.revision + 1, tags = excluded.tags,
            -- A custom ID in a system that this release does not know stays.
            custom_ids = (l.custom_ids - array(
                select x.system from custom_ids x
                where x.tenant_id = $1 and x.customer_id = any($2) and x.account_id = l.account_id
            )) || excluded.custom_ids
        where l.tags <> excluded.tags or (l.custom_ids - array(
            select x.system from custom_ids x
            where x.tenant_id = $1 and x.customer_id = any($2) and x.account_id = l.account_id
        )) || excluded.custom_ids <> l.custom_ids
        ",
        tenant,
        &customers,
        &accounts.iter().map(|id| id.get()).collect::<Vec<_>>(),
    )
    .execute(&mut *conn)
    .named("undo.links")
    .await?;
    payment_methods::give_back(conn, scope, merge, survivor, &customers).await?;
    copy_owners_links(conn, scope, &customers).await
}

/// One customer as it was before the merge.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The customer.
    pub customer: CustomerId,
    /// Its references that its owner still has.
    pub references: References,
    /// What searches look at.
    pub text: Searchable,
    /// By what it is compared with others.
    pub duplicate_keys: BTreeSet<Key>,
}

/// Gives those that were merged their status and what must be unique back, and makes their texts of searches again; deletes the
/// images of the merge. Writes all events but the survivor's own.
pub async fn restore(
    conn: &mut PgConnection,
    caller: &Caller,
    merge: Uuid,
    survivor: CustomerId,
    restored: &[Restored],
    changed: &[Changed],
    write: Write<'_>,
) -> Result<()> {
    #[derive(serde::Serialize)]
    struct Element<'a> {
        id: CustomerId,
        #[serde(flatten)]
        references: &'a References,
        #[serde(flatten)]
        text: &'a Searchable,
        duplicate_keys: &'a BTreeSet<Key>,
    }
    let elements: Vec<Element<'_>> = restored
        .iter()
        .map(|Restored { customer: id, references, text, duplicate_keys }| Element {
            id: *id,
            references,
            text,
            duplicate_keys,
        })
        .collect();
    mutation!(
        write.recorded(caller.scope().tenant(), &events(changed, write), &[] as &[NewAnswer<()>]),
        "with element as materialized (
            select k.id, k.branch_id, k.sales_person_id from jsonb_populate_recordset(null::customers, $14) k
        ), image as materialized (
            select m.customer_id, m.image, r.status, r.status_reason, r.order_reference
            from merge_images m
            cross join lateral jsonb_populate_record(null::customers, m.image -> 'row') r
            where m.tenant_id = $1 and m.merge_id = $12 and m.place > 1
        ), source as (
            update customers c set merged_into = m.customer_id, revision = c.revision + 1, updated_at = $9, updated_by = $15
            from image m
            where c.tenant_id = $1 and c.merged_into = $13 and (m.image -> 'sources') ? c.id::text
        ), written as (
            update customers c set
                status = m.status, status_reason = m.status_reason, merged_into = null, order_reference = m.order_reference,
                branch_id = e.branch_id, sales_person_id = e.sales_person_id, name_scope = (
                    select case t.name_uniqueness when 'ACCOUNT' then c.account_id when 'TENANT' then c.tenant_id end
                    from tenants t where t.tenant_id = $1
                ), revision = c.revision + 1, updated_at = $9, updated_by = $15
            from image m
            join element e on e.id = m.customer_id
            where c.tenant_id = $1 and c.id = m.customer_id
            returning c.id, c.account_id, c.ancestors
        ), search as (
            insert into customer_search (
                tenant_id, customer_id, account_id, ancestors, name, name_sort, bucket, doc, country, lexemes, version, id_lexemes
            )
            select $1, w.id, w.account_id, w.ancestors, k.name, k.name_sort, k.bucket, k.doc, k.country, k.lexemes, k.version,
                   " ID_LEXEMES_WHERE "i.customer_id = w.id and i.account_id = w.account_id" NEWEST "
            from written w
            join jsonb_to_recordset($14) as k (
                id uuid, name text, name_sort bytea, bucket smallint, doc text, country text, lexemes tsvector, version smallint
            ) on k.id = w.id
            on conflict (tenant_id, customer_id) do nothing
        ), survivors_search as (
            -- It may have lost custom IDs to them.
            update customer_search s set id_lexemes =
                " ID_LEXEMES_WHERE "i.customer_id = $13 and i.account_id = s.account_id" NEWEST "
            where s.tenant_id = $1 and s.customer_id = $13
        ), duplicate as (
            insert into duplicate_keys (tenant_id, account_id, key, customer_id)
            select $1, a.id, d.key, w.id
            from written w
            join jsonb_to_recordset($14) as k (id uuid, duplicate_keys bigint[]) on k.id = w.id
            cross join lateral unnest(k.duplicate_keys) as d (key)
            cross join lateral unnest(w.ancestors) as a (id)
            where d.key & $16 = 0 or a.id = w.account_id
            on conflict do nothing
        ), forgotten as (
            delete from merge_images m where m.tenant_id = $1 and m.merge_id = $12
        )" RECORDED,
        merge,
        survivor.get(),
        Json(&elements) as _,
        Json(&write.author.principal) as _,
        FLEET,
    )
    .fetch_one(conn)
    .named("undo.restore")
    .await?;
    Ok(())
}
