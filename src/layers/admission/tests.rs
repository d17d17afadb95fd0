use std::{
    future::{pending, poll_fn},
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
};

use tokio::{sync::Notify, time::Instant};
use tokio_util::task::TaskTracker;
use tonic::Code;

use super::*;
use crate::layers::{
    Detach,
    samples::{MUTATION, READ, code, config, reason, request, run},
};

const SEARCH: &str = SEARCHES[0];

/// So many places for calls, and four for searches.
fn admission(in_flight: usize, queue_wait: Duration) -> (Admission, ActiveRequests) {
    let begun = ActiveRequests::default();
    let mut config = config("/".as_ref());
    (config.load.in_flight, config.load.queue_wait, config.database.search_connections) = (in_flight, queue_wait, 1);
    (Admission::new(&config, &begun), begun)
}

type Call = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A call that has come as far as it can by itself, and is answered when it is told.
async fn begun(admission: &Admission, path: &str, go: &Arc<Notify>) -> Call {
    let go = Arc::clone(go);
    let mut call: Call = Box::pin(run(admission.clone(), request(path), move |_| {
        let go = Arc::clone(&go);
        async move {
            go.notified().await;
            Response::new(Body::empty())
        }
    }));
    must_wait(&mut call).await;
    call
}

/// Lets a call go on as far as it can by itself, which is not to its end.
async fn must_wait(call: &mut Call) {
    let pending = poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending()));
    assert!(pending.await, "it neither runs nor waits");
}

async fn refused(admission: &Admission, path: &str) -> Response<Body> {
    let answer = run(admission.clone(), request(path), |_| async { Response::new(Body::empty()) }).await;
    assert_eq!((code(&answer), reason(&answer).as_str()), (Code::ResourceExhausted, "OVERLOADED"), "{path}");
    answer
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_the_line_full_is_refused_at_once_and_the_next_in_line_gets_the_place_that_comes_free() {
    let places = 2 * PLACES_PER_IN_LINE;
    let (admission, _) = admission(places, Duration::from_secs(1));
    let (first, others) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let first_running = begun(&admission, READ, &first).await;
    let mut running = Vec::new();
    for _ in 1..places {
        running.push(begun(&admission, MUTATION, &others).await);
    }
    let waiting = [begun(&admission, READ, &others).await, begun(&admission, READ, &others).await];

    let asked = Instant::now();
    refused(&admission, READ).await;
    refused(&admission, MUTATION).await;
    assert_eq!(asked.elapsed(), Duration::ZERO);

    first.notify_one();
    assert_eq!(code(&first_running.await), Code::Ok);
    let [mut next, last] = waiting;
    must_wait(&mut next).await;
    others.notify_waiters();
    assert_eq!(code(&next.await), Code::Ok);
    drop((running, last));
    assert_eq!(admission.calls.places.available_permits(), places);
}

#[tokio::test(start_paused = true)]
async fn nobody_stands_in_line_longer_than_the_bound() {
    let (admission, _) = admission(1, Duration::from_millis(100));
    let _running = begun(&admission, READ, &Arc::new(Notify::new())).await;
    let came = Instant::now();
    refused(&admission, READ).await;
    assert!((100..110).contains(&came.elapsed().as_millis()), "{:?}", came.elapsed());
}

#[tokio::test]
async fn searches_and_other_calls_take_no_place_of_each_other_and_health_takes_none() {
    let (admission, _) = admission(1, Duration::ZERO);
    let go = Arc::new(Notify::new());
    let mut searches = Vec::new();
    for _ in 0..SEARCHES_PER_CONNECTION {
        searches.push(begun(&admission, SEARCH, &go).await);
    }
    refused(&admission, SEARCH).await;
    let _get = begun(&admission, READ, &go).await;
    refused(&admission, READ).await;
    for path in ["/grpc.health.v1.Health/Check", "/clientele.v1.Nothing/Nothing"] {
        let answer = run(admission.clone(), request(path), |_| async { Response::new(Body::empty()) }).await;
        assert_eq!(code(&answer), Code::Ok, "{path}");
    }
}

#[tokio::test]
async fn a_mutation_whose_caller_hung_up_keeps_its_place_until_it_has_ended() {
    let (admission, begun) = admission(1, Duration::ZERO);
    let tasks = TaskTracker::new();
    let (go, ran) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let mutation = |admission: Admission| {
        let (go, ran, detach) = (Arc::clone(&go), Arc::clone(&ran), Detach::new(Some(tasks.clone())));
        run(admission, request(MUTATION), move |inner| {
            let (go, ran) = (Arc::clone(&go), Arc::clone(&ran));
            run(detach.clone(), inner.map(|_| Body::empty()), move |_| {
                let (go, ran) = (Arc::clone(&go), Arc::clone(&ran));
                async move {
                    go.notified().await;
                    ran.fetch_add(1, Ordering::Relaxed);
                    Response::new(Body::empty())
                }
            })
        })
    };
    let mut call: Call = Box::pin(mutation(admission.clone()));
    must_wait(&mut call).await;
    drop(call);
    refused(&admission, READ).await;
    assert_eq!(begun.now(), 1, "it is in flight");

    go.notify_one();
    tasks.close();
    tasks.wait().await;
    begun.quiet(Duration::ZERO).await;
    assert_eq!(ran.load(Ordering::Relaxed), 1);
    assert_eq!(admission.calls.places.available_permits(), 1);
}

#[tokio::test]
async fn a_read_whose_caller_hung_up_gives_its_place_back() {
    let (admission, begun) = admission(1, Duration::ZERO);
    let mut call: Call = Box::pin(run(admission.clone(), request(READ), |_| pending()));
    must_wait(&mut call).await;
    refused(&admission, READ).await;
    drop(call);
    assert_eq!(begun.now(), 0);
    assert_eq!(admission.calls.places.available_permits(), 1);
}

#[test]
fn what_searches_is_of_the_contract() {
    for path in SEARCHES {
        assert!(contract::rpc(path).is_some_and(|rpc| !rpc.mutates), "{path}");
    }
}
