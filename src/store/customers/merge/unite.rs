//! What belongs to customers that are merged moves to the one that stays, table by table.

use sqlx::PgConnection;

use super::{Merging, billing, copy_owners_links, payment_methods};
use crate::{
    domain::{access::caller::Scope, values::ids::AccountId},
    error::Result,
    store::sql::sql,
    telemetry::Statement as _,
};

/// Moves what belongs to those that go to the one that stays. A table of something new that a customer has gets its statement
/// here; `tests/it/architecture.rs` names the tables that have none.
#[expect(clippy::too_many_lines, reason = "a statement for each table, one after the other")]
pub async fn unite(conn: &mut PgConnection, scope: &Scope, merging: Merging<'_>, accounts: &[AccountId]) -> Result<()> {
    let tenant = scope.tenant().get();
    let (survivor, others) = (merging.survivor.get(), merging.others());
    // In a system in which the survivor has none, the first one becomes its current one. All others are aliases.
    sqlx::query!(
        "
        with gone as (
            delete from custom_ids i where i.tenant_id = $1 and i.customer_id = any($3)
            returning i.account_id, i.system, i.value_key, i.customer_id, i.value, i.is_current, i.created_at,
                      i.search_words, i.lexemes, i.elsewhere
        ), placed as (
            select g.*, g.is_current and row_number() over (
                partition by g.account_id, g.system order by g.is_current desc, array_position($3, g.customer_id)
            ) = 1 and not exists (
                select from custom_ids s
                where s.tenant_id = $1 and s.customer_id = $2 and s.account_id = g.account_id and s.system = g.system
                  and s.is_current
            ) as becomes_current
            from gone g
        )
        insert into custom_ids as i (
            tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at, search_words, lexemes, bucket,
            elsewhere, merged_from
        )
        select distinct on (p.account_id, p.system, p.value_key)
               $1, p.account_id, p.system, p.value_key, $2, p.value, p.becomes_current, p.created_at, p.search_words, p.lexemes,
               coalesce((
                   select s.bucket from customer_search s where s.tenant_id = $1 and s.customer_id = $2
               ), 0), p.elsewhere, p.customer_id
        from placed p
        order by p.account_id, p.system, p.value_key, p.becomes_current desc, p.created_at desc, p.customer_id
        on conflict (tenant_id, account_id, system, value_key, customer_id)
        do update set is_current = i.is_current or excluded.is_current
        ",
        tenant,
        survivor,
        &others,
    )
    .execute(&mut *conn)
    .named("merge.custom_ids")
    .await?;
    sqlx::query!(
        "
        with gone as (
            delete from customer_tags g where g.tenant_id = $1 and g.customer_id = any($3)
            returning g.account_id, g.tag_id
        )
        insert into customer_tags (tenant_id, customer_id, account_id, tag_id)
        select distinct $1::uuid, $2::uuid, g.account_id, g.tag_id from gone g
        on conflict (tenant_id, customer_id, account_id, tag_id) do nothing
        ",
        tenant,
        survivor,
        &others,
    )
    .execute(&mut *conn)
    .named("merge.tags")
    .await?;
    // A custom ID in a system that this release does not know stays in the survivor's link.
    sqlx::query!(
        "
        with emptied as (
            update customer_links l set revision = l.revision + 1, custom_ids = '{}', tags = '{}'
            where l.tenant_id = $1 and l.customer_id = any($3) and (l.custom_ids <> '{}' or l.tags <> '{}')
        )
        insert into customer_links as l (tenant_id, customer_id, account_id, revision, custom_ids, tags)
        select $1, $2, a.account_id, 1, coalesce((
                   select jsonb_object_agg(i.system, i.value) from custom_ids i
                   where i.tenant_id = $1 and i.customer_id = $2 and i.account_id = a.account_id and i.is_current
               ), '{}'), array(
                   select t.id from customer_tags g
                   join tags t on t.tenant_id = g.tenant_id and t.id = g.tag_id
                   where g.tenant_id = $1 and g.customer_id = $2 and g.account_id = a.account_id
                   order by t.name_sort, t.id
               )
        from unnest($4::uuid[]) as a (account_id)
        on conflict (tenant_id, customer_id, account_id) do update set
            revision = l.revision + 1, custom_ids = l.custom_ids || excluded.custom_ids, tags = excluded.tags
        where l.custom_ids || excluded.custom_ids <> l.custom_ids or l.tags <> excluded.tags
        ",
        tenant,
        survivor,
        &others,
        &accounts.iter().map(|id| id.get()).collect::<Vec<_>>(),
    )
    .execute(&mut *conn)
    .named("merge.write_links")
    .await?;
    sql!(
        query,
        "with gone as (
            delete from customer_search s where s.tenant_id = $1 and s.customer_id = any($3)
        ), gone_keys as (
            -- Those of the survivor follow its fields.
            delete from duplicate_keys d where d.tenant_id = $1 and d.customer_id = any($3)
        )
        update customer_search s set id_lexemes =
            " ID_LEXEMES_WHERE "i.customer_id = $2 and i.account_id = s.account_id" NEWEST "
        where s.tenant_id = $1 and s.customer_id = $2",
        tenant,
        survivor,
        &others,
    )
    .execute(&mut *conn)
    .named("merge.search")
    .await?;
    payment_methods::unite(conn, scope, merging).await?;
    billing::take(conn, scope, merging).await?;
    copy_owners_links(conn, scope, &merging.all()).await
}
