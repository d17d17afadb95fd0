//! What the tests of invitations share: who invites, the token of the mail, and who accepts.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clientele::{
    domain::values::ids::{InvitationId, TenantId},
    grpc::pb,
};
use serde_json::{Value, json};
use tonic::Status;
use uuid::Uuid;

use crate::world::{AUDIENCE, Client, ISSUER, TestAccount, World, now};

pub fn inviting(email: &str, role: pb::Role) -> pb::InviteMemberRequest {
    pb::InviteMemberRequest { email: email.to_owned(), role: role.into(), ..Default::default() }
}

pub async fn invite(client: &Client, request: pb::InviteMemberRequest) -> Result<pb::InviteMemberResponse, Status> {
    Ok(client.access().invite_member(request).await?.into_inner())
}

/// Invites an address as ADMIN.
pub async fn invited(test_account: &TestAccount, email: &str) -> pb::Invitation {
    invite(&test_account.admin, inviting(email, pb::Role::Admin)).await.unwrap().invitation.unwrap()
}

/// The token in the mail of an invitation.
pub async fn token_of(world: &World, test_account: &TestAccount, invitation: &pb::Invitation) -> String {
    let tenant = TenantId::parse(&test_account.tenant).unwrap();
    let id = InvitationId::parse(&invitation.invitation_id).unwrap();
    world.server.services().mailer.link(tenant, id).await.unwrap().expect("it is open").token
}

/// The same, made of the tests' sealing key as docs/adr/0003-invitation-tokens.md says.
pub fn token_by_key(tenant: &str, invitation: &str) -> String {
    let ids = [tenant, invitation].map(|id| Uuid::parse_str(id).unwrap().into_bytes()).concat();
    let text = [b"clientele secret 1\0invitation".as_slice(), &ids, &1_i32.to_be_bytes()].concat();
    let secret = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]), &text);
    URL_SAFE_NO_PAD.encode([ids.as_slice(), secret.as_ref()].concat())
}

/// A subject whose token has these claims beside the usual ones.
pub fn claiming(world: &World, subject: &str, claims: Value) -> Client {
    let mut all = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": now() + 3_600});
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    world.bearer(world.keys.sign(all))
}

/// A subject with a verified address.
pub fn with_email(world: &World, subject: &str, email: &str) -> Client {
    claiming(world, subject, json!({"email": email, "email_verified": true}))
}

pub async fn accept(client: &Client, token: &str) -> Result<pb::AcceptInvitationResponse, Status> {
    accept_as(client, pb::AcceptInvitationRequest { token: token.to_owned(), ..Default::default() }).await
}

pub async fn accept_as(
    client: &Client,
    request: pb::AcceptInvitationRequest,
) -> Result<pb::AcceptInvitationResponse, Status> {
    Ok(client.access().accept_invitation(request).await?.into_inner())
}

pub async fn resend(client: &Client, id: &str) -> Result<pb::Invitation, Status> {
    let request = pb::ResendInvitationRequest { invitation_id: id.to_owned(), ..Default::default() };
    Ok(client.access().resend_invitation(request).await?.into_inner().invitation.unwrap())
}

pub async fn revoke(client: &Client, id: &str) -> Result<pb::Invitation, Status> {
    let request = pb::RevokeInvitationRequest { invitation_id: id.to_owned(), ..Default::default() };
    Ok(client.access().revoke_invitation(request).await?.into_inner().invitation.unwrap())
}

/// The first thousand invitations of the account.
pub async fn listed(client: &Client) -> Vec<pb::Invitation> {
    let request = pb::ListInvitationsRequest { page_size: 1_000, ..Default::default() };
    client.access().list_invitations(request).await.unwrap().into_inner().invitations
}

/// Runs statements on the database.
pub async fn execute(world: &World, statements: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(&mut world.sql().await).await.unwrap();
}

/// The events of this type: their changes.
pub async fn events(world: &World, event_type: &str) -> Vec<Value> {
    sqlx::query_scalar("select changes from events where type = $1 order by seq")
        .bind(event_type)
        .fetch_all(&mut world.sql().await)
        .await
        .unwrap()
}
