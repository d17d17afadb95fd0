//! How a report streams: one snapshot, a caller that is slow, stops reading or hangs up, a stop of the server, and its places.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use clientele::{config::Config, grpc::pb};
use tonic::{Code, Streaming};
use uuid::Uuid;

use super::{Message, Reporting, report, rest};
use crate::{
    change_member_role::{change, changing},
    remove_member::{remove, removing},
    world::{Client, TestAccount, World, assert_refused, customer, database, production_database, until},
};

/// Customers of a report that is larger than what HTTP/2, the channel and the memory of one principal hold.
pub const MANY: i32 = 20_000;

/// A server with little memory for callers, and an account with many customers. Returns all ids, in order.
pub async fn many(count: i32, adjust: impl FnOnce(&mut Config)) -> (World, TestAccount, Vec<String>) {
    let world = World::start_with(database().await, |config| {
        config.load.max_bytes_in_flight = 16 << 20;
        adjust(config);
    })
    .await;
    let acme = world.tenant("acme").await;
    let (name, billing_email) = ("n".repeat(120), format!("{}@billing.example", "b".repeat(60)));
    let first = acme.admin.create(pb::Customer { name, billing_email, ..customer("") }).await.unwrap();
    let mut ids = world.copies(&first.id, count - 1).await;
    ids.push(first.id);
    ids.sort();
    (world, acme, ids)
}

fn listed(messages: &[Message]) -> Vec<String> {
    messages.iter().flat_map(|message| &message.rows).map(|row| row.customer_id.clone()).collect()
}

/// The connections of streams: used and idle.
fn sessions(world: &World) -> (usize, usize) {
    let [.., streams] = world.server.services().sessions();
    (streams.used, streams.idle)
}

pub async fn until_no_stream_works(world: &World) {
    until("the work of the streams has ended", || async { sessions(world).0 == 0 }).await;
}

/// Begins a report and takes its first message.
async fn begun(client: &Client) -> (Message, Streaming<Message>) {
    let mut stream = report(client, &Reporting::default()).await.unwrap();
    (stream.message().await.unwrap().unwrap(), stream)
}

#[tokio::test]
async fn twenty_thousand_customers_come_in_messages_of_a_bounded_size_within_a_bounded_memory() {
    let (world, acme, ids) = many(MANY, |_| ()).await;
    let (first, stream) = begun(&acme.admin).await;
    let (mut messages, ended) = rest(stream).await;
    ended.unwrap();
    messages.insert(0, first);
    // More than the part of the memory that one principal has.
    let bytes: usize = messages.iter().map(prost::Message::encoded_len).sum();
    assert!(bytes > 4 << 20, "{bytes}");
    assert_eq!(listed(&messages), ids);
    let snapshots: BTreeSet<String> = messages.iter().map(|message| format!("{:?}", message.snapshot_time)).collect();
    assert_eq!(snapshots.len(), 1);
    for message in &messages {
        assert!(message.rows.len() <= 1_000 && prost::Message::encoded_len(message) <= 2 << 20);
        assert_eq!(message.after_id, message.rows.last().unwrap().customer_id);
    }
    until_no_stream_works(&world).await;
    assert_eq!(sessions(&world), (0, 1), "the session is clean, and kept");
}

