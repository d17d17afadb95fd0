//! ListAccounts: pages of accounts, by name if the call asks for it, with counts.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::PgConnection;

use super::Accounts;
use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::{Account, AccountCounts},
        search::fold,
        values::ids::AccountId,
    },
    error::Result,
    service::{
        call,
        page::{self, Page},
        seal::PageContext,
    },
    store::accounts::list,
};

/// Names that are compared for one page.
const LOOKED_AT: usize = 10_000;

/// Names that are folded without a pause: less than a millisecond.
const FOLDED_AT_ONCE: usize = 200;

/// Which accounts are listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// All below the acting account, not only its children.
    pub all: bool,
    /// A part of the name, folded; empty for any name.
    pub name: String,
}

impl Wanted {
    /// Accounts with this text in their name.
    #[must_use]
    pub fn new(all: bool, name: &str) -> Self {
        Self { all, name: fold(name) }
    }
}

/// One page of accounts.
#[derive(Clone, Debug)]
pub struct AccountPage {
    /// The accounts, oldest first, with what they have if the call asks for it.
    pub accounts: Vec<(Account, Option<AccountCounts>)>,
    /// Where the next page begins, if there is one.
    pub next: Option<AccountId>,
}

impl Accounts {
    /// Lists accounts below the acting one, oldest first.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list_accounts(
        &self,
        caller: &Caller,
        wanted: &Wanted,
        counted: bool,
        size: usize,
        token: &str,
    ) -> Result<AccountPage> {
        let after: Option<AccountId> = self.sealer.open_page(&context(caller, wanted), token)?;
        let mut lease = self.pool.lease().await?;
        lease
            .run(async |conn| {
                let (page, next) = if wanted.name.is_empty() {
                    in_order(conn, caller, wanted.all, after, size).await?
                } else {
                    by_name(conn, caller, wanted, after, size).await?
                };
                let ids: Vec<AccountId> = page.items.iter().map(|account| account.id).collect();
                let counts = match counted {
                    true => list::count(conn, caller.scope(), &ids).await?,
                    false => HashMap::new(),
                };
                let last = page.items.last().filter(|_| page.more).map(|account| account.id);
                let with_counts = |account: Account| {
                    let counts = counts.get(&account.id).copied();
                    (account, counts)
                };
                Ok(AccountPage { accounts: page.items.into_iter().map(with_counts).collect(), next: last.or(next) })
            })
            .await
    }

    /// The token of the page after this account.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn accounts_token(&self, caller: &Caller, wanted: &Wanted, last: AccountId) -> Result<String> {
        self.sealer.page_token(&context(caller, wanted), &last)
    }
}

async fn in_order(
    conn: &mut PgConnection,
    caller: &Caller,
    all: bool,
    after: Option<AccountId>,
    size: usize,
) -> Result<(Page<Account>, Option<AccountId>)> {
    let (scope, limit) = (caller.scope(), page::limit(size));
    let found = match all {
        true if caller.account().is_provider() => list::all_others(conn, scope, after, limit, call::hold).await?,
        true => list::descendants(conn, scope, after, limit, call::hold).await?,
        false => list::children(conn, scope, after, limit, call::hold).await?,
    };
    Ok((Page::of(found, size), None))
}

/// Compares names here, not in the database: the folding of searches is ours, and a column for it would have to follow
/// each new version of it.
async fn by_name(
    conn: &mut PgConnection,
    caller: &Caller,
    wanted: &Wanted,
    after: Option<AccountId>,
    size: usize,
) -> Result<(Page<Account>, Option<AccountId>)> {
    let (scope, limit) = (caller.scope(), page::limit(LOOKED_AT - 1));
    let names = match wanted.all {
        true if caller.account().is_provider() => {
            list::names_of_all_others(conn, scope, after, limit, call::hold).await?
        }
        true => list::names_of_descendants(conn, scope, after, limit, call::hold).await?,
        false => list::names_of_children(conn, scope, after, limit, call::hold).await?,
    };
    let looked_at = names.last().filter(|_| names.len() == LOOKED_AT).map(|last| last.id);
    let has_name = |name: &String| fold(name).contains(&wanted.name);
    let mut ids: Vec<AccountId> = Vec::new();
    for part in names.chunks(FOLDED_AT_ONCE) {
        ids.extend(part.iter().filter(|named| has_name(&named.name)).map(|named| named.id));
        if ids.len() > size {
            break;
        }
        // Other calls go on meanwhile.
        tokio::task::yield_now().await;
    }
    let more = ids.len() > size;
    ids.truncate(size);
    let found = list::of_ids(conn, scope, &ids, call::hold).await?;
    let page = Page::of(found, size);
    let next = if more { ids.last().copied() } else { looked_at };
    Ok((page, next))
}

fn context<'a>(caller: &Caller, wanted: &'a Wanted) -> PageContext<'a, Wanted> {
    PageContext::new("ListAccounts", caller, wanted)
}
