//! `clientele.v1.AccessService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    domain::{
        access::{
            caller::{Authenticated, Caller},
            member::Member,
        },
        requests::answer::Answer,
        values::violation::{Rule, Violations},
    },
    error::Error,
    grpc::{
        admit, admit_mutation,
        convert::{caller_options, page_size, principal, principal_out, role, role_out, time_out},
        fit, of_mutation, of_read,
        pb::{self, access_service_server::AccessService},
        refuse,
    },
    service::{Services, access::Access, accounts::Accounts},
    store::access::Membership,
};

/// The service's handlers.
pub(super) struct Handlers {
    access: Arc<Access>,
    accounts: Accounts,
}

impl Handlers {
    pub(super) fn new(services: &Services) -> Self {
        Self { access: Arc::clone(&services.access), accounts: services.accounts.clone() }
    }
}

#[tonic::async_trait]
impl AccessService for Handlers {
    async fn who_am_i(&self, request: Request<pb::WhoAmIRequest>) -> Result<Response<pb::WhoAmIResponse>, Status> {
        let (Authenticated { author, tenant, operator }, pb::WhoAmIRequest {}) = admit(request)?;
        let memberships = self.access.memberships(&author.principal, tenant).await.map_err(of_read)?;
        let service_role = self.access.service_role(&author.principal);
        Ok(Response::new(pb::WhoAmIResponse {
            principal: Some(principal_out(&author.principal)),
            actors: author.actors.iter().map(principal_out).collect(),
            memberships: memberships.into_iter().map(membership).collect(),
            platform_operator: operator,
            service_role: service_role.map_or(pb::Role::Unspecified, role_out).into(),
        }))
    }

    async fn add_member(
        &self,
        request: Request<pb::AddMemberRequest>,
    ) -> Result<Response<pb::AddMemberResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::AddMemberRequest { principal: who, role: as_what, request_id: _, validate_only: _ } = message;
        let who = principal(&mut violations, "principal", caller.author(), who);
        let as_what = role(&mut violations, "role", as_what);
        if as_what == Some(None) {
            violations.push("role", Rule::new("must be given, such as ROLE_MEMBER"));
        }
        let parts = who.zip(as_what.flatten()).zip(options);
        let ((who, as_what), options) = violations.finish(parts).map_err(refuse)?;
        let outcome = self.accounts.add_member(&caller, who, as_what, &options).await.map_err(of_mutation(&options))?;
        let Answer::Member { member } = outcome.value else {
            return Err(of_read(Error::internal("the stored answer is not of a member")));
        };
        let member = Some(member_out(&member, !options.validate_only));
        Ok(Response::new(pb::AddMemberResponse { member, replayed: outcome.replayed }))
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        let (caller, message): (Caller, _) = admit(request)?;
        let pb::ListMembersRequest { include_inherited, page_size: size, page_token } = message;
        let mut violations = Violations::default();
        let size = page_size(&mut violations, size);
        let size = violations.finish(size).map_err(refuse)?;
        let page = self.accounts.list_members(&caller, include_inherited, size, &page_token).await.map_err(of_read)?;
        let (members, cut) = fit(page.items.iter().map(|(_, member)| member_out(member, true)).collect());
        let last = page.items.get(members.len().wrapping_sub(1)).filter(|_| cut || page.more);
        let next_page_token = last
            .map(|last| self.accounts.members_after(&caller, include_inherited, last))
            .transpose()
            .map_err(of_read)?
            .unwrap_or_default();
        Ok(Response::new(pb::ListMembersResponse { members, next_page_token }))
    }
}

fn membership(membership: Membership) -> pb::Membership {
    pb::Membership {
        tenant_id: membership.tenant.to_string(),
        account_id: membership.account.to_string(),
        account_name: membership.account_name,
        role: role_out(membership.role).into(),
        member_id: membership.member.to_string(),
    }
}

/// A member as it is told; without its id if it was not stored.
pub(super) fn member_out(member: &Member, stored: bool) -> pb::Member {
    pb::Member {
        member_id: if stored { member.id.to_string() } else { String::new() },
        account_id: if stored { member.account.to_string() } else { String::new() },
        principal: Some(principal_out(&member.principal)),
        role: role_out(member.role).into(),
        create_time: Some(time_out(member.created_at)),
    }
}
