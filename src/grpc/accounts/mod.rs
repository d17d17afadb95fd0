//! `clientele.v1.AccountService`.

mod read;
pub(super) mod show;

use tonic::{Request, Response, Status};

use crate::{
    domain::{
        access::caller::{Caller, Operator},
        accounts::branch::BranchName,
        requests::answer::Answer,
        values::{
            ids::{AccountId, BranchId},
            name::AccountName,
            text::optional,
            violation::Violations,
        },
    },
    error::Error,
    grpc::{
        access::member_out,
        accounts::{
            read::{branch_edit, name_uniqueness, policy_choices},
            show::{account_out, branch_out, tenant_out},
        },
        admit, admit_mutation,
        convert::{caller_options, options, page_size, principal},
        fit, of_mutation, of_read,
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
        let options = options(&mut violations, &[], &message);
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
        let options = caller_options(&mut violations, &caller, &message);
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

    async fn create_branch(
        &self,
        request: Request<pb::CreateBranchRequest>,
    ) -> Result<Response<pb::CreateBranchResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::CreateBranchRequest { branch, request_id: _, validate_only: _ } = message;
        let pb::Branch { id: _, name, dms_integrated: integrated, create_time: _ } = branch.unwrap_or_default();
        let name = violations.check("branch.name", BranchName::parse(&name));
        let (name, options) = violations.finish(name.zip(options)).map_err(refuse)?;
        let outcome = self.accounts.create_branch(&caller, name, integrated, &options).await;
        let outcome = outcome.map_err(of_mutation(&options))?;
        let Answer::Branch { branch } = outcome.value else { return Err(other_answer()) };
        let branch = Some(branch_out(&branch, !options.validate_only));
        Ok(Response::new(pb::CreateBranchResponse { branch, replayed: outcome.replayed }))
    }

    async fn update_branch(
        &self,
        request: Request<pb::UpdateBranchRequest>,
    ) -> Result<Response<pb::UpdateBranchResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::UpdateBranchRequest { branch, update_mask, request_id: _, validate_only: _ } = message;
        let branch = branch.unwrap_or_default();
        let id = violations.check("branch.id", BranchId::parse(&branch.id));
        let edit = branch_edit(&mut violations, update_mask, &branch);
        let ((id, edit), options) = violations.finish(id.zip(edit).zip(options)).map_err(refuse)?;
        let outcome = self.accounts.update_branch(&caller, id, &edit, &options).await;
        let outcome = outcome.map_err(of_mutation(&options))?;
        let Answer::Branch { branch } = outcome.value else { return Err(other_answer()) };
        let branch = Some(branch_out(&branch, true));
        Ok(Response::new(pb::UpdateBranchResponse { branch, replayed: outcome.replayed }))
    }

    async fn list_branches(
        &self,
        request: Request<pb::ListBranchesRequest>,
    ) -> Result<Response<pb::ListBranchesResponse>, Status> {
        let (caller, message): (Caller, _) = admit(request)?;
        let pb::ListBranchesRequest { page_size: size, page_token } = message;
        let mut violations = Violations::default();
        let size = page_size(&mut violations, size);
        let size = violations.finish(size).map_err(refuse)?;
        let page = self.accounts.list_branches(&caller, size, &page_token).await.map_err(of_read)?;
        let (branches, cut) = fit(page.items.iter().map(|branch| branch_out(branch, true)).collect());
        let last = page.items.get(branches.len().wrapping_sub(1)).filter(|_| cut || page.more);
        let next_page_token = last
            .map(|last| self.accounts.branches_after(&caller, last))
            .transpose()
            .map_err(of_read)?
            .unwrap_or_default();
        Ok(Response::new(pb::ListBranchesResponse { branches, next_page_token }))
    }
}

fn other_answer() -> Status {
    of_read(Error::internal("the stored answer is of another kind"))
}
