//! The mails of invitations: over a real mail server, and over one that fails.

mod doubt;
mod real;
pub mod scripted;

use std::{path::PathBuf, time::Duration};

use clientele::{
    config::{
        Config, Mail, SealingKeys,
        mail::{Credentials, Delivery, Pace, Smtp, SmtpSecurity},
    },
    domain::values::email::Email,
    grpc::pb,
};
use sqlx::Row as _;

use self::{
    real::MailServer,
    scripted::{Fate, Scripted},
};
use crate::{
    invitations::{accept, events, execute, invite, invited, inviting, listed, resend, revoke, with_email},
    pki::Authority,
    world::{TestAccount, World, customer, database, until},
};

const NORA: &str = "nora@north.example";
const URL: &str = "https://portal.example/join?from=mail&token={token}";

/// Quick: attempts follow each other within milliseconds.
fn pace() -> Pace {
    Pace {
        poll: Duration::from_millis(20),
        lease: Duration::from_secs(60),
        delivery: Duration::from_millis(500),
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(20),
        ..Pace::default()
    }
}

fn mailing(port: u16, security: SmtpSecurity, ca: Option<PathBuf>, credentials: Option<Credentials>) -> Mail {
    let smtp = Smtp {
        host: "localhost".to_owned(),
        port,
        security,
        credentials: credentials.map(Into::into),
        ca,
        from: Email::parse("portal@firm.example").unwrap(),
    };
    Mail {
        delivery: Delivery::Smtp(Box::new(smtp)),
        invitation_url: Some(URL.to_owned()),
        pace: pace(),
        ..Mail::default()
    }
}

/// A server that mails over this port without protection.
async fn over(port: u16) -> World {
    World::start_with(database().await, |config| config.mail = mailing(port, SmtpSecurity::None, None, None)).await
}

async fn until_state(test_account: &TestAccount, state: pb::InvitationState) {
    until(&format!("all invitations are {state:?}"), async || {
        listed(&test_account.admin).await.iter().all(|invitation| invitation.state() == state)
    })
    .await;
}

/// The token in a text: what follows the start of the link.
fn token_in(text: &str) -> String {
    let start = URL.split_once("{token}").unwrap().0;
    let (_, after) = text.split_once(start).unwrap_or_else(|| panic!("no link in {text}"));
    after.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "-_".contains(*letter)).collect()
}

/// The headers and the token of a mail that arrived: quoted-printable lines are joined.
fn id_and_token(mail: &str) -> (String, String) {
    let id = mail.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned();
    let text = mail.replace("=\r\n", "").replace("=3D", "=");
    (id, token_in(&text))
}

#[tokio::test]
async fn an_invitation_arrives_over_each_kind_of_connection_and_opens_the_account() {
    let authority = Authority::new();
    let pair = authority.server();
    let (certificate, key) = (authority.path("mail.pem"), authority.path("mail.key"));
    std::fs::write(&certificate, &pair.certificate).unwrap();
    std::fs::write(&key, &pair.key).unwrap();
    let user = || Credentials { user: "portal".to_owned(), password: "hunter2".to_owned() };
    for (name, security, credentials) in [
        ("starttls", SmtpSecurity::StartTls, Some(user())),
        ("tls", SmtpSecurity::Tls, None),
        ("none", SmtpSecurity::None, None),
    ] {
        let mut server = MailServer::start(name, &certificate, &key).await;
        let is_protected = security != SmtpSecurity::None;
        let has_user = credentials.is_some();
        let mail = mailing(server.port, security, is_protected.then(|| authority.file()), credentials);
        let world = World::start_with(database().await, |config| config.mail = mail).await;
        let acme = world.tenant("acme").await;
        let asked = pb::CreateAccountRequest {
            account: Some(pb::Account { name: "Müller & Söhne <Nord>".to_owned(), ..Default::default() }),
            admin_email: NORA.to_owned(),
            admin_language: "de-AT".to_owned(),
            ..Default::default()
        };
        let made = acme.admin.accounts().create_account(asked).await.unwrap().into_inner();
        let account = made.account.unwrap().id;

        let mail = server.next().await;
        assert_eq!((mail.from.as_str(), mail.to.as_slice()), ("portal@firm.example", &[NORA.to_owned()][..]));
        assert_eq!((mail.tls, mail.user.is_some()), (is_protected, has_user), "{name}");
        assert!(mail.header("Content-Type").starts_with("multipart/alternative"), "{}", mail.data);
        let [text, html] = mail.parts().await;
        assert!(text.contains("bei Müller & Söhne <Nord> mitzuarbeiten"), "{text}");
        assert!(html.contains("<strong>Müller &amp; Söhne &lt;Nord&gt;</strong>"), "{html}");
        let token = token_in(&text);
        assert!(html.contains(&format!("from=mail&amp;token={token}")), "{html}");

        let north = acme.admin.acting_in(&account);
        until("it is sent", async || listed(&north).await[0].state() == pb::InvitationState::Sent).await;
        let nora = with_email(&world, "nora", NORA);
        let membership = accept(&nora, &token).await.unwrap().membership.unwrap();
        assert_eq!(membership.account_id, account);
        let ada = nora.create(customer("Ada")).await.unwrap();
        assert_eq!(ada.account_id, account);
    }
}

