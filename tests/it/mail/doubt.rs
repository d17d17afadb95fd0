//! Deliveries that end otherwise than they began: a late answer, a server that stops, a mail that is asked for again meanwhile, failures
//! of ours.

use std::time::{Duration, Instant};

use super::{
    NORA, mailing, over,
    scripted::{Fate, Scripted},
    until_state,
};
use crate::{
    invitations::{events, execute, invited, listed, resend},
    world::{World, database, until},
};
use clientele::{config::mail::SmtpSecurity, grpc::pb, server::DrainOutcome};

/// Attempts, seconds until the mail is due, and whether somebody holds it.
async fn queued(world: &World) -> (i32, f64, bool) {
    sqlx::query_as(
        "select attempts, extract(epoch from next_attempt_at - now())::float8,
                coalesce(leased_until > now(), false) from invitations",
    )
    .fetch_one(&mut world.sql().await)
    .await
    .unwrap()
}

/// Waits until this time has passed: only then it is known that nothing happened in it.
async fn pass(time: Duration) {
    let begun = Instant::now();
    until("the time has passed", async || begun.elapsed() > time).await;
}

#[tokio::test]
async fn a_mail_whose_answer_comes_late_is_sent_once() {
    let server = Scripted::start(Fate::TakeWhenAllowed).await;
    let world = over(server.port).await;
    let acme = world.tenant("acme").await;
    invited(&acme, NORA).await;
    until("it arrived", async || server.arrived().len() == 1).await;
    // Longer than a delivery may take up to the text.
    pass(super::pace().delivery * 2).await;
    let (attempts, due, held) = queued(&world).await;
    assert!(held && due > 20.0 * 60.0, "longer than a mail server may take: {due}");
    // Asking for it again does not let another replica take it.
    let invitation = listed(&acme.admin).await.remove(0);
    resend(&acme.admin, &invitation.invitation_id).await.unwrap();
    let (_, due, _) = queued(&world).await;
    assert!(due > 20.0 * 60.0, "{due}");
    server.allow();
    until_state(&acme, pb::InvitationState::Sent).await;
    assert_eq!((attempts, server.arrived().len()), (1, 1));
    // It is in the history of the account.
    let sent = events(&world, "INVITATION_SENT").await;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["invitation_id"]["new"], invitation.invitation_id.as_str());
}

#[tokio::test]
async fn a_server_that_stops_gives_back_a_mail_that_the_mail_server_has_no_text_of() {
    let server = Scripted::start(Fate::Silent).await;
    let world = World::start_with(database().await, |config| {
        config.mail = mailing(server.port, SmtpSecurity::None, None, None);
        config.mail.pace.delivery = Duration::from_secs(60);
    })
    .await;
    let acme = world.tenant("acme").await;
    invited(&acme, NORA).await;
    until("it is attempted", async || server.connections() == 1).await;
    let database = world.database.clone();
    assert_eq!(world.server.stop().await, DrainOutcome::Complete);
    let next = World::start_with(database, |_| ()).await;
    let (attempts, due, held) = queued(&next).await;
    assert!(attempts == 1 && due <= 0.0 && !held, "another replica may take it at once: {due}");
    assert_eq!(server.arrived().len(), 0);
}

#[tokio::test]
async fn a_server_that_stops_waits_for_the_answer_to_the_text() {
    let server = Scripted::start(Fate::TakeWhenAllowed).await;
    let world = over(server.port).await;
    let acme = world.tenant("acme").await;
    invited(&acme, NORA).await;
    until("it arrived", async || server.arrived().len() == 1).await;
    let database = world.database.clone();
    let stopping = tokio::spawn(world.server.stop());
    pass(super::pace().delivery * 2).await;
    assert!(!stopping.is_finished(), "it waits");
    server.allow();
    assert_eq!(stopping.await.unwrap(), DrainOutcome::Complete);
    let next = World::start_with(database, |_| ()).await;
    let state: String =
        sqlx::query_scalar("select state from invitations").fetch_one(&mut next.sql().await).await.unwrap();
    assert_eq!((state.as_str(), server.arrived().len()), ("SENT", 1));
}

#[tokio::test]
async fn a_mail_that_is_asked_for_during_its_last_attempt_is_not_given_up() {
    let server = Scripted::start(Fate::RefuseWhenAllowed("451 later")).await;
    let world = over(server.port).await;
    let acme = world.tenant("acme").await;
    let invitation = invited(&acme, NORA).await;
    until("it arrived", async || server.arrived().len() == 1).await;
    // The attempt that runs was decided on the row as it was taken: two days ago.
    server.allow();
    until("it is attempted again", async || server.arrived().len() == 2).await;
    execute(&world, "update invitations set first_attempt_at = now() - interval '48 hours'").await;
    server.allow();
    until("the last attempt runs", async || server.arrived().len() == 3).await;
    resend(&acme.admin, &invitation.invitation_id).await.unwrap();
    server.set(Fate::Take);
    server.allow();
    until_state(&acme, pb::InvitationState::Sent).await;
    assert_eq!(server.arrived().len(), 4);
    assert_eq!(events(&world, "INVITATION_FAILED").await.len(), 0);
}

#[tokio::test]
async fn failures_of_ours_end_after_two_days_too() {
    let server = Scripted::start(Fate::Take).await;
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    invited(&acme, NORA).await;
    // The mail cannot be held for its text: a failure that is not the mail server's.
    execute(&world, "alter table invitations add check (leased_until < now() + interval '10 minutes')").await;
    let adjust = |config: &mut clientele::config::Config| {
        config.mail = mailing(server.port, SmtpSecurity::None, None, None);
    };
    let _replica = World::start_with(world.database.clone(), adjust).await;
    until("it was attempted", async || queued(&world).await.0 >= 2).await;
    until_state(&acme, pb::InvitationState::Pending).await;
    execute(&world, "update invitations set first_attempt_at = now() - interval '48 hours'").await;
    until_state(&acme, pb::InvitationState::Failed).await;
    assert_eq!(events(&world, "INVITATION_FAILED").await.len(), 1);
    assert_eq!(server.arrived().len(), 0, "no text without a hold");
}

#[tokio::test]
async fn the_oldest_mail_that_waits_is_measured_however_many_wait() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let oldest = invited(&acme, NORA).await.invitation_id;
    let many = "insert into invitations
        select copy.* from invitations i, generate_series(1, 10500) as n,
             lateral jsonb_populate_record(i, jsonb_build_object('id', gen_random_uuid(), 'n', n, 'token_hash', null)) as copy";
    execute(&world, many).await;
    // Written last, so that a look at any rows does not find it first; and what does not count is older.
    let old = format!(
        "update invitations set queued_at = now() - interval '3 hours' where id = '{oldest}';
         insert into invitations
         select copy.* from invitations i,
              lateral jsonb_populate_record(i, jsonb_build_object(
                  'id', gen_random_uuid(), 'token_hash', null, 'queued_at', now() - interval '9 hours',
                  'expires_at', now() - interval '1 hour'
              )) as copy
         where i.id = '{oldest}'"
    );
    execute(&world, &old).await;
    let reader = World::start_with(world.database.clone(), |_| ()).await;
    let mailer = &reader.server.services().mailer;
    mailer.measure().await;
    let status = mailer.status();
    assert_eq!(status.waiting, 10_000);
    let age = i64::try_from(crate::world::now()).unwrap() - status.since.unwrap();
    assert!((10_790..10_900).contains(&age), "{age}");
}
