//! The billing report: a cursor in the snapshot of one transaction, so that a report of any length costs the session and this
//! process the same memory.
//!
//! Customers are read in the order of their ids. That is the order of an index for one account and for a whole tenant, so the
//! first rows come at once. The customers of an account in the middle of the tree and of those below it are found by their
//! owners and sorted first.

use sqlx::PgConnection;
use tokio_stream::StreamExt as _;
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::Scope,
        billing::report::{Columns, ReportQuery, ReportRow},
        values::{
            custom_id,
            ids::{AccountId, CustomerId},
            timestamp::Timestamp,
        },
    },
    error::Result,
    store::{rows::Document, sql::sql},
    telemetry::{RowStream as _, Statement as _},
};

/// Rows that are fetched at once: even if each has everything at its longest, they fit into a principal's part of the memory.
const FETCHED: usize = 250;

/// A row of the cursor.
#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    account_id: Option<Uuid>,
    name: Option<String>,
    custom_ids: Option<Document<custom_id::CustomIds>>,
    status: Option<String>,
    archived_at: Option<Timestamp>,
    billing_email: Option<String>,
    currency: Option<String>,
}

impl From<Row> for ReportRow {
    fn from(row: Row) -> Self {
        Self {
            id: CustomerId::from_uuid(row.id),
            account: row.account_id.map(AccountId::from_uuid),
            name: row.name.unwrap_or_default(),
            custom_ids: row.custom_ids.map(|ids| ids.value).unwrap_or_default(),
            status: row.status,
            archived_at: row.archived_at,
            billing_email: row.billing_email.unwrap_or_default(),
            currency: row.currency.unwrap_or_default(),
        }
    }
}

/// Opens the report's cursor in the transaction at hand, and returns the moment of its snapshot. A call that is narrowed to
/// one customer gets that one, if it is in the report.
pub async fn open(conn: &mut PgConnection, scope: &Scope, query: &ReportQuery) -> Result<Timestamp> {
    // The first statement of the transaction takes the snapshot.
    let at = sqlx::query_scalar!(r#"select statement_timestamp() as "at!""#)
        .fetch_one(&mut *conn)
        .named("report.snapshot")
        .await?;
    let Columns { account, name, custom_ids, status, billing_email, currency } = query.columns;
    let (root, tenant) = (scope.root().get(), scope.tenant().get());
    let after = query.after.map_or_else(Uuid::nil, CustomerId::get);
    let narrowed = scope.narrowed().map(CustomerId::get);
    // The planner knows the parameters' values: a condition on parameters alone costs nothing. Of one account it sorts the customers: an
    // index by account and id would also serve to read single customers, and before there are statistics the planner took it.
    if query.include_descendants && root != tenant {
        sql!(
            query,
            "declare billing_report no scroll cursor for " REPORTED "
            from customers c
            where c.tenant_id = $1 and c.status not in ('MERGED', 'ERASED') and c.id > $4 and ($5::uuid is null or c.id = $5) and c.account_id in (
                select a.id from accounts a where a.tenant_id = $1 and $3 = any(a.ancestors)
            ) and $2
            order by c.id",
            tenant,
            true,
            root,
            after,
            narrowed,
            account,
            name,
            custom_ids,
            status,
            billing_email,
            currency,
        )
        .execute(conn)
        .named("report.open_below")
        .await?;
    } else {
        sql!(
            query,
            "declare billing_report no scroll cursor for " REPORTED "
            from customers c
            where c.tenant_id = $1 and c.status not in ('MERGED', 'ERASED') and c.id > $4 and ($5::uuid is null or c.id = $5)
              and ($2 or c.account_id = $3)
            order by c.id",
            tenant,
            query.include_descendants,
            root,
            after,
            narrowed,
            account,
            name,
            custom_ids,
            status,
            billing_email,
            currency,
        )
        .execute(conn)
        .named("report.open")
        .await?;
    }
    Ok(at)
}

/// Reads the next rows and gives each to `take`. Returns whether there may be more.
///
/// # Errors
/// Those of the statement and of `take`. Further rows are read and dropped, so that the session is clean.
pub async fn fetch(conn: &mut PgConnection, mut take: impl FnMut(ReportRow) -> Result<()>) -> Result<bool> {
    let (mut count, mut refused) = (0, Ok(()));
    // The macro cannot check it: there is no cursor when it asks the database.
    let mut rows = sqlx::query_as::<_, Row>("fetch 250 from billing_report").fetch(conn).named("report.fetch");
    while let Some(row) = rows.next().await {
        let row = row?;
        count += 1;
        if refused.is_ok() {
            refused = take(row.into());
        }
    }
    refused.map(|()| count == FETCHED)
}
