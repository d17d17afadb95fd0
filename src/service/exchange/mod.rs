//! Use cases on data in bulk.

mod import;

use std::sync::Arc;

pub use self::import::{Done, Imported, Row};
use crate::{
    domain::{
        access::caller::Caller,
        exchange::{Position, SubjectDocument},
        values::ids::CustomerId,
    },
    error::Result,
    service::{
        access::Access,
        call,
        customers::Customers,
        page::{self, Page},
        pool::Pool,
        seal::{PageContext, Sealer},
    },
    store::{
        self,
        customers::{erase, family},
    },
};

/// Statements of one page: a kind of documents each. A page may end with fewer documents than were asked for.
const KINDS_AT_ONCE: usize = 20;

/// Documents of one kind that one statement reads: it looks at the text of each.
const AT_ONCE: usize = 100;

/// The use cases on data in bulk.
#[derive(Clone)]
pub struct Exchange {
    pool: Pool,
    customers: Arc<Customers>,
    access: Arc<Access>,
    sealer: Arc<Sealer>,
}

/// A page of documents.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The documents.
    pub items: Vec<SubjectDocument>,
    /// Where the next page begins, if there is one.
    pub next: Option<Position>,
}

impl Exchange {
    pub(super) fn new(pool: Pool, customers: Arc<Customers>, access: Arc<Access>, sealer: Arc<Sealer>) -> Self {
        Self { pool, customers, access, sealer }
    }

    /// Reads a page of what is stored about a customer, and about those that were merged into it.
    ///
    /// # Errors
    /// See the contract's ExportSubjectData.
    pub async fn export_subject(&self, caller: &Caller, id: CustomerId, size: usize, token: &str) -> Result<Documents> {
        let after: Option<Position> = self.sealer.open_page(&context(caller, &id), token)?;
        let mut lease = self.pool.lease().await?;
        lease
            .run(async |conn| {
                let scope = caller.scope();
                store::customers::get(conn, caller, id, call::hold).await?.customer.must_be_ours(caller)?;
                let sources = family::sources(conn, scope, &[id]).await?;
                let all = [vec![id], sources.clone()].concat();
                let addresses = erase::address_keys(erase::texts_with_at(conn, scope, &all).await?);
                let mut documents = Documents { items: Vec::new(), next: after.or(Some(Position::start(id))) };
                for _ in 0..KINDS_AT_ONCE {
                    let (Some(at), room) = (documents.next.clone(), size - documents.items.len()) else { break };
                    if room == 0 {
                        break;
                    }
                    let limit = room.min(AT_ONCE);
                    let of_kind =
                        store::exchange::documents(conn, scope, &at, &addresses, page::limit(limit), call::hold)
                            .await?;
                    let Page { items, more } = Page::of(of_kind, limit);
                    documents.next = match items.last() {
                        Some(last) if more => Some(last.at.clone()),
                        _ => at.next(id, &sources),
                    };
                    documents.items.extend(items);
                    // A page of large documents is full.
                    if more {
                        break;
                    }
                }
                Ok(documents)
            })
            .await
    }

    /// The token of the page after this position.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn subject_token(&self, caller: &Caller, id: CustomerId, at: &Position) -> Result<String> {
        self.sealer.page_token(&context(caller, &id), at)
    }
}

fn context<'a>(caller: &Caller, id: &'a CustomerId) -> PageContext<'a, CustomerId> {
    PageContext::new("ExportSubjectData", caller, id)
}
