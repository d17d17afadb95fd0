//! The history of customers. That of accounts is in `accounts`.

mod accounts;

pub use self::accounts::{AccountEventPage, WantedEvents};

use std::sync::Arc;

use serde::Serialize;

use crate::{
    domain::{
        access::{caller::Caller, relation::Relation},
        history::{event::Event, event_type::EventType},
        values::ids::CustomerId,
    },
    error::Result,
    service::{
        call,
        page::{self, Page},
        pool::Pool,
        seal::{PageContext, Sealer},
    },
    store,
};

/// The use cases on history.
#[derive(Clone)]
pub struct History {
    pool: Pool,
    sealer: Arc<Sealer>,
}

/// Which events of a customer are listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WantedCustomerEvents {
    /// The customer.
    pub customer: CustomerId,
    /// The types; all if there are none.
    pub types: Vec<EventType>,
}

/// One page of events.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The events, the newest first.
    pub events: Vec<Event>,
    /// The cursor of the next page, if there is one.
    pub next: Option<i64>,
}

impl History {
    pub(super) fn new(pool: Pool, sealer: Arc<Sealer>) -> Self {
        Self { pool, sealer }
    }

    /// Lists the events of a customer, the newest first, as far as the caller may read them.
    ///
    /// # Errors
    /// `CustomerNotFound`, `PageToken`.
    pub async fn list(
        &self,
        caller: &Caller,
        wanted: &WantedCustomerEvents,
        size: usize,
        token: &str,
    ) -> Result<EventPage> {
        let before: Option<i64> = self.sealer.open_page(&page_context(caller, wanted), token)?;
        let WantedCustomerEvents { customer, types } = wanted;
        let wanted = store::history::Wanted { customer: *customer, types, before, limit: page::limit(size) };
        let mut lease = self.pool.lease().await?;
        let found =
            lease.run(async |conn| store::history::list(conn, caller.scope(), wanted, call::hold).await).await?;
        let page = Page::of(found.events, size);
        let next = page.items.last().filter(|_| page.more).map(|last| last.seq);
        let events = match found.relation {
            Relation::OwnerOrAbove => page.items,
            Relation::Below => page.items.into_iter().filter_map(|event| from_below(caller, event)).collect(),
        };
        Ok(EventPage { events, next: next.or(found.looked_at) })
    }

    /// The token of the page after this cursor.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn events_token(&self, caller: &Caller, wanted: &WantedCustomerEvents, seq: i64) -> Result<String> {
        self.sealer.page_token(&page_context(caller, wanted), &seq)
    }
}

/// Keeps of an event what an account below the customer's owner may read: the changes of fields that it sees, and the
/// author only of its own events; none if no change is left.
fn from_below(caller: &Caller, mut event: Event) -> Option<Event> {
    event.changes = event.changes.seen_from(Relation::Below);
    if event.acting_account != caller.scope().root() {
        event.principal = None;
        event.actors.clear();
        event.workload = None;
        event.request_id = None;
        event.trace_id = None;
    }
    (!event.changes.0.is_empty()).then_some(event)
}

fn page_context<'a>(caller: &Caller, wanted: &'a WantedCustomerEvents) -> PageContext<'a, WantedCustomerEvents> {
    PageContext::new("ListCustomerEvents", caller, wanted)
}
