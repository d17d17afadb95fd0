//! The billing report: a stream of pages in one snapshot.

use crate::{
    domain::{
        access::caller::Caller,
        billing::report::{ReportQuery, ReportRow},
        values::{ids::CustomerId, timestamp::Timestamp},
    },
    error::Result,
    service::{
        bytes::HeldBytes,
        call,
        streams::{Messages, Outlet, Streams},
    },
    store,
};

/// Most rows of a page.
const PAGE_ROWS: usize = 1_000;
/// A page ends when its rows cost as much: a quarter of what clients accept, so that several streams of one principal fit
/// into its part of the memory.
const PAGE_BYTES: usize = 512 * 1024;

/// The use case.
#[derive(Clone)]
pub struct BillingReport {
    streams: Streams,
}

/// A page of the report.
#[derive(Debug)]
pub struct ReportPage {
    /// Its rows, by id.
    pub rows: Vec<ReportRow>,
    /// The customer after which the report goes on; none before the first.
    pub after: Option<CustomerId>,
    /// The moment of the snapshot.
    pub at: Timestamp,
    /// Counts the rows until the page is a message.
    _held: HeldBytes,
}

impl BillingReport {
    pub(in crate::service) fn new(streams: Streams) -> Self {
        Self { streams }
    }

    /// Streams the report of the acting account.
    ///
    /// # Errors
    /// `Overloaded`, `Unavailable`: also later, as the last item of the stream; then also `ShuttingDown` and `Deadline`.
    pub async fn stream(&self, caller: Caller, query: ReportQuery) -> Result<Messages<ReportPage>> {
        let deadline = caller.author().deadline;
        self.streams.start(deadline, move |outlet| report(outlet, caller, query)).await
    }
}

/// The work of one stream: one transaction.
async fn report(outlet: Outlet<ReportPage>, caller: Caller, query: ReportQuery) -> Result<()> {
    let mut lease = outlet.lease().await?;
    let sent = lease.snapshot(async |conn| {
        let at = store::billing::report::open(conn, caller.scope(), &query).await?;
        let mut pages = Pages::new(query.after, at);
        loop {
            let more = store::billing::report::fetch(conn, |row| pages.add(row)).await?;
            call::note_progress();
            // The last rows, and a page without any, are sent as well.
            while let Some(page) = pages.next(!more) {
                outlet.send(page).await?;
            }
            if !more {
                return Ok(());
            }
        }
    });
    sent.await
}

/// Rows on their way into pages.
struct Pages {
    rows: std::collections::VecDeque<ReportRow>,
    held: HeldBytes,
    after: Option<CustomerId>,
    at: Timestamp,
    has_sent: bool,
}

impl Pages {
    fn new(after: Option<CustomerId>, at: Timestamp) -> Self {
        Self { rows: Default::default(), held: call::holder(), after, at, has_sent: false }
    }

    fn add(&mut self, row: ReportRow) -> Result<()> {
        self.held.grow(row.cost())?;
        self.rows.push_back(row);
        Ok(())
    }

    /// The next page, if it is full or all rows are there.
    fn next(&mut self, complete: bool) -> Option<ReportPage> {
        let (mut count, mut bytes) = (0, 0);
        for row in self.rows.iter().take(PAGE_ROWS) {
            if count > 0 && bytes + row.cost() > PAGE_BYTES {
                break;
            }
            (count, bytes) = (count + 1, bytes + row.cost());
        }
        let is_full = count == PAGE_ROWS || count < self.rows.len();
        let is_last = complete && (count > 0 || !self.has_sent);
        if !is_full && !is_last {
            return None;
        }
        let rows: Vec<_> = self.rows.drain(..count).collect();
        self.after = rows.last().map(|row| row.id).or(self.after);
        self.has_sent = true;
        Some(ReportPage { rows, after: self.after, at: self.at, _held: self.held.split(bytes) })
    }
}
