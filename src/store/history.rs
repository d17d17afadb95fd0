//! Customers' events. Those of accounts are in `accounts`.

pub mod accounts;

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::{caller::Scope, relation::Relation},
        accounts::account::Path,
        history::{
            event::{Changes, Event},
            event_type::EventType,
        },
        requests::principal::Principal,
        values::{
            ids::{AccountId, CustomerId, EventId, RequestId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    store::{
        customers::admitting,
        path,
        rows::{self, PAGE_BYTES, Room, Rows},
        sql::sql,
    },
    telemetry::{RowStream as _, Statement as _},
};

/// Memory of an event without its changes: the event or its message, its author and up to ten actors.
const EVENT: usize = 4 * 1024;

struct Row {
    ancestors: Vec<Uuid>,
    id: Option<Uuid>,
    seq: Option<i64>,
    at: Option<Timestamp>,
    happened: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    actors: Option<Json<Vec<Principal>>>,
    workload: Option<String>,
    acting_account_id: Option<Uuid>,
    rpc: Option<String>,
    request_id: Option<Uuid>,
    trace_id: Option<String>,
    changes: Option<Json<Changes>>,
    cut: bool,
    looked_at: Option<i64>,
}

/// Events that a page looks at to find those of some types.
const LOOKED_AT: i64 = 10_000;

/// Which events of a customer are listed.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The customer.
    pub customer: CustomerId,
    /// The types; all if there are none.
    pub types: &'a [EventType],
    /// The event after.
    pub before: Option<i64>,
    /// How many.
    pub limit: i64,
}

/// One page of a customer's events.
#[derive(Clone, Debug)]
pub struct Page {
    /// The acting account's relation to the customer, which decides what of the events it may read.
    pub relation: Relation,
    /// The events, newest first.
    pub events: Rows<Event>,
    /// The last event that was looked at, if there may be others of the types.
    pub looked_at: Option<i64>,
}

/// Lists a customer's events, newest first, those before `before`. Private changes of other accounts' links are left out.
///
/// # Errors
/// `CustomerNotFound` for a customer that the scope does not see.
pub async fn list(conn: &mut PgConnection, scope: &Scope, wanted: Wanted<'_>, room: Room) -> Result<Page> {
    let customer = wanted.customer;
    let scope = admitting(scope, customer)?;
    let looked_at = if wanted.types.is_empty() { wanted.limit } else { LOOKED_AT };
    let rows = sql!(
        query_as Row,
        r#"
        with part as materialized (
            select e.seq, e.type from events e
            where e.tenant_id = $1 and e.customer_id = $2 and e.seq < $5
              and (e.audience is null or e.audience = $3)
            order by e.seq desc
            limit $9
        ), page as materialized (
            select e.seq, row_number() over (order by e.seq desc) as nth
            from (
                select p.seq from part p
                where cardinality($8::text[]) = 0 or p.type = any($8)
                order by p.seq desc
                limit $6
            ) e
        ), cut as (
            select s.seq from (
                select p.seq, p.nth, sum(e.size) over (order by p.nth rows unbounded preceding) as size
                from (select page.seq, page.nth from page order by page.nth) p
                cross join lateral (
                    select 500 + pg_column_size(e.changes - '{}'::text[]) + pg_column_size(e.actors - '{}'::text[]) as size
                    from events e
                    where e.tenant_id = $1 and e.customer_id = $2 and e.seq = p.seq
                    offset 0
                ) e
            ) s
            where s.size > $7 and s.nth > 1
            limit 1
        )
        select c.ancestors, e.id as "id?", e.seq as "seq?", e.at as "at?", e.type as "happened?", e.issuer as "issuer?",
               e.subject as "subject?", e.actors as "actors?: Json<Vec<Principal>>", e.workload as "workload?",
               e.acting_account_id as "acting_account_id?", e.rpc as "rpc?", e.request_id as "request_id?",
               e.trace_id as "trace_id?", e.changes as "changes?: Json<Changes>", exists (select from cut) as "cut!",
               (select p.seq from part p order by p.seq desc offset $9 - 1) as "looked_at?"
        from customers c
        left join lateral (
            select e.* from page p
            cross join lateral (
                select * from events e where e.tenant_id = c.tenant_id and e.customer_id = c.id and e.seq = p.seq
                offset 0
            ) e
            where p.seq > coalesce((select cut.seq from cut), -1)
        ) e on true
        where c.tenant_id = $1 and c.id = $2 and "# VISIBLE "
        order by e.seq desc",
        scope.tenant().get(),
        customer.get(),
        scope.root().get(),
        &path(scope),
        wanted.before.unwrap_or(i64::MAX),
        wanted.limit,
        PAGE_BYTES,
        &wanted.types.iter().map(|wanted| wanted.as_str().to_owned()).collect::<Vec<_>>(),
        looked_at,
    )
    .fetch(conn)
    .named("history.list");
    let (mut owner_path, mut cut, mut last) = (None, false, None);
    let page = rows::page(rows, room, |mut row: Row| {
        (cut, last) = (row.cut, row.looked_at);
        let ancestors = std::mem::take(&mut row.ancestors);
        owner_path.get_or_insert_with(|| Path::stored(ancestors.into_iter().map(AccountId::from_uuid).collect()));
        Ok(event(customer, row).map(|event| (cost(&event), event)))
    })
    .await?;
    let owner_path = owner_path.ok_or(Error::CustomerNotFound { at: None })?;
    let relation = if owner_path.contains(scope.root()) { Relation::OwnerOrAbove } else { Relation::Below };
    let looked_at = last.filter(|_| !wanted.types.is_empty());
    Ok(Page { relation, events: Rows { full: page.full || cut, ..page }, looked_at })
}

