//! The events of an account, which are about no customer.

use sqlx::{PgConnection, types::Json};
use tokio_stream::Stream;
use uuid::Uuid;

use super::{EVENT, cost_of};
use crate::{
    domain::{
        access::caller::Scope,
        history::{
            account_event::{AccountEvent, AccountEventType},
            event::Changes,
        },
        requests::principal::Principal,
        values::{
            ids::{AccountId, EventId, MemberId, RequestId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    store::rows::{self, PAGE_BYTES, Room, Rows},
    telemetry::{RowStream as _, Statement as _},
};

/// Events that a page looks at to find those of some types.
const LOOKED_AT: i64 = 10_000;

/// Which events of an account are listed.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The account.
    pub account: AccountId,
    /// The types; all if there are none.
    pub types: &'a [AccountEventType],
    /// Whether the oldest come first.
    pub oldest_first: bool,
    /// The event before.
    pub after: Option<i64>,
    /// How many.
    pub limit: i64,
}

/// One page of an account's events.
#[derive(Clone, Debug)]
pub struct Page {
    /// The events.
    pub events: Rows<AccountEvent>,
    /// The last event that was looked at, if there may be others.
    pub looked_at: Option<i64>,
}

struct Row {
    id: Option<Uuid>,
    seq: i64,
    at: Option<Timestamp>,
    happened: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    actors: Option<Json<Vec<Principal>>>,
    workload: Option<String>,
    acting_account_id: Option<Uuid>,
    member_id: Option<Uuid>,
    rpc: Option<String>,
    request_id: Option<Uuid>,
    trace_id: Option<String>,
    changes: Option<Json<Changes>>,
    cut: bool,
}

/// Lists the events of the acting account or one below it. Events of tags are those of the acting account alone.
///
/// # Errors
/// `AccountNotFound`.
pub async fn list(conn: &mut PgConnection, scope: &Scope, wanted: Wanted<'_>, room: Room) -> Result<Page> {
    let known = sqlx::query_scalar!(
        r#"
        select exists (
            select from accounts where tenant_id = $1 and id = $2 and $3 = any(ancestors)
        ) as "known!"
        "#,
        scope.tenant().get(),
        wanted.account.get(),
        scope.root().get(),
    )
    .fetch_one(&mut *conn)
    .named("history.account")
    .await?;
    if !known {
        return Err(Error::AccountNotFound);
    }
    if wanted.oldest_first { oldest(conn, scope, wanted, room).await } else { newest(conn, scope, wanted, room).await }
}

/// `account_events!("<", "desc", …)`: the same statement in either order.
macro_rules! account_events {
    ($after:tt, $order:tt, $scope:expr, $wanted:expr, $first:expr) => {
        $crate::store::sql::sql!(
            query_as Row,
            "with part as materialized (
                select e.id, e.seq, e.type, e.audience from events e
                where e.tenant_id = $1 and coalesce(e.account_id, e.acting_account_id, e.tenant_id) = $2
                  and e.customer_id is null and e.seq " $after " $4
                order by e.seq " $order "
                limit $7
            ), page as materialized (
                select p.id, p.seq, row_number() over (order by p.seq " $order ") as nth,
                       sum(500 + pg_column_size(e.changes - '{}'::text[]) + pg_column_size(e.actors - '{}'::text[]))
                       over (order by p.seq " $order " rows unbounded preceding) as size
                from (
                    select p.id, p.seq from part p
                    where (p.audience is null or p.audience = $3) and (cardinality($5::text[]) = 0 or p.type = any($5))
                    order by p.seq " $order "
                    limit $6
                ) p
                join events e on e.tenant_id = $1 and e.id = p.id
            )
            " r#"select e.id as "id?", p.seq as "seq!", e.at as "at?", e.type as "happened?", e.issuer as "issuer?",
                   e.subject as "subject?", e.actors as "actors?: Json<Vec<Principal>>", e.workload as "workload?",
                   e.acting_account_id as "acting_account_id?", e.member_id as "member_id?", e.rpc as "rpc?",
                   e.request_id as "request_id?", e.trace_id as "trace_id?", e.changes as "changes?: Json<Changes>",
                   exists (select from page c where c.size > $8 and c.nth > 1) as "cut!"
            from page p
            join events e on e.tenant_id = $1 and e.id = p.id
            where p.size <= $8 or p.nth = 1
            union all
            select null, l.seq, null, null, null, null, null, null, null, null, null, null, null, null, false
            from (
                select p.seq from part p order by p.seq "# $order "
                offset $7 - 1
            ) l
            order by 2 " $order ", 1",
            $scope.tenant().get(),
            $wanted.account.get(),
            $scope.root().get(),
            $wanted.after.unwrap_or($first),
            &$wanted.types.iter().map(|wanted| wanted.as_str().to_owned()).collect::<Vec<_>>(),
            $wanted.limit,
            if $wanted.types.is_empty() { $wanted.limit } else { LOOKED_AT },
            PAGE_BYTES,
        )
    };
}

async fn newest(conn: &mut PgConnection, scope: &Scope, wanted: Wanted<'_>, room: Room) -> Result<Page> {
    let rows = account_events!("<", "desc", scope, wanted, i64::MAX).fetch(conn).named("history.newest_of_account");
    read(rows, wanted, room).await
}

async fn oldest(conn: &mut PgConnection, scope: &Scope, wanted: Wanted<'_>, room: Room) -> Result<Page> {
    let rows = account_events!(">", "asc", scope, wanted, i64::MIN).fetch(conn).named("history.oldest_of_account");
    read(rows, wanted, room).await
}

async fn read(rows: impl Stream<Item = sqlx::Result<Row>>, wanted: Wanted<'_>, room: Room) -> Result<Page> {
    let (mut looked_at, mut cut) = (None, false);
    let events = rows::page(rows, room, |row: Row| {
        cut |= row.cut;
        let seq = row.seq;
        let event = event(wanted.account, row);
        if event.is_none() {
            looked_at = Some(seq);
        }
        Ok(event.map(|event| (EVENT + cost_of(&event.changes), event)))
    })
    .await?;
    Ok(Page { events: Rows { full: events.full || cut, ..events }, looked_at })
}

/// The row's event; none in the row that says how far the list was looked at.
fn event(account: AccountId, row: Row) -> Option<AccountEvent> {
    Some(AccountEvent {
        id: EventId::from_uuid(row.id?),
        seq: row.seq,
        account,
        happened: AccountEventType::stored(&row.happened?),
        at: row.at?,
        principal: Principal::new(row.issuer?, row.subject?),
        actors: row.actors.map(|actors| actors.0).unwrap_or_default(),
        workload: row.workload,
        acting_account: row.acting_account_id.map(AccountId::from_uuid),
        member: row.member_id.map(MemberId::from_uuid),
        rpc: row.rpc?,
        request_id: row.request_id.map(RequestId::from_uuid),
        trace_id: row.trace_id,
        changes: row.changes.map(|changes| changes.0).unwrap_or_default(),
    })
}
