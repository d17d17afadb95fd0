//! `clientele.v1.AccountService`.

use tonic::{Request, Response, Status};

use crate::{
    domain::{
        account::Account,
        answer::{Answer, Tenant},
        caller::{Caller, Operator},
        enums::{NameUniqueness, Role},
        field::FieldPath,
        ids::AccountId,
        name::AccountName,
        policies::{PolicyChoices, Requirements},
        text::{Text, optional},
        violation::{Rule, Violations},
    },
    error::Error,
    grpc::{
        access::member_out,
        admit, admit_mutation, fit, of_mutation, of_read,
        parse::{Asked, caller_options, options, page_size, principal, role, role_out, time_out},
        pb::{self, account_service_server::AccountService},
        refuse,
    },
    service::{
        Services,
        accounts::{AccountDraft, Accounts, TenantDraft},
    },
};

/// The service's handlers.
pub(super) struct Handlers {
    accounts: Accounts,
}

impl Handlers {
    pub(super) fn new(services: &Services) -> Self {
        Self { accounts: services.accounts.clone() }
    }
}

#[tonic::async_trait]
impl AccountService for Handlers {
    async fn create_tenant(
        &self,
        request: Request<pb::CreateTenantRequest>,
    ) -> Result<Response<pb::CreateTenantResponse>, Status> {
        let (operator, message): (Operator, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let asked = Asked { request_id: &message.request_id, etag: "", validate_only: message.validate_only };
        let options = options(&mut violations, &asked, &[], &message);
        let pb::CreateTenantRequest { tenant, policies, first_admin, request_id: _, validate_only: _ } = message;
        let pb::Tenant { id: _, name, name_uniqueness: rule, create_time: _ } = tenant.unwrap_or_default();
        let name = violations.check("tenant.name", AccountName::parse(&name));
        let rule = violations.check("tenant.name_uniqueness", name_uniqueness(rule));
        let policies = policy_choices(&mut violations, "policies", policies);
        let first_admin = principal(&mut violations, "first_admin", &operator.author, first_admin);
        let draft =
            name.zip(rule).zip(policies).zip(first_admin).map(|(((name, name_uniqueness), policies), first_admin)| {
                TenantDraft { name, name_uniqueness, policies, first_admin }
            });
        let (draft, options) = violations.finish(draft.zip(options)).map_err(refuse)?;
        let outcome = self.accounts.create_tenant(&operator, draft, &options).await.map_err(of_mutation(&options))?;
        let Answer::Tenant { tenant, account, admin } = outcome.value else { return Err(other_answer()) };
        let stored = !options.validate_only;
        Ok(Response::new(pb::CreateTenantResponse {
            tenant: Some(tenant_out(&tenant, stored)),
            account: Some(account_out(&account, stored)),
            first_admin: Some(member_out(&admin, stored)),
            replayed: outcome.replayed,
        }))
    }

    async fn list_tenants(
        &self,
        request: Request<pb::ListTenantsRequest>,
    ) -> Result<Response<pb::ListTenantsResponse>, Status> {
        let (operator, message): (Operator, _) = admit(request)?;
        let pb::ListTenantsRequest { page_size: size, page_token } = message;
        let mut violations = Violations::default();
        let size = page_size(&mut violations, size);
        let size = violations.finish(size).map_err(refuse)?;
        let page = self.accounts.list_tenants(&operator, size, &page_token).await.map_err(of_read)?;
        let (tenants, cut) = fit(page.items.iter().map(|tenant| tenant_out(tenant, true)).collect());
        let last = page.items.get(tenants.len().wrapping_sub(1)).filter(|_| cut || page.more);
        let next_page_token = last
            .map(|last| self.accounts.tenants_after(&operator, last))
            .transpose()
            .map_err(of_read)?
            .unwrap_or_default();
        Ok(Response::new(pb::ListTenantsResponse { tenants, next_page_token }))
    }

    async fn create_account(
        &self,
        request: Request<pb::CreateAccountRequest>,
    ) -> Result<Response<pb::CreateAccountResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let asked = Asked { request_id: &message.request_id, etag: "", validate_only: message.validate_only };
        let options = caller_options(&mut violations, &asked, &caller, &message);
        let pb::CreateAccountRequest { account, first_admin, request_id: _, validate_only: _ } = message;
        let pb::Account { id: _, parent_id: _, ancestor_ids: _, name, policies, name_uniqueness: _, create_time: _ } =
            account.unwrap_or_default();
        let name = violations.check("account.name", AccountName::parse(&name));
        let policies = policy_choices(&mut violations, "account.policies", policies);
        let first_admin = match first_admin {
            None => Some(None),
            named => principal(&mut violations, "first_admin", caller.author(), named).map(Some),
        };
        let draft = name.zip(policies).zip(first_admin).map(|((name, policies), first_admin)| AccountDraft {
            name,
            policies,
            first_admin,
        });
        let (draft, options) = violations.finish(draft.zip(options)).map_err(refuse)?;
        let outcome = self.accounts.create_account(&caller, draft, &options).await.map_err(of_mutation(&options))?;
        let Answer::Account { account, admin } = outcome.value else { return Err(other_answer()) };
        let stored = !options.validate_only;
        Ok(Response::new(pb::CreateAccountResponse {
            account: Some(account_out(&account, stored)),
            first_admin: admin.map(|admin| member_out(&admin, stored)),
            replayed: outcome.replayed,
        }))
    }

