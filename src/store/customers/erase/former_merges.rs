//! What a merge that was undone left of a customer with the one that stayed then: values in its events and stored answers.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{AT_ONCE, uuids};
use crate::{
    domain::{access::caller::Scope, history::erasure::kept_paths, values::ids::CustomerId},
    error::Result,
    telemetry::Statement as _,
};

/// A part of the history of a customer: from a merge to its undoing.
struct Part {
    survivor: Uuid,
    /// The fields that the merge and its undoing changed.
    paths: Vec<String>,
    /// The numbers of the first event and of the last.
    first: i64,
    last: i64,
}

/// Empties the values that these locked customers left in the history of others: of merges that were undone, from the merge to its
/// undoing, in the fields that the merge changed. Their ids stay there. Deletes the stored answers about the others from that time.
///
/// While a merge is in force, what it gave to the one that stays is that one's.
pub async fn empty_former_merges(conn: &mut PgConnection, scope: &Scope, ids: &[CustomerId]) -> Result<()> {
    let mut kept = kept_paths();
    kept.push("merged_customer_ids".to_owned());
    for part in parts(&mut *conn, scope, ids).await? {
        empty(&mut *conn, scope, &part, &kept).await?;
    }
    Ok(())
}

/// Finds the parts, and deletes the stored answers from their times.
async fn parts(conn: &mut PgConnection, scope: &Scope, ids: &[CustomerId]) -> Result<Vec<Part>> {
    let parts = sqlx::query_as!(
        Part,
        r#"
        with own as materialized (
            -- Their own events name the others. One that came along with its survivor has such an event too.
            select e.seq, e.epoch, e.xid, e.at, e.type, e.customer_id, (
                e.changes -> 'merged_into' ->> case e.type when 'MERGED' then 'new' else 'old' end
            )::uuid as survivor
            from events e
            where e.tenant_id = $1 and e.customer_id = any($2) and e.type in ('MERGED', 'UNMERGED')
        ), undone as materialized (
            select distinct m.survivor, m.epoch, m.xid, m.at, u.epoch as end_epoch, u.xid as end_xid, u.at as end_at
            from own m
            cross join lateral (
                select n.epoch, n.xid, n.at from own n
                where n.customer_id = m.customer_id and n.survivor = m.survivor and n.type = 'UNMERGED' and n.seq > m.seq
                order by n.seq
                limit 1
            ) u
            where m.type = 'MERGED' and m.survivor <> all($2)
        ), between_them as materialized (
            -- All events of the merge and of its undoing, the private ones of other accounts among them.
            select u.survivor, u.at, u.end_at, (
                select array_agg(distinct split_part(k.path, '.', 1)) from events e cross join jsonb_object_keys(e.changes) k (path)
                where e.tenant_id = $1 and e.customer_id = u.survivor and e.epoch = u.epoch and e.xid = u.xid
            ) as paths, (
                select min(e.seq) from events e
                where e.tenant_id = $1 and e.customer_id = u.survivor and e.epoch = u.epoch and e.xid = u.xid
            ) as first, (
                select max(e.seq) from events e
                where e.tenant_id = $1 and e.customer_id = u.survivor and e.epoch = u.end_epoch and e.xid = u.end_xid
            ) as last
            from undone u
        ), answer as (
            delete from requests r using between_them b
            where r.tenant_id = $1 and r.customer_id = b.survivor and r.created_at between b.at and b.end_at
        )
        select b.survivor as "survivor!", coalesce(b.paths, '{}') as "paths!", b.first as "first!", b.last as "last!"
        from between_them b
        where b.first is not null and b.last is not null
        "#,
        scope.tenant().get(),
        &uuids(ids),
    )
    .fetch_all(conn)
    .named("erase.former_merges")
    .await?;
    Ok(parts)
}

/// Empties the events of a part, batch by batch.
async fn empty(conn: &mut PgConnection, scope: &Scope, part: &Part, kept: &[String]) -> Result<()> {
    let mut from = part.first;
    loop {
        let last = sqlx::query_scalar!(
            r#"
            with part as materialized (
                select e.id, e.seq, e.changes from events e
                where e.tenant_id = $1 and e.customer_id = $2 and e.seq between $3 and $4
                order by e.seq
                limit $7
            ), emptied as (
                update events e set changes = coalesce((
                    select jsonb_object_agg(f.path, f.delta) from (
                        select distinct on (k.path) k.path, k.delta from (
                            select case when t.is_theirs and c.path like 'labels.%' then 'labels' else c.path end as path,
                                   case when t.is_theirs then '{"old": null, "new": null}' else c.delta end as delta
                            from jsonb_each(p.changes) c (path, delta)
                            cross join lateral (
                                select split_part(c.path, '.', 1) = any($5) and c.path <> all($6) as is_theirs
                            ) t
                        ) k
                        order by k.path
                    ) f
                ), '{}')
                from part p
                where e.tenant_id = $1 and e.id = p.id
            )
            select max(p.seq) from part p
            "#,
            scope.tenant().get(),
            part.survivor,
            from,
            part.last,
            &part.paths,
            kept,
            AT_ONCE,
        )
        .fetch_one(&mut *conn)
        .named("erase.empty_former_merges")
        .await?;
        match last {
            Some(last) => from = last + 1,
            None => return Ok(()),
        }
    }
}
