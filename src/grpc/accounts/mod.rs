//! `clientele.v1.AccountService`.

mod branches;
mod edit;
mod events;
mod list;
mod read;
mod read_edit;
mod reference;
pub(super) mod show;
mod suspend;
mod tenants;

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        customers::migration::FirstAdmin,
        requests::answer::Answer,
        values::{
            email::Email,
            ids::AccountId,
            name::AccountName,
            text::optional,
            violation::{Rule, Violations},
        },
    },
    grpc::{
        access::member_out,
        accounts::{read::policy_choices, show::account_out},
        convert::principal,
        handler::{self, Answered, mutate, other_answer},
        invitations::{invitation_out, language},
        pb::{self, account_service_server::AccountService},
    },
    service::{
        Services,
        accounts::{Accounts, NewAccount},
        history::History,
    },
};

/// The service's handlers.
pub(super) struct Handlers {
    accounts: Accounts,
    history: History,
}

impl Handlers {
    pub(super) fn new(services: &Services) -> Self {
        Self { accounts: services.accounts.clone(), history: services.history.clone() }
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
                let pb::CreateAccountRequest {
                    account,
                    first_admin,
                    admin_email,
                    admin_language,
                    request_id: _,
                    validate_only: _,
                } = message;
                let pb::Account {
                    id: _,
                    parent_id: _,
                    ancestor_ids: _,
                    name,
                    policies,
                    name_uniqueness: _,
                    create_time: _,
                    state: _,
                    suspend_time: _,
                    counts: _,
                    industries: _,
                } = account.unwrap_or_default();
                let name = violations.check("account.name", AccountName::parse(&name));
                let policies = policy_choices(violations, "account.policies", policies);
                let first_admin = first_admin_in(violations, caller, first_admin, &admin_email);
                let admin_language = language(violations, "admin_language", &admin_language);
                let ((name, policies), (first_admin, admin_language)) =
                    name.zip(policies).zip(first_admin.zip(admin_language))?;
                Some(NewAccount { name, policies, first_admin, admin_language })
            },
            async |caller, new, options| {
                let outcome = self.accounts.create_account(caller, new, options).await?;
                let Answer::Account { account, admin, invitation } = outcome.value else { return Err(other_answer()) };
                let stored = !options.validate_only;
                let mut invitation = invitation.map(|invitation| invitation_out(&invitation, invitation.state));
                if let Some(invitation) = invitation.as_mut().filter(|_| !stored) {
                    invitation.invitation_id.clear();
                    invitation.account_id.clear();
                }
                Ok(pb::CreateAccountResponse {
                    account: Some(account_out(&account, stored)),
                    first_admin: admin.map(|admin| member_out(&admin, stored)),
                    invitation,
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
        list::list(&self.accounts, request).await
    }

    async fn update_account(&self, request: Request<pb::UpdateAccountRequest>) -> Answered<pb::UpdateAccountResponse> {
        edit::update(&self.accounts, request).await
    }

    async fn suspend_account(
        &self,
        request: Request<pb::SuspendAccountRequest>,
    ) -> Answered<pb::SuspendAccountResponse> {
        suspend::suspend_account(&self.accounts, request).await
    }

    async fn resume_account(&self, request: Request<pb::ResumeAccountRequest>) -> Answered<pb::ResumeAccountResponse> {
        suspend::resume_account(&self.accounts, request).await
    }

    async fn suspend_tenant(&self, request: Request<pb::SuspendTenantRequest>) -> Answered<pb::SuspendTenantResponse> {
        suspend::suspend_tenant(&self.accounts, request).await
    }

    async fn resume_tenant(&self, request: Request<pb::ResumeTenantRequest>) -> Answered<pb::ResumeTenantResponse> {
        suspend::resume_tenant(&self.accounts, request).await
    }

    async fn list_account_events(
        &self,
        request: Request<pb::ListAccountEventsRequest>,
    ) -> Answered<pb::ListAccountEventsResponse> {
        events::list(&self.history, request).await
    }

    async fn delete_branch(&self, request: Request<pb::DeleteBranchRequest>) -> Answered<pb::DeleteBranchResponse> {
        branches::delete(&self.accounts, request).await
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

/// The first admin of a new account: a principal or an address; the inner option is none without either.
fn first_admin_in(
    violations: &mut Violations,
    caller: &Caller,
    first_admin: Option<pb::Principal>,
    admin_email: &str,
) -> Option<Option<FirstAdmin>> {
    let email = violations.check("admin_email", optional(admin_email, Email::parse));
    if first_admin.is_some() && !admin_email.is_empty() {
        violations.push("admin_email", Rule::new("must not be given together with first_admin"));
    }
    match first_admin {
        None => email.map(|email| email.map(FirstAdmin::Invited)),
        admin => principal(violations, "first_admin", caller.author(), admin).map(FirstAdmin::Principal).map(Some),
    }
}
