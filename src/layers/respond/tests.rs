use std::{
    convert::Infallible,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use h2::{Reason, RecvStream, client::SendRequest};
use http_body_util::{Full, StreamBody};
use hyper::{body::Incoming, rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::duplex,
    time::{Instant, sleep, timeout},
};
use tokio_stream::StreamExt as _;
use tokio_util::task::TaskTracker;
use tonic::Code;
use tower::Layer as _;

use super::{frames::FRAME, *};
use crate::{
    domain::requests::principal::Principal,
    layers::{
        EndUntaken, IntoTower,
        samples::{MUTATION, READ, code, reason, request, run},
    },
    service::call::CallContext,
};

const TIMEOUT: Duration = Duration::from_secs(20);

/// An answer of so many bytes, as tonic gives it: a body that is encoded when it is polled.
fn answer(bytes: usize) -> Response<Body> {
    let trailers: HeaderMap = [(Status::GRPC_STATUS, "0".parse().unwrap())].into_iter().collect();
    let body = Full::new(Bytes::from(vec![7; bytes])).with_trailers(ready(Some(Ok::<_, Infallible>(trailers))));
    Response::new(Body::new(body))
}

/// Makes a call of a principal, whose handler answers so many bytes, after it held the others for rows.
async fn respond(budget: &ByteBudget, subject: &str, path: &str, rows: usize, bytes: usize) -> Response<Body> {
    let rpc = contract::rpc(path).unwrap();
    let respond = Respond::new(budget.clone());
    let share = Some(Arc::new(Principal::new("https://idp.example", subject)));
    call::scope(CallContext::new(share, rpc.mutates, budget.clone(), None), async {
        run(respond, request(path), move |_| async move {
            call::hold(rows).unwrap();
            answer(bytes)
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_read_beyond_its_principals_quarter_is_refused_and_others_are_answered() {
    let budget = ByteBudget::new(400_000);
    let held = respond(&budget, "ada", READ, 0, 90_000).await;
    assert_eq!((code(&held), budget.held()), (Code::Ok, 90_000 + OVERHEAD));
    let refused = respond(&budget, "ada", READ, 0, 10_000).await;
    assert_eq!((code(&refused), reason(&refused).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert_eq!(code(&respond(&budget, "bob", READ, 0, 90_000).await), Code::Ok);
    drop(held);
    assert_eq!(budget.held(), 0);
    assert_eq!(code(&respond(&budget, "ada", READ, 0, 10_000).await), Code::Ok);
}

#[tokio::test]
async fn what_was_read_for_an_answer_is_given_back_when_it_is_made() {
    let budget = ByteBudget::new(400_000);
    let held = respond(&budget, "ada", READ, 60_000, 60_000).await;
    assert_eq!((code(&held), budget.held()), (Code::Ok, 60_000 + OVERHEAD));
}

#[tokio::test]
async fn a_mutation_that_was_made_is_answered_and_none_begins_beyond_the_limit() {
    let budget = ByteBudget::new(400_000);
    let held = respond(&budget, "ada", MUTATION, 0, 500_000).await;
    assert_eq!((code(&held), budget.held()), (Code::Ok, 500_000 + OVERHEAD));
    let began = Arc::new(AtomicUsize::new(0));
    let handler = {
        let began = Arc::clone(&began);
        move |_| {
            began.fetch_add(1, Ordering::Relaxed);
            ready(answer(1))
        }
    };
    let refused = run(Respond::new(budget.clone()), request(MUTATION), handler.clone()).await;
    assert_eq!((code(&refused), reason(&refused).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert_eq!(began.load(Ordering::Relaxed), 0);
    drop(held);
    assert_eq!(code(&run(Respond::new(budget), request(MUTATION), handler).await), Code::Ok);
    assert_eq!(began.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_error_and_answers_of_other_services_stay_as_they_are() {
    let budget = ByteBudget::new(0);
    let error = run(Respond::new(budget.clone()), request(READ), |_| async { Status::not_found("no").into_http() });
    assert_eq!(code(&error.await), Code::NotFound);
    let health = run(Respond::new(budget), request("/grpc.health.v1.Health/Check"), |_| async { answer(100) }).await;
    assert_eq!(health.into_body().collect().await.unwrap().to_bytes().len(), 100);
}

/// A stream with these messages, which never ends.
fn stream(messages: &'static [usize]) -> Response<Body> {
    let messages = messages.iter().map(|bytes| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![7; *bytes]))));
    let messages = tokio_stream::iter(messages).chain(tokio_stream::pending());
    Response::new(Body::new(StreamBody::new(messages)))
}

#[tokio::test(start_paused = true)]
async fn reflection_makes_its_next_answer_when_the_last_is_taken_and_ends_after_a_minute() {
    let (budget, began) = (ByteBudget::new(4_000_000), Instant::now());
    let reflection = request("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    let answers = run(Respond::new(budget.clone()), reflection, |_| async { stream(&[FRAME + 1, 100]) }).await;
    let mut body = answers.into_body();
    let (first, second) = (body.frame().await.unwrap().unwrap(), body.frame().await.unwrap().unwrap());
    assert_eq!([&first, &second].map(|frame| frame.data_ref().unwrap().len()), [FRAME, 1]);
    assert_eq!(budget.held(), 2 * (FRAME + 1));
    drop(first);
    assert!(timeout(Duration::from_secs(30), body.frame()).await.is_err(), "one frame is not taken");
    assert_eq!(budget.held(), FRAME + 1 + 1);
    drop(second);
    assert_eq!(body.frame().await.unwrap().unwrap().data_ref().unwrap().len(), 100);
    let end = body.frame().await.unwrap().unwrap();
    assert_eq!(Status::from_header_map(end.trailers_ref().unwrap()).unwrap().code(), Code::DeadlineExceeded);
    assert_eq!((began.elapsed().as_secs(), body.frame().await.is_none()), (60, true));
}

#[tokio::test]
async fn an_answer_of_reflection_beyond_the_limit_is_refused() {
    let reflection = request("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    let answers = run(Respond::new(ByteBudget::new(4_000)), reflection, |_| async { stream(&[501]) }).await;
    let end = answers.into_body().frame().await.unwrap().unwrap();
    assert_eq!(Status::from_header_map(end.trailers_ref().unwrap()).unwrap().code(), Code::ResourceExhausted);
}

/// Runs streams as the server does.
#[derive(Clone, Default)]
struct Streams(TaskTracker);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.0.spawn(EndUntaken::new(stream, TIMEOUT));
    }
}

/// A connection to a server that answers as many bytes as the query of the path says.
struct Connection {
    requests: SendRequest<Bytes>,
    tasks: TaskTracker,
    budget: ByteBudget,
}

impl Connection {
    /// A peer that takes so many bytes of each stream before it has read any.
    async fn open(window: u32) -> Self {
        let (budget, tasks) = (ByteBudget::new(64 * 1024 * 1024), TaskTracker::new());
        let layered = IntoTower(Respond::new(budget.clone())).layer(tower::service_fn(|request: Request<Body>| {
            let bytes = request.uri().query().unwrap().parse().unwrap();
            ready(Ok::<_, Infallible>(answer(bytes)))
        }));
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = layered.clone().run(request.map(Body::new));
            async { Ok::<_, Infallible>(answer.await) }
        });
        let (peer, stream) = duplex(1 << 20);
        tasks.spawn(http2::Builder::new(Streams::default()).serve_connection(TokioIo::new(stream), service));
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window).initial_connection_window_size(1 << 30).max_frame_size(1 << 20);
        let (requests, connection) = builder.handshake(peer).await.unwrap();
        tasks.spawn(connection);
        Self { requests, tasks, budget }
    }

    /// Makes a read with an answer of so many bytes; returns the answer's body.
    async fn call(&mut self, bytes: usize) -> RecvStream {
        let request = Request::post(format!("http://server{READ}?{bytes}")).body(()).unwrap();
        let (response, _) = self.requests.send_request(request, true).unwrap();
        response.await.unwrap().into_body()
    }
}

/// Reads an answer, with a pause before it takes each frame; returns the frames' lengths.
async fn take(answer: &mut RecvStream, pause: Duration) -> Vec<usize> {
    let mut frames = Vec::new();
    while let Some(frame) = answer.data().await {
        let length = frame.unwrap().len();
        frames.push(length);
        sleep(pause).await;
        answer.flow_control().release_capacity(length).unwrap();
    }
    assert_eq!(answer.trailers().await.unwrap().unwrap()[Status::GRPC_STATUS], "0");
    frames
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_in_frames_of_at_most_16_kib() {
    let mut connection = Connection::open(1 << 30).await;
    for bytes in [1, SMALL, SMALL + 1, FRAME, FRAME + 1, 10 * FRAME, 3_000_000] {
        let frames = take(&mut connection.call(bytes).await, Duration::ZERO).await;
        assert_eq!((frames.iter().sum(), frames.len()), (bytes, bytes.div_ceil(FRAME)));
        assert!(frames.iter().all(|frame| *frame <= FRAME));
        assert_eq!(connection.budget.held(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_has_not_taken_after_20_s_is_freed_and_its_stream_reset() {
    // Nothing of it taken; a part of a single frame; the answer's beginning; all but a part of the last frame.
    for (window, bytes) in [(0, 100), (0, 3_000_000), (1, 10_000), (65_535, 3_000_000), (20_000, 24_000)] {
        let mut connection = Connection::open(window).await;
        let mut answer = connection.call(bytes).await;
        let (began, mut taken) = (Instant::now(), 0);
        let end = loop {
            match answer.data().await.unwrap() {
                Ok(frame) => taken += frame.len(),
                Err(end) => break end,
            }
            // What waits is counted: all beyond the window.
            assert!(connection.budget.held() >= bytes - window as usize, "{window} {bytes}");
        };
        assert_eq!((end.reason(), began.elapsed()), (Some(Reason::CANCEL), TIMEOUT), "{window} {bytes}");
        assert_eq!((taken, connection.budget.held()), (window as usize, 0), "{bytes}");
        if window > 0 {
            let frames = take(&mut connection.call(10).await, Duration::ZERO).await;
            assert_eq!(frames.iter().sum::<usize>(), 10, "the connection goes on");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_gets_its_whole_answer() {
    let mut connection = Connection::open(u32::try_from(FRAME).unwrap()).await;
    let began = Instant::now();
    let frames = take(&mut connection.call(10 * FRAME).await, Duration::from_secs(15)).await;
    assert_eq!(frames, [FRAME; 10]);
    assert_eq!(began.elapsed().as_secs(), 150);
}

#[tokio::test(start_paused = true)]
async fn a_small_answer_that_http_2_has_is_counted_until_the_connection_ends() {
    let mut connection = Connection::open(1).await;
    let answer = connection.call(SMALL).await;
    sleep(TIMEOUT * 10).await;
    assert_eq!(connection.budget.held(), SMALL + OVERHEAD);
    let Connection { requests, tasks, budget } = connection;
    drop((answer, requests));
    tasks.close();
    tasks.wait().await;
    assert_eq!(budget.held(), 0);
}
