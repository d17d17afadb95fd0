//! The handlers of AccountService that stop accounts and tenants, and let them go on.

use tonic::Request;

use crate::{
    domain::{
        access::caller::{Caller, Operator},
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::ids::{AccountId, TenantId},
    },
    error::Result,
    grpc::{
        accounts::show::{account_out, tenant_out},
        handler::{Answered, mutate, other_answer},
        pb,
    },
    service::accounts::Accounts,
};

pub(super) async fn suspend_account(
    accounts: &Accounts,
    request: Request<pb::SuspendAccountRequest>,
) -> Answered<pb::SuspendAccountResponse> {
    mutate(
        request,
        |violations, _, pb::SuspendAccountRequest { account_id, request_id: _, validate_only: _ }| {
            violations.check("account_id", AccountId::parse(&account_id))
        },
        async |caller: &Caller, id, options| {
            let (account, replayed) = account(accounts, caller, (id, true), options).await?;
            Ok(pb::SuspendAccountResponse { account, replayed })
        },
    )
    .await
}

pub(super) async fn resume_account(
    accounts: &Accounts,
    request: Request<pb::ResumeAccountRequest>,
) -> Answered<pb::ResumeAccountResponse> {
    mutate(
        request,
        |violations, _, pb::ResumeAccountRequest { account_id, request_id: _, validate_only: _ }| {
            violations.check("account_id", AccountId::parse(&account_id))
        },
        async |caller: &Caller, id, options| {
            let (account, replayed) = account(accounts, caller, (id, false), options).await?;
            Ok(pb::ResumeAccountResponse { account, replayed })
        },
    )
    .await
}

pub(super) async fn suspend_tenant(
    accounts: &Accounts,
    request: Request<pb::SuspendTenantRequest>,
) -> Answered<pb::SuspendTenantResponse> {
    mutate(
        request,
        |violations, _, pb::SuspendTenantRequest { tenant_id, request_id: _, validate_only: _ }| {
            violations.check("tenant_id", TenantId::parse(&tenant_id))
        },
        async |operator: &Operator, id, options| {
            let (tenant, replayed) = tenant(accounts, operator, (id, true), options).await?;
            Ok(pb::SuspendTenantResponse { tenant, replayed })
        },
    )
    .await
}

pub(super) async fn resume_tenant(
    accounts: &Accounts,
    request: Request<pb::ResumeTenantRequest>,
) -> Answered<pb::ResumeTenantResponse> {
    mutate(
        request,
        |violations, _, pb::ResumeTenantRequest { tenant_id, request_id: _, validate_only: _ }| {
            violations.check("tenant_id", TenantId::parse(&tenant_id))
        },
        async |operator: &Operator, id, options| {
            let (tenant, replayed) = tenant(accounts, operator, (id, false), options).await?;
            Ok(pb::ResumeTenantResponse { tenant, replayed })
        },
    )
    .await
}

async fn account(
    accounts: &Accounts,
    caller: &Caller,
    (id, suspend): (AccountId, bool),
    options: &Options,
) -> Result<(Option<pb::Account>, bool)> {
    let Outcome { value, replayed, .. } = accounts.suspend_account(caller, id, suspend, options).await?;
    let Answer::Account { account, .. } = value else { return Err(other_answer()) };
    Ok((Some(account_out(&account, true)), replayed))
}

async fn tenant(
    accounts: &Accounts,
    operator: &Operator,
    (id, suspend): (TenantId, bool),
    options: &Options,
) -> Result<(Option<pb::Tenant>, bool)> {
    let Outcome { value, replayed, .. } = accounts.suspend_tenant(operator, id, suspend, options).await?;
    let Answer::TenantChanged { tenant } = value else { return Err(other_answer()) };
    Ok((Some(tenant_out(&tenant, true)), replayed))
}
