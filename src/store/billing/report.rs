//! The billing report: a cursor in the snapshot of one transaction, so that a report of any length costs the session and this
//! process the same memory.
//!
//! Customers are read in the order of their ids. Where they are few, they are found by their owners and sorted. Where they are many,
//! all customers of the tenant are read in the order of the key, and those of other accounts are left out: so the first rows come
//! at once, however many there are.

use sqlx::PgConnection;
use tokio_stream::StreamExt as _;
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::Scope,
        billing::{
            customer_billing::Billing,
            report::{Columns, ReportQuery, ReportRow, UnchargedRow},
        },
        values::{
            custom_id,
            ids::{AccountId, CustomerId, RatePlanId},
            timestamp::Timestamp,
        },
    },
    error::Result,
    store::{rows::Document, sql::sql},
    telemetry::{RowStream as _, Statement as _},
};

/// How many rows are fetched at once: most, where rows are small; fewer, where they are large.
const FETCHES: [(usize, &str); 4] = [
    (250, "fetch 250 from billing_report"),
    (50, "fetch 50 from billing_report"),
    (10, "fetch 10 from billing_report"),
    (1, "fetch 1 from billing_report"),
];

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// There may be more rows.
    More,
    /// Those after the last one that was taken were dropped: the report is opened again after it.
    Dropped,
    /// There are no more.
    All,
}

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
    rate_plan_id: Option<Uuid>,
    billing: Option<Document<Billing>>,
}

impl Row {
    fn into_uncharged(self, columns: Columns) -> UnchargedRow {
        let row = self;
        let owner = row.account_id.map(AccountId::from_uuid);
        let (rate_plan, billing) = (row.rate_plan_id.map(RatePlanId::from_uuid), row.billing.map(|one| one.value));
        let row = ReportRow {
            id: CustomerId::from_uuid(row.id),
            account: owner.filter(|_| columns.account),
            name: row.name.unwrap_or_default(),
            custom_ids: row.custom_ids.map(|ids| ids.value).unwrap_or_default(),
            status: row.status,
            archived_at: row.archived_at,
            billing_email: row.billing_email.unwrap_or_default(),
            currency: row.currency.unwrap_or_default(),
            rate_plan: None,
            features: Vec::new(),
            total: None,
            credit_limit: None,
            credit_available: None,
        };
        UnchargedRow { row, owner, rate_plan, billing }
    }
}

/// Takes the snapshot of the transaction at hand, and returns its moment.
pub async fn moment(conn: &mut PgConnection) -> Result<Timestamp> {
    Ok(sqlx::query_scalar!(r#"select statement_timestamp() as "at!""#).fetch_one(conn).named("report.snapshot").await?)
}

/// Closes the report's cursor, so that it can be opened again.
pub async fn close(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("close billing_report").execute(conn).named("report.close").await?;
    Ok(())
}

/// How many customers a report is sorted for; of more, the first rows would come late.
const SORTED: i64 = 10_000;

/// Whether the report has so many customers that it reads all of the tenant in the order of ids, and leaves others out. Counting stops
/// where that is known: statistics would not say it of a new tenant.
pub async fn is_large(conn: &mut PgConnection, scope: &Scope, query: &ReportQuery) -> Result<bool> {
    if query.include_descendants && scope.root().get() == scope.tenant().get() {
        return Ok(true);
    }
    let large = sqlx::query_scalar!(
        r#"
        select count(*) > $4::bigint as "large!" from (
            select from customers c
            where c.tenant_id = $1 and c.account_id in (
                select $3::uuid union all
                select a.id from accounts a
                where $2 and a.tenant_id = $1 and a.ancestors @> array[$3::uuid] and a.id <> $3::uuid
            )
            limit $4::bigint + 1
        ) c
        "#,
        scope.tenant().get(),
        query.include_descendants,
        scope.root().get(),
        SORTED,
    )
    .fetch_one(conn)
    .named("report.is_large")
    .await?;
    Ok(large)
}

/// Opens the report's cursor in the transaction at hand. A call that is narrowed to one customer gets that one, if it is in the
/// report.
pub async fn open(conn: &mut PgConnection, scope: &Scope, query: &ReportQuery, large: bool) -> Result<()> {
    let (needs_plan, has_charges) = (query.columns.needs_plan(), query.columns.has_charges());
    let Columns { account, name, custom_ids, status, billing_email, currency, .. } = query.columns;
    let (root, tenant) = (scope.root().get(), scope.tenant().get());
    let after = query.after.map_or_else(Uuid::nil, CustomerId::get);
    let narrowed = scope.narrowed().map(CustomerId::get);
    // The planner knows the parameters' values: a condition on parameters alone costs nothing.
    if large {
        // The owner is hidden from the indexes that begin with it: they would have all of its customers sorted.
        sql!(
            query,
            "declare billing_report no scroll cursor for " REPORTED "
            from customers c
            where c.tenant_id = $1 and c.status not in ('MERGED', 'ERASED') and c.id > $4 and ($5::uuid is null or c.id = $5)
              and case when $2 then $3 = any(c.ancestors) else c.ancestors[1] = $3 end
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
            needs_plan,
            has_charges,
        )
        .execute(conn)
        .named("report.open_large")
        .await?;
    } else {
        sql!(
            query,
            "declare billing_report no scroll cursor for " REPORTED "
            from customers c
            where c.tenant_id = $1 and c.status not in ('MERGED', 'ERASED') and c.id > $4 and ($5::uuid is null or c.id = $5)
              and c.account_id in (
                  select $3::uuid union all
                  select a.id from accounts a
                  where $2 and a.tenant_id = $1 and a.ancestors @> array[$3::uuid] and a.id <> $3::uuid
              )
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
            needs_plan,
            has_charges,
        )
        .execute(conn)
        .named("report.open")
        .await?;
    }
    Ok(())
}

/// Reads the next rows, at most about `count`, and gives each to `take` until that says that it has no room for it.
///
/// # Errors
/// Those of the statement and of `take`. Further rows are read and dropped, so that the session is clean.
pub async fn fetch(
    conn: &mut PgConnection,
    columns: Columns,
    count: usize,
    mut take: impl FnMut(UnchargedRow) -> Result<bool>,
) -> Result<Fetched> {
    let (most, fetch) = FETCHES.into_iter().find(|(most, _)| *most <= count).unwrap_or(FETCHES[3]);
    let (mut count, mut room) = (0, Ok(true));
    // The macro cannot check it: there is no cursor when it asks the database.
    let mut rows = sqlx::query_as::<_, Row>(fetch).fetch(conn).named("report.fetch");
    while let Some(row) = rows.next().await {
        let row = row?;
        count += 1;
        if matches!(room, Ok(true)) {
            room = take(row.into_uncharged(columns));
        }
    }
    Ok(match room? {
        false => Fetched::Dropped,
        true if count == most => Fetched::More,
        true => Fetched::All,
    })
}
