//! Tenants: created and listed.

use std::sync::Arc;

use super::{Accounts, first_admin, new_event};
use crate::{
    domain::{
        access::caller::Operator,
        accounts::{
            account::{Account, Path},
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
    error::Result,
    service::{
        access::cache::Stale,
        call, clock,
        mutation::{Call, replay_as_stored, run_statement, to_stored, write_by},
        page::{self, Page},
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
            suspended_at: None,
            suspended_above: false,
            industries: None,
        };
        let admin = first_admin(account.id, new.first_admin, None, at);
        let name = new.name.as_str().to_owned();
        let tenant = Tenant { id, name, name_uniqueness: new.name_uniqueness, created_at: at, suspended_at: None };
        let answer = Answer::Tenant { tenant: tenant.clone(), account: account.clone(), admin: admin.clone() };
        let stale = Stale::Memberships(id, admin.principal.clone());
        let write = write_by(&operator.author, None, at, options);
        let (tenant, account, admin) = (&tenant, &account, (&admin, new_event()));
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
}

/// The context of ListTenants' pages: it has no query.
const TENANTS: PageContext<'static, bool> = PageContext::without_account("ListTenants", &true);
