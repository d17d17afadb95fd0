//! The billing report: a stream of pages in one snapshot.

use std::{collections::VecDeque, sync::Arc};

use super::report_charges::{Charging, LEARNED_AT_ONCE};
use crate::{
    domain::{
        access::caller::Caller,
        billing::report::{ReportQuery, ReportRow, UnchargedRow},
        values::{ids::CustomerId, timestamp::Timestamp},
    },
    error::Result,
    service::{
        access::Access,
        bytes::HeldBytes,
        call,
        streams::{Messages, Outlet, Streams},
    },
    store::{self, billing::report::Fetched},
};

/// Most rows of a page.
const PAGE_ROWS: usize = 1_000;
/// A page ends when its rows cost as much: a quarter of what clients accept, so that several streams of one principal fit
/// into its part of the memory.
const PAGE_BYTES: usize = 512 * 1024;
/// Memory of the rows that come from the database at once.
const FETCH_BYTES: usize = 1024 * 1024;

/// The use case.
#[derive(Clone)]
pub struct BillingReport {
    streams: Streams,
    access: Arc<Access>,
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
    pub(in crate::service) fn new(streams: Streams, access: Arc<Access>) -> Self {
        Self { streams, access }
    }

    /// Streams the report of the acting account.
    ///
    /// # Errors
    /// `Overloaded`, `Unavailable`: also later, as the last item of the stream; then also `ShuttingDown`, `Deadline`, and why the
    /// caller would not be admitted any more.
    pub async fn stream(&self, caller: Caller, query: ReportQuery) -> Result<Messages<ReportPage>> {
        let (deadline, access) = (caller.author().deadline, Arc::clone(&self.access));
        self.streams.start(deadline, move |outlet| report(outlet, access, caller, query)).await
    }
}

/// The work of one stream: one transaction.
async fn report(outlet: Outlet<ReportPage>, access: Arc<Access>, caller: Caller, query: ReportQuery) -> Result<()> {
    let mut lease = outlet.lease().await?;
    let sent = lease.snapshot(async |conn| {
        let scope = caller.scope();
        let mut pages = Pages::new(query.after, store::billing::report::moment(conn).await?);
        let (mut fetching, mut charging) = (Fetching::new(query.after), Charging::new(query.columns));
        let large = store::billing::report::is_large(conn, scope, &query).await?;
        store::billing::report::open(conn, scope, &query, large).await?;
        loop {
            let count = fetching.count();
            let fetched = store::billing::report::fetch(conn, query.columns, count, |row| fetching.take(row)).await?;
            call::note_progress();
            while let Some(rows) = fetching.next_part() {
                charging.learn(conn, scope, &rows).await?;
                for row in rows {
                    pages.add(charging.charge(row))?;
                }
            }
            fetching.release();
            // The last rows, and a page without any, are sent as well.
            while let Some(page) = pages.next(fetched == Fetched::All) {
                outlet.send(page, async || access.admit_again(&caller).await.map(drop)).await?;
            }
            match fetched {
                Fetched::More => {}
                Fetched::Dropped => {
                    store::billing::report::close(conn).await?;
                    let rest = ReportQuery { after: fetching.after, ..query };
                    store::billing::report::open(conn, scope, &rest, large).await?;
                }
                Fetched::All => return Ok(()),
            }
        }
    });
    sent.await
}

/// Rows as they come from the database: as many at once as fit into a bounded memory.
struct Fetching {
    rows: VecDeque<UnchargedRow>,
    held: HeldBytes,
    /// The largest row so far.
    largest: usize,
    /// The last row.
    after: Option<CustomerId>,
}

impl Fetching {
    fn new(after: Option<CustomerId>) -> Self {
        Self { rows: VecDeque::new(), held: call::holder(), largest: 1, after }
    }

    /// How many rows to ask for, so that they fit if none is larger than those before.
    fn count(&self) -> usize {
        FETCH_BYTES / self.largest
    }

    /// Takes a row if there is room. The first one always has it.
    fn take(&mut self, row: UnchargedRow) -> Result<bool> {
        let cost = row.cost();
        self.largest = self.largest.max(cost);
        if !self.rows.is_empty() && self.held.bytes() + cost > FETCH_BYTES {
            return Ok(false);
        }
        self.held.grow(cost)?;
        self.after = Some(row.row.id);
        self.rows.push_back(row);
        Ok(true)
    }

    fn next_part(&mut self) -> Option<Vec<UnchargedRow>> {
        let count = self.rows.len().min(LEARNED_AT_ONCE);
        (count > 0).then(|| self.rows.drain(..count).collect())
    }

    /// Gives back the memory of the rows, which have all gone on.
    fn release(&mut self) {
        self.held.shrink(0);
    }
}

/// Rows on their way into pages.
struct Pages {
    rows: VecDeque<ReportRow>,
    held: HeldBytes,
    after: Option<CustomerId>,
    at: Timestamp,
    has_sent: bool,
}

impl Pages {
    fn new(after: Option<CustomerId>, at: Timestamp) -> Self {
        Self { rows: VecDeque::new(), held: call::holder(), after, at, has_sent: false }
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
