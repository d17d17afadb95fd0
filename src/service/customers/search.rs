//! Searches customers.

use serde::Serialize;

use super::{CustomerDetails, Customers};
use crate::{
    domain::{
        access::{caller::Caller, relation::Relation},
        fields::field::View,
        search::{Search, SearchField},
        values::ids::CustomerId,
    },
    error::Result,
    service::{
        call,
        page::{self, Page},
        seal::PageContext,
    },
    store::{
        self,
        search::{COUNTED, Place, Wanted},
    },
};

/// A customer that a search found.
#[derive(Clone, Debug)]
pub struct Match {
    /// The customer.
    pub customer: CustomerDetails,
    /// The fields that contain at least one word of the query.
    pub fields: Vec<SearchField>,
    /// Its position in the result, from which the next page can go on.
    pub cursor: Place,
}

/// One page of a search's result.
#[derive(Clone, Debug)]
pub struct Matches {
    /// The matches, in order.
    pub matches: Vec<Match>,
    /// Whether there are more after the last.
    pub more: bool,
    /// The number of matches on all pages, if the request asks for it, and whether there may be more than that.
    pub total: Option<(i64, bool)>,
}

/// The part of a page token's context that the search decides.
#[derive(Debug, Serialize)]
struct BoundQuery<'a> {
    narrowed: Option<CustomerId>,
    search: &'a Search,
}

impl Customers {
    /// Searches customers, and shows them in a view.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn search(
        &self,
        caller: &Caller,
        search: &Search,
        view: View,
        (size, token): (usize, &str),
        count: bool,
    ) -> Result<Matches> {
        let after: Option<Place> = self.sealer.open_page(&page_context(caller, &bound_query(caller, search)), token)?;
        let mut lease = self.searches.lease().await?;
        let found = lease
            .run(async |conn| {
                let wanted = Wanted { search, view, after: after.as_ref(), limit: page::limit(size), count };
                store::search::find(conn, caller, &wanted, call::hold).await
            })
            .await?;
        drop(lease);
        let page = Page::of(found.hits, size);
        let matcher = search.matcher();
        let matches = page
            .items
            .into_iter()
            .map(|hit| {
                let fields = if search.query.is_empty() {
                    Vec::new()
                } else {
                    let is_all_shown = hit.seen.customer.relation(caller.scope()) == Relation::OwnerOrAbove;
                    matcher.fields(&hit.doc, is_all_shown, &hit.ids)
                };
                Ok(Match { customer: self.details_in(caller, hit.seen, view)?, fields, cursor: hit.place })
            })
            .collect::<Result<_>>()?;
        let total = found.total.map(|total| (total.min(COUNTED), total > COUNTED));
        Ok(Matches { matches, more: page.more, total })
    }

    /// The token of the page after this cursor.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn search_token(&self, caller: &Caller, search: &Search, cursor: &Place) -> Result<String> {
        self.sealer.page_token(&page_context(caller, &bound_query(caller, search)), cursor)
    }
}

fn bound_query<'a>(caller: &Caller, search: &'a Search) -> BoundQuery<'a> {
    BoundQuery { narrowed: caller.scope().narrowed(), search }
}

fn page_context<'a>(caller: &Caller, query: &'a BoundQuery<'a>) -> PageContext<'a, BoundQuery<'a>> {
    PageContext::new("SearchCustomers", caller, query)
}
