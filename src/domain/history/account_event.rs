//! The events of an account: changes of itself, its members, invitations, branches and tags, which are about no customer.

use crate::domain::{
    history::event::Changes,
    requests::principal::Principal,
    values::{
        enums::closed_sets,
        ids::{AccountId, EventId, MemberId, RequestId},
        timestamp::Timestamp,
    },
};

closed_sets! {
    /// What happened to an account: the type of its event.
    #[expect(missing_docs, reason = "each is the type of that name in the contract's AccountEventType")]
    AccountEventType {
        TenantCreated = "TENANT_CREATED",
        TenantSuspended = "TENANT_SUSPENDED",
        TenantResumed = "TENANT_RESUMED",
        AccountCreated = "ACCOUNT_CREATED",
        AccountUpdated = "ACCOUNT_UPDATED",
        AccountSuspended = "ACCOUNT_SUSPENDED",
        AccountResumed = "ACCOUNT_RESUMED",
        MemberAdded = "MEMBER_ADDED",
        MemberAccepted = "MEMBER_ACCEPTED",
        MemberRoleChanged = "MEMBER_ROLE_CHANGED",
        MemberRemoved = "MEMBER_REMOVED",
        MemberDeclined = "MEMBER_DECLINED",
        InvitationCreated = "INVITATION_CREATED",
        InvitationResent = "INVITATION_RESENT",
        InvitationRevoked = "INVITATION_REVOKED",
        InvitationAccepted = "INVITATION_ACCEPTED",
        InvitationFailed = "INVITATION_FAILED",
        BranchCreated = "BRANCH_CREATED",
        BranchUpdated = "BRANCH_UPDATED",
        BranchDeleted = "BRANCH_DELETED",
        TagCreated = "TAG_CREATED",
        TagRenamed = "TAG_RENAMED",
        TagDeleted = "TAG_DELETED",
        InvitationSent = "INVITATION_SENT",
        FeatureCreated = "FEATURE_CREATED",
        FeatureUpdated = "FEATURE_UPDATED",
        RatePlanCreated = "RATE_PLAN_CREATED",
        RatePlanUpdated = "RATE_PLAN_UPDATED",
        RatePlansReordered = "RATE_PLANS_REORDERED",
        RatePlanArchived = "RATE_PLAN_ARCHIVED",
    }
}

/// An event of an account.
#[derive(Clone, Debug)]
pub struct AccountEvent {
    /// The event's id.
    pub id: EventId,
    /// Its position among the account's events.
    pub seq: i64,
    /// The account that it is about.
    pub account: AccountId,
    /// The type of the event.
    pub happened: AccountEventType,
    /// The time of the change.
    pub at: Timestamp,
    /// The principal whose rights were used.
    pub principal: Principal,
    /// The actors for the principal, the last one first.
    pub actors: Vec<Principal>,
    /// The workload that made the call, as its connection proved it.
    pub workload: Option<String>,
    /// The account that the principal acted in; none for a platform operator.
    pub acting_account: Option<AccountId>,
    /// The member that it is about.
    pub member: Option<MemberId>,
    /// The RPC.
    pub rpc: String,
    /// The call's request_id.
    pub request_id: Option<RequestId>,
    /// The call's trace id.
    pub trace_id: Option<String>,
    /// The changed fields.
    pub changes: Changes,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{
        accounts::{
            account::{Account, AccountEdit},
            policies::Policies,
        },
        samples,
        values::{enums::NameUniqueness, text::Text},
    };

    #[test]
    fn the_types_and_changes_of_events_are_stored_as_their_golden_files_have_them() {
        let account = samples::account();
        let edit = AccountEdit {
            name: Some(Text::parse("Before").unwrap()),
            name_uniqueness: Some(NameUniqueness::None),
            ..AccountEdit::default()
        };
        let before = Account { policies: Arc::new(Policies::default()), ..account.edited(edit) };
        let words: Vec<&str> = AccountEventType::KNOWN.iter().map(|event_type| event_type.as_str()).collect();
        let all = [
            ("of_deleted_branch", Changes::of_deleted_branch(&samples::branch())),
            ("of_account", Changes::of_account(&before, &account)),
        ];
        insta::with_settings!({snapshot_path => "../snapshots"}, {
            insta::assert_json_snapshot!("account_event_types", words);
            insta::assert_json_snapshot!("account_event_changes", all);
        });
        assert_eq!(AccountEventType::stored("OF_NEWER_RELEASE"), AccountEventType::Unknown);
    }
}
