//! `clientele.v1.AccessService`.

use std::sync::Arc;

use tonic::Request;

use crate::{
    domain::{
        access::{
            caller::{Authenticated, Caller},
            member::{Member, WantedMembers},
            membership::Membership,
        },
        requests::{answer::Answer, principal::Principal},
        values::{
            enums::Role,
            ids::MemberId,
            violation::{Rule, Violations},
        },
    },
    grpc::{
        convert::{membership_out, page_size, principal, principal_out, role, role_out, time_out},
        handler::{Answered, mutate, other_answer, page, read},
        invitations,
        pb::{self, access_service_server::AccessService},
    },
    service::{
        Services,
        access::{Access, Consent},
    },
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
            |violations, _, pb::WhoAmIRequest { page_size: size, page_token }| {
                page_size(violations, size).map(|size| (size, page_token))
            },
            async |caller: &Authenticated, (size, token)| {
                let memberships = self.access.memberships(caller, size, &token).await?;
                let token = |last: &Membership| self.access.memberships_token(caller, last);
                let (memberships, next_page_token) = page(&memberships, membership_out, token)?;
                let Authenticated { author, operator, .. } = caller;
                let service_role = self.access.service_role(&author.principal);
                Ok(pb::WhoAmIResponse {
                    principal: Some(principal_out(&author.principal)),
                    actors: author.actors.iter().map(principal_out).collect(),
                    memberships,
                    platform_operator: *operator,
                    service_role: service_role.map_or(pb::Role::Unspecified, role_out).into(),
                    next_page_token,
                })
            },
        )
        .await
    }

    async fn accept_membership(
        &self,
        request: Request<pb::AcceptMembershipRequest>,
    ) -> Answered<pb::AcceptMembershipResponse> {
        mutate(
            request,
            |violations, _: &Authenticated, message| {
                let pb::AcceptMembershipRequest { member_id, request_id: _, validate_only: _ } = message;
                violations.check("member_id", MemberId::parse(&member_id))
            },
            async |caller, member, options| {
                let outcome = self.access.decide(caller, member, Consent::Accept, options).await?;
                let Answer::Membership { membership } = outcome.value else { return Err(other_answer()) };
                let membership = Some(membership_out(&membership));
                Ok(pb::AcceptMembershipResponse { membership, replayed: outcome.replayed })
            },
        )
        .await
    }

    async fn decline_membership(
        &self,
        request: Request<pb::DeclineMembershipRequest>,
    ) -> Answered<pb::DeclineMembershipResponse> {
        mutate(
            request,
            |violations, _: &Authenticated, message| {
                let pb::DeclineMembershipRequest { member_id, request_id: _, validate_only: _ } = message;
                violations.check("member_id", MemberId::parse(&member_id))
            },
            async |caller, member, options| {
                let outcome = self.access.decide(caller, member, Consent::Decline, options).await?;
                let Answer::Membership { membership } = outcome.value else { return Err(other_answer()) };
                let membership = Some(membership_out(&membership));
                Ok(pb::DeclineMembershipResponse { membership, replayed: outcome.replayed })
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
                member.zip(given_role(violations, raw))
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

    async fn change_member_role(
        &self,
        request: Request<pb::ChangeMemberRoleRequest>,
    ) -> Answered<pb::ChangeMemberRoleResponse> {
        mutate(
            request,
            |violations, _: &Caller, message| {
                let pb::ChangeMemberRoleRequest { member_id, role, request_id: _, validate_only: _ } = message;
                let member = violations.check("member_id", MemberId::parse(&member_id));
                member.zip(given_role(violations, role))
            },
            async |caller, (member, role), options| {
                let outcome = self.access.set_role(caller, member, Some(role), options).await?;
                let Answer::Member { member } = outcome.value else { return Err(other_answer()) };
                let member = Some(member_out(&member, true));
                Ok(pb::ChangeMemberRoleResponse { member, replayed: outcome.replayed })
            },
        )
        .await
    }

    async fn remove_member(&self, request: Request<pb::RemoveMemberRequest>) -> Answered<pb::RemoveMemberResponse> {
        mutate(
            request,
            |violations, _: &Caller, message| {
                let pb::RemoveMemberRequest { member_id, request_id: _, validate_only: _ } = message;
                violations.check("member_id", MemberId::parse(&member_id))
            },
            async |caller, member, options| {
                let outcome = self.access.set_role(caller, member, None, options).await?;
                let Answer::Member { member } = outcome.value else { return Err(other_answer()) };
                let member = Some(member_out(&member, true));
                Ok(pb::RemoveMemberResponse { member, replayed: outcome.replayed })
            },
        )
        .await
    }

    async fn invite_member(&self, request: Request<pb::InviteMemberRequest>) -> Answered<pb::InviteMemberResponse> {
        invitations::invite(&self.access, request).await
    }

    async fn accept_invitation(
        &self,
        request: Request<pb::AcceptInvitationRequest>,
    ) -> Answered<pb::AcceptInvitationResponse> {
        invitations::accept(&self.access, request).await
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
            |violations, _, message| {
                let pb::ListMembersRequest { include_inherited, page_size: size, page_token, subject, issuer } =
                    message;
                let size = page_size(violations, size);
                let issuer = violations.check("issuer", given(&issuer, Principal::parse_issuer));
                let subject = violations.check("subject", given(&subject, Principal::parse_subject));
                let wanted = WantedMembers { inherited: include_inherited, issuer: issuer?, subject: subject? };
                size.map(|size| (wanted, size, page_token))
            },
            async |caller: &Caller, (wanted, size, token)| {
                let members = self.access.list_members(caller, &wanted, size, &token).await?;
                let token = |last: &(i32, Member)| self.access.members_token(caller, &wanted, last);
                let (members, next_page_token) = page(&members, |(_, member)| member_out(member, true), token)?;
                Ok(pb::ListMembersResponse { members, next_page_token })
            },
        )
        .await
    }
}

/// A part of a principal that a list is limited to; none if the request does not name it.
fn given<T>(raw: &str, parse: impl FnOnce(&str) -> Result<T, Rule>) -> Result<Option<T>, Rule> {
    if raw.is_empty() { Ok(None) } else { parse(raw).map(Some) }
}

/// A role, which must be given.
fn given_role(violations: &mut Violations, raw: i32) -> Option<Role> {
    let role = role(violations, "role", raw);
    if role == Some(None) {
        violations.push("role", Rule::new("must be given, such as ROLE_MEMBER"));
    }
    role.flatten()
}

/// Converts a member to its message. The ids are empty under `validate_only`, which stores nothing.
pub(super) fn member_out(member: &Member, stored: bool) -> pb::Member {
    pb::Member {
        member_id: if stored { member.id.to_string() } else { String::new() },
        account_id: if stored { member.account.to_string() } else { String::new() },
        principal: Some(principal_out(&member.principal)),
        role: role_out(member.role).into(),
        create_time: Some(time_out(member.created_at)),
        waiting: member.waiting,
    }
}
