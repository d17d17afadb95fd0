//! The history of accounts.

use serde::Serialize;

use super::History;
use crate::{
    domain::{
        access::caller::Caller,
        history::account_event::{AccountEvent, AccountEventType},
        values::ids::AccountId,
    },
    error::Result,
    service::{
        call,
        page::{self, Page},
        seal::PageContext,
    },
    store::{self, history::accounts::Wanted},
};

/// Which events of an account are listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WantedEvents {
    /// The account; by default the acting one.
    pub account: Option<AccountId>,
    /// The types; all if there are none.
    pub types: Vec<AccountEventType>,
    /// Whether the oldest come first.
    pub oldest_first: bool,
}

/// One page of events.
#[derive(Clone, Debug)]
pub struct AccountEventPage {
    /// The events.
    pub events: Vec<AccountEvent>,
    /// The cursor of the next page, if there is one.
    pub next: Option<i64>,
}

impl History {
    /// Lists the events of the acting account or one below it that are about no customer.
    ///
    /// # Errors
    /// `AccountNotFound`, `PageToken`.
    pub async fn list_of_account(
        &self,
        caller: &Caller,
        wanted: &WantedEvents,
        size: usize,
        token: &str,
    ) -> Result<AccountEventPage> {
        let after: Option<i64> = self.sealer.open_page(&page_context(caller, wanted), token)?;
        let account = wanted.account.unwrap_or(caller.scope().root());
        let (types, oldest_first, limit) = (wanted.types.as_slice(), wanted.oldest_first, page::limit(size));
        let asked = Wanted { account, types, oldest_first, after, limit };
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| store::history::accounts::list(conn, caller.scope(), asked, call::hold).await)
            .await?;
        let page = Page::of(found.events, size);
        let next = page.items.last().filter(|_| page.more).map(|last| last.seq);
        Ok(AccountEventPage { events: page.items, next: next.or(found.looked_at) })
    }

    /// The token of the page after this cursor.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn account_events_token(&self, caller: &Caller, wanted: &WantedEvents, seq: i64) -> Result<String> {
        self.sealer.page_token(&page_context(caller, wanted), &seq)
    }
}

fn page_context<'a>(caller: &Caller, wanted: &'a WantedEvents) -> PageContext<'a, WantedEvents> {
    PageContext::new("ListAccountEvents", caller, wanted)
}
