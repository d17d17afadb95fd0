//! Use cases on accounts, branches and tenants. Creating and reading accounts is here.

mod branches;
mod edit;
mod invite;
mod list;
mod suspend;
mod tenants;

use std::sync::Arc;

pub use self::{
    edit::Updated,
    list::{AccountPage, Wanted},
    tenants::NewTenant,
};
use crate::{
    domain::{
        access::{caller::Caller, member::Member},
        accounts::{account::Account, policies::PolicyChoices},
        customers::migration::FirstAdmin,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
            principal::{Author, Principal},
        },
        values::{
            enums::Role,
            ids::{AccountId, EventId, MemberId},
            language::Language,
            name::AccountName,
            timestamp::Timestamp,
        },
    },
    error::Result,
    service::{
        access::{cache::Stale, inviting::Inviting},
        clock,
        mutation::{Call, Mutations, replay_as_stored, run_statement, to_stored, write},
        pool::Pool,
        seal::Sealer,
    },
    store,
};

/// The use cases on accounts, branches and tenants.
#[derive(Clone)]
pub struct Accounts {
    pool: Pool,
    mutations: Mutations,
    sealer: Arc<Sealer>,
    inviting: Inviting,
}

/// An account to create below the acting one.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its name.
    pub name: AccountName,
    /// Its policies, where they differ from its parent's.
    pub policies: PolicyChoices,
    /// Its first admin, if it gets one.
    pub first_admin: Option<FirstAdmin>,
    /// The language of the first admin's mail.
    pub admin_language: Option<Language>,
}

impl Accounts {
    pub(super) fn new(pool: Pool, mutations: Mutations, sealer: Arc<Sealer>, inviting: Inviting) -> Self {
        Self { pool, mutations, sealer, inviting }
    }

    /// Creates an account below the acting one.
    ///
    /// # Errors
    /// See the contract's CreateAccount.
    pub async fn create_account(&self, caller: &Caller, new: NewAccount, options: &Options) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let at = clock::now();
        let id = AccountId::from_uuid(clock::new_id());
        let parent = caller.account();
        let account = parent.child(id, new.name, Arc::new(new.policies.over(&parent.policies)), at)?;
        let principal = match new.first_admin {
            Some(FirstAdmin::Invited(email)) => {
                return self.create_and_invite(caller, (account, email, new.admin_language), at, options).await;
            }
            Some(FirstAdmin::Principal(principal)) => Some(principal),
            None => None,
        };
        let admin = principal.map(|principal| first_admin(id, principal, Some(caller.author()), at));
        let stale = admin.as_ref().map(|admin| Stale::of_member(caller.scope().tenant(), admin));
        let write = write(caller, at, options);
        let answer = Answer::Account { account: account.clone(), admin: admin.clone(), invitation: None };
        let added = new_event();
        let (account, admin) = (&account, admin.as_ref().map(|admin| (admin, added)));
        let (answer, stored) = (&answer, &to_stored(&answer, options)?);
        let attempt = |mut lease| async move {
            run_statement(&mut lease, options, async |conn| {
                store::accounts::create(conn, caller.scope(), account, admin, stored.clone(), write).await
            })
            .await?;
            Ok(Outcome::changed(answer.clone()))
        };
        self.mutations.run(Call::new(caller, options).making_stale(stale), attempt, replay_as_stored).await
    }

    /// Reads the acting account or one below it.
    ///
    /// # Errors
    /// `AccountNotFound`.
    pub async fn get_account(&self, caller: &Caller, id: Option<AccountId>) -> Result<Account> {
        let id = id.unwrap_or(caller.scope().root());
        self.pool.lease().await?.run(async |conn| store::accounts::get(conn, caller.scope(), id).await).await
    }
}

/// The id of one more event of a write.
pub(super) fn new_event() -> EventId {
    EventId::from_uuid(clock::new_id())
}

/// The first admin of a new account. With an author, its membership waits for its consent unless it is the author itself; an
/// operator's choice needs none.
pub(super) fn first_admin(account: AccountId, principal: Principal, by: Option<&Author>, at: Timestamp) -> Member {
    let waiting = by.is_some_and(|author| author.principal != principal);
    Member { id: MemberId::from_uuid(clock::new_id()), account, principal, role: Role::Admin, created_at: at, waiting }
}
