//! What can be done with tenants, accounts and members.

use std::sync::Arc;

use sqlx::PgConnection;

use crate::{
    domain::{
        account::{Account, Path, Policies, PolicyChoices},
        answer::{Answer, Tenant},
        caller::{Caller, Operator},
        enums::{NameUniqueness, Role},
        ids::{AccountId, EventId, MemberId, TenantId},
        member::Member,
        name::AccountName,
        options::{Options, Outcome},
        principal::{Author, Principal},
    },
    error::{Error, Result},
    service::{
        access::Access,
        clock,
        page::{self, Page},
        pool::{End, Pool},
        repeat::{retrying, settle},
        seal::{PageOf, Sealer},
    },
    store::{self, Write, members::After},
};

/// The use cases on tenants, accounts and members.
#[derive(Clone)]
pub struct Accounts {
    pool: Pool,
    sealer: Arc<Sealer>,
    access: Arc<Access>,
}

/// A tenant to be created.
#[derive(Clone, Debug)]
pub struct TenantDraft {
    /// The provider's name.
    pub name: AccountName,
    /// Where customer names must be unique.
    pub name_uniqueness: NameUniqueness,
    /// The provider's policies, where they differ from the defaults.
    pub policies: PolicyChoices,
    /// The provider's first admin.
    pub first_admin: Principal,
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

    /// Creates a tenant with its provider's account and that one's first admin.
    ///
    /// # Errors
    /// See the contract's CreateTenant.
    pub async fn create_tenant(
        &self,
        operator: &Operator,
        draft: TenantDraft,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        let at = clock::now();
        let id = TenantId::from_uuid(clock::new_id());
        let account = Account {
            id: AccountId::from_uuid(id.get()),
            path: Path::provider(id),
            name: draft.name.clone(),
            policies: Arc::new(draft.policies.over(&Policies::default())),
            name_uniqueness: draft.name_uniqueness,
            revision: 1,
            tenant_revision: 1,
            created_at: at,
        };
        let admin = first_admin(account.id, draft.first_admin, at);
        let name = draft.name.as_str().to_owned();
        let tenant = Tenant { id, name, name_uniqueness: draft.name_uniqueness, created_at: at };
        let answer = Answer::Tenant { tenant: tenant.clone(), account: account.clone(), admin: admin.clone() };
        let write = write(&operator.author, None, at, options);
        let stored = stored(&answer, options)?;
        self.once(TenantId::PLATFORM, &operator.author, answer, options, async |conn| {
            store::tenants::create(conn, &tenant, &account, &admin, stored.clone(), write).await
        })
        .await
    }

    /// Lists all tenants, the oldest first.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list_tenants(&self, operator: &Operator, size: usize, token: &str) -> Result<Page<Tenant>> {
        let after: Option<TenantId> = self.sealer.open_page(&tenants_of(operator), token)?;
        let mut lease = self.pool.lease().await?;
        let found = lease.run(async |conn| store::tenants::list(conn, after, page::limit(size)).await).await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this tenant.
    ///
    /// # Errors
    /// None that can happen.
    pub fn tenants_after(&self, operator: &Operator, last: &Tenant) -> Result<String> {
        self.sealer.page_token(&tenants_of(operator), &last.id)
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
        let at = clock::now();
        let id = AccountId::from_uuid(clock::new_id());
        let parent = caller.account();
        let account = Account {
            id,
            path: parent.path.child(id)?,
            name: draft.name,
            policies: Arc::new(draft.policies.over(&parent.policies)),
            name_uniqueness: parent.name_uniqueness,
            revision: 1,
            tenant_revision: parent.tenant_revision,
            created_at: at,
        };
        let admin = draft.first_admin.map(|principal| first_admin(id, principal, at));
        let answer = Answer::Account { account: account.clone(), admin: admin.clone() };
        let write = write(caller.author(), Some(parent.id), at, options);
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

    /// Makes a principal a member of the acting account.
    ///
    /// # Errors
    /// `MemberExists`.
    pub async fn add_member(
        &self,
        caller: &Caller,
        principal: Principal,
        role: Role,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        let at = clock::now();
        let account = caller.scope().root();
        let member = Member { id: MemberId::from_uuid(clock::new_id()), account, principal, role, created_at: at };
        let answer = Answer::Member { member: member.clone() };
        let write = write(caller.author(), Some(account), at, options);
        let stored = stored(&answer, options)?;
        self.once(caller.scope().tenant(), caller.author(), answer, options, async |conn| {
            store::members::add(conn, caller.scope(), &member, stored.clone(), write).await
        })
        .await
        .map_err(|error| if error.broken_key() == Some("members_principal_key") { Error::MemberExists } else { error })
    }

    /// Lists the members of the acting account, and on request those of the accounts above it, nearest first. Every
    /// member comes with the place of its account in the path.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list_members(
        &self,
        caller: &Caller,
        inherited: bool,
        size: usize,
        token: &str,
    ) -> Result<Page<(i32, Member)>> {
        let after: Option<After> = self.sealer.open_page(&page_of(caller, "ListMembers", &inherited), token)?;
        let limit = page::limit(size);
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| store::members::list(conn, caller.scope(), inherited, after.as_ref(), limit).await)
            .await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this member.
    ///
    /// # Errors
    /// None that can happen.
    pub fn members_after(&self, caller: &Caller, inherited: bool, (step, last): &(i32, Member)) -> Result<String> {
        let principal = &last.principal;
        let after =
            After { step: *step, issuer: principal.issuer().to_owned(), subject: principal.subject().to_owned() };
        self.sealer.page_token(&page_of(caller, "ListMembers", &inherited), &after)
    }

    /// Changes where customer names must be unique. Creates that run meanwhile either are done before, and count, or
    /// follow the new rule.
    ///
    /// # Errors
    /// `NameTaken` if customers have the same name where the new rule forbids it; nothing changes then.
    pub async fn set_name_uniqueness(&self, caller: &Caller, rule: NameUniqueness) -> Result<()> {
        let changed = retrying(|| async move {
            let mut lease = self.pool.lease().await?;
            lease
                .transaction(End::Commit, async |conn| {
                    if store::tenants::lock_rule(conn, caller.scope()).await? != rule {
                        store::tenants::set_rule(conn, caller.scope(), rule).await?;
                    }
                    Ok(())
                })
                .await
        })
        .await;
        self.access.forget();
        changed.map_err(|error| match error.broken_key() {
            Some("customers_name_key") => Error::NameTaken { free: Vec::new() },
            _ => error,
        })
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

fn first_admin(account: AccountId, principal: Principal, at: crate::domain::account::Moment) -> Member {
    Member { id: MemberId::from_uuid(clock::new_id()), account, principal, role: Role::Admin, created_at: at }
}

fn write<'a>(
    author: &'a Author,
    acting: Option<AccountId>,
    at: crate::domain::account::Moment,
    options: &Options,
) -> Write<'a> {
    Write { author, acting, at, event: EventId::from_uuid(clock::new_id()), request: options.request }
}

fn stored(answer: &Answer, options: &Options) -> Result<Option<serde_json::Value>> {
    options.request.map(|_| answer.to_stored()).transpose().map_err(Error::internal)
}

fn page_of<'a>(caller: &Caller, list: &'static str, query: &'a bool) -> PageOf<'a, bool> {
    PageOf { list, place: (caller.scope().tenant(), caller.scope().root()), query }
}

fn tenants_of(_: &Operator) -> PageOf<'static, bool> {
    PageOf {
        list: "ListTenants",
        place: (TenantId::PLATFORM, AccountId::from_uuid(TenantId::PLATFORM.get())),
        query: &true,
    }
}
