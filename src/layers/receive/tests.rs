use std::sync::atomic::{AtomicBool, Ordering};

use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message as _;
use tokio::time::Instant;
use tokio_stream::{StreamExt as _, iter, pending};
use tonic::Code;

use super::*;
use crate::{
    grpc::pb,
    layers::samples::{MUTATION, READ, code, reason, request, run},
};

const LIMIT: Duration = Duration::from_secs(5);
const LARGE: usize = 64 * 1024 * 1024;

fn layer(budget: &ByteBudget) -> Receive {
    Receive::new(budget.clone(), LIMIT, &ActiveRequests::default())
}

fn frames(frames: Vec<Frame<Bytes>>) -> impl tokio_stream::Stream<Item = Result<Frame<Bytes>, Status>> + Send {
    iter(frames.into_iter().map(Ok))
}

fn data(bytes: &[u8]) -> Frame<Bytes> {
    Frame::data(Bytes::copy_from_slice(bytes))
}

/// A body that ends after these frames.
fn whole(path: &str, sent: Vec<Frame<Bytes>>) -> Request<Body> {
    request(path).map(|_| Body::new(StreamBody::new(frames(sent))))
}

/// A body that never ends.
fn half(path: &str, sent: Vec<Frame<Bytes>>) -> Request<Body> {
    request(path).map(|_| Body::new(StreamBody::new(Box::pin(frames(sent).chain(pending())))))
}

/// A message with its prefix.
fn message(bytes: &[u8]) -> Vec<u8> {
    let mut whole = vec![0];
    whole.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    whole.extend(bytes);
    whole
}

/// The body that the handler gets.
async fn received(layer: Receive, request: Request<Body>) -> Result<Bytes, Response<Body>> {
    let (sender, mut bodies) = tokio::sync::mpsc::channel(1);
    let answer = run(layer, request, move |request| {
        let sender = sender.clone();
        async move {
            assert!(request.extensions().get::<MessageCost>().is_some(), "its cost is held");
            let body = request.into_body().collect().await.unwrap();
            assert!(body.trailers().is_none());
            sender.send(body.to_bytes()).await.unwrap();
            Response::new(Body::empty())
        }
    });
    let answer = answer.await;
    bodies.try_recv().map_err(|_| answer)
}

#[tokio::test]
async fn a_handler_gets_the_complete_message_without_trailers() {
    let budget = ByteBudget::new(LARGE);
    let sent = message(b"0123456789");
    let mut pieces: Vec<_> = sent.chunks(3).map(data).collect();
    pieces.push(Frame::trailers(HeaderMap::new()));
    assert_eq!(received(layer(&budget), whole(MUTATION, pieces)).await.unwrap(), sent);
    assert_eq!(received(layer(&budget), request(READ)).await.unwrap(), Bytes::new());
    assert_eq!(budget.held(), 0, "given back");
}

#[tokio::test]
async fn a_message_that_is_too_large_is_not_received() {
    let budget = ByteBudget::new(LARGE);
    let announced = u32::try_from(grpc::MAX_REQUEST + 1).unwrap().to_be_bytes();
    let announced = data(&[&[0], &announced[..]].concat());
    assert_eq!(received(layer(&budget), half(READ, vec![announced])).await.unwrap(), TOO_LARGE);
    // One that is announced as small, and another after it.
    let second = vec![data(&message(b"1")), data(&vec![0; grpc::MAX_REQUEST])];
    assert_eq!(received(layer(&budget), half(READ, second)).await.unwrap(), TOO_LARGE);
    let largest = message(&vec![0; grpc::MAX_REQUEST]);
    assert_eq!(received(layer(&budget), whole(READ, vec![data(&largest)])).await.unwrap(), largest);
}

#[tokio::test]
async fn a_message_whose_fields_would_fill_the_memory_is_too_large() {
    let budget = ByteBudget::new(LARGE);
    let customer = |contacts| pb::Customer { contacts: vec![pb::Contact::default(); contacts], ..Default::default() };
    let create = |contacts| {
        let request = pb::CreateCustomerRequest { customer: Some(customer(contacts)), ..Default::default() };
        message(&request.encode_to_vec())
    };
    let many = create(50_000);
    assert!(many.len() < grpc::MAX_REQUEST);
    assert_eq!(received(layer(&budget), whole(MUTATION, vec![data(&many)])).await.unwrap(), TOO_LARGE);
    let few = create(50);
    assert_eq!(received(layer(&budget), whole(MUTATION, vec![data(&few)])).await.unwrap(), few);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_complete_in_time_ends_its_call_and_gives_its_bytes_back() {
    let budget = ByteBudget::new(LARGE);
    let began = Instant::now();
    let refused = received(layer(&budget), half(MUTATION, vec![data(&[0, 0, 0])])).await.unwrap_err();
    assert_eq!((code(&refused), reason(&refused).as_str()), (Code::DeadlineExceeded, "MESSAGE_INCOMPLETE"));
    assert!((LIMIT..LIMIT + Duration::from_millis(10)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn a_message_beyond_the_bytes_of_one_caller_is_overloaded_at_once() {
    let budget = ByteBudget::new(4 * (CALL + COPIES * 1_000));
    let refused = received(layer(&budget), half(READ, vec![data(&[0; 900]), data(&[0; 101])])).await.unwrap_err();
    assert_eq!((code(&refused), reason(&refused).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn the_number_of_messages_that_one_caller_has_half_sent_is_limited() {
    let budget = ByteBudget::new(4 * 10 * CALL);
    let mut halves = Vec::new();
    for _ in 0..10 {
        let mut call = Box::pin(received(layer(&budget), half(READ, Vec::new())));
        assert!(std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context).is_pending())).await);
        halves.push(call);
    }
    let refused = received(layer(&budget), half(READ, Vec::new())).await.unwrap_err();
    assert_eq!(reason(&refused), "OVERLOADED");
    drop(halves);
    assert_eq!(budget.held(), 0, "callers that hang up give them back");
}

#[tokio::test]
async fn the_bytes_of_a_message_are_held_as_long_as_its_call() {
    let budget = ByteBudget::new(LARGE);
    let call = whole(READ, vec![data(&message(b"0123456789"))]);
    let held = budget.clone();
    run(layer(&budget), call, move |request| {
        let held = held.clone();
        async move {
            let cost = request.extensions().get::<MessageCost>().cloned();
            drop(request);
            assert!(held.held() >= CALL + COPIES * 15);
            drop(cost);
            assert_eq!(held.held(), 0);
            Response::new(Body::empty())
        }
    })
    .await;
}

#[tokio::test]
async fn health_is_not_received_here() {
    let served = Arc::new(AtomicBool::new(false));
    let watch = half("/grpc.health.v1.Health/Watch", vec![data(&[0])]);
    let seen = Arc::clone(&served);
    run(layer(&ByteBudget::new(0)), watch, move |_| {
        seen.store(true, Ordering::Relaxed);
        async { Response::new(Body::empty()) }
    })
    .await;
    assert!(served.load(Ordering::Relaxed));
}