    async fn get_account(
        &self,
        request: Request<pb::GetAccountRequest>,
    ) -> Result<Response<pb::GetAccountResponse>, Status> {
        let (caller, message): (Caller, _) = admit(request)?;
        let pb::GetAccountRequest { account_id } = message;
        let mut violations = Violations::default();
        let id = violations.check("account_id", optional(&account_id, AccountId::parse));
        let id = violations.finish(id).map_err(refuse)?;
        let account = self.accounts.get_account(&caller, id).await.map_err(of_read)?;
        Ok(Response::new(pb::GetAccountResponse { account: Some(account_out(&account, true)) }))
    }

    async fn list_accounts(
        &self,
        request: Request<pb::ListAccountsRequest>,
    ) -> Result<Response<pb::ListAccountsResponse>, Status> {
        let (caller, message): (Caller, _) = admit(request)?;
        let pb::ListAccountsRequest { include_descendants: all, page_size: size, page_token } = message;
        let mut violations = Violations::default();
        let size = page_size(&mut violations, size);
        let size = violations.finish(size).map_err(refuse)?;
        let page = self.accounts.list_accounts(&caller, all, size, &page_token).await.map_err(of_read)?;
        let (accounts, cut) = fit(page.items.iter().map(|account| account_out(account, true)).collect());
        let last = page.items.get(accounts.len().wrapping_sub(1)).filter(|_| cut || page.more);
        let next_page_token = last
            .map(|last| self.accounts.accounts_after(&caller, all, last))
            .transpose()
            .map_err(of_read)?
            .unwrap_or_default();
        Ok(Response::new(pb::ListAccountsResponse { accounts, next_page_token }))
    }
}

fn other_answer() -> Status {
    of_read(Error::internal("the stored answer is of another kind"))
}

/// Policies as a request chooses them.
fn policy_choices(violations: &mut Violations, at: &str, raw: Option<pb::AccountPolicies>) -> Option<PolicyChoices> {
    let Some(raw) = raw else { return Some(PolicyChoices::default()) };
    let pb::AccountPolicies {
        required_to_create,
        required_to_approve,
        auto_approve,
        create_role,
        custom_id_role,
        default_currency,
        default_region,
    } = raw;
    let field = |name: &str| format!("{at}.{name}");
    let required_to_create = requirements(violations, &field("required_to_create"), required_to_create);
    let required_to_approve = requirements(violations, &field("required_to_approve"), required_to_approve);
    let create_role = writing_role(violations, &field("create_role"), create_role);
    let custom_id_role = writing_role(violations, &field("custom_id_role"), custom_id_role);
    let mut short = |name: &str, raw: Option<String>| {
        violations.check(field(name), raw.map(|raw| Text::parse_optional(&raw)).transpose())
    };
    let default_currency = short("default_currency", default_currency);
    let default_region = short("default_region", default_region);
    Some(PolicyChoices {
        required_to_create: required_to_create?,
        required_to_approve: required_to_approve?,
        auto_approve,
        create_role: create_role?,
        custom_id_role: custom_id_role?,
        default_currency: default_currency?,
        default_region: default_region?,
    })
}

