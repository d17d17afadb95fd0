//! `clientele.v1.AccountService`.

mod branches;
mod read;
mod reference;
pub(super) mod show;
mod tenants;

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        requests::answer::Answer,
        values::{ids::AccountId, name::AccountName, text::optional},
    },
    grpc::{
        access::member_out,
        accounts::{read::policy_choices, show::account_out},
        convert::{page_size, principal},
        handler::{self, Answered, mutate, other_answer, page},
        pb::{self, account_service_server::AccountService},
    },
    service::{
        Services,
        accounts::{Accounts, NewAccount},
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
    async fn create_tenant(&self, request: Request<pb::CreateTenantRequest>) -> Answered<pb::CreateTenantResponse> {
        tenants::create(&self.accounts, request).await
    }

    async fn list_tenants(&self, request: Request<pb::ListTenantsRequest>) -> Answered<pb::ListTenantsResponse> {
        tenants::list(&self.accounts, request).await
    }

    async fn create_account(&self, request: Request<pb::CreateAccountRequest>) -> Answered<pb::CreateAccountResponse> {
        mutate(
            request,
            |violations, caller: &Caller, message| {
                let pb::CreateAccountRequest { account, first_admin, request_id: _, validate_only: _ } = message;
                let pb::Account {
                    id: _,
                    parent_id: _,
                    ancestor_ids: _,
                    name,
                    policies,
                    name_uniqueness: _,
                    create_time: _,
                } = account.unwrap_or_default();
                let name = violations.check("account.name", AccountName::parse(&name));
                let policies = policy_choices(violations, "account.policies", policies);
                let first_admin = match first_admin {
                    None => Some(None),
                    admin => principal(violations, "first_admin", caller.author(), admin).map(Some),
                };
                let ((name, policies), first_admin) = name.zip(policies).zip(first_admin)?;
                Some(NewAccount { name, policies, first_admin })
            },
            async |caller, new, options| {
                let outcome = self.accounts.create_account(caller, new, options).await?;
                let Answer::Account { account, admin } = outcome.value else { return Err(other_answer()) };
                let stored = !options.validate_only;
                Ok(pb::CreateAccountResponse {
                    account: Some(account_out(&account, stored)),
                    first_admin: admin.map(|admin| member_out(&admin, stored)),
                    replayed: outcome.replayed,
                })
            },
        )
        .await
    }

    async fn get_account(&self, request: Request<pb::GetAccountRequest>) -> Answered<pb::GetAccountResponse> {
        handler::read(
            request,
            |violations, _, pb::GetAccountRequest { account_id }| {
                violations.check("account_id", optional(&account_id, AccountId::parse))
            },
            async |caller: &Caller, id| {
                let account = self.accounts.get_account(caller, id).await?;
                Ok(pb::GetAccountResponse { account: Some(account_out(&account, true)) })
            },
        )
        .await
    }

    async fn list_accounts(&self, request: Request<pb::ListAccountsRequest>) -> Answered<pb::ListAccountsResponse> {
        handler::read(
            request,
            |violations, _, pb::ListAccountsRequest { include_descendants, page_size: size, page_token }| {
                page_size(violations, size).map(|size| (include_descendants, size, page_token))
            },
            async |caller: &Caller, (all, size, token)| {
                let accounts = self.accounts.list_accounts(caller, all, size, &token).await?;
                let (accounts, next_page_token) = page(
                    &accounts,
                    |account| account_out(account, true),
                    |last| self.accounts.accounts_token(caller, all, last),
                )?;
                Ok(pb::ListAccountsResponse { accounts, next_page_token })
            },
        )
        .await
    }

    async fn create_branch(&self, request: Request<pb::CreateBranchRequest>) -> Answered<pb::CreateBranchResponse> {
        branches::create(&self.accounts, request).await
    }

    async fn update_branch(&self, request: Request<pb::UpdateBranchRequest>) -> Answered<pb::UpdateBranchResponse> {
        branches::update(&self.accounts, request).await
    }

    async fn list_branches(&self, request: Request<pb::ListBranchesRequest>) -> Answered<pb::ListBranchesResponse> {
        branches::list(&self.accounts, request).await
    }

    async fn list_industries(
        &self,
        request: Request<pb::ListIndustriesRequest>,
    ) -> Answered<pb::ListIndustriesResponse> {
        reference::industries(request).await
    }

    async fn list_reference_data(
        &self,
        request: Request<pb::ListReferenceDataRequest>,
    ) -> Answered<pb::ListReferenceDataResponse> {
        reference::all(request).await
    }
}
