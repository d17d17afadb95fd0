//! InviteMember.

use clientele::grpc::pb;
use tonic::Code;

use crate::{
    invitations::{accept, events, execute, invite, invited, inviting, listed, revoke, token_of, with_email},
    rows::rows,
    world::{ISSUER, World, assert_refused, at_once, bad_fields, request_id},
};

#[tokio::test]
async fn an_invitation_is_stored_without_its_token_and_its_mail_waits() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let asked = pb::InviteMemberRequest {
        language: "NL".to_owned(),
        ..inviting("Nora.Hale@North.Example", pb::Role::ServiceManager)
    };
    let made = invite(&north.admin, asked).await.unwrap();
    let invitation = made.invitation.unwrap();
    assert!(!made.replayed);
    assert_eq!((invitation.email.as_str(), invitation.language.as_str()), ("Nora.Hale@north.example", "nl"));
    assert_eq!((invitation.role(), invitation.state()), (pb::Role::ServiceManager, pb::InvitationState::Pending));
    assert_eq!(invitation.account_id, north.account);
    assert_eq!(invitation.created_by.as_ref().unwrap().issuer, ISSUER);
    let week = invitation.expire_time.unwrap().seconds - invitation.create_time.unwrap().seconds;
    assert_eq!(week, 7 * 24 * 3_600);
    assert_eq!((invitation.send_time, invitation.end_time, invitation.member_id.as_str()), (None, None, ""));
    assert_eq!(listed(&north.admin).await, std::slice::from_ref(&invitation));

    // The database has the hash of the token's secret, and nothing of the secret itself.
    let token = token_of(&world, &north, &invitation).await;
    let everything = format!("{:?}", rows(&world).await);
    assert!(!everything.contains(&token));
    let hash: Vec<u8> =
        sqlx::query_scalar("select token_hash from invitations").fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!(hash.len(), 32);

    // The event identifies the invitation, without the address.
    let created = events(&world, "INVITATION_CREATED").await;
    assert_eq!(created.len(), 1);
    assert_eq!(created[0]["invitation_id"]["new"], invitation.invitation_id.as_str());
    assert_eq!(created[0]["role"]["new"], "SERVICE_MANAGER");
    assert!(!created[0].to_string().to_lowercase().contains("nora"), "{}", created[0]);
}

#[tokio::test]
async fn an_address_has_one_open_invitation_of_an_account() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let first = invited(&north, "nora@north.example").await;
    for email in ["nora@north.example", "NORA@North.example"] {
        let again = invite(&north.admin, inviting(email, pb::Role::Viewer)).await;
        let again = assert_refused(again, Code::AlreadyExists, "INVITATION_EXISTS");
        let resource = tonic_types::StatusExt::get_details_resource_info(&again).unwrap();
        assert_eq!(
            (resource.resource_type.as_str(), resource.resource_name.as_str()),
            ("clientele.v1.Invitation", first.invitation_id.as_str())
        );
    }
    // Another account may invite it, and the same one once the first has ended.
    invited(&acme, "nora@north.example").await;
    revoke(&north.admin, &first.invitation_id).await.unwrap();
    let second = invited(&north, "nora@north.example").await;
    execute(&world, "update invitations set expires_at = now() where state = 'PENDING'").await;
    let third = invited(&north, "nora@north.example").await;
    let states: Vec<_> =
        listed(&north.admin).await.into_iter().map(|it| (it.invitation_id.clone(), it.state())).collect();
    assert_eq!(
        states,
        [
            (third.invitation_id, pb::InvitationState::Pending),
            (second.invitation_id, pb::InvitationState::Expired),
            (first.invitation_id, pb::InvitationState::Revoked),
        ]
    );
}

