//! Customers that different callers read at the same time, in one statement.

use std::{ops::ControlFlow, pin::pin, sync::LazyLock};

use sqlx::{AssertSqlSafe, FromRow as _, PgConnection, Row as _, ValueRef as _, postgres::PgRow};
use tokio_stream::StreamExt as _;
use uuid::Uuid;

use super::{CustomerRecord, row::Row};
use crate::{
    domain::{
        access::caller::{Caller, Scope},
        values::ids::CustomerId,
    },
    error::{Error, Result},
    store::{rows::Room, sql::sql},
    telemetry::RowStream as _,
};

/// What one caller reads.
#[derive(Clone, Debug)]
pub struct Wanted {
    scope: Scope,
    id: CustomerId,
}

impl Wanted {
    /// This customer, as far as the scope sees it.
    ///
    /// # Errors
    /// `CustomerNotFound` if the call is narrowed to another customer.
    pub fn new(scope: &Scope, id: CustomerId) -> Result<Self> {
        Ok(Self { scope: super::admitting(scope, id)?.clone(), id })
    }
}

/// A customer as it came from the database. Its caller converts it: not the one task that reads for all.
#[derive(Debug)]
pub struct Found(PgRow);

impl Found {
    /// The customer as the caller's account sees it. `caller` is the one that wanted it.
    ///
    /// # Errors
    /// That of `room`, which is asked for what the customer costs in memory.
    pub fn seen(&self, caller: &Caller, room: Room) -> Result<CustomerRecord> {
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

/// `get` of many callers. The pieces expect the acting account in $3 and its path in $4; here each row of `e` has its own. A
/// customer is read by its key: tenants and ids come as rows, so that no statistics on a tenant lead to another index.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let of_each = |text: &str| text.replace("$3", "e.account_id").replace("$4", "($4::uuid[])[e.first:e.last]");
    format!(
        "{}, false as cut, e.place
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $5::integer[], $6::integer[])
             with ordinality as e (tenant_id, account_id, id, first, last, place)
         cross join lateral (select c.* from customers c where c.tenant_id = e.tenant_id and c.id = e.id offset 0) c
         where {}",
        of_each(sql!(text, RECORD OTHER_OWNERS_POLICIES)),
        of_each(sql!(text, VISIBLE)),
    )
});

/// Reads what each caller wants. `give` gets those that there are and that their callers see: the place in `wanted`, the customer,
/// and its bytes; what it breaks off is read from the session and dropped.
///
/// # Errors
/// Those of the statement.
pub async fn get_gathered(
    conn: &mut PgConnection,
    wanted: &[Wanted],
    mut give: impl FnMut(usize, Found, usize) -> ControlFlow<()>,
) -> Result<()> {
    let of = |value: fn(&Wanted) -> Uuid| wanted.iter().map(value).collect::<Vec<_>>();
    let (mut paths, mut first, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for one in wanted {
        first.push(i32::try_from(paths.len() + 1).map_err(Error::internal)?);
        paths.extend(one.scope.path().ids().iter().map(|id| id.get()));
        last.push(i32::try_from(paths.len()).map_err(Error::internal)?);
    }
    let rows = sqlx::query(AssertSqlSafe(TEXT.as_str()))
        .bind(of(|one| one.scope.tenant().get()))
        .bind(of(|one| one.scope.root().get()))
        .bind(of(|one| one.id.get()))
        .bind(paths)
        .bind(first)
        .bind(last)
        .fetch(conn)
        .named("customers.get_gathered");
    let mut rows = pin!(rows);
    let mut goes_on = ControlFlow::Continue(());
    while let Some(row) = rows.next().await {
        let row = row?;
        if goes_on.is_continue() {
            let place = usize::try_from(row.try_get::<i64, _>("place")? - 1).map_err(Error::internal)?;
            let found = Found(row);
            let bytes = found.bytes()?;
            goes_on = give(place, found, bytes);
        }
    }
    Ok(())
}
