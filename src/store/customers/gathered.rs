//! Customers that different callers read at the same time, in one statement.

use std::{ops::ControlFlow, pin::pin, sync::LazyLock};

use sqlx::{
    AssertSqlSafe, FromRow as _, PgConnection, Postgres, Row as _, ValueRef as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use tokio_stream::{Stream, StreamExt as _};

use super::{CustomerRecord, row::Row};
use crate::{
    domain::{
        access::caller::{Caller, Scope},
        values::{
            custom_id::{CustomId, System},
            ids::CustomerId,
        },
    },
    error::{Error, Result},
    store::{rows::Room, sql::sql},
    telemetry::RowStream as _,
};

/// By what a caller wants one customer.
pub trait By: Clone + Send + Sync + 'static {
    /// The name of the statement of a read that goes out alone; one that waits for a round is measured under it.
    const ALONE: &'static str;

    /// Checks what needs no database.
    ///
    /// # Errors
    /// There is no such customer in this scope.
    fn admitted(&self, scope: &Scope) -> Result<()>;

    /// Reads the customer for one caller alone.
    ///
    /// # Errors
    /// `CustomerNotFound`, and those of `room`.
    fn alone(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        room: Room,
    ) -> impl Future<Output = Result<CustomerRecord>> + Send;

    /// The rows of a round.
    fn rows<'c>(
        conn: &'c mut PgConnection,
        wanted: &[Wanted<Self>],
    ) -> impl Stream<Item = sqlx::Result<PgRow>> + Send + use<'c, Self>;
}

/// What one caller reads.
#[derive(Clone, Debug)]
pub struct Wanted<B> {
    scope: Scope,
    by: B,
}

impl<B: By> Wanted<B> {
    /// This customer, as far as the scope sees it.
    ///
    /// # Errors
    /// Those of [`By::admitted`].
    pub fn new(scope: &Scope, by: &B) -> Result<Self> {
        by.admitted(scope)?;
        Ok(Self { scope: scope.clone(), by: by.clone() })
    }
}

/// A customer as it came from the database. Its caller converts it: not the one task that reads for all.
#[derive(Debug)]
pub struct Found(PgRow);

impl Found {
    /// The customer as the caller's account sees it. `caller` is the one that wanted it.
    ///
    /// # Errors
    /// `LookupAmbiguous`, and that of `room`, which is asked for what the customer costs in memory.
    pub fn seen(&self, caller: &Caller, room: Room) -> Result<CustomerRecord> {
        if self.0.try_get("several")? {
            return Err(Error::LookupAmbiguous);
        }
        let row = Row::from_row(&self.0)?;
        room(row.cost())?;
        row.seen(caller)
    }

    /// Its bytes, as they came.
    fn bytes(&self) -> Result<usize> {
        let mut bytes = 0;
        for column in 0..self.0.len() {
            let value = self.0.try_get_raw(column)?;
            if !value.is_null() {
                bytes += value.as_bytes().map_err(Error::internal)?.len();
            }
        }
        Ok(bytes)
    }
}

/// The pieces expect the acting account in $3 and its path in $4; here each row of `e` has its own.
fn of_each(piece: &str) -> String {
    piece.replace("$3", "e.account_id").replace("$4", "($3::uuid[])[e.first:e.last]")
}

/// `get` of many callers. A customer is read by its key: tenants and ids come as rows, so that no statistics on a tenant lead to
/// another index.
static BY_ID: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}, false as cut, e.place, false as several, false as read_alone
         from unnest($1::uuid[], $2::uuid[], $4::integer[], $5::integer[], $6::uuid[])
             with ordinality as e (tenant_id, account_id, first, last, id, place)
         cross join lateral (select c.* from customers c where c.tenant_id = e.tenant_id and c.id = e.id offset 0) c
         where {}",
        of_each(sql!(text, RECORD OTHER_OWNERS_POLICIES)),
        of_each(sql!(text, VISIBLE)),
    )
});

/// Rows of one value that a round reads: its present holder and former ones, in all systems of an account. Of a value that more had, the
/// look-up goes out alone, so that it delays nobody else's.
const HOLDERS: i64 = 100;

/// `lookup` of many callers. If several customers have the value, one of them comes, and `several`.
static BY_CUSTOM_ID: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}, false as cut, e.place, cardinality(f.ids) > 1 as several, n.many as read_alone
         from unnest($1::uuid[], $2::uuid[], $4::integer[], $5::integer[], $6::text[], $7::text[], $8::uuid[])
             with ordinality as e (tenant_id, account_id, first, last, value_key, system, narrowed, place)
         cross join lateral (
             select count(*) > {HOLDERS} as many from (
                 select from custom_ids i
                 where i.tenant_id = e.tenant_id and i.account_id = e.account_id and i.value_key = e.value_key
                 limit {HOLDERS} + 1
             ) i
         ) n
         cross join lateral (
             select array_agg(distinct h.customer_id) as ids
             from (
                 select distinct on (i.system) i.customer_id
                 from (
                     select * from custom_ids i
                     where i.tenant_id = e.tenant_id and i.account_id = e.account_id and i.value_key = e.value_key
                     offset 0
                 ) i
                 cross join lateral (
                     select * from customers c where c.tenant_id = e.tenant_id and c.id = i.customer_id offset 0
                 ) c
                 where not n.many and i.system = coalesce(e.system, i.system) and {}
                 order by i.system, i.is_current desc, i.created_at desc
             ) h
             where h.customer_id = coalesce(e.narrowed, h.customer_id)
         ) f
         left join lateral (
             select c.* from customers c where c.tenant_id = e.tenant_id and c.id = f.ids[1] offset 0
         ) c on true
         where n.many or c.id is not null",
        of_each(sql!(text, RECORD OTHER_OWNERS_POLICIES)),
        of_each(sql!(text, VISIBLE)),
    )
});

