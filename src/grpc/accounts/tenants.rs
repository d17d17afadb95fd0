//! The handlers of AccountService for tenants.

use tonic::Request;

use crate::{
    domain::{access::caller::Operator, requests::answer::Answer, values::name::AccountName},
    grpc::{
        access::member_out,
        accounts::{
            read::{name_uniqueness, policy_choices},
            show::{account_out, tenant_out},
        },
        convert::{page_size, principal},
        handler::{Answered, mutate, other_answer, page, read},
        pb,
    },
    service::accounts::{Accounts, NewTenant},
};

pub(super) async fn create(
    accounts: &Accounts,
    request: Request<pb::CreateTenantRequest>,
) -> Answered<pb::CreateTenantResponse> {
    mutate(
        request,
        |violations, operator: &Operator, message| {
            let pb::CreateTenantRequest { tenant, policies, first_admin, request_id: _, validate_only: _ } = message;
            let pb::Tenant { id: _, name, name_uniqueness: rule, create_time: _, state: _, suspend_time: _ } =
                tenant.unwrap_or_default();
            let name = violations.check("tenant.name", AccountName::parse(&name));
            let rule = violations.check("tenant.name_uniqueness", name_uniqueness(rule));
            let policies = policy_choices(violations, "policies", policies);
            let first_admin = principal(violations, "first_admin", &operator.author, first_admin);
            let (((name, name_uniqueness), policies), first_admin) = name.zip(rule).zip(policies).zip(first_admin)?;
            Some(NewTenant { name, name_uniqueness, policies, first_admin })
        },
        async |operator, new, options| {
            let outcome = accounts.create_tenant(operator, new, options).await?;
            let Answer::Tenant { tenant, account, admin } = outcome.value else { return Err(other_answer()) };
            let stored = !options.validate_only;
            Ok(pb::CreateTenantResponse {
                tenant: Some(tenant_out(&tenant, stored)),
                account: Some(account_out(&account, stored)),
                first_admin: Some(member_out(&admin, stored)),
                replayed: outcome.replayed,
            })
        },
    )
    .await
}

pub(super) async fn list(
    accounts: &Accounts,
    request: Request<pb::ListTenantsRequest>,
) -> Answered<pb::ListTenantsResponse> {
    read(
        request,
        |violations, _, pb::ListTenantsRequest { page_size: size, page_token }| {
            page_size(violations, size).map(|size| (size, page_token))
        },
        async |operator: &Operator, (size, token)| {
            let tenants = accounts.list_tenants(operator, size, &token).await?;
            let token = |last: &_| accounts.tenants_token(operator, last);
            let (tenants, next_page_token) = page(&tenants, |tenant| tenant_out(tenant, true), token)?;
            Ok(pb::ListTenantsResponse { tenants, next_page_token })
        },
    )
    .await
}
