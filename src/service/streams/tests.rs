//! Streams without a database.

use sqlx::postgres::PgConnectOptions;
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};
use tokio_stream::StreamExt as _;

use super::*;
use crate::config;

fn streams() -> Streams {
    let second = Duration::from_secs(1);
    let config = config::Database {
        options: PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(1).into(),
        pool_size: 1,
        search_pool_size: 1,
        stream_pool_size: 1,
        stream_timeout: second,
        pool_timeout: second,
        statement_timeout: second,
        lock_timeout: second,
        discard_unfinished: true,
        close_unresponsive: true,
    };
    Streams::new(Pool::for_streams(&config))
}

/// Every caller.
async fn admitted() -> Result<()> {
    Ok(())
}

/// A stream of numbers without an end; `ended` is told how its work ended.
async fn numbers(streams: &Streams, limit: Option<Duration>) -> (Messages<u32>, oneshot::Receiver<Result<()>>) {
    let (tell, ended) = oneshot::channel();
    let deadline = limit.map(|limit| (Instant::now() + limit).into_std());
    let messages = streams
        .start(deadline, |outlet: Outlet<u32>| async move {
            let mut number = 0;
            let failure = loop {
                if let Err(failure) = outlet.send(number, admitted).await {
                    break failure;
                }
                number += 1;
            };
            _ = tell.send(Err(failure.duplicate()));
            Err(failure)
        })
        .await;
    (messages.unwrap(), ended)
}

/// All items of a stream.
async fn all(messages: Messages<u32>) -> Vec<Result<u32>> {
    messages.collect().await
}

#[tokio::test]
async fn work_that_is_ahead_of_its_peer_waits() {
    let (mut messages, ended) = numbers(&streams(), None).await;
    tokio::task::yield_now().await;
    // One was taken to see how the work begins, one is in the channel, one waits for its place.
    assert_eq!(messages.messages.len(), 1);
    for expected in 0..10 {
        assert_eq!(messages.next().await.unwrap().unwrap(), expected);
    }
    drop(messages);
    assert!(matches!(ended.await.unwrap(), Err(Error::Deadline)), "its caller has gone");
}

#[tokio::test]
async fn a_stop_ends_a_stream_after_the_messages_that_were_sent() {
    let streams = streams();
    let (messages, _ended) = numbers(&streams, None).await;
    streams.shut_down();
    let items = all(messages).await;
    assert!(items.len() >= 2, "{items:?}");
    for (expected, item) in items[..items.len() - 1].iter().enumerate() {
        assert_eq!(*item.as_ref().unwrap() as usize, expected);
    }
    assert!(matches!(items.last(), Some(Err(Error::ShuttingDown | Error::Internal(_)))), "{items:?}");
    let (late, _) =
        tokio::join!(streams.start(None, |outlet: Outlet<u32>| async move { outlet.send(1, admitted).await }), async {
        });
    assert!(matches!(late.err(), Some(Error::ShuttingDown)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_time_is_over() {
    let (messages, _ended) = numbers(&streams(), Some(Duration::from_secs(3600))).await;
    // Its peer takes nothing meanwhile.
    sleep(Duration::from_secs(3601)).await;
    let items = all(messages).await;
    assert!(matches!(items.last(), Some(Err(Error::Deadline))), "{items:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_caller_is_admitted_no_more_even_if_it_takes_nothing() {
    let (admits, admitted) = watch::channel(true);
    let (tell, ended) = oneshot::channel();
    let work = |outlet: Outlet<u32>| async move {
        let still = || async { if *admitted.borrow() { Ok(()) } else { Err(Error::NotAMember) } };
        let failure = loop {
            if let Err(failure) = outlet.send(7, still).await {
                break failure;
            }
        };
        _ = tell.send(Instant::now());
        Err(failure)
    };
    let messages = streams().start(None, work).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let removed = Instant::now();
    admits.send(false).unwrap();
    assert!(ended.await.unwrap() - removed <= NOTED);
    let items = all(messages).await;
    assert!(matches!(items[..], [Ok(7), Ok(7), Err(Error::NotAMember)]), "{items:?}");
}

#[tokio::test]
async fn work_that_panics_is_no_complete_stream() {
    let streams = streams();
    let panics = |outlet: Outlet<u32>| async move {
        outlet.send(1, admitted).await?;
        panic!("oh")
    };
    let messages = streams.start(None, panics).await.unwrap();
    let items = all(messages).await;
    assert!(matches!(items[..], [Ok(1), Err(Error::Internal(_))]), "{items:?}");
    let at_once = |_: Outlet<u32>| async { panic!("oh") };
    assert!(matches!(streams.start(None, at_once).await.err(), Some(Error::Internal(_))));
}

#[tokio::test]
async fn work_that_fails_before_its_first_message_is_a_failed_call() {
    let streams = streams();
    let away = |outlet: Outlet<u32>| async move { outlet.lease().await.map(drop) };
    let failed = timeout(Duration::from_secs(60), streams.start(None, away)).await.unwrap();
    assert!(matches!(failed.err(), Some(Error::Unavailable { .. })));
    let nothing = |_: Outlet<u32>| async { Ok(()) };
    assert!(all(streams.start(None, nothing).await.unwrap()).await.is_empty());
}