impl By for CustomerId {
    const ALONE: &'static str = "customers.get";

    fn admitted(&self, scope: &Scope) -> Result<()> {
        super::admitting(scope, *self).map(|_| ())
    }

    async fn alone(&self, conn: &mut PgConnection, caller: &Caller, room: Room) -> Result<CustomerRecord> {
        super::get(conn, caller, *self, room).await
    }

    fn rows<'c>(
        conn: &'c mut PgConnection,
        wanted: &[Wanted<Self>],
    ) -> impl Stream<Item = sqlx::Result<PgRow>> + Send + use<'c> {
        of_callers(sqlx::query(AssertSqlSafe(BY_ID.as_str())), wanted)
            .bind(wanted.iter().map(|one| one.by.get()).collect::<Vec<_>>())
            .fetch(conn)
            .named("customers.get_gathered")
    }
}

/// A custom ID of the acting account: in this system, or in any.
#[derive(Clone, Debug)]
pub struct ByCustomId {
    /// Its value.
    pub id: CustomId,
    /// The system.
    pub system: Option<System>,
}

impl By for ByCustomId {
    const ALONE: &'static str = "customers.lookup";

    fn admitted(&self, _: &Scope) -> Result<()> {
        Ok(())
    }

    async fn alone(&self, conn: &mut PgConnection, caller: &Caller, room: Room) -> Result<CustomerRecord> {
        let mut hits = super::lookup(conn, caller, &self.id, self.system.as_ref(), room).await?.into_iter();
        match (hits.next(), hits.next()) {
            (None, _) => Err(Error::CustomerNotFound { at: None }),
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => Err(Error::LookupAmbiguous),
        }
    }

    fn rows<'c>(
        conn: &'c mut PgConnection,
        wanted: &[Wanted<Self>],
    ) -> impl Stream<Item = sqlx::Result<PgRow>> + Send + use<'c> {
        let system = |one: &Wanted<Self>| one.by.system.as_ref().map(|system| system.as_str().to_owned());
        of_callers(sqlx::query(AssertSqlSafe(BY_CUSTOM_ID.as_str())), wanted)
            .bind(wanted.iter().map(|one| one.by.id.key().as_str().to_owned()).collect::<Vec<_>>())
            .bind(wanted.iter().map(system).collect::<Vec<_>>())
            .bind(wanted.iter().map(|one| one.scope.narrowed().map(CustomerId::get)).collect::<Vec<_>>())
            .fetch(conn)
            .named("customers.lookup_gathered")
    }
}

/// Binds tenants ($1) and acting accounts ($2) of the callers, their paths one behind the other ($3), and where each of these begins ($4)
/// and ends ($5).
fn of_callers<'q, B>(
    query: Query<'q, Postgres, PgArguments>,
    wanted: &[Wanted<B>],
) -> Query<'q, Postgres, PgArguments> {
    let scopes = || wanted.iter().map(|one| &one.scope);
    let count = |ids: usize| i32::try_from(ids).unwrap_or(i32::MAX);
    let (mut paths, mut first, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for scope in scopes() {
        first.push(count(paths.len()) + 1);
        paths.extend(scope.path().ids().iter().map(|id| id.get()));
        last.push(count(paths.len()));
    }
    query
        .bind(scopes().map(|scope| scope.tenant().get()).collect::<Vec<_>>())
        .bind(scopes().map(|scope| scope.root().get()).collect::<Vec<_>>())
        .bind(paths)
        .bind(first)
        .bind(last)
}

/// Reads what each caller wants. `give` gets those that there are and that their callers see: the place in `wanted`, the customer,
/// and its bytes; no customer if the caller must read it alone. What it breaks off is read from the session and dropped.
///
/// # Errors
/// Those of the statement.
pub async fn read_gathered<B: By>(
    conn: &mut PgConnection,
    wanted: &[Wanted<B>],
    mut give: impl FnMut(usize, Option<Found>, usize) -> ControlFlow<()>,
) -> Result<()> {
    let rows = B::rows(conn, wanted);
    let mut rows = pin!(rows);
    let mut goes_on = ControlFlow::Continue(());
    while let Some(row) = rows.next().await {
        let row = row?;
        if goes_on.is_continue() {
            let place = usize::try_from(row.try_get::<i64, _>("place")? - 1).map_err(Error::internal)?;
            let found = if row.try_get("read_alone")? { None } else { Some(Found(row)) };
            let bytes = found.as_ref().map(Found::bytes).transpose()?.unwrap_or_default();
            goes_on = give(place, found, bytes);
        }
    }
    Ok(())
}