#[tokio::test]
async fn every_use_case_that_invites_mails_in_its_language() {
    let mut server = MailServer::start("none", "".as_ref(), "".as_ref()).await;
    let world = over(server.port).await;
    let acme = world.tenant("acme").await;
    let asked = pb::InviteMemberRequest { language: "fr".to_owned(), ..inviting(NORA, pb::Role::Viewer) };
    invite(&acme.admin, asked).await.unwrap();
    assert!(server.next().await.parts().await[0].starts_with("Bonjour"));
    let ada = pb::Customer { language: "nl-BE".to_owned(), email: NORA.to_owned(), ..customer("Ada") };
    let ada = acme.admin.create(ada).await.unwrap();
    let request = pb::MigrateCustomerToResellerRequest { customer_id: ada.id, ..Default::default() };
    acme.admin.customers().migrate_customer_to_reseller(request).await.unwrap();
    assert!(server.next().await.parts().await[0].contains("bij Ada te werken"));
    // Asked for again, it is another mail with the same link.
    let invitation = listed(&acme.admin).await.remove(0);
    until_state(&acme, pb::InvitationState::Sent).await;
    resend(&acme.admin, &invitation.invitation_id).await.unwrap();
    assert!(server.next().await.header("Message-ID").contains(&format!("{}.2@", invitation.invitation_id)));
}

#[tokio::test]
async fn a_mail_server_that_is_down_delays_mails_and_loses_none() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let world = over(free).await;
    let acme = world.tenant("acme").await;
    for number in 0..5 {
        invited(&acme, &format!("n{number}@north.example")).await;
    }
    until("all were attempted", async || {
        let least: i32 = sqlx::query_scalar("select min(attempts) from invitations")
            .fetch_one(&mut world.sql().await)
            .await
            .unwrap();
        least >= 2
    })
    .await;
    until_state(&acme, pb::InvitationState::Pending).await;
    let server = Scripted::start_on(free, Fate::Take).await;
    until_state(&acme, pb::InvitationState::Sent).await;
    assert_eq!(server.arrived().len(), 5);
}

