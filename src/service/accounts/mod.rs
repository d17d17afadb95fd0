//! What can be done with tenants, accounts and members. Accounts are here.

mod branches;
mod members;
mod tenants;

use std::sync::Arc;

use sqlx::PgConnection;

pub use self::tenants::TenantDraft;
use crate::{
    domain::{
        access::{caller::Caller, member::Member},
        accounts::{account::Account, policies::PolicyChoices},
        requests::{
            answer::Answer,
            options::{Options, Outcome},
            principal::{Author, Principal},
        },
        values::{
            enums::Role,
            ids::{AccountId, MemberId, TenantId},
            name::AccountName,
            timestamp::Timestamp,
        },
    },
    error::Result,
    service::{
        access::Access,
        clock,
        mutation::{settle, stored, write},
        page::{self, Page},
        pool::{End, Pool},
        seal::{PageOf, Sealer},
    },
    store,
};

/// The use cases on tenants, accounts and members.
#[derive(Clone)]
pub struct Accounts {
    pool: Pool,
    sealer: Arc<Sealer>,
    access: Arc<Access>,
}

/// An account to be created below the acting one.
#[derive(Clone, Debug)]
pub struct AccountDraft {
    /// Its name.
    pub name: AccountName,
    /// Its policies, where they differ from its parent's.
    pub policies: PolicyChoices,
    /// Its first admin, if it shall have one.
    pub first_admin: Option<Principal>,
}

impl Accounts {
    pub(super) fn new(pool: Pool, sealer: Arc<Sealer>, access: Arc<Access>) -> Self {
        Self { pool, sealer, access }
    }

    /// Creates an account below the acting one.
    ///
    /// # Errors
    /// See the contract's CreateAccount.
    pub async fn create_account(
        &self,
        caller: &Caller,
        draft: AccountDraft,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let at = clock::now();
        let id = AccountId::from_uuid(clock::new_id());
        let parent = caller.account();
        let account = parent.child(id, draft.name, Arc::new(draft.policies.over(&parent.policies)), at)?;
        let admin = draft.first_admin.map(|principal| first_admin(id, principal, at));
        let answer = Answer::Account { account: account.clone(), admin: admin.clone() };
        let write = write(caller, at, options);
        let stored = stored(&answer, options)?;
        self.once(caller.scope().tenant(), caller.author(), answer, options, async |conn| {
            store::accounts::create(conn, caller.scope(), &account, admin.as_ref(), stored.clone(), write).await
        })
        .await
    }

    /// Reads the acting account or one below it.
    ///
    /// # Errors
    /// `AccountNotFound`.
    pub async fn get_account(&self, caller: &Caller, id: Option<AccountId>) -> Result<Account> {
        let id = id.unwrap_or(caller.scope().root());
        self.pool.lease().await?.run(async |conn| store::accounts::get(conn, caller.scope(), id).await).await
    }

    /// Lists the accounts below the acting one, the oldest first.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list_accounts(&self, caller: &Caller, all: bool, size: usize, token: &str) -> Result<Page<Account>> {
        let after: Option<AccountId> = self.sealer.open_page(&page_of(caller, "ListAccounts", &all), token)?;
        let limit = page::limit(size);
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| match all {
                true => store::accounts::list_descendants(conn, caller.scope(), after, limit).await,
                false => store::accounts::list_children(conn, caller.scope(), after, limit).await,
            })
            .await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this account.
    ///
    /// # Errors
    /// None that can happen.
    pub fn accounts_after(&self, caller: &Caller, all: bool, last: &Account) -> Result<String> {
        self.sealer.page_token(&page_of(caller, "ListAccounts", &all), &last.id)
    }

    /// Writes something new in one statement, or only sees whether it could be; answers a repeat with what is stored.
    async fn once(
        &self,
        tenant: TenantId,
        author: &Author,
        answer: Answer,
        options: &Options,
        insert: impl AsyncFnOnce(&mut PgConnection) -> Result<()>,
    ) -> Result<Outcome<Answer>> {
        let mut lease = self.pool.lease().await?;
        let done = match options.validate_only {
            true => lease.transaction(End::Rollback, insert).await,
            false => lease.run(insert).await,
        };
        drop(lease);
        self.access.forget();
        match done {
            Ok(()) => Ok(Outcome::fresh(answer)),
            Err(failure) => {
                settle(&self.pool, tenant, author, options.request.as_ref(), failure).await.map(Outcome::replayed)
            }
        }
    }
}

/// The first admin of a new account.
pub(super) fn first_admin(account: AccountId, principal: Principal, at: Timestamp) -> Member {
    Member { id: MemberId::from_uuid(clock::new_id()), account, principal, role: Role::Admin, created_at: at }
}

fn page_of<'a>(caller: &Caller, list: &'static str, query: &'a bool) -> PageOf<'a, bool> {
    PageOf { list, place: (caller.scope().tenant(), caller.scope().root()), query }
}
