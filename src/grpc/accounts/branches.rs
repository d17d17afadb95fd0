//! The handlers of AccountService for branches.

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        accounts::branch::BranchName,
        requests::{answer::Answer, options::Outcome},
        values::ids::BranchId,
    },
    error::Result,
    grpc::{
        accounts::{list::part_of_name, read::branch_edit, show::branch_out},
        convert::page_size,
        handler::{Answered, mutate, other_answer, page, read},
        pb,
    },
    service::accounts::Accounts,
};

pub(super) async fn create(
    accounts: &Accounts,
    request: Request<pb::CreateBranchRequest>,
) -> Answered<pb::CreateBranchResponse> {
    mutate(
        request,
        |violations, _, pb::CreateBranchRequest { branch, request_id: _, validate_only: _ }| {
            let pb::Branch { id: _, name, dms_integrated, create_time: _ } = branch.unwrap_or_default();
            violations.check("branch.name", BranchName::parse(&name)).map(|name| (name, dms_integrated))
        },
        async |caller: &Caller, (name, dms_integrated), options| {
            let outcome = accounts.create_branch(caller, name, dms_integrated, options).await?;
            let (branch, replayed) = branch_of(&outcome, !options.validate_only)?;
            Ok(pb::CreateBranchResponse { branch, replayed })
        },
    )
    .await
}

pub(super) async fn update(
    accounts: &Accounts,
    request: Request<pb::UpdateBranchRequest>,
) -> Answered<pb::UpdateBranchResponse> {
    mutate(
        request,
        |violations, _, pb::UpdateBranchRequest { branch, update_mask, request_id: _, validate_only: _ }| {
            let branch = branch.unwrap_or_default();
            let id = violations.check("branch.id", BranchId::parse(&branch.id));
            id.zip(branch_edit(violations, update_mask, &branch))
        },
        async |caller: &Caller, (id, edit), options| {
            let outcome = accounts.update_branch(caller, id, &edit, options).await?;
            let (branch, replayed) = branch_of(&outcome, true)?;
            Ok(pb::UpdateBranchResponse { branch, replayed })
        },
    )
    .await
}

pub(super) async fn delete(
    accounts: &Accounts,
    request: Request<pb::DeleteBranchRequest>,
) -> Answered<pb::DeleteBranchResponse> {
    mutate(
        request,
        |violations, _, pb::DeleteBranchRequest { branch_id, request_id: _, validate_only: _ }| {
            violations.check("branch_id", BranchId::parse(&branch_id))
        },
        async |caller: &Caller, id, options| {
            let outcome = accounts.delete_branch(caller, id, options).await?;
            let Answer::BranchDeleted {} = outcome.value else { return Err(other_answer()) };
            Ok(pb::DeleteBranchResponse { replayed: outcome.replayed })
        },
    )
    .await
}

pub(super) async fn list(
    accounts: &Accounts,
    request: Request<pb::ListBranchesRequest>,
) -> Answered<pb::ListBranchesResponse> {
    read(
        request,
        |violations, _, pb::ListBranchesRequest { page_size: size, page_token, name }| {
            part_of_name(violations, &name);
            page_size(violations, size).map(|size| (name, size, page_token))
        },
        async |caller: &Caller, (name, size, token)| {
            let branches = accounts.list_branches(caller, &name, size, &token).await?;
            let token = |(last, _): &(_, _)| accounts.branches_token(caller, &name, last);
            let (branches, next_page_token) = page(&branches, |(_, branch)| branch_out(branch, true), token)?;
            Ok(pb::ListBranchesResponse { branches, next_page_token })
        },
    )
    .await
}

/// The branch of an outcome, and whether it is a stored answer.
fn branch_of(outcome: &Outcome<Answer>, stored: bool) -> Result<(Option<pb::Branch>, bool)> {
    let Answer::Branch { branch } = &outcome.value else { return Err(other_answer()) };
    Ok((Some(branch_out(branch, stored)), outcome.replayed))
}
