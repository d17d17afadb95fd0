//! The client of StreamBillingReport, for `clientele report billing`: it reads a report to its end, and resumes a stream that
//! ends early.

use std::time::Duration;

use tokio::time::sleep;
use tonic::{Code, Request, Status};

use super::{
    pb::{
        ArchivedFilter, BillingReportColumn, SearchCustomersRequest, StreamBillingReportRequest,
        StreamBillingReportResponse,
    },
    report_columns::Column,
};
use crate::client::{Client, Error, Tls};

/// Tries in a row that bring nothing new, before the report is given up.
const TRIES: u32 = 8;
/// Pause before the first of them; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// How long a count may take.
const COUNTED_WITHIN: Duration = Duration::from_secs(5);

/// Where the report comes from, and what it has.
#[derive(Clone, Debug, Default)]
pub struct ReportSource {
    /// HOST:PORT.
    pub address: String,
    /// The TLS configuration; none for clear text.
    pub tls: Option<Tls>,
    /// The caller's token.
    pub token: String,
    /// The acting account; none for the caller's only one.
    pub account: Option<String>,
    /// The tenant that a service principal names.
    pub tenant: Option<String>,
    /// Whether it has the customers of the accounts below.
    pub include_descendants: bool,
    /// It begins after this customer; empty: with the first.
    pub after: String,
}

/// A row as it is written: the texts of the columns, in their order.
pub type Record = Vec<String>;

/// What happens while a report is read.
pub enum Progress<'a> {
    /// Rows have come, which are as of this moment.
    Rows {
        /// The rows.
        rows: Vec<Record>,
        /// The moment of the snapshot, as a timestamp of RFC 3339.
        at: &'a str,
    },
    /// The stream has ended early, and is resumed.
    Interrupted(&'a str),
}

/// Reads a report to its end and gives each part of it to `write`. A stream that ends early is resumed after its last
/// customer: the rows that follow are of a new snapshot.
///
/// # Errors
/// Why the report is not complete; what was written before is right. That of `write`.
pub async fn download(
    source: &ReportSource,
    columns: &[Column],
    mut write: impl FnMut(Progress<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let (mut after, mut failures) = (source.after.clone(), 0);
    loop {
        let before = after.clone();
        let ended = read(source, columns, &mut after, &mut write).await;
        if after != before {
            failures = 0;
        }
        let failure = match ended {
            Ok(()) => return Ok(()),
            Err(Failure::Final(message)) => return Err(message),
            Err(Failure::Again(message)) => message,
        };
        failures += 1;
        if failures > TRIES {
            let from = if after.is_empty() { String::new() } else { format!("; go on with --after {after}") };
            return Err(format!("{failure}{from}"));
        }
        write(Progress::Interrupted(&failure))?;
        sleep(FIRST_PAUSE.saturating_mul(1 << (failures - 1))).await;
    }
}

/// How many customers the whole report has, if they are few enough to be counted: 1,000 or less.
pub async fn count(source: &ReportSource) -> Option<usize> {
    let client = connect(source).await.ok()?;
    let mut search = Request::new(SearchCustomersRequest {
        include_descendants: source.include_descendants,
        archived: ArchivedFilter::Show.into(),
        include_total_size: true,
        page_size: 1,
        ..Default::default()
    });
    search.set_timeout(COUNTED_WITHIN);
    let found = client.customers().search_customers(search).await.ok()?.into_inner();
    if found.total_size_is_at_least { None } else { usize::try_from(found.total_size).ok() }
}

/// How a stream ended early.
enum Failure {
    /// The same call can succeed.
    Again(String),
    /// It cannot.
    Final(String),
}

/// Reads one stream; `after` follows its rows.
async fn read(
    source: &ReportSource,
    columns: &[Column],
    after: &mut String,
    write: &mut impl FnMut(Progress<'_>) -> Result<(), String>,
) -> Result<(), Failure> {
    let client = connect(source).await.map_err(|error| failure(error.status()))?;
    let request = request(source, columns, after);
    let answer = client.billing().stream_billing_report(request).await;
    let mut stream = answer.map_err(|status| failure(&status))?.into_inner();
    while let Some(message) = stream.message().await.map_err(|status| failure(&status))? {
        let StreamBillingReportResponse { rows, after_id, snapshot_time } = message;
        let at = snapshot_time.map(|at| at.to_string()).unwrap_or_default();
        let rows = rows.iter().map(|row| columns.iter().map(|column| (column.text)(row)).collect()).collect();
        write(Progress::Rows { rows, at: &at }).map_err(Failure::Final)?;
        *after = after_id;
    }
    Ok(())
}

/// A client that tries once: `download` itself tries again.
async fn connect(source: &ReportSource) -> Result<Client, Error> {
    let mut builder = Client::builder(&source.address).token(&source.token).attempts(1);
    if let Some(tls) = &source.tls {
        builder = builder.tls(tls.clone());
    }
    if let Some(account) = &source.account {
        builder = builder.account(account);
    }
    if let Some(tenant) = &source.tenant {
        builder = builder.tenant(tenant);
    }
    builder.connect().await
}

fn request(source: &ReportSource, columns: &[Column], after: &str) -> StreamBillingReportRequest {
    StreamBillingReportRequest {
        include_descendants: source.include_descendants,
        // Without any, the server would send all.
        columns: match columns.iter().filter_map(|column| column.asked).map(i32::from).collect::<Vec<_>>() {
            none if none.is_empty() => vec![BillingReportColumn::Account.into()],
            some => some,
        },
        after_id: after.to_owned(),
    }
}

/// Whether a stream can be resumed. A lost connection is UNKNOWN to the client, or CANCELLED by the server.
fn failure(status: &Status) -> Failure {
    let message = format!("{:?}: {}", status.code(), status.message());
    match status.code() {
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => {
            Failure::Again(message)
        }
        _ => Failure::Final(message),
    }
}