#[tokio::test]
async fn concurrent_calls_make_one_invitation() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let calls = (0..20).map(|_| {
        let admin = acme.admin.clone();
        async move { invite(&admin, inviting("nora@north.example", pb::Role::Admin)).await }
    });
    let (made, refused): (Vec<_>, Vec<_>) = at_once(calls).await.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for refused in refused {
        assert_refused(refused, Code::AlreadyExists, "INVITATION_EXISTS");
    }
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_and_queues_no_mail() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let asked = pb::InviteMemberRequest { request_id: request_id(), ..inviting("nora@north.example", pb::Role::Admin) };
    let first = invite(&acme.admin, asked.clone()).await.unwrap();
    let before = rows(&world).await;
    let again = invite(&acme.admin, asked.clone()).await.unwrap();
    assert_eq!(again, pb::InviteMemberResponse { replayed: true, ..first });
    let other = pb::InviteMemberRequest { email: "max@north.example".to_owned(), ..asked };
    assert_refused(invite(&acme.admin, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn validate_only_checks_everything_and_stores_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    let only = |email: &str| pb::InviteMemberRequest {
        validate_only: true,
        request_id: request_id(),
        ..inviting(email, pb::Role::Admin)
    };
    let would_be = invite(&acme.admin, only("nora@north.example")).await.unwrap().invitation.unwrap();
    assert_eq!((would_be.invitation_id.as_str(), would_be.account_id), ("", acme.account.clone()));
    assert_eq!(rows(&world).await, before);
    invited(&acme, "nora@north.example").await;
    assert_refused(invite(&acme.admin, only("nora@north.example")).await, Code::AlreadyExists, "INVITATION_EXISTS");
}

#[tokio::test]
async fn every_error_is_reported_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let asked = pb::InviteMemberRequest {
        email: "nora@@north".to_owned(),
        role: 0,
        language: "dutch language".to_owned(),
        request_id: "x".to_owned(),
        validate_only: false,
    };
    let refused = assert_refused(invite(&acme.admin, asked).await, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    assert_eq!(fields, ["email", "language", "request_id", "role"]);
    for email in ["", "a\r\nBcc: all@firm.example", "Nora <nora@north.example>"] {
        let refused = invite(&acme.admin, inviting(email, pb::Role::Admin)).await;
        assert_eq!(bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS")), ["email"]);
    }
}

#[tokio::test]
async fn nobody_mails_strangers_without_limit() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let template = invited(&north, "first@north.example").await.invitation_id;
    let planted = |count: u32| {
        format!(
            "insert into invitations (tenant_id, id, account_id, email, role, created_at, created_by, email_key, queued_at,
                                      expires_at, inviter_account_id, state, mails, token_hash)
             select i.tenant_id, gen_random_uuid(), i.account_id, 'x' || n || '@x.example', i.role, i.created_at, i.created_by,
                    'x' || n || '@x.example', now(), i.expires_at, i.inviter_account_id, 'REVOKED', 1, i.token_hash
             from invitations i, generate_series(1, {count}) n where i.id = '{template}'"
        )
    };
    let limit = async |client, email: &str, words: &str| {
        let refused = invite(client, inviting(email, pb::Role::Viewer)).await;
        let refused = assert_refused(refused, Code::FailedPrecondition, "LIMIT_REACHED");
        assert!(refused.message().contains(words), "{}", refused.message());
    };

    // One address, over all accounts of the tenant: its first mail was one, and nine more are the last.
    execute(&world, "delete from invitation_mails; update invitations set mails = 9").await;
    invited(&south, "First@north.example").await;
    limit(&acme.admin, "first@north.example", "one email address").await;
    execute(&world, "update invitations set queued_at = now() - interval '25 hours'").await;
    revoke(&south.admin, &listed(&south.admin).await[0].invitation_id).await.unwrap();
    invited(&south, "first@north.example").await;

    // The account that asks, whichever account it invites to.
    execute(&world, &planted(200)).await;
    limit(&north.admin, "new@north.example", "200 invitations").await;
    let child = pb::CreateAccountRequest {
        account: Some(pb::Account { name: "child".to_owned(), ..Default::default() }),
        admin_email: "child@north.example".to_owned(),
        ..Default::default()
    };
    let refused = north.admin.accounts().create_account(child.clone()).await;
    assert_refused(refused, Code::FailedPrecondition, "LIMIT_REACHED");
    south.admin.accounts().create_account(child).await.unwrap();

    // The tenant as a whole.
    execute(&world, "update invitations set mails = 25 where state = 'REVOKED'").await;
    limit(&south.admin, "new@south.example", "5,000 invitations").await;
    let globex = world.tenant("globex").await;
    invited(&globex, "new@south.example").await;

    // Open invitations of one account.
    execute(&world, "update invitations set queued_at = now() - interval '2 days'").await;
    execute(&world, "delete from invitations where email like 'x%@x.example'").await;
    execute(&world, &planted(1_000)).await;
    execute(&world, "update invitations set state = 'SENT', queued_at = now() - interval '2 days'").await;
    limit(&north.admin, "new@north.example", "1,000 open").await;
    execute(&world, "update invitations set expires_at = now() where email in ('x1@x.example', 'x2@x.example')").await;
    invited(&north, "new@north.example").await;
}

#[tokio::test]
async fn an_account_is_created_with_an_invited_admin() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let asked = pb::CreateAccountRequest {
        account: Some(pb::Account { name: "North".to_owned(), ..Default::default() }),
        admin_email: "nora@north.example".to_owned(),
        admin_language: "de".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    let before = rows(&world).await;
    let only = pb::CreateAccountRequest { validate_only: true, ..asked.clone() };
    let would_be = acme.admin.accounts().create_account(only).await.unwrap().into_inner();
    let invitation = would_be.invitation.unwrap();
    assert_eq!((invitation.invitation_id.as_str(), invitation.account_id.as_str()), ("", ""));
    assert_eq!(rows(&world).await, before);

    let made = acme.admin.accounts().create_account(asked.clone()).await.unwrap().into_inner();
    let (account, invitation) = (made.account.clone().unwrap(), made.invitation.clone().unwrap());
    assert_eq!((&invitation.account_id, invitation.role()), (&account.id, pb::Role::Admin));
    assert_eq!((invitation.language.as_str(), made.first_admin.clone()), ("de", None));
    let again = acme.admin.accounts().create_account(asked).await.unwrap().into_inner();
    assert_eq!(again, pb::CreateAccountResponse { replayed: true, ..made });

    let token = token_of(&world, &acme, &invitation).await;
    let nora = with_email(&world, "nora", "nora@north.example");
    let membership = accept(&nora, &token).await.unwrap().membership.unwrap();
    assert_eq!((membership.account_id, membership.account_name.as_str()), (account.id, "North"));
    // Its only membership, so it needs no header.
    nora.create(crate::world::customer("Ada")).await.unwrap();
}

#[tokio::test]
async fn a_first_admin_is_a_principal_or_an_address() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let asked = pb::CreateAccountRequest {
        account: Some(pb::Account { name: "North".to_owned(), ..Default::default() }),
        first_admin: Some(crate::world::principal("nora")),
        admin_email: "nora@north".to_owned(),
        admin_language: "x".to_owned(),
        ..Default::default()
    };
    let refused = acme.admin.accounts().create_account(asked).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["admin_email", "admin_email", "admin_language"]);
}
