//! ResendInvitation and RevokeInvitation.

use clientele::grpc::pb;
use tonic::Code;

use crate::{
    invitations::{accept, events, execute, invited, listed, resend, revoke, token_of, with_email},
    rows::rows,
    world::{World, assert_refused, bad_fields, request_id, unknown_id, wire},
};

const NORA: &str = "nora@north.example";

#[tokio::test]
async fn a_mail_is_sent_again_with_the_same_link_and_a_new_time() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let invitation = invited(&acme, NORA).await;
    let token = token_of(&world, &acme, &invitation).await;
    for ended in ["state = 'SENT', expires_at = now() - interval '1 day'", "state = 'FAILED', ended_at = now()"] {
        execute(&world, &format!("update invitations set {ended}, next_attempt_at = now() + interval '1 hour'")).await;
        let again = resend(&acme.admin, &invitation.invitation_id).await.unwrap();
        assert_eq!((again.state(), again.end_time), (pb::InvitationState::Pending, None));
        assert!(again.expire_time.unwrap().seconds >= invitation.expire_time.unwrap().seconds);
        assert_eq!(listed(&acme.admin).await, [again]);
        assert_eq!(token_of(&world, &acme, &invitation).await, token);
        let due: bool =
            sqlx::query_scalar("select next_attempt_at <= now() and first_attempt_at is null from invitations")
                .fetch_one(&mut world.sql().await)
                .await
                .unwrap();
        assert!(due);
    }
    let mails: i32 =
        sqlx::query_scalar("select mails from invitations").fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!((mails, events(&world, "INVITATION_RESENT").await.len()), (3, 2));
    accept(&with_email(&world, "nora", NORA), &token).await.unwrap();
}

#[tokio::test]
async fn a_mail_that_waits_is_sent_once_and_a_lease_is_not_shortened() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let invitation = invited(&acme, NORA).await;
    execute(&world, "update invitations set attempts = 1, next_attempt_at = now() + interval '4 minutes'").await;
    let next = "select next_attempt_at from invitations";
    let leased: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar(next).fetch_one(&mut world.sql().await).await.unwrap();
    resend(&acme.admin, &invitation.invitation_id).await.unwrap();
    let (now, mails): (chrono::DateTime<chrono::Utc>, i32) =
        sqlx::query_as("select next_attempt_at, mails from invitations")
            .fetch_one(&mut world.sql().await)
            .await
            .unwrap();
    assert_eq!((now, mails), (leased, 1));
    // A pause between attempts ends with the longest lease.
    execute(&world, "update invitations set next_attempt_at = now() + interval '1 hour'").await;
    resend(&acme.admin, &invitation.invitation_id).await.unwrap();
    let soon: bool = sqlx::query_scalar("select next_attempt_at <= now() + interval '5 minutes' from invitations")
        .fetch_one(&mut world.sql().await)
        .await
        .unwrap();
    assert!(soon);
}

#[tokio::test]
async fn revoking_is_safe_to_repeat() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let invitation = invited(&acme, NORA).await;
    let revoked = revoke(&acme.admin, &invitation.invitation_id).await.unwrap();
    assert_eq!(revoked.state(), pb::InvitationState::Revoked);
    assert!(revoked.end_time.is_some());
    let before = rows(&world).await;
    assert_eq!(revoke(&acme.admin, &invitation.invitation_id.to_uppercase()).await.unwrap(), revoked);
    assert_eq!(rows(&world).await, before);
    let again = resend(&acme.admin, &invitation.invitation_id).await;
    assert_refused(again, Code::FailedPrecondition, "INVITATION_REVOKED");
    assert_eq!(events(&world, "INVITATION_REVOKED").await.len(), 1);
}

#[tokio::test]
async fn an_accepted_invitation_is_neither_sent_nor_revoked() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let invitation = invited(&acme, NORA).await;
    let token = token_of(&world, &acme, &invitation).await;
    accept(&with_email(&world, "nora", NORA), &token).await.unwrap();
    let id = &invitation.invitation_id;
    assert_refused(resend(&acme.admin, id).await, Code::FailedPrecondition, "INVITATION_USED");
    assert_refused(revoke(&acme.admin, id).await, Code::FailedPrecondition, "INVITATION_USED");
}

#[tokio::test]
async fn an_invitation_of_another_account_does_not_exist() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let before_all = invited(&north, NORA).await;
    let before = rows(&world).await;
    for client in [&south.admin, &globex.admin, &acme.admin] {
        for answer in [resend(client, &before_all.invitation_id).await, revoke(client, &before_all.invitation_id).await]
        {
            let hidden = assert_refused(answer, Code::NotFound, "INVITATION_NOT_FOUND");
            let absent = revoke(client, &unknown_id()).await.unwrap_err();
            assert_eq!(wire(&hidden), wire(&absent));
        }
        assert!(listed(client).await.is_empty());
    }
    let malformed = assert_refused(revoke(&north.admin, "7").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&malformed), ["invitation_id"]);
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn repeats_get_the_stored_answer_and_validate_only_stores_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let invitation_id = invited(&acme, NORA).await.invitation_id;
    execute(&world, "update invitations set state = 'SENT', sent_at = now()").await;
    let resending = pb::ResendInvitationRequest {
        invitation_id: invitation_id.clone(),
        request_id: request_id(),
        validate_only: false,
    };
    let revoking = pb::RevokeInvitationRequest { invitation_id, request_id: request_id(), validate_only: false };
    let mut access = acme.admin.access();
    let before = rows(&world).await;
    access.resend_invitation(pb::ResendInvitationRequest { validate_only: true, ..resending.clone() }).await.unwrap();
    access.revoke_invitation(pb::RevokeInvitationRequest { validate_only: true, ..revoking.clone() }).await.unwrap();
    assert_eq!(rows(&world).await, before);

    let first = access.resend_invitation(resending.clone()).await.unwrap().into_inner();
    let again = access.resend_invitation(resending).await.unwrap().into_inner();
    assert_eq!(again, pb::ResendInvitationResponse { replayed: true, ..first });
    let first = access.revoke_invitation(revoking.clone()).await.unwrap().into_inner();
    let again = access.revoke_invitation(revoking).await.unwrap().into_inner();
    assert_eq!(again, pb::RevokeInvitationResponse { replayed: true, ..first });
}
