//! The handler of UpdateAccount.

use tonic::Request;

use crate::{
    domain::{access::caller::Caller, values::ids::AccountId},
    grpc::{
        accounts::{read_edit::account_edit, show::account_out},
        convert::page_size,
        handler::{Answered, mutate},
        pb,
    },
    service::accounts::Accounts,
    store::accounts::name_rule::Conflict,
};

pub(super) async fn update(
    accounts: &Accounts,
    request: Request<pb::UpdateAccountRequest>,
) -> Answered<pb::UpdateAccountResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::UpdateAccountRequest {
                account,
                update_mask,
                request_id: _,
                validate_only: _,
                page_size: size,
                page_token,
            } = message;
            let account = account.unwrap_or_default();
            let id = violations.check("account.id", AccountId::parse(&account.id));
            let size = page_size(violations, size);
            let edit = account_edit(violations, update_mask, account);
            id.zip(edit).zip(size).map(|((id, edit), size)| (id, edit, size, page_token))
        },
        async |caller: &Caller, (id, edit, size, token), options| {
            let outcome = accounts.update_account(caller, id, &edit, (size, &token), options).await?;
            let updated = outcome.value;
            let token = updated.next.map(|last| accounts.conflicts_token(caller, &edit, &last)).transpose()?;
            Ok(pb::UpdateAccountResponse {
                account: Some(account_out(&updated.account, true)),
                replayed: outcome.replayed,
                name_conflicts: updated.conflicts.into_iter().map(conflict_out).collect(),
                next_page_token: token.unwrap_or_default(),
            })
        },
    )
    .await
}

fn conflict_out(conflict: Conflict) -> pb::NameConflict {
    let Conflict { at, name } = conflict;
    pb::NameConflict { customer_id: at.customer.to_string(), account_id: at.account.to_string(), name }
}
