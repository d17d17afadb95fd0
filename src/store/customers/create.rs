//! The first form of a write: a slice of new customers of one account in one statement of plain inserts. Each is created by a call of
//! its own: the statement takes the events' authors and the keys of the stored answers from the slice's elements.

mod element;

use serde::Serialize;
use sqlx::{PgConnection, types::Json};

pub use self::element::CustomerInsert;
use self::element::{Element, element};
use crate::{
    domain::{
        accounts::account::{Account, name_scope},
        customers::link::Link,
        duplicates::FLEET,
        requests::principal::Author,
        values::ids::TenantId,
    },
    error::{Error, Result},
    store::sql::sql,
    telemetry::Statement as _,
};

/// Creates a slice of customers of an account, each by a call of its own, with its custom IDs, events and stored answer, or none of
/// them. `account` is the account, with its tenant's rule on names, as the customers were decided on. Returns how many were created:
/// none if the account, its tenant or its first plan has changed since, if a chosen plan is not in its list, or if a reference names
/// something that the account does not have.
///
/// # Errors
/// A broken unique key, unmapped: the caller knows whether to look for a stored answer first.
pub async fn create(
    conn: &mut PgConnection,
    tenant: TenantId,
    account: &Account,
    slice: &[(&CustomerInsert, &Author)],
) -> Result<usize> {
    let scope = name_scope(account.name_uniqueness, tenant, account.id)?;
    let mut slice = slice.to_vec();
    // Two slices with the same names wait for each other in one order only.
    slice.sort_by(|(a, _), (b, _)| a.customer.fields.name.key().as_str().cmp(b.customer.fields.name.key().as_str()));
    let links: Vec<Link> = slice.iter().map(|(new, _)| new.link()).collect();
    let elements: Vec<_> =
        slice.iter().zip(&links).enumerate().map(|(place, (&one, link))| element(place, one, link, scope)).collect();
    insert(conn, tenant, account, &elements).await
}

#[expect(clippy::too_many_lines, reason = "one statement")]
async fn insert(
    conn: &mut PgConnection,
    tenant: TenantId,
    account: &Account,
    elements: &[Element<'_, impl Serialize>],
) -> Result<usize> {
    let created = sql!(
        query,
        "with element as materialized (
            select e.place, e.custom_ids, e.chose_plan, e.refs, e.text, e.id_lexemes, e.duplicate_keys, e.issuer,
                   e.subject, e.actors, e.workload, e.rpc, e.trace_id, e.events, e.request_id, e.fingerprint, e.answer,
                   " CREATED_COLUMNS "
            from jsonb_to_recordset($2) as e (
                place integer, customer jsonb, custom_ids jsonb, chose_plan boolean, refs jsonb, text jsonb, id_lexemes tsvector,
                duplicate_keys bigint[], issuer text, subject text, actors jsonb, workload text, rpc text, trace_id text,
                events jsonb, request_id uuid, fingerprint text, answer jsonb
            )
            cross join lateral jsonb_populate_record(null::customers, e.customer) as c
        ), rule as materialized (
            -- A call that tightens the rule locks this row `for update` first: one of the two waits for the other.
            select t.tenant_id from tenants t where t.tenant_id = $1 and t.revision = $4 for key share
        ), owner as materialized (
            select a.ancestors from accounts a
            where a.tenant_id = $1 and a.id = $3 and a.revision = $5 and not exists (
                -- The plan: the first of the list that applies, or one of that list that was chosen.
                select from element e
                cross join (values (" FIRST_PLAN ")) as f (plan)
                where case when e.chose_plan then not exists (
                    select from rate_plans p
                    where p.tenant_id = $1 and p.id = e.rate_plan_id and p.archived_at is null
                      and p.account_id = (f.plan ->> 'account_id')::uuid
                ) else e.rate_plan_id is distinct from (f.plan ->> 'id')::uuid end
            ) and not exists (
                select from element e
                cross join lateral jsonb_each_text(e.refs) as t (field, id)
                where not exists (
                    select from reference_targets r
                    where r.tenant_id = $1 and r.account_id = $3 and r.field = t.field and r.id = t.id::uuid
                )
            )
        ), new as materialized (
            select * from element cross join rule cross join owner
        ), written as (
            insert into customers (tenant_id, account_id, ancestors, " CREATED_COLUMNS ")
            select $1, $3, ancestors, " CREATED_COLUMNS " from new
            returning id
        ), link as (
            insert into customer_links (tenant_id, customer_id, account_id, revision, custom_ids)
            select $1, n.id, $3, n.owner_link_revision, n.owner_custom_ids from new n where n.owner_link_revision > 0
        ), custom_id as (
            insert into custom_ids (
                tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at, search_words, lexemes,
                bucket
            )
            select $1, $3, i.system, i.value_key, n.id, i.value, true, n.created_at, i.search_words, i.lexemes,
                   (n.text ->> 'bucket')::smallint
            from new n
            cross join lateral jsonb_to_recordset(n.custom_ids) as i (
                system text, value text, value_key text, search_words text, lexemes tsvector
            )
        ), search as (
            insert into customer_search (
                tenant_id, customer_id, account_id, ancestors, id_lexemes, name, name_sort, bucket, doc, country, lexemes, version
            )
            select $1, n.id, $3, n.ancestors, n.id_lexemes, s.name, s.name_sort, s.bucket, s.doc, s.country, s.lexemes, s.version
            from new n cross join lateral jsonb_populate_record(null::customer_search, n.text) as s
        ), duplicate as (
            insert into duplicate_keys (tenant_id, account_id, key, customer_id)
            select $1, a.id, k.key, n.id
            from new n
            cross join lateral unnest(n.duplicate_keys) as k (key)
            cross join lateral unnest(n.ancestors) as a (id)
            where k.key & $6 = 0 or a.id = $3
        ), event as (
            -- Counting all of `written` makes the first `seq` wait until every customer is written.
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, customer_id, revision, audience, issuer, subject, actors,
                acting_account_id, rpc, request_id, trace_id, workload, changes
            )
            select $1, h.id, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), n.created_at, h.type,
                   n.id, n.revision, h.audience, n.issuer, n.subject, n.actors, $3, n.rpc, h.request_id, n.trace_id, n.workload,
                   h.changes
            from new n
            cross join lateral jsonb_to_recordset(n.events) as h (
                place integer, id uuid, type text, audience uuid, request_id uuid, changes jsonb
            )
            where (select count(*) from written) > 0
            order by n.place, h.place
        ), answer as (
            insert into requests (
                tenant_id, principal, rpc, request_id, fingerprint, customer_id, answer, created_at
            )
            select $1, n.issuer || ' ' || n.subject, n.rpc, n.request_id, decode(n.fingerprint, 'hex'), n.id, n.answer,
                   n.created_at
            from new n
            where n.request_id is not null and exists (select from written)
        )
        select count(*) as \"written!\" from written",
        tenant.get(),
        Json(elements) as _,
        account.id.get(),
        account.tenant_revision,
        account.revision,
        FLEET,
    )
    .fetch_one(conn)
    .named("customers.create")
    .await?;
    usize::try_from(created.written).map_err(Error::internal)
}
