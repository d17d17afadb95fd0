//! Answers that are a stream of messages. The next is made when the peer has taken the last.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use tokio::time::{Sleep, sleep};
use tonic::{Status, body::Body};

use super::frames::Frames;
use crate::{
    error::Error,
    grpc::status::{self, Repeat},
    service::bytes::HeldBytes,
};

/// How long a call of reflection may last: a client asks all it wants to know within seconds. The contract's streams end by
/// themselves.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A body whose messages are counted one by one.
pub(super) struct Streamed {
    /// None when it has ended.
    body: Option<Body>,
    message: Option<Frames>,
    /// Counts the buffer of the last message: tonic keeps it for the next.
    held: HeldBytes,
    time_limit: Option<Pin<Box<Sleep>>>,
}

impl Streamed {
    pub(super) fn body(body: Body, held: HeldBytes) -> Body {
        Self::limited(body, held, None)
    }

    pub(super) fn of_reflection(body: Body, held: HeldBytes) -> Body {
        Self::limited(body, held, Some(TIME_LIMIT))
    }

    fn limited(body: Body, held: HeldBytes, limit: Option<Duration>) -> Body {
        if body.is_end_stream() {
            return body;
        }
        let time_limit = limit.map(|limit| Box::pin(sleep(limit)));
        Body::new(Self { body: Some(body), message: None, held, time_limit })
    }

    /// Ends it with an error.
    fn fail(&mut self, error: Error) -> Option<Result<Frame<Bytes>, Status>> {
        self.body = None;
        let status = status::from_error(error, Repeat::Safe);
        let mut trailers = HeaderMap::new();
        Some(status.add_header(&mut trailers).map(|()| Frame::trailers(trailers)))
    }
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        loop {
            if let Some(message) = &mut this.message {
                if let Some(frame) = message.next() {
                    return Poll::Ready(Some(Ok(frame)));
                }
                ready!(message.poll_taken(context));
                this.message = None;
            }
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            let Poll::Ready(frame) = Pin::new(body).poll_frame(context) else {
                let Some(time_limit) = &mut this.time_limit else { return Poll::Pending };
                ready!(time_limit.as_mut().poll(context));
                return Poll::Ready(this.fail(Error::Deadline));
            };
            let data = match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(failed)) => return Poll::Ready(Some(Err(failed))),
                None => return Poll::Ready(None),
            };
            this.held.shrink(0);
            if let Err(full) = this.held.grow(data.len() * 2) {
                return Poll::Ready(this.fail(full));
            }
            this.message = Some(Frames::new(&data, this.held.split(data.len())));
        }
    }

    fn is_end_stream(&self) -> bool {
        false
    }
}
