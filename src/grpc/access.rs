//! `clientele.v1.AccessService`.

use std::sync::Arc;

use tonic::Request;

use crate::{
    domain::{
        access::{
            caller::{Authenticated, Caller},
            member::Member,
        },
        requests::answer::Answer,
        values::violation::Rule,
    },
    grpc::{
        convert::{page_size, principal, principal_out, role, role_out, time_out},
        handler::{Answered, mutate, other_answer, page, read},
        invitations,
        pb::{self, access_service_server::AccessService},
    },
    service::{Services, access::Access},
    store::access::memberships::Membership,
};

/// The service's handlers.
pub(super) struct Handlers {
    access: Arc<Access>,
}

impl Handlers {
    pub(super) fn new(services: &Services) -> Self {
        Self { access: Arc::clone(&services.access) }
    }
}

#[tonic::async_trait]
impl AccessService for Handlers {
    async fn who_am_i(&self, request: Request<pb::WhoAmIRequest>) -> Answered<pb::WhoAmIResponse> {
        read(
            request,
            |_, _, pb::WhoAmIRequest {}| Some(()),
            async |Authenticated { author, tenant, operator }, ()| {
                let memberships = self.access.memberships(&author.principal, *tenant).await?;
                let service_role = self.access.service_role(&author.principal);
                Ok(pb::WhoAmIResponse {
                    principal: Some(principal_out(&author.principal)),
                    actors: author.actors.iter().map(principal_out).collect(),
                    memberships: memberships.into_iter().map(membership_out).collect(),
                    platform_operator: *operator,
                    service_role: service_role.map_or(pb::Role::Unspecified, role_out).into(),
                })
            },
        )
        .await
    }

    async fn add_member(&self, request: Request<pb::AddMemberRequest>) -> Answered<pb::AddMemberResponse> {
        mutate(
            request,
            |violations, caller: &Caller, message| {
                let pb::AddMemberRequest { principal: member, role: raw, request_id: _, validate_only: _ } = message;
                let member = principal(violations, "principal", caller.author(), member);
                let role = role(violations, "role", raw);
                if role == Some(None) {
                    violations.push("role", Rule::new("must be given, such as ROLE_MEMBER"));
                }
                member.zip(role.flatten())
            },
            async |caller, (principal, role), options| {
                let outcome = self.access.add_member(caller, principal, role, options).await?;
                let Answer::Member { member } = outcome.value else { return Err(other_answer()) };
                let member = Some(member_out(&member, !options.validate_only));
                Ok(pb::AddMemberResponse { member, replayed: outcome.replayed })
            },
        )
        .await
    }

    async fn invite_member(&self, request: Request<pb::InviteMemberRequest>) -> Answered<pb::InviteMemberResponse> {
        invitations::invite(&self.access, request).await
    }

    async fn resend_invitation(
        &self,
        request: Request<pb::ResendInvitationRequest>,
    ) -> Answered<pb::ResendInvitationResponse> {
        invitations::resend(&self.access, request).await
    }

    async fn revoke_invitation(
        &self,
        request: Request<pb::RevokeInvitationRequest>,
    ) -> Answered<pb::RevokeInvitationResponse> {
        invitations::revoke(&self.access, request).await
    }

    async fn list_invitations(
        &self,
        request: Request<pb::ListInvitationsRequest>,
    ) -> Answered<pb::ListInvitationsResponse> {
        invitations::list(&self.access, request).await
    }

    async fn list_members(&self, request: Request<pb::ListMembersRequest>) -> Answered<pb::ListMembersResponse> {
        read(
            request,
            |violations, _, pb::ListMembersRequest { include_inherited, page_size: size, page_token }| {
                page_size(violations, size).map(|size| (include_inherited, size, page_token))
            },
            async |caller: &Caller, (inherited, size, token)| {
                let members = self.access.list_members(caller, inherited, size, &token).await?;
                let token = |last: &(i32, Member)| self.access.members_token(caller, inherited, last);
                let (members, next_page_token) = page(&members, |(_, member)| member_out(member, true), token)?;
                Ok(pb::ListMembersResponse { members, next_page_token })
            },
        )
        .await
    }
}

fn membership_out(membership: Membership) -> pb::Membership {
    pb::Membership {
        tenant_id: membership.tenant.to_string(),
        account_id: membership.account.to_string(),
        account_name: membership.account_name,
        role: role_out(membership.role).into(),
        member_id: membership.member.to_string(),
    }
}

/// Converts a member to its message. The ids are empty under `validate_only`, which stores nothing.
pub(super) fn member_out(member: &Member, stored: bool) -> pb::Member {
    pb::Member {
        member_id: if stored { member.id.to_string() } else { String::new() },
        account_id: if stored { member.account.to_string() } else { String::new() },
        principal: Some(principal_out(&member.principal)),
        role: role_out(member.role).into(),
        create_time: Some(time_out(member.created_at)),
    }
}