#[tokio::test]
async fn a_mail_server_that_is_slow_or_refuses_gets_the_mail_later_and_once() {
    let temporary = [Fate::Silent, Fate::Refuse("451 later"), Fate::Refuse("554 5.7.1 we do not relay")];
    for fate in temporary {
        let server = Scripted::start(fate).await;
        let world = over(server.port).await;
        let acme = world.tenant("acme").await;
        invited(&acme, NORA).await;
        until("it was attempted twice", async || server.connections() >= 2).await;
        assert_eq!(listed(&acme.admin).await[0].state(), pb::InvitationState::Pending, "{fate:?}");
        server.set(Fate::Take);
        until_state(&acme, pb::InvitationState::Sent).await;
        assert_eq!(server.arrived().len(), 1, "{fate:?}");
    }
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_not_tried_again() {
    let server = Scripted::start(Fate::Refuse("550 5.1.1 <nora@north.example> no such user")).await;
    let world = over(server.port).await;
    let acme = world.tenant("acme").await;
    let invitation = invited(&acme, NORA).await;
    until_state(&acme, pb::InvitationState::Failed).await;
    assert_eq!(server.connections(), 1);
    let failed = sqlx::query(
        "select subject, actors, acting_account_id::text, changes from events where type = 'INVITATION_FAILED'",
    )
    .fetch_one(&mut world.sql().await)
    .await
    .unwrap();
    assert!(failed.get::<String, _>(0).starts_with("acme-admin"), "on behalf of who invited");
    assert!(failed.get::<serde_json::Value, _>(1).to_string().contains("mail sender"));
    assert_eq!(failed.get::<String, _>(2), acme.account);
    let changes = failed.get::<serde_json::Value, _>(3);
    assert_eq!(changes["invitation_id"]["new"], invitation.invitation_id.as_str());
    // An admin corrects the mailbox, and asks again.
    server.set(Fate::Take);
    resend(&acme.admin, &invitation.invitation_id).await.unwrap();
    until_state(&acme, pb::InvitationState::Sent).await;
}

#[tokio::test]
async fn a_connection_that_is_lost_after_the_mail_repeats_the_same_mail() {
    let server = Scripted::start(Fate::DropAfterData).await;
    let world = over(server.port).await;
    let acme = world.tenant("acme").await;
    invited(&acme, NORA).await;
    until("it arrived twice", async || server.arrived().len() >= 2).await;
    server.set(Fate::Take);
    until_state(&acme, pb::InvitationState::Sent).await;
    let arrived: Vec<_> = server.arrived().iter().map(|mail| id_and_token(mail)).collect();
    assert!(arrived.iter().all(|mail| *mail == arrived[0]), "the reader gets the same mail, with the same link");
    accept(&with_email(&world, "nora", NORA), &arrived[0].1).await.unwrap();
}

#[tokio::test]
async fn a_mail_that_was_taken_is_sent_whatever_happens_then() {
    // The server falls silent after its answer.
    let server = Scripted::start(Fate::TakeAndFallSilent).await;
    let world = over(server.port).await;
    let acme = world.tenant("acme").await;
    invited(&acme, NORA).await;
    until_state(&acme, pb::InvitationState::Sent).await;
    assert_eq!(server.arrived().len(), 1);

    // The row is locked when the server answers: noting it fails, until the lock has gone.
    let server = Scripted::start(Fate::TakeWhenAllowed).await;
    let world = World::start_with(database().await, |config| {
        config.mail = mailing(server.port, SmtpSecurity::None, None, None);
        config.mail.pace.delivery = Duration::from_secs(20);
        config.database.lock_timeout = Duration::from_millis(20);
    })
    .await;
    let acme = world.tenant("acme").await;
    invited(&acme, NORA).await;
    until("it arrived", async || server.arrived().len() == 1).await;
    let mut locking = world.sql().await;
    sqlx::raw_sql("begin; select from invitations for update").execute(&mut locking).await.unwrap();
    server.allow();
    until("noting it has failed", async || {
        let failed = "select deadlocks + xact_rollback from pg_stat_database where datname = current_database()";
        let rolled_back: i64 = sqlx::query_scalar(failed).fetch_one(&mut world.sql().await).await.unwrap();
        rolled_back >= 2
    })
    .await;
    sqlx::raw_sql("rollback").execute(&mut locking).await.unwrap();
    until_state(&acme, pb::InvitationState::Sent).await;
    assert_eq!(server.arrived().len(), 1);
}

#[tokio::test]
async fn replicas_share_the_queue_and_send_each_mail_once() {
    let server = Scripted::start(Fate::Take).await;
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for number in 0..30 {
        invited(&acme, &format!("n{number}@north.example")).await;
    }
    // Three replicas with the keys of the first.
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let adjust = |config: &mut Config| config.mail = mailing(server.port, SmtpSecurity::None, None, None);
        replicas.push(World::start_with(world.database.clone(), adjust).await);
    }
    until_state(&acme, pb::InvitationState::Sent).await;
    assert_eq!(server.arrived().len(), 30);
    let attempts: i64 =
        sqlx::query_scalar("select sum(attempts) from invitations").fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!(attempts, 30);
}

#[tokio::test]
async fn the_lease_of_a_replica_that_has_gone_ends() {
    let server = Scripted::start(Fate::Take).await;
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    invited(&acme, NORA).await;
    // As a replica leaves it that is killed while it sends.
    execute(
        &world,
        "update invitations set attempts = 1, first_attempt_at = now(), next_attempt_at = now() + interval '1 minute'",
    )
    .await;
    let adjust = |config: &mut Config| config.mail = mailing(server.port, SmtpSecurity::None, None, None);
    let replica = World::start_with(world.database.clone(), adjust).await;
    invited(&acme, "max@north.example").await;
    until("the other one is sent", async || server.arrived().len() == 1).await;
    assert!(server.arrived()[0].contains("To: max@north.example"));
    execute(&world, "update invitations set next_attempt_at = now() where state = 'PENDING'").await;
    until_state(&acme, pb::InvitationState::Sent).await;
    assert_eq!(server.arrived().len(), 2);
    drop(replica);
}

