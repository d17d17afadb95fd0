//! AcceptInvitation.

use clientele::grpc::pb;
use serde_json::json;
use tonic::Code;

use crate::{
    invitations::{
        accept, accept_as, claiming, events, execute, invited, inviting, listed, revoke, token_by_key, token_of,
        with_email,
    },
    rows::rows,
    world::{ISSUER, World, assert_refused, at_once, bad_fields, customer, database, request_id, unknown_id, wire},
};

const NORA: &str = "nora@north.example";

#[tokio::test]
async fn the_caller_becomes_an_accepted_member_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let invitation = invited(&north, "Nora@North.example").await;
    let token = token_of(&world, &north, &invitation).await;
    assert_eq!(token, token_by_key(&north.tenant, &invitation.invitation_id));
    let nora = with_email(&world, "nora", "nora@NORTH.example");
    // The server caches the refusal; the change drops it from the cache.
    assert_refused(nora.create(customer("Ada")).await, Code::PermissionDenied, "NOT_A_MEMBER");

    let accepted = accept(&nora, &token).await.unwrap();
    let membership = accepted.membership.unwrap();
    assert!(!accepted.replayed && !membership.waiting);
    assert_eq!((&membership.tenant_id, &membership.account_id), (&acme.tenant, &north.account));
    assert_eq!((membership.account_name.as_str(), membership.role()), ("north", pb::Role::Admin));
    nora.create(customer("Ada")).await.unwrap();

    let listed = listed(&north.admin).await.remove(0);
    assert_eq!((listed.state(), listed.member_id), (pb::InvitationState::Accepted, membership.member_id.clone()));
    assert!(listed.end_time.is_some());
    let event = events(&world, "INVITATION_ACCEPTED").await.remove(0);
    assert_eq!(event["invitation_id"]["new"], invitation.invitation_id.as_str());
    assert_eq!(event["role"]["new"], "ADMIN");
    assert!(!event.to_string().contains("north.example"), "{event}");

    // Accepting it again is no change; its token is of no use to another.
    let before = rows(&world).await;
    let again = accept(&nora, &token).await.unwrap();
    assert_eq!((again.membership.unwrap().member_id, again.replayed), (membership.member_id, false));
    let other = with_email(&world, "other", NORA);
    assert_refused(accept(&other, &token).await, Code::FailedPrecondition, "INVITATION_USED");
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn the_address_must_be_the_invited_one_and_verified() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let token = token_of(&world, &acme, &invited(&acme, NORA).await).await;
    let before = rows(&world).await;
    for (claims, reason) in [
        (json!({}), "INVITATION_EMAIL_UNVERIFIED"),
        (json!({"email": NORA}), "INVITATION_EMAIL_UNVERIFIED"),
        (json!({"email": NORA, "email_verified": false}), "INVITATION_EMAIL_UNVERIFIED"),
        (json!({"email": NORA, "email_verified": 1}), "INVITATION_EMAIL_UNVERIFIED"),
        (json!({"email": 7, "email_verified": true}), "INVITATION_EMAIL_UNVERIFIED"),
        (json!({"email": "nora", "email_verified": true}), "INVITATION_EMAIL_UNVERIFIED"),
        (json!({"email": "other@north.example", "email_verified": true}), "INVITATION_EMAIL_MISMATCH"),
        (json!({"email": "nora@north.example.org", "email_verified": true}), "INVITATION_EMAIL_MISMATCH"),
    ] {
        let refused = accept(&claiming(&world, "nora", claims.clone()), &token).await;
        let refused = assert_refused(refused, Code::PermissionDenied, reason);
        assert!(!refused.message().contains("north.example"), "{claims}");
    }
    assert_eq!(rows(&world).await, before);
    accept(&claiming(&world, "nora", json!({"email": NORA, "email_verified": "true"})), &token).await.unwrap();
}

#[tokio::test]
async fn the_token_suffices_for_an_issuer_without_addresses() {
    let adjust = |config: &mut clientele::config::Config| config.mail.emailless_issuers = vec![ISSUER.to_owned()];
    let world = World::start_with(database().await, adjust).await;
    let acme = world.tenant("acme").await;
    let token = token_of(&world, &acme, &invited(&acme, NORA).await).await;
    let other = with_email(&world, "other", "other@north.example");
    assert_refused(accept(&other, &token).await, Code::PermissionDenied, "INVITATION_EMAIL_MISMATCH");
    accept(&world.subject("nora"), &token).await.unwrap();
}

