//! Tenants, and their rule on customer names.

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
        clock,
        mutation::{retrying, stored, write_of},
        page::{self, Page},
        pool::End,
        seal::PageOf,
    },
    store,
};

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

impl Accounts {
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
        let write = write_of(&operator.author, None, at, options);
        let stored = stored(&answer, options)?;
        self.once(TenantId::PLATFORM, &operator.author, answer, options, async |conn| {
            store::accounts::tenants::create(conn, &tenant, &account, &admin, stored.clone(), write).await
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
        let found =
            lease.run(async |conn| store::accounts::tenants::list(conn, after, page::limit(size)).await).await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this tenant.
    ///
    /// # Errors
    /// None that can happen.
    pub fn tenants_after(&self, operator: &Operator, last: &Tenant) -> Result<String> {
        self.sealer.page_token(&tenants_of(operator), &last.id)
    }

    /// Changes where customer names must be unique. Creates that run meanwhile either are done before, and count, or
    /// follow the new rule.
    ///
    /// # Errors
    /// `NameTaken` if customers have the same name where the new rule forbids it; nothing changes then. `ValueOfNewerRelease`
    /// if this release does not know the rule that holds.
    pub async fn set_name_uniqueness(&self, caller: &Caller, rule: NameUniqueness) -> Result<()> {
        let changed = retrying(|| async move {
            let mut lease = self.pool.lease().await?;
            lease
                .transaction(End::Commit, async |conn| {
                    let before = store::accounts::tenants::lock_rule(conn, caller.scope()).await?;
                    if before == NameUniqueness::Unknown {
                        return Err(UNKNOWN_NAME_RULE.into());
                    }
                    if before != rule {
                        store::accounts::tenants::set_rule(conn, caller.scope(), rule).await?;
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
}

fn tenants_of(_: &Operator) -> PageOf<'static, bool> {
    PageOf {
        list: "ListTenants",
        place: (TenantId::PLATFORM, AccountId::from_uuid(TenantId::PLATFORM.get())),
        query: &true,
    }
}