#[tokio::test]
async fn the_sender_gives_up_after_two_days_and_what_has_expired() {
    let server = Scripted::start(Fate::Refuse("451 later")).await;
    let world = over(server.port).await;
    let acme = world.tenant("acme").await;
    invited(&acme, NORA).await;
    until("it was attempted", async || server.connections() >= 1).await;
    execute(&world, "update invitations set first_attempt_at = now() - interval '47 hours 59 minutes'").await;
    let before = server.connections();
    until("it is attempted again", async || server.connections() > before + 1).await;
    until_state(&acme, pb::InvitationState::Pending).await;
    execute(&world, "update invitations set first_attempt_at = now() - interval '48 hours'").await;
    until_state(&acme, pb::InvitationState::Failed).await;
    assert_eq!(events(&world, "INVITATION_FAILED").await.len(), 1);

    server.set(Fate::Take);
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    invited(&acme, NORA).await;
    execute(&world, "update invitations set expires_at = now()").await;
    let arrived = server.arrived().len();
    let adjust = |config: &mut Config| config.mail = mailing(server.port, SmtpSecurity::None, None, None);
    let _replica = World::start_with(world.database.clone(), adjust).await;
    until_state(&acme, pb::InvitationState::Failed).await;
    assert_eq!(server.arrived().len(), arrived, "a link that is no longer valid is not sent");
}

#[tokio::test]
async fn a_revoked_invitation_is_not_sent() {
    let server = Scripted::start(Fate::Refuse("451 later")).await;
    let world = over(server.port).await;
    let acme = world.tenant("acme").await;
    let first = invited(&acme, NORA).await;
    until("it was attempted", async || server.connections() >= 1).await;
    revoke(&acme.admin, &first.invitation_id).await.unwrap();
    server.set(Fate::Take);
    invited(&acme, "max@north.example").await;
    until("the other one is sent", async || !server.arrived().is_empty()).await;
    assert!(server.arrived().iter().all(|mail| mail.contains("To: max@north.example")));
    assert_eq!(listed(&acme.admin).await[1].state(), pb::InvitationState::Revoked);
}

#[tokio::test]
async fn an_invitation_of_an_older_release_gets_its_token_with_its_mail() {
    let server = Scripted::start(Fate::Refuse("451 later")).await;
    let world = over(server.port).await;
    let acme = world.tenant("acme").await;
    execute(
        &world,
        &format!(
            "insert into invitations (tenant_id, id, account_id, email, role, created_at, created_by)
             values ('{0}', gen_random_uuid(), '{0}', 'Nora@north.example', 'MEMBER', now() - interval '90 days',
                     '{{\"issuer\": \"https://tests.example\", \"subject\": \"old\"}}')",
            acme.tenant
        ),
    )
    .await;
    until("it was attempted twice", async || server.connections() >= 2).await;
    server.set(Fate::Take);
    until_state(&acme, pb::InvitationState::Sent).await;
    let invitation = listed(&acme.admin).await.remove(0);
    assert!(invitation.expire_time.unwrap().seconds > crate::world::now().try_into().unwrap());
    let (_, token) = id_and_token(&server.arrived()[0]);
    let membership = accept(&with_email(&world, "nora", NORA), &token).await.unwrap().membership.unwrap();
    assert_eq!(membership.role(), pb::Role::Member);
}

#[tokio::test]
async fn a_mail_whose_key_has_gone_gets_another_token() {
    let server = Scripted::start(Fate::Take).await;
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let invitation = invited(&acme, NORA).await;
    let old = crate::invitations::token_of(&world, &acme, &invitation).await;
    let adjust = |config: &mut Config| {
        config.sealing = SealingKeys(vec![[9; 32]]).into();
        config.mail = mailing(server.port, SmtpSecurity::None, None, None);
    };
    let _replica = World::start_with(world.database.clone(), adjust).await;
    until_state(&acme, pb::InvitationState::Sent).await;
    let (id, token) = id_and_token(&server.arrived()[0]);
    assert_ne!(token, old);
    // Another link is another mail: a reader that got the first one must not take this one for it.
    assert!(id.contains(&format!("{}.1.2@", invitation.invitation_id)), "{id}");
    let nora = with_email(&world, "nora", NORA);
    crate::world::assert_refused(accept(&nora, &old).await, tonic::Code::NotFound, "INVITATION_NOT_FOUND");
    accept(&nora, &token).await.unwrap();
}

#[tokio::test]
async fn without_a_mail_server_mails_wait_for_one() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    invited(&acme, NORA).await;
    assert!(!world.server.services().mailer.delivers());
    let server = Scripted::start(Fate::Take).await;
    let adjust = |config: &mut Config| config.mail = mailing(server.port, SmtpSecurity::None, None, None);
    let _later = World::start_with(world.database.clone(), adjust).await;
    until_state(&acme, pb::InvitationState::Sent).await;
}
