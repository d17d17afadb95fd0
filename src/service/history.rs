//! What happened to customers.

use std::sync::Arc;

use crate::{
    domain::{
        access::{caller::Caller, relation::Relation},
        history::event::Event,
        values::ids::CustomerId,
    },
    error::Result,
    service::{
        page::{self, Page},
        pool::Pool,
        seal::{PageOf, Sealer},
    },
    store,
};

/// The use cases on history.
#[derive(Clone)]
pub struct History {
    pool: Pool,
    sealer: Arc<Sealer>,
}

/// One page of events.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The events, the newest first.
    pub events: Vec<Event>,
    /// After which the next page goes on, if there is one.
    pub next: Option<i64>,
}

impl History {
    pub(super) fn new(pool: Pool, sealer: Arc<Sealer>) -> Self {
        Self { pool, sealer }
    }

    /// Lists what happened to a customer, the newest first, as far as the caller may be told.
    ///
    /// # Errors
    /// `CustomerNotFound`, `PageToken`.
    pub async fn list(&self, caller: &Caller, id: CustomerId, size: usize, token: &str) -> Result<EventPage> {
        let before: Option<i64> = self.sealer.open_page(&page_of(caller, &id), token)?;
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| store::history::list(conn, caller.scope(), id, before, page::limit(size)).await)
            .await?;
        let page = Page::of(found.events, size);
        let next = page.items.last().filter(|_| page.more).map(|last| last.seq);
        let events = match found.relation {
            Relation::OwnerOrAbove => page.items,
            Relation::Below => page.items.into_iter().filter_map(|event| from_below(caller, event)).collect(),
        };
        Ok(EventPage { events, next })
    }

    /// The token of the page that goes on after this place.
    ///
    /// # Errors
    /// None that can happen.
    pub fn token_after(&self, caller: &Caller, id: CustomerId, seq: i64) -> Result<String> {
        self.sealer.page_token(&page_of(caller, &id), &seq)
    }
}

/// An event as an account below the customer's owner is told it: what changed, and of its own doings also who did it;
/// none if nothing of it is its business.
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

fn page_of<'a>(caller: &Caller, id: &'a CustomerId) -> PageOf<'a, CustomerId> {
    PageOf { list: "ListCustomerEvents", place: (caller.scope().tenant(), caller.scope().root()), query: id }
}
