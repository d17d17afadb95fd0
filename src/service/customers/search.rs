//! Searching customers.

use serde::Serialize;

use super::{CustomerDetails, Customers};
use crate::{
    domain::{
        access::caller::Caller,
        search::{Search, SearchField, Searchable},
        values::ids::CustomerId,
    },
    error::Result,
    service::{
        page::{self, Page},
        seal::PageOf,
    },
    store::{
        self,
        search::{COUNTED, Place},
    },
};

/// One customer that a search found.
#[derive(Clone, Debug)]
pub struct Match {
    /// The customer.
    pub shown: CustomerDetails,
    /// In which fields at least one word of the query lies.
    pub fields: Vec<SearchField>,
    /// Where it stands; a page token can be made of it.
    pub place: Place,
}

/// One page of what a search found.
#[derive(Clone, Debug)]
pub struct Matches {
    /// In order.
    pub matches: Vec<Match>,
    /// Whether there are more behind the last.
    pub more: bool,
    /// How many match on all pages, if that was asked for, and whether there may be more than that.
    pub total: Option<(i64, bool)>,
}

/// What a page token is bound to.
#[derive(Debug, Serialize)]
struct Bound<'a> {
    narrowed: Option<CustomerId>,
    search: &'a Search,
}

impl Customers {
    /// Finds customers.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn search(
        &self,
        caller: &Caller,
        search: &Search,
        size: usize,
        token: &str,
        count: bool,
    ) -> Result<Matches> {
        let after: Option<Place> = self.sealer.open_page(&page_of(caller, &bound(caller, search)), token)?;
        let mut lease = self.searches.lease().await?;
        let found = lease
            .run(async |conn| store::search::find(conn, caller, search, after.as_ref(), page::limit(size), count).await)
            .await?;
        drop(lease);
        let page = Page::of(found.hits, size);
        let matches = page
            .items
            .into_iter()
            .map(|hit| {
                let fields = if search.query.words().is_empty() {
                    Vec::new()
                } else {
                    search.matched(&Searchable::of(&hit.seen.customer.fields), &hit.numbers)
                };
                Ok(Match { shown: self.show(caller, hit.seen)?, fields, place: hit.place })
            })
            .collect::<Result<_>>()?;
        let total = found.total.map(|total| (total.min(COUNTED), total > COUNTED));
        Ok(Matches { matches, more: page.more, total })
    }

    /// The token of the page behind this place.
    ///
    /// # Errors
    /// None that can happen.
    pub fn search_token(&self, caller: &Caller, search: &Search, place: &Place) -> Result<String> {
        self.sealer.page_token(&page_of(caller, &bound(caller, search)), place)
    }
}

fn bound<'a>(caller: &Caller, search: &'a Search) -> Bound<'a> {
    Bound { narrowed: caller.scope().narrowed(), search }
}

fn page_of<'a>(caller: &Caller, query: &'a Bound<'a>) -> PageOf<'a, Bound<'a>> {
    PageOf { list: "SearchCustomers", place: (caller.scope().tenant(), caller.scope().root()), query }
}
