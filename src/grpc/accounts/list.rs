//! The handler of ListAccounts.

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        values::{
            ids::AccountId,
            violation::{Rule, Violations},
        },
    },
    grpc::{
        accounts::show::{account_out, counts_out},
        convert::page_size,
        handler::{Answered, fit, read},
        pb,
    },
    service::accounts::{Accounts, Wanted},
};

/// Longest part of a name, in characters.
const MAX_NAME: usize = 120;

pub(super) async fn list(
    accounts: &Accounts,
    request: Request<pb::ListAccountsRequest>,
) -> Answered<pb::ListAccountsResponse> {
    read(
        request,
        |violations, _, message| {
            let pb::ListAccountsRequest { include_descendants, page_size: size, page_token, name, include_counts } =
                message;
            let size = page_size(violations, size);
            part_of_name(violations, &name);
            size.map(|size| (Wanted::new(include_descendants, &name), include_counts, size, page_token))
        },
        async |caller: &Caller, (wanted, counted, size, token)| {
            let page = accounts.list_accounts(caller, &wanted, counted, size, &token).await?;
            let ids: Vec<AccountId> = page.accounts.iter().map(|(account, _)| account.id).collect();
            let messages = page
                .accounts
                .into_iter()
                .map(|(account, counts)| pb::Account { counts: counts.map(counts_out), ..account_out(&account, true) });
            let (messages, cut) = fit(messages.collect());
            let last = if cut { ids.get(messages.len().wrapping_sub(1)).copied() } else { page.next };
            let token = last.map(|last| accounts.accounts_token(caller, &wanted, last)).transpose()?;
            Ok(pb::ListAccountsResponse { accounts: messages, next_page_token: token.unwrap_or_default() })
        },
    )
    .await
}

/// The part of a name that a list is limited to.
pub(super) fn part_of_name(violations: &mut Violations, name: &str) {
    if name.chars().count() > MAX_NAME {
        violations.push("name", Rule::new("must be at most 120 characters, as names are"));
    }
}