fn requirements(violations: &mut Violations, at: &str, raw: Option<pb::FieldPaths>) -> Option<Option<Requirements>> {
    let Some(pb::FieldPaths { paths }) = raw else { return Some(None) };
    if paths.len() > Requirements::MAX {
        let rule = Rule::with(format!("must be at most {} paths; these are {}", Requirements::MAX, paths.len()));
        violations.push(format!("{at}.paths"), rule);
        return None;
    }
    let parsed = paths.iter().enumerate().map(|(place, path)| {
        let known = FieldPath::parse_required(path).ok_or_else(|| {
            Rule::new(
                "must be a field of Customer, custom_ids.SYSTEM or primary_contact.FIELD, such as primary_address.city",
            )
        });
        violations.check(format!("{at}.paths[{place}]"), known)
    });
    // All are looked at, so that all violations are told.
    let parsed: Vec<Option<FieldPath>> = parsed.collect();
    parsed.into_iter().collect::<Option<_>>().map(|paths| Some(Requirements::new(paths)))
}

/// A role of those that may write; none if it is not named.
fn writing_role(violations: &mut Violations, at: &str, raw: i32) -> Option<Option<Role>> {
    let named = role(violations, at, raw)?;
    if named == Some(Role::Viewer) {
        violations.push(at, Rule::new("must be ROLE_MEMBER or above: viewers only read"));
        return None;
    }
    Some(named)
}

fn name_uniqueness(raw: i32) -> Result<NameUniqueness, Rule> {
    match pb::NameUniqueness::try_from(raw) {
        Ok(pb::NameUniqueness::Unspecified | pb::NameUniqueness::None) => Ok(NameUniqueness::None),
        Ok(pb::NameUniqueness::Account) => Ok(NameUniqueness::Account),
        Ok(pb::NameUniqueness::Tenant) => Ok(NameUniqueness::Tenant),
        Err(_) => Err(Rule::new("must be NAME_UNIQUENESS_NONE, NAME_UNIQUENESS_ACCOUNT or NAME_UNIQUENESS_TENANT")),
    }
}

fn name_uniqueness_out(rule: NameUniqueness) -> i32 {
    let rule = match rule {
        NameUniqueness::None => pb::NameUniqueness::None,
        NameUniqueness::Account => pb::NameUniqueness::Account,
        NameUniqueness::Tenant => pb::NameUniqueness::Tenant,
    };
    rule.into()
}

fn tenant_out(tenant: &Tenant, stored: bool) -> pb::Tenant {
    pb::Tenant {
        id: if stored { tenant.id.to_string() } else { String::new() },
        name: tenant.name.clone(),
        name_uniqueness: name_uniqueness_out(tenant.name_uniqueness),
        create_time: Some(time_out(tenant.created_at)),
    }
}

/// An account as it is told; without its ids if it was not stored.
fn account_out(account: &Account, stored: bool) -> pb::Account {
    let ids = account.path.ids();
    let policies = &account.policies;
    let paths =
        |required: &Requirements| pb::FieldPaths { paths: required.paths().iter().map(ToString::to_string).collect() };
    pb::Account {
        id: if stored { account.id.to_string() } else { String::new() },
        parent_id: ids.get(1).map(ToString::to_string).unwrap_or_default(),
        ancestor_ids: if stored { ids.iter().map(ToString::to_string).collect() } else { Vec::new() },
        name: account.name.as_str().to_owned(),
        policies: Some(pb::AccountPolicies {
            required_to_create: Some(paths(&policies.required_to_create)),
            required_to_approve: Some(paths(&policies.required_to_approve)),
            auto_approve: Some(policies.auto_approve),
            create_role: role_out(policies.create_role).into(),
            custom_id_role: role_out(policies.custom_id_role).into(),
            default_currency: policies.default_currency.as_ref().map(|text| text.as_str().to_owned()),
            default_region: policies.default_region.as_ref().map(|text| text.as_str().to_owned()),
        }),
        name_uniqueness: name_uniqueness_out(account.name_uniqueness),
        create_time: Some(time_out(account.created_at)),
    }
}