#[tokio::test]
async fn what_is_written_while_a_stream_runs_is_not_in_it_and_is_in_the_next() {
    let (world, acme, ids) = many(MANY, |_| ()).await;
    let (first, stream) = begun(&acme.admin).await;
    let late = ids.last().unwrap();
    let renamed = pb::Customer { id: late.clone(), ..customer("Renamed") };
    acme.admin.update(renamed, &["name"]).await.unwrap();
    let created = acme.admin.create(customer("New")).await.unwrap().id;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("delete from customers where id = '{}'", ids[MANY as usize - 2])))
        .execute(&mut world.sql().await)
        .await
        .unwrap();
    let (rest_of_it, ended) = rest(stream).await;
    ended.unwrap();
    let messages = [vec![first], rest_of_it].concat();
    assert_eq!(listed(&messages), ids);
    assert!(messages.iter().flat_map(|message| &message.rows).all(|row| row.name != "Renamed"));

    // The next stream has all of it.
    let (next, ended) = rest(report(&acme.admin, &Reporting::default()).await.unwrap()).await;
    ended.unwrap();
    let mut expected = ids.clone();
    expected.remove(MANY as usize - 2);
    expected.push(created);
    expected.sort();
    assert_eq!(listed(&next), expected);
    let names = next.iter().flat_map(|message| &message.rows).filter(|row| row.name == "Renamed");
    assert_eq!(names.map(|row| &row.customer_id).collect::<Vec<_>>(), [late]);
    let moment = |message: &Message| message.snapshot_time.map(|at| (at.seconds, at.nanos));
    assert!(moment(&next[0]) > moment(&messages[0]), "a snapshot of its own");
}

#[tokio::test]
async fn a_caller_that_hangs_up_ends_the_work_and_its_session_comes_back_clean() {
    let (world, acme, _) = many(MANY, |_| ()).await;
    let (_, stream) = begun(&acme.admin).await;
    assert_eq!(sessions(&world).0, 1, "the rest waits for the caller");
    drop(stream);
    until_no_stream_works(&world).await;
    assert_eq!(sessions(&world), (0, 1));
    let open = "select count(*) from pg_stat_activity
                where datname = current_database() and application_name = 'clientele' and xact_start is not null";
    assert_eq!(sqlx::query_scalar::<_, i64>(open).fetch_one(&mut world.sql().await).await.unwrap(), 0);
    let (_, again) = begun(&acme.admin).await;
    drop(again);
}

