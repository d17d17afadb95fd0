//! The handlers of `clientele.v1.AccessService` for invitations.

use tonic::Request;

use crate::{
    domain::{
        access::{
            caller::{Authenticated, Caller},
            invitation::{Invitation, InvitationState},
        },
        requests::{answer::Answer, options::Outcome},
        values::{
            email::Email,
            ids::InvitationId,
            language::Language,
            text::optional,
            violation::{Rule, Violations},
        },
    },
    error::Result,
    grpc::{
        convert::{membership_out, page_size, principal_out, role, role_out, time_out},
        handler::{Answered, mutate, other_answer, page, read},
        pb,
    },
    service::access::{Access, Invitee},
};

pub(super) async fn invite(
    access: &Access,
    request: Request<pb::InviteMemberRequest>,
) -> Answered<pb::InviteMemberResponse> {
    mutate(
        request,
        |violations, _: &Caller, message| {
            let pb::InviteMemberRequest { email, role: raw, language, request_id: _, validate_only: _ } = message;
            let email = violations.check("email", Email::parse(&email));
            let role = role(violations, "role", raw);
            if role == Some(None) {
                violations.push("role", Rule::new("must be given, such as ROLE_MEMBER"));
            }
            let language = self::language(violations, "language", &language);
            let ((email, role), language) = email.zip(role.flatten()).zip(language)?;
            Some(Invitee { email, role, language })
        },
        async |caller, invitee, options| {
            let outcome = access.invite_member(caller, invitee, options).await?;
            let (mut invitation, replayed) = invitation(outcome)?;
            if options.validate_only {
                invitation.invitation_id.clear();
            }
            Ok(pb::InviteMemberResponse { invitation: Some(invitation), replayed })
        },
    )
    .await
}

pub(super) async fn accept(
    access: &Access,
    request: Request<pb::AcceptInvitationRequest>,
) -> Answered<pb::AcceptInvitationResponse> {
    mutate(
        request,
        |violations, _: &Authenticated, message| {
            let pb::AcceptInvitationRequest { token, request_id: _, validate_only: _ } = message;
            if token.is_empty() {
                violations.push("token", Rule::new("must be the token of the link in the mail"));
            }
            Some(token)
        },
        async |caller, token, options| {
            let outcome = access.accept_invitation(caller, &token, options).await?;
            let Answer::Membership { membership } = outcome.value else { return Err(other_answer()) };
            let mut membership = membership_out(&membership);
            if options.validate_only && outcome.changed {
                membership.member_id.clear();
            }
            Ok(pb::AcceptInvitationResponse { membership: Some(membership), replayed: outcome.replayed })
        },
    )
    .await
}

pub(super) async fn resend(
    access: &Access,
    request: Request<pb::ResendInvitationRequest>,
) -> Answered<pb::ResendInvitationResponse> {
    mutate(
        request,
        |violations, _: &Caller, message| {
            let pb::ResendInvitationRequest { invitation_id, request_id: _, validate_only: _ } = message;
            violations.check("invitation_id", InvitationId::parse(&invitation_id))
        },
        async |caller, id, options| {
            let outcome = access.resend_invitation(caller, id, options).await?;
            let (invitation, replayed) = invitation(outcome)?;
            Ok(pb::ResendInvitationResponse { invitation: Some(invitation), replayed })
        },
    )
    .await
}

pub(super) async fn revoke(
    access: &Access,
    request: Request<pb::RevokeInvitationRequest>,
) -> Answered<pb::RevokeInvitationResponse> {
    mutate(
        request,
        |violations, _: &Caller, message| {
            let pb::RevokeInvitationRequest { invitation_id, request_id: _, validate_only: _ } = message;
            violations.check("invitation_id", InvitationId::parse(&invitation_id))
        },
        async |caller, id, options| {
            let outcome = access.revoke_invitation(caller, id, options).await?;
            let (invitation, replayed) = invitation(outcome)?;
            Ok(pb::RevokeInvitationResponse { invitation: Some(invitation), replayed })
        },
    )
    .await
}

pub(super) async fn list(
    access: &Access,
    request: Request<pb::ListInvitationsRequest>,
) -> Answered<pb::ListInvitationsResponse> {
    read(
        request,
        |violations, _, pb::ListInvitationsRequest { page_size: size, page_token, states }| {
            let states = wanted_states(violations, &states);
            page_size(violations, size).map(|size| (states, size, page_token))
        },
        async |caller: &Caller, (states, size, token)| {
            let invitations = access.list_invitations(caller, &states, size, &token).await?;
            let token = |last: &(Invitation, InvitationState)| access.invitations_token(caller, &states, &last.0);
            let (invitations, next_page_token) =
                page(&invitations, |(invitation, state)| invitation_out(invitation, *state), token)?;
            Ok(pb::ListInvitationsResponse { invitations, next_page_token })
        },
    )
    .await
}

/// The states that a request names, each once and in order, so that a page token is bound to what they mean.
fn wanted_states(violations: &mut Violations, raw: &[i32]) -> Vec<InvitationState> {
    let number = |state: InvitationState| i32::from(state_out(state));
    let is_known = |raw: i32| InvitationState::KNOWN.iter().any(|known| number(*known) == raw);
    for (index, _) in raw.iter().enumerate().filter(|(_, raw)| !is_known(**raw)) {
        violations.push(format!("states[{index}]"), Rule::new("must be an InvitationState other than UNSPECIFIED"));
    }
    InvitationState::KNOWN.iter().copied().filter(|known| raw.contains(&number(*known))).collect()
}

/// A language that a request names.
pub(super) fn language(violations: &mut Violations, field: &str, raw: &str) -> Option<Option<Language>> {
    violations.check(field, optional(raw, Language::parse))
}

/// The invitation that a mutation wrote, and whether that is a stored answer.
fn invitation(outcome: Outcome<Answer>) -> Result<(pb::Invitation, bool)> {
    let Answer::Invitation { invitation } = outcome.value else { return Err(other_answer()) };
    Ok((invitation_out(&invitation, invitation.state), outcome.replayed))
}

/// Converts an invitation to its message, in this state.
pub(super) fn invitation_out(invitation: &Invitation, state: InvitationState) -> pb::Invitation {
    pb::Invitation {
        invitation_id: invitation.id.to_string(),
        account_id: invitation.account.to_string(),
        email: invitation.email.as_str().to_owned(),
        role: role_out(invitation.role).into(),
        language: invitation.language.as_ref().map_or_else(String::new, |language| language.as_str().to_owned()),
        state: state_out(state).into(),
        create_time: Some(time_out(invitation.created_at)),
        created_by: Some(principal_out(&invitation.created_by)),
        expire_time: invitation.expires_at.map(time_out),
        send_time: invitation.sent_at.map(time_out),
        end_time: invitation.ended_at.map(time_out),
        member_id: invitation.member.map_or_else(String::new, |member| member.to_string()),
    }
}

fn state_out(state: InvitationState) -> pb::InvitationState {
    match state {
        InvitationState::Unknown => pb::InvitationState::Unspecified,
        InvitationState::Pending => pb::InvitationState::Pending,
        InvitationState::Sent => pb::InvitationState::Sent,
        InvitationState::Accepted => pb::InvitationState::Accepted,
        InvitationState::Expired => pb::InvitationState::Expired,
        InvitationState::Revoked => pb::InvitationState::Revoked,
        InvitationState::Failed => pb::InvitationState::Failed,
    }
}
