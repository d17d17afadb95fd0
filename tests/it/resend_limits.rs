//! ResendInvitation keeps to the rules of InviteMember: one open invitation for each address, the open ones of an account, and the
//! mails of a day, which count to those who asked for them.

use clientele::grpc::pb;
use tonic::Code;

use crate::{
    invitations::{accept, execute, invite, invited, inviting, resend, token_of, with_email},
    world::{TestAccount, World, assert_refused, metadata},
};

const NORA: &str = "nora@north.example";

async fn asked_for(world: &World) -> Vec<(String, i64)> {
    sqlx::query_as("select account_id::text, count(*) from invitation_mails group by account_id order by 2 desc, 1")
        .fetch_all(&mut world.sql().await)
        .await
        .unwrap()
}

/// Mails that an account asked for, of an invitation that is revoked, to other addresses.
async fn earlier(world: &World, account: &TestAccount, mails: i32) {
    execute(
        world,
        &format!(
            "with other as (
                 insert into invitations (tenant_id, id, account_id, email, role, created_at, created_by, state, queued_at)
                 values ('{0}', gen_random_uuid(), '{0}', 'x@x.example', 'MEMBER', now(), '{{}}', 'REVOKED', now())
                 returning tenant_id, id, queued_at
             )
             insert into invitation_mails
             select tenant_id, id, queued_at - n * interval '1 second', '{1}' from other, generate_series(0, {2} - 1) n",
            account.tenant, account.account, mails
        ),
    )
    .await;
}

#[tokio::test]
async fn an_address_never_has_two_open_invitations_to_an_account() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for ended in ["expires_at = now()", "state = 'FAILED', ended_at = now()", "state = 'SENT', expires_at = now()"] {
        execute(&world, "delete from invitations").await;
        let first = invited(&acme, NORA).await.invitation_id;
        execute(&world, &format!("update invitations set {ended}")).await;
        let second = invited(&acme, NORA).await.invitation_id;
        let refused = assert_refused(resend(&acme.admin, &first).await, Code::AlreadyExists, "INVITATION_EXISTS");
        assert!(format!("{refused:?}").contains(&second) || metadata(&refused, "invitation_id").is_some());
        resend(&acme.admin, &second).await.unwrap();
        let open = "select count(*) from invitations where state in ('PENDING', 'SENT') and expires_at > now()";
        let open: i64 = sqlx::query_scalar(open).fetch_one(&mut world.sql().await).await.unwrap();
        assert_eq!(open, 1, "{ended}");
    }
}

#[tokio::test]
async fn what_opens_again_counts_as_one_of_the_open_ones() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let first = invited(&acme, NORA).await.invitation_id;
    let others = format!(
        "update invitations set expires_at = now(), queued_at = now() - interval '2 days';
         update invitation_mails set asked_at = now() - interval '2 days';
         insert into invitations
         select copy.* from invitations i, generate_series(1, 1000) as n,
              lateral jsonb_populate_record(i, jsonb_build_object(
                  'id', gen_random_uuid(), 'token_hash', null, 'email', n || '@x.example', 'email_key', n || '@x.example',
                  'expires_at', now() + interval '1 day'
              )) as copy
         where i.id = '{first}'"
    );
    execute(&world, &others).await;
    assert_refused(resend(&acme.admin, &first).await, Code::FailedPrecondition, "LIMIT_REACHED");
    execute(&world, "delete from invitations where email = '7@x.example'").await;
    resend(&acme.admin, &first).await.unwrap();
    // It is one of the thousand itself now.
    resend(&acme.admin, &first).await.unwrap();
}

#[tokio::test]
async fn a_mail_counts_to_the_account_that_asked_for_it_and_to_no_other() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let asked = pb::CreateAccountRequest {
        account: Some(pb::Account { name: "north".to_owned(), ..Default::default() }),
        admin_email: NORA.to_owned(),
        ..Default::default()
    };
    let made = acme.admin.accounts().create_account(asked).await.unwrap().into_inner();
    let (north, invitation) = (made.account.unwrap().id, made.invitation.unwrap().invitation_id);
    let in_north = acme.admin.acting_in(&north);
    // One that waits is sent once, and counts once.
    resend(&in_north, &invitation).await.unwrap();
    assert_eq!(asked_for(&world).await, [(acme.account.clone(), 1)]);
    for _ in 0..2 {
        execute(&world, "update invitations set state = 'SENT'").await;
        resend(&in_north, &invitation).await.unwrap();
    }
    assert_eq!(asked_for(&world).await, [(north.clone(), 2), (acme.account.clone(), 1)]);

    // So the limits of both hold: who has its mails sent again elsewhere may not ask for more itself.
    earlier(&world, &acme, 199).await;
    let refused = invite(&acme.admin, inviting("max@north.example", pb::Role::Viewer)).await;
    assert_refused(refused, Code::FailedPrecondition, "LIMIT_REACHED");
    invite(&in_north, inviting("max@north.example", pb::Role::Viewer)).await.unwrap();
    // A day later they count no more, though the invitation's last mail is of today.
    execute(
        &world,
        "update invitation_mails set asked_at = asked_at - interval '2 days' where account_id <> tenant_id",
    )
    .await;
    execute(&world, "update invitations set state = 'SENT'").await;
    for _ in 0..9 {
        resend(&in_north, &invitation).await.unwrap();
        execute(&world, "update invitations set state = 'SENT'").await;
    }
    assert_refused(resend(&in_north, &invitation).await, Code::FailedPrecondition, "LIMIT_REACHED");
}

#[tokio::test]
async fn mails_of_an_older_release_count_as_before() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let first = invited(&acme, NORA).await.invitation_id;
    execute(&world, "delete from invitation_mails; update invitations set state = 'SENT', mails = 10").await;
    assert_refused(resend(&acme.admin, &first).await, Code::FailedPrecondition, "LIMIT_REACHED");
    execute(&world, "update invitations set mails = 9").await;
    resend(&acme.admin, &first).await.unwrap();
}

#[tokio::test]
async fn a_domain_is_one_in_each_of_its_forms() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for (written, same) in [
        ("nora@münchen.de", "Nora@xn--mnchen-3ya.de"),
        ("max@xn--mnchen-3ya.de", "max@MÜNCHEN.de"),
        ("пользователь@пример.рф", "пользователь@xn--e1afmkfd.xn--p1ai"),
    ] {
        let invitation = invited(&acme, written).await;
        let again = invite(&acme.admin, inviting(same, pb::Role::Viewer)).await;
        assert_refused(again, Code::AlreadyExists, "INVITATION_EXISTS");
        let token = token_of(&world, &acme, &invitation).await;
        let subject = written.split('@').next().unwrap();
        accept(&with_email(&world, subject, same), &token).await.unwrap();
    }
    // The limits of an address, also with a key of an older release.
    invited(&acme, "eve@münchen.de").await;
    execute(&world, "update invitations set email_key = 'eve@münchen.de' where email = 'eve@münchen.de'").await;
    let again = invite(&acme.admin, inviting("eve@xn--mnchen-3ya.de", pb::Role::Viewer)).await;
    assert_refused(again, Code::AlreadyExists, "INVITATION_EXISTS");
}