#[tokio::test]
async fn a_token_that_was_never_given_does_not_exist() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let token = token_of(&world, &acme, &invited(&acme, NORA).await).await;
    let elsewhere = token_of(&world, &globex, &invited(&globex, NORA).await).await;
    let mut changed = token.clone().into_bytes();
    changed[60] = if changed[60] == b'A' { b'B' } else { b'A' };
    // The ids of one, the secret of the other.
    let mixed = format!("{}{}", &token[..43], &elsewhere[43..]);
    let nora = with_email(&world, "nora", NORA);
    let mut wires = Vec::new();
    for wrong in ["x", "AAAA", &unknown_id(), &String::from_utf8(changed).unwrap(), &mixed, &token[1..]] {
        let refused = assert_refused(accept(&nora, wrong).await, Code::NotFound, "INVITATION_NOT_FOUND");
        wires.push(wire(&refused));
    }
    assert!(wires.iter().all(|wire| *wire == wires[0]), "a wrong secret and no invitation look the same");
    let empty = assert_refused(accept(&nora, "").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&empty), ["token"]);
    accept(&nora, &format!(" {token}\n")).await.unwrap();
}

#[tokio::test]
async fn a_revoked_or_expired_invitation_says_so() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let nora = with_email(&world, "nora", NORA);
    let first = invited(&acme, NORA).await;
    let token = token_of(&world, &acme, &first).await;
    revoke(&acme.admin, &first.invitation_id).await.unwrap();
    assert_refused(accept(&nora, &token).await, Code::FailedPrecondition, "INVITATION_REVOKED");
    // Who is not invited is told so, and nothing of the state.
    let other = with_email(&world, "other", "other@north.example");
    assert_refused(accept(&other, &token).await, Code::PermissionDenied, "INVITATION_EMAIL_MISMATCH");

    let second = invited(&acme, NORA).await;
    let token = token_of(&world, &acme, &second).await;
    execute(&world, "update invitations set expires_at = now()").await;
    assert_refused(accept(&nora, &token).await, Code::FailedPrecondition, "INVITATION_EXPIRED");
    // A mail whose delivery was given up may have arrived all the same.
    execute(&world, "update invitations set state = 'FAILED', expires_at = now() + interval '1 day'").await;
    accept(&nora, &token).await.unwrap();
}

#[tokio::test]
async fn a_state_of_a_newer_release_is_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let invitation = invited(&acme, NORA).await;
    let token = token_of(&world, &acme, &invitation).await;
    execute(
        &world,
        "alter table invitations drop constraint invitations_state_check; update invitations set state = 'HELD'",
    )
    .await;
    assert_eq!(listed(&acme.admin).await[0].state(), pb::InvitationState::Unspecified);
    let reason = "VALUE_OF_NEWER_RELEASE";
    let nora = with_email(&world, "nora", NORA);
    assert_refused(accept(&nora, &token).await, Code::FailedPrecondition, reason);
    let id = &invitation.invitation_id;
    assert_refused(revoke(&acme.admin, id).await, Code::FailedPrecondition, reason);
    assert_refused(crate::invitations::resend(&acme.admin, id).await, Code::FailedPrecondition, reason);
}

