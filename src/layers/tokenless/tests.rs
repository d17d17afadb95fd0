use std::future::{pending, poll_fn};

use tonic::Code;

use super::*;
use crate::layers::samples::{code, reason, request, run};

const CHECK: &str = "/grpc.health.v1.Health/Check";

/// Frames that arrive one after the other, and then nothing.
struct Arriving(Vec<&'static [u8]>);

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.0.remove(0))))))
    }
}

/// Reads a body that consists of these frames; returns what the budget held after each, and the code of the end.
async fn read(limit: usize, frames: Vec<&'static [u8]>) -> (Vec<usize>, Code) {
    let budget = ByteBudget::new(4 * limit);
    let mut messages = Messages::new(Body::new(Arriving(frames)), budget.holder(None));
    let mut held = Vec::new();
    loop {
        match poll_fn(|context| Pin::new(&mut messages).poll_frame(context)).await {
            Some(Ok(_)) => held.push(budget.held()),
            end => {
                drop(messages);
                assert_eq!(budget.held(), 0);
                return (held, end.map_or(Code::Ok, |end| end.unwrap_err().code()));
            }
        }
    }
}

#[test]
fn messages_are_found_wherever_frames_cut_them() {
    // Two messages of three bytes and one that is empty.
    let stream = [0, 0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 4, 5, 6];
    for frame in 1..=stream.len() {
        let mut message = Message::default();
        let complete: usize = stream.chunks(frame).map(|data| message.read(data)).sum();
        assert_eq!((complete, message.arrived), (3, 0), "frames of {frame}");
        assert_eq!(message.read(&[0, 0xff, 0xff, 0xff, 0xff, 9]), 0);
        assert_eq!(message.arrived, 6);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_has_begun_must_be_complete_in_time_and_between_messages_there_is_no_limit() {
    for (frames, first) in [(vec![], true), (vec![&[0, 0, 0][..]], true), (vec![&[0, 0, 0, 0, 1][..], &[7, 0]], false)]
    {
        let began = Instant::now();
        assert_eq!(read(MAX_MESSAGE, frames).await.1, Code::DeadlineExceeded, "{first}");
        assert_eq!(began.elapsed(), MESSAGE_TIMEOUT);
    }
    let idle = read(MAX_MESSAGE, vec![&[0, 0, 0, 0, 0]]);
    assert!(tokio::time::timeout(Duration::from_secs(3600), idle).await.is_err(), "it still waits");
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_a_large_message_are_counted_until_it_is_complete() {
    static MESSAGE: [u8; 5 + 4096] = {
        let mut message = [0; 5 + 4096];
        message[3] = 16;
        message
    };
    let (half, rest) = MESSAGE.split_at(2048);
    let (held, end) = read(MAX_MESSAGE, vec![half, rest, half]).await;
    assert_eq!((held, end), (vec![1024, 0, 1024], Code::DeadlineExceeded));
    assert_eq!(read(1000, vec![half]).await, (vec![], Code::ResourceExhausted));
    assert_eq!(read(0, vec![&[0, 0, 0, 0, 9], &[1]]).await.1, Code::DeadlineExceeded, "a small one is not counted");
}

#[tokio::test]
async fn open_calls_have_a_limit_for_a_connection_and_one_for_a_peer() {
    let peers = PeerLimit::new(MAX_OPEN + 1, Vec::new());
    let address = IpAddr::from([10, 0, 0, 7]);
    let [first, second] = [(); 2].map(|()| TokenlessPlaces::new(&peers, address));
    let call = |places: &TokenlessPlaces| {
        let mut request = request(CHECK);
        places.insert_into(&mut request);
        run(Tokenless::new(ByteBudget::new(0)), request, |_| async { Response::new(Body::new(Arriving(vec![]))) })
    };
    let mut open = Vec::new();
    for _ in 0..MAX_OPEN {
        open.push(call(&first).await);
    }
    let refused = call(&first).await;
    assert_eq!((code(&refused), reason(&refused).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    open.push(call(&second).await);
    assert_eq!(code(&call(&second).await), Code::ResourceExhausted, "all places of the peer are taken");
    open.pop();
    assert_eq!(code(&call(&second).await), Code::Ok);
    open.clear();
    assert_eq!(code(&call(&first).await), Code::Ok);
    // A call that is dropped gives its place back, too.
    for _ in 0..=MAX_OPEN {
        let mut request = request(CHECK);
        first.insert_into(&mut request);
        let mut call = Box::pin(run(Tokenless::new(ByteBudget::new(0)), request, |_| pending()));
        assert!(poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending())).await);
    }
}

#[test]
fn calls_of_the_contract_take_no_place() {
    let mut request = request(crate::layers::samples::READ);
    TokenlessPlaces::new(&PeerLimit::new(1, Vec::new()), [10, 0, 0, 7].into()).insert_into(&mut request);
    assert!(request.extensions().get::<TokenlessPlaces>().is_none());
}
