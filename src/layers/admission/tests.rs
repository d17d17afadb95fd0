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
    token::Verified,
};
use crate::service::bytes::ByteBudget;

const SEARCH: &str = SEARCHES[0];

/// Permits for this many calls, and for four searches.
fn admission(in_flight: usize, queue_timeout: Duration) -> (Admission, ActiveRequests) {
    let active = ActiveRequests::default();
    let mut config = config("/".as_ref());
    config.database.search_pool_size = 1;
    (config.load.max_in_flight, config.load.queue_timeout) = (in_flight, queue_timeout);
    (Admission::new(&config, &active), active)
}

type Call = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A request of this subject.
fn request_of(subject: &str, path: &str) -> Request<Body> {
    let mut request = request(path);
    request.extensions_mut().insert(Verified::sample(subject));
    request
}

/// Starts a call of a principal that makes no other; it is answered when `go` is notified.
async fn started(admission: &Admission, path: &str, go: &Arc<Notify>) -> Call {
    static SUBJECTS: AtomicUsize = AtomicUsize::new(0);
    started_by(&SUBJECTS.fetch_add(1, Ordering::Relaxed).to_string(), admission, path, go).await
}

async fn started_by(subject: &str, admission: &Admission, path: &str, go: &Arc<Notify>) -> Call {
    let go = Arc::clone(go);
    let mut call: Call = Box::pin(run(admission.clone(), request_of(subject, path), move |_| {
        let go = Arc::clone(&go);
        async move {
            go.notified().await;
            Response::new(Body::empty())
        }
    }));
    must_wait(&mut call).await;
    call
}

/// Polls a call, which must not end yet.
async fn must_wait(call: &mut Call) {
    let pending = poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending()));
    assert!(pending.await, "the call has ended");
}

async fn rejected(admission: &Admission, path: &str) -> Response<Body> {
    let answer = run(admission.clone(), request(path), |_| async { Response::new(Body::empty()) }).await;
    assert_eq!((code(&answer), reason(&answer).as_str()), (Code::ResourceExhausted, "OVERLOADED"), "{path}");
    answer
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_the_queue_full_is_rejected_at_once_and_the_first_in_the_queue_gets_the_next_permit() {
    let permits = 2 * PERMITS_PER_QUEUED;
    let (admission, _) = admission(permits, Duration::from_secs(1));
    let (first, others) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let first_running = started(&admission, READ, &first).await;
    let mut running = Vec::new();
    for _ in 1..permits {
        running.push(started(&admission, MUTATION, &others).await);
    }
    let waiting = [started(&admission, READ, &others).await, started(&admission, READ, &others).await];

    let called = Instant::now();
    rejected(&admission, READ).await;
    rejected(&admission, MUTATION).await;
    assert_eq!(called.elapsed(), Duration::ZERO);

    first.notify_one();
    assert_eq!(code(&first_running.await), Code::Ok);
    let [mut next, last] = waiting;
    must_wait(&mut next).await;
    others.notify_waiters();
    assert_eq!(code(&next.await), Code::Ok);
    drop((running, last));
    assert_eq!(admission.calls.permits.held(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_call_waits_in_the_queue_longer_than_the_timeout() {
    let (admission, _) = admission(1, Duration::from_millis(100));
    let _running = started(&admission, READ, &Arc::new(Notify::new())).await;
    let called = Instant::now();
    rejected(&admission, READ).await;
    assert!((100..110).contains(&called.elapsed().as_millis()), "{:?}", called.elapsed());
}

#[tokio::test]
async fn searches_and_other_calls_have_separate_permits_and_health_needs_none() {
    let (admission, _) = admission(1, Duration::ZERO);
    let go = Arc::new(Notify::new());
    let mut searches = Vec::new();
    for _ in 0..SEARCHES_PER_CONNECTION {
        searches.push(started(&admission, SEARCH, &go).await);
    }
    rejected(&admission, SEARCH).await;
    let _get = started(&admission, READ, &go).await;
    rejected(&admission, READ).await;
    for path in ["/grpc.health.v1.Health/Check", "/clientele.v1.Nothing/Nothing"] {
        let answer = run(admission.clone(), request(path), |_| async { Response::new(Body::empty()) }).await;
        assert_eq!(code(&answer), Code::Ok, "{path}");
    }
}

#[tokio::test]
async fn one_principal_leaves_a_quarter_of_the_permits_to_others() {
    let (admission, _) = admission(8, Duration::ZERO);
    let go = Arc::new(Notify::new());
    for (path, most) in [(READ, 6), (SEARCH, 3)] {
        let mut flood = Vec::new();
        for _ in 0..most {
            flood.push(started_by("flood", &admission, path, &go).await);
        }
        let more = run(admission.clone(), request_of("flood", path), |_| async { panic!("admitted") }).await;
        assert_eq!(reason(&more), "OVERLOADED", "{path}");
        let newcomer = run(admission.clone(), request_of("ada", path), |_| async { Response::new(Body::empty()) });
        assert_eq!(code(&newcomer.await), Code::Ok, "{path}");
    }
}

#[tokio::test]
async fn a_mutation_whose_caller_hung_up_keeps_its_permit_until_it_has_ended() {
    let (admission, active) = admission(1, Duration::ZERO);
    let tasks = TaskTracker::new();
    let (go, ran) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let mutation = |admission: Admission| {
        let (go, ran, detach) =
            (Arc::clone(&go), Arc::clone(&ran), Detach::new(Some(tasks.clone()), ByteBudget::new(0)));
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
    rejected(&admission, READ).await;
    assert_eq!(active.count(), 1, "it is in flight");

    go.notify_one();
    tasks.close();
    tasks.wait().await;
    active.wait_until_idle(Duration::ZERO).await;
    assert_eq!(ran.load(Ordering::Relaxed), 1);
    assert_eq!(admission.calls.permits.held(), 0);
}

#[tokio::test]
async fn a_read_whose_caller_hung_up_returns_its_permit() {
    let (admission, active) = admission(1, Duration::ZERO);
    let mut call: Call = Box::pin(run(admission.clone(), request(READ), |_| pending()));
    must_wait(&mut call).await;
    rejected(&admission, READ).await;
    drop(call);
    assert_eq!(active.count(), 0);
    assert_eq!(admission.calls.permits.held(), 0);
}

#[test]
fn the_searches_are_reads_of_the_contract() {
    for path in SEARCHES {
        assert!(contract::rpc(path).is_some_and(|rpc| !rpc.mutates), "{path}");
    }
}