#[tokio::test]
async fn of_concurrent_calls_one_principal_wins() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let token = token_of(&world, &acme, &invited(&acme, NORA).await).await;
    let calls = (0..20).map(|number| {
        let (client, token) = (with_email(&world, &format!("nora-{number}"), NORA), token.clone());
        async move { accept(&client, &token).await }
    });
    let (accepted, refused): (Vec<_>, Vec<_>) = at_once(calls).await.into_iter().partition(Result::is_ok);
    assert_eq!(accepted.len(), 1);
    for refused in refused {
        assert_refused(refused, Code::FailedPrecondition, "INVITATION_USED");
    }
    // One principal's own calls all succeed, with the same member.
    let token = token_of(&world, &acme, &invited(&acme, "max@north.example").await).await;
    let calls = (0..10).map(|_| {
        let (client, token) = (with_email(&world, "max", "max@north.example"), token.clone());
        async move { accept(&client, &token).await.unwrap().membership.unwrap().member_id }
    });
    let members = at_once(calls).await;
    assert!(members.iter().all(|member| *member == members[0]), "{members:?}");
    assert_eq!(events(&world, "INVITATION_ACCEPTED").await.len(), 2);
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_and_validate_only_stores_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let token = token_of(&world, &acme, &invited(&acme, NORA).await).await;
    let nora = with_email(&world, "nora", NORA);
    let asked = pb::AcceptInvitationRequest { token, request_id: request_id(), validate_only: false };
    let before = rows(&world).await;
    let only = pb::AcceptInvitationRequest { validate_only: true, ..asked.clone() };
    let would_be = accept_as(&nora, only).await.unwrap().membership.unwrap();
    assert_eq!((would_be.member_id.as_str(), would_be.account_id), ("", acme.account.clone()));
    assert_eq!(rows(&world).await, before);

    let first = accept_as(&nora, asked.clone()).await.unwrap();
    let again = accept_as(&nora, asked.clone()).await.unwrap();
    assert_eq!(again, pb::AcceptInvitationResponse { replayed: true, ..first });
    let other = pb::AcceptInvitationRequest { token: format!(" {}", asked.token), ..asked };
    assert_refused(accept_as(&nora, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert!(!format!("{:?}", rows(&world).await).contains(&again.membership.map(|_| "x").unwrap().repeat(86)));
}

#[tokio::test]
async fn a_repeat_after_the_member_was_removed_is_authorised_afresh() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let token = token_of(&world, &acme, &invited(&acme, NORA).await).await;
    let nora = with_email(&world, "nora", NORA);
    let asked = pb::AcceptInvitationRequest { token, request_id: request_id(), validate_only: false };
    let made = accept_as(&nora, asked.clone()).await.unwrap().membership.unwrap();
    let remove = pb::RemoveMemberRequest { member_id: made.member_id, ..Default::default() };
    acme.admin.access().remove_member(remove).await.unwrap();
    assert_refused(accept_as(&nora, asked).await, Code::FailedPrecondition, "INVITATION_USED");
}

#[tokio::test]
async fn a_member_keeps_the_higher_role_and_need_not_wait_any_longer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for (subject, has, gets, ends_as) in [
        ("low", pb::Role::Viewer, pb::Role::ServiceManager, pb::Role::ServiceManager),
        ("high", pb::Role::Admin, pb::Role::Viewer, pb::Role::Admin),
    ] {
        let member = acme.add(subject, has).await;
        let email = format!("{subject}@north.example");
        let invitation =
            crate::invitations::invite(&acme.admin, inviting(&email, gets)).await.unwrap().invitation.unwrap();
        let token = token_of(&world, &acme, &invitation).await;
        let accepted = accept(&with_email(&world, subject, &email), &token).await.unwrap().membership.unwrap();
        assert_eq!((&accepted.member_id, accepted.role(), accepted.waiting), (&member.member_id, ends_as, false));
        let who = world.subject(subject).access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap().into_inner();
        assert_eq!(who.memberships, [accepted]);
    }
}

#[tokio::test]
async fn guesses_are_limited_by_principal() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let token = token_of(&world, &acme, &invited(&acme, NORA).await).await;
    let guesser = with_email(&world, "guesser", NORA);
    let mut refused = Vec::new();
    while refused.len() < 200 {
        let answer = accept(&guesser, "guess").await.unwrap_err();
        if crate::world::reason(&answer) == "RATE_LIMITED" {
            refused.push(answer);
            break;
        }
        refused.push(answer);
    }
    assert!(refused.len() > 20 && refused.len() < 60, "{}", refused.len());
    let last = refused.pop().unwrap();
    assert_eq!(last.code(), Code::ResourceExhausted);
    assert!(crate::world::retry_delay(&last).is_some());
    accept(&with_email(&world, "nora", NORA), &token).await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_narrowed_to_a_customer_accepts_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let token = token_of(&world, &acme, &invited(&acme, NORA).await).await;
    let nora = with_email(&world, "nora", NORA).narrowed_to(&unknown_id());
    assert_refused(accept(&nora, &token).await, Code::PermissionDenied, "NARROWED_TO_CUSTOMER");
}

#[tokio::test]
async fn accepting_does_not_keep_a_migration_from_being_reverted() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let reseller = acme.admin.migrate(&ada.id).await.unwrap().customer.unwrap().account_id;
    let invitation = listed(&acme.admin.acting_in(&reseller)).await.remove(0);
    let token = token_of(&world, &acme, &invitation).await;
    accept(&with_email(&world, "ada", "admin@company.nl"), &token).await.unwrap();
    let revert = pb::RevertCustomerMigrationRequest { customer_id: ada.id, ..Default::default() };
    let reverted = acme.admin.customers().revert_customer_migration(revert).await.unwrap().into_inner();
    assert_eq!(reverted.customer.unwrap().account_id, acme.account);
}
