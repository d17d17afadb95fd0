//! The handler of ListAccountEvents.

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        history::account_event::{AccountEvent, AccountEventType},
        values::{
            ids::AccountId,
            text::optional,
            violation::{Rule, Violations},
        },
    },
    grpc::{
        convert::{page_size, principal_out, time_out},
        handler::{Answered, fit, read},
        history::changes_out,
        pb,
    },
    service::history::{History, WantedEvents},
};

pub(super) async fn list(
    history: &History,
    request: Request<pb::ListAccountEventsRequest>,
) -> Answered<pb::ListAccountEventsResponse> {
    read(
        request,
        |violations, _, message| {
            let pb::ListAccountEventsRequest { account_id, types, oldest_first, page_size: size, page_token } = message;
            let account = violations.check("account_id", optional(&account_id, AccountId::parse));
            let types = event_types(violations, &types);
            let size = page_size(violations, size);
            let wanted = account.zip(types).map(|(account, types)| WantedEvents { account, types, oldest_first });
            wanted.zip(size).map(|(wanted, size)| (wanted, size, page_token))
        },
        async |caller: &Caller, (wanted, size, token)| {
            let page = history.list_of_account(caller, &wanted, size, &token).await?;
            let cursors: Vec<i64> = page.events.iter().map(|event| event.seq).collect();
            let (events, cut) = fit(page.events.into_iter().map(event_out).collect());
            let last = if cut { cursors.get(events.len().wrapping_sub(1)).copied() } else { page.next };
            let token = last.map(|seq| history.account_events_token(caller, &wanted, seq)).transpose()?;
            Ok(pb::ListAccountEventsResponse { events, next_page_token: token.unwrap_or_default() })
        },
    )
    .await
}

/// The types that a request names, each once and in order, so that a page token is bound to what they mean.
fn event_types(violations: &mut Violations, raw: &[i32]) -> Option<Vec<AccountEventType>> {
    let mut types = Vec::new();
    for known in AccountEventType::KNOWN {
        if raw.contains(&type_out(*known).into()) {
            types.push(*known);
        }
    }
    let is_known = |raw: i32| AccountEventType::KNOWN.iter().any(|known| i32::from(type_out(*known)) == raw);
    for (index, _) in raw.iter().enumerate().filter(|(_, raw)| !is_known(**raw)) {
        violations.push(format!("types[{index}]"), Rule::new("must be an AccountEventType other than UNSPECIFIED"));
    }
    Some(types)
}

fn type_out(happened: AccountEventType) -> pb::AccountEventType {
    match happened {
        AccountEventType::Unknown => pb::AccountEventType::Unspecified,
        AccountEventType::TenantCreated => pb::AccountEventType::TenantCreated,
        AccountEventType::TenantSuspended => pb::AccountEventType::TenantSuspended,
        AccountEventType::TenantResumed => pb::AccountEventType::TenantResumed,
        AccountEventType::AccountCreated => pb::AccountEventType::AccountCreated,
        AccountEventType::AccountUpdated => pb::AccountEventType::AccountUpdated,
        AccountEventType::AccountSuspended => pb::AccountEventType::AccountSuspended,
        AccountEventType::AccountResumed => pb::AccountEventType::AccountResumed,
        AccountEventType::MemberAdded => pb::AccountEventType::MemberAdded,
        AccountEventType::MemberAccepted => pb::AccountEventType::MemberAccepted,
        AccountEventType::MemberRoleChanged => pb::AccountEventType::MemberRoleChanged,
        AccountEventType::MemberRemoved => pb::AccountEventType::MemberRemoved,
        AccountEventType::MemberDeclined => pb::AccountEventType::MemberDeclined,
        AccountEventType::InvitationCreated => pb::AccountEventType::InvitationCreated,
        AccountEventType::InvitationResent => pb::AccountEventType::InvitationResent,
        AccountEventType::InvitationRevoked => pb::AccountEventType::InvitationRevoked,
        AccountEventType::InvitationAccepted => pb::AccountEventType::InvitationAccepted,
        AccountEventType::InvitationFailed => pb::AccountEventType::InvitationFailed,
        AccountEventType::BranchCreated => pb::AccountEventType::BranchCreated,
        AccountEventType::BranchUpdated => pb::AccountEventType::BranchUpdated,
        AccountEventType::BranchDeleted => pb::AccountEventType::BranchDeleted,
        AccountEventType::TagCreated => pb::AccountEventType::TagCreated,
        AccountEventType::TagRenamed => pb::AccountEventType::TagRenamed,
        AccountEventType::TagDeleted => pb::AccountEventType::TagDeleted,
        AccountEventType::InvitationSent => pb::AccountEventType::InvitationSent,
        AccountEventType::FeatureCreated => pb::AccountEventType::FeatureCreated,
        AccountEventType::FeatureUpdated => pb::AccountEventType::FeatureUpdated,
        AccountEventType::RatePlanCreated => pb::AccountEventType::RatePlanCreated,
        AccountEventType::RatePlanUpdated => pb::AccountEventType::RatePlanUpdated,
        AccountEventType::RatePlansReordered => pb::AccountEventType::RatePlansReordered,
        AccountEventType::RatePlanArchived => pb::AccountEventType::RatePlanArchived,
    }
}

fn event_out(event: AccountEvent) -> pb::AccountEvent {
    pb::AccountEvent {
        event_id: event.id.to_string(),
        account_id: event.account.to_string(),
        r#type: type_out(event.happened).into(),
        event_time: Some(time_out(event.at)),
        principal: Some(principal_out(&event.principal)),
        actors: event.actors.iter().map(principal_out).collect(),
        acting_account_id: event.acting_account.map(|id| id.to_string()).unwrap_or_default(),
        rpc: event.rpc,
        request_id: event.request_id.map(|id| id.to_string()).unwrap_or_default(),
        trace_id: event.trace_id.unwrap_or_default(),
        changes: changes_out(event.changes),
        workload: event.workload.unwrap_or_default(),
        member_id: event.member.map(|id| id.to_string()).unwrap_or_default(),
    }
}