/// What an event costs in memory at most, as it is or as a message: about the same.
fn cost(event: &Event) -> usize {
    EVENT + cost_of(&event.changes)
}

fn cost_of(changes: &Changes) -> usize {
    let deltas = changes.0.iter();
    deltas.map(|(path, delta)| path.len() + rows::cost_of(&delta.old) + rows::cost_of(&delta.new)).sum()
}

/// The row's event; none in the one row of a customer without events.
fn event(customer: CustomerId, row: Row) -> Option<Event> {
    let (Some(id), Some(seq), Some(at), Some(happened), Some(issuer), Some(subject), Some(rpc)) =
        (row.id, row.seq, row.at, row.happened, row.issuer, row.subject, row.rpc)
    else {
        return None;
    };
    Some(Event {
        id: EventId::from_uuid(id),
        seq,
        customer,
        happened: EventType::stored(&happened),
        at,
        principal: Some(Principal::new(issuer, subject)),
        actors: row.actors.map(|actors| actors.0).unwrap_or_default(),
        workload: row.workload,
        acting_account: AccountId::from_uuid(row.acting_account_id.unwrap_or_default()),
        rpc,
        request_id: row.request_id.map(RequestId::from_uuid),
        trace_id: row.trace_id,
        changes: row.changes.map(|changes| changes.0).unwrap_or_default(),
    })
}

/// Returns which fields of a customer changed after a state that was read, as far as the acting account may see them; none
/// if some of the events in between are gone. A state is the customer's revision and the revision of the acting account's
/// link. Each step of either has one event.
pub async fn changed_since(
    conn: &mut PgConnection,
    scope: &Scope,
    customer: CustomerId,
    (revision, link_revision): (i64, i64),
    (current, current_link): (i64, i64),
) -> Result<Option<Vec<String>>> {
    let link_steps = (current_link - link_revision).max(0);
    let row = sqlx::query!(
        r#"
        with change as (
            select e.revision, null::bigint as seq, e.changes
            from events e
            where e.tenant_id = $1 and e.customer_id = $2 and e.revision > $3 and e.audience is null
            union all
            (
                select null, e.seq, e.changes
                from events e
                where e.tenant_id = $1 and e.customer_id = $2 and e.audience = $4
                order by e.seq desc
                limit $5
            )
        )
        select count(distinct t.revision) as "steps!", count(distinct t.seq) as "link_steps!",
               coalesce(array_agg(distinct f.path order by f.path) filter (where f.path is not null), '{}') as "paths!"
        from change t
        left join lateral jsonb_object_keys(t.changes) as f (path) on true
        "#,
        scope.tenant().get(),
        customer.get(),
        revision,
        scope.root().get(),
        link_steps,
    )
    .fetch_one(conn)
    .named("history.changed_since")
    .await?;
    Ok((row.steps == current - revision && row.link_steps >= link_steps).then_some(row.paths))
}