#[tokio::test]
async fn the_stream_of_a_peer_that_takes_nothing_is_reset() {
    let short = |config: &mut Config| config.connections.answer_timeout = Duration::from_millis(500);
    let (world, acme, _) = many(MANY, short).await;
    let (_, stream) = begun(&acme.admin).await;
    until_no_stream_works(&world).await;
    let (_, ended) = rest(stream).await;
    assert_eq!(ended.unwrap_err().code(), Code::Cancelled);
    // Other calls of the connection go on.
    acme.admin.access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_stream_whose_time_is_over_ends_after_a_whole_message_and_is_resumed_without_a_gap() {
    let short = |config: &mut Config| config.database.stream_timeout = Duration::from_secs(1);
    let (world, acme, ids) = many(MANY, short).await;
    let (first, stream) = begun(&acme.admin).await;
    until_no_stream_works(&world).await;
    let (more, ended) = rest(stream).await;
    assert_refused(ended, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    let mut seen = listed(&[vec![first], more].concat());
    while seen.len() < ids.len() {
        let after_id = seen.last().unwrap().clone();
        let (messages, _) =
            rest(report(&acme.admin, &Reporting { after_id, ..Default::default() }).await.unwrap()).await;
        seen.extend(listed(&messages));
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn the_stream_of_one_that_is_no_member_any_more_ends_within_two_seconds_and_says_why() {
    let (world, acme, ids) = many(MANY, |_| ()).await;
    let cases =
        [("removed", "NOT_A_MEMBER"), ("lowered", "ROLE_TOO_LOW"), ("removed by another server", "NOT_A_MEMBER")];
    for (case, reason) in cases {
        let member_id = acme.add("reporter", pb::Role::Member).await.member_id;
        let reporter = world.subject("reporter").acting_in(&acme.account).over(world.channel());
        let (first, stream) = begun(&reporter).await;
        match case {
            "removed" => drop(remove(&acme.admin, removing(&member_id)).await.unwrap()),
            "lowered" => drop(change(&acme.admin, changing(&member_id, pb::Role::Viewer)).await.unwrap()),
            _ => {
                let gone = "delete from members where member_id = $1";
                let id = Uuid::parse_str(&member_id).unwrap();
                sqlx::query(gone).bind(id).execute(&mut world.sql().await).await.unwrap();
            }
        }
        let since = Instant::now();
        // Also if the caller takes nothing.
        until_no_stream_works(&world).await;
        assert!(since.elapsed() < Duration::from_secs(4), "{case}: {:?}", since.elapsed());
        let (more, ended) = rest(stream).await;
        assert_refused(ended, Code::PermissionDenied, reason);
        assert!(listed(&[vec![first], more].concat()).len() < ids.len(), "{case}");
        _ = remove(&acme.admin, removing(&member_id)).await;
    }
}

#[tokio::test]
async fn a_stopping_server_ends_a_stream_and_another_one_resumes_it_without_a_gap_or_a_double() {
    let (world, acme, ids) = many(MANY, |config| config.limits.drain_timeout = Duration::from_secs(8)).await;
    acme.add("reporter", pb::Role::Member).await;
    let reporter = world.subject("reporter").acting_in(&acme.account).over(world.channel());
    let (first, stream) = begun(&reporter).await;
    let (database, server) = (world.database.clone(), world.server);
    let stopping = tokio::spawn(server.stop());
    let (more, ended) = rest(stream).await;
    let ended = assert_refused(ended, Code::Unavailable, "SHUTTING_DOWN");
    assert!(tonic_types::StatusExt::get_details_retry_info(&ended).is_some());
    assert_eq!(stopping.await.unwrap(), clientele::server::DrainOutcome::Complete);

    let mut seen = [vec![first], more].concat();
    assert!(listed(&seen).len() < ids.len(), "it did not wait for the end");
    let next = World::start_with(database, |_| ()).await;
    let reporter = next.subject("reporter").acting_in(&acme.account);
    let after_id = seen.last().unwrap().after_id.clone();
    let (resumed, ended) = rest(report(&reporter, &Reporting { after_id, ..Default::default() }).await.unwrap()).await;
    ended.unwrap();
    seen.extend(resumed);
    assert_eq!(listed(&seen), ids);
}

#[tokio::test]
async fn streams_have_places_of_their_own_and_one_principal_leaves_one_to_others() {
    let (world, acme, _) = many(MANY, |config| {
        config.database.stream_pool_size = 4;
        config.load.max_in_flight = 4;
        config.load.queue_timeout = Duration::from_millis(50);
        config.load.max_bytes_in_flight = 64 << 20;
    })
    .await;
    let mut streams = Vec::new();
    // Each on a connection of its own: on one, what nobody reads would take the window of all.
    for _ in 0..3 {
        streams.push(begun(&acme.admin.over(world.channel())).await);
    }
    let refused = report(&acme.admin, &Reporting::default()).await;
    let refused = assert_refused(refused, Code::ResourceExhausted, "OVERLOADED");
    assert!(tonic_types::StatusExt::get_details_retry_info(&refused).is_some());
    let other = acme.member(pb::Role::Member).await.over(world.channel());
    streams.push(begun(&other).await);
    assert_eq!(sessions(&world).0, 4);
    // Calls have all their places.
    let calls = (0..3).map(|_| {
        let client = acme.admin.clone();
        async move { client.access().who_am_i(pb::WhoAmIRequest::default()).await.map(drop) }
    });
    for answer in crate::world::at_once(calls).await {
        answer.unwrap();
    }
    drop(streams);
    until_no_stream_works(&world).await;
    until("a place is free", || async { report(&acme.admin, &Reporting::default()).await.is_ok() }).await;
}

#[tokio::test]
async fn a_slow_peer_gets_everything_and_the_work_waits_for_it() {
    let world = World::start_with(production_database().await, |_| ()).await;
    let acme = world.tenant("acme").await;
    let first = acme.admin.create(customer("Ada")).await.unwrap();
    let mut ids = world.copies(&first.id, 4_999).await;
    ids.push(first.id);
    ids.sort();
    let mut stream = report(&acme.admin, &Reporting::default()).await.unwrap();
    let mut seen = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        seen.extend(listed(&[message]));
        // Another call between two messages.
        acme.admin.get(&ids[0]).await.unwrap();
    }
    assert_eq!(seen, ids);
}
