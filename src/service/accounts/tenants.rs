//! Tenants, and their rule on the uniqueness of customer names.

use std::sync::Arc;

use super::{Accounts, first_admin};
use crate::{
    domain::{
        access::caller::{Caller, Operator},
        accounts::{
            account::{Account, Path, UNKNOWN_NAME_RULE},
            policies::{Policies, PolicyChoices},
        },
        requests::{
            answer::{Answer, Tenant},
            options::{Options, Outcome},
            principal::Principal,
        },
        values::{
            enums::NameUniqueness,
            ids::{AccountId, TenantId},
            name::AccountName,
        },
    },
    error::{Error, Result},
    service::{
        access::cache::Stale,
        call, clock,
        mutation::{Call, replay_as_stored, run_statement, to_stored, write_by},
        page::{self, Page},
        pool::{End, Lease},
        seal::PageContext,
    },
    store,
};

/// A tenant to create.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// The provider's name.
    pub name: AccountName,
    /// Where customer names must be unique.
    pub name_uniqueness: NameUniqueness,
    /// The provider's policies, where they differ from the defaults.
    pub policies: PolicyChoices,
    /// The provider's first admin.
    pub first_admin: Principal,
}

impl Accounts {
    /// Creates a tenant with its provider's account and the first admin of that account.
    ///
    /// # Errors
    /// See the contract's CreateTenant.
    pub async fn create_tenant(
        &self,
        operator: &Operator,
        new: NewTenant,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        let at = clock::now();
        let id = TenantId::from_uuid(clock::new_id());
        let account = Account {
            id: AccountId::from_uuid(id.get()),
            path: Path::provider(id),
            name: new.name.clone(),
            policies: Arc::new(new.policies.over(&Policies::default())),
            name_uniqueness: new.name_uniqueness,
            revision: 1,
            tenant_revision: 1,
            created_at: at,
        };
        let admin = first_admin(account.id, new.first_admin, None, at);
        let name = new.name.as_str().to_owned();
        let tenant = Tenant { id, name, name_uniqueness: new.name_uniqueness, created_at: at };
        let answer = Answer::Tenant { tenant: tenant.clone(), account: account.clone(), admin: admin.clone() };
        let stale = Stale::Memberships(id, admin.principal.clone());
        let write = write_by(&operator.author, None, at, options);
        let (tenant, account, admin) = (&tenant, &account, &admin);
        let (answer, stored) = (&answer, &to_stored(&answer, options)?);
        let attempt = |mut lease| async move {
            run_statement(&mut lease, options, async |conn| {
                store::accounts::tenants::create(conn, tenant, account, admin, stored.clone(), write).await
            })
            .await?;
            Ok(Outcome::changed(answer.clone()))
        };
        let call = Call::by(&operator.author, TenantId::PLATFORM, options).making_stale(Some(stale));
        self.mutations.run(call, attempt, replay_as_stored).await
    }

    /// Lists all tenants, oldest first.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list_tenants(&self, _: &Operator, size: usize, token: &str) -> Result<Page<Tenant>> {
        let after: Option<TenantId> = self.sealer.open_page(&TENANTS, token)?;
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| store::accounts::tenants::list(conn, after, page::limit(size), call::hold).await)
            .await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this tenant.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn tenants_token(&self, _: &Operator, last: &Tenant) -> Result<String> {
        self.sealer.page_token(&TENANTS, &last.id)
    }

    /// Changes where customer names must be unique. A create that runs at the same time either commits before the
    /// change, which then checks its name, or follows the new rule.
    ///
    /// # Errors
    /// `NameTaken` if customers have the same name where the new rule forbids it; nothing changes then. `ValueOfNewerRelease`
    /// if this release does not know the rule that holds.
    pub async fn set_name_uniqueness(&self, caller: &Caller, rule: NameUniqueness) -> Result<()> {
        let options = &Options::default();
        let attempt = |mut lease: Lease| async move {
            lease
                .transaction(End::Commit, async |conn| {
                    let before = store::accounts::tenants::lock_rule(conn, caller.scope()).await?;
                    if before == NameUniqueness::Unknown {
                        return Err(UNKNOWN_NAME_RULE.into());
                    }
                    if before == rule {
                        return Ok(Outcome::unchanged(()));
                    }
                    store::accounts::tenants::set_rule(conn, caller.scope(), rule).await?;
                    Ok(Outcome::changed(()))
                })
                .await
        };
        let call = Call::new(caller, options).making_stale(Some(Stale::Tenant(caller.scope().tenant())));
        let no_answer = async |_| Err(Error::internal("a stored answer of a call without a request_id"));
        let done = self.mutations.run(call, attempt, no_answer).await;
        done.map(|outcome| outcome.value)
            .map_err(|failure| failure.on_key("customers_name_key", Error::NameTaken { free: Vec::new(), by: None }))
    }
}

/// The context of ListTenants' pages: it has no query.
const TENANTS: PageContext<'static, bool> = PageContext::without_account("ListTenants", &true);
