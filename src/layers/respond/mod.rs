//! Answers on their way to the peer: encoded at once, counted in bytes until the peer has taken them, and sent in frames of at
//! most 16 KiB (`frames`). Those of reflection and of the contract's streams are streams (`stream`).
//!
//! tonic encodes an answer when its body is polled. Here that is inside the call's task, so that what the call has read is freed
//! when the answer is made, not when the peer takes it.
//!
//! - A read whose answer exceeds the limit is refused: nothing has been changed.
//! - A mutation begins only while its principal has bytes left. When it has been made, its answer is always sent, and counted
//!   beyond the limits if it must be: no caller gets an error for what has been done. Such answers are at most one customer, or
//!   a line for each customer of a batch, so the calls in flight limit what comes together beyond the limits.
//!
//! The bytes of a frame are given back when the connection drops them: they were sent, or the stream has ended. The trailers of
//! an answer that is not small follow when the peer has taken all of it: until then the stream can be reset, see `untaken`.

mod frames;
mod stream;

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt as _;
use tonic::{Status, body::Body};

use self::{frames::Frames, stream::Streamed};
use super::call_layer::{CallLayer, Inner};
use crate::{
    domain::requests::contract,
    error::Result,
    grpc::status::{self, Repeat},
    service::{
        bytes::{ByteBudget, HeldBytes},
        call,
    },
};

/// What an answer costs beside its message: its stream, its frames, its trailers.
const OVERHEAD: usize = 1024;
/// The trailers of an answer up to this size follow at once, which saves the connection a wake-up and a write.
const SMALL: usize = 4 * 1024;

/// The prefix of reflection's paths. Its answers are the only large ones outside the contract.
const REFLECTION_PREFIX: &str = "/grpc.reflection.";

/// Counts answers until the peer has taken them.
#[derive(Clone, Debug)]
pub struct Respond {
    budget: ByteBudget,
}

impl Respond {
    /// Answers are counted in `budget`, each for the principal of its call.
    #[must_use]
    pub fn new(budget: ByteBudget) -> Self {
        Self { budget }
    }
}

impl CallLayer for Respond {
    async fn handle<S: Inner>(self, inner: S, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        let Some(rpc) = contract::rpc(path) else {
            let is_reflection = path.starts_with(REFLECTION_PREFIX);
            let response = inner.run(request).await;
            let held = self.budget.holder(None);
            return if is_reflection { response.map(|body| Streamed::of_reflection(body, held)) } else { response };
        };
        if rpc.streams {
            let held = self.budget.holder(call::share());
            return inner.run(request).await.map(|body| Streamed::body(body, held));
        }
        let mut held = self.budget.holder(call::share());
        if rpc.mutates
            && let Err(full) = held.grow(OVERHEAD)
        {
            return status::from_error(full, Repeat::Safe).into_http();
        }
        let (head, body) = inner.run(request).await.into_parts();
        if body.is_end_stream() {
            // An error: the head has it all.
            return Response::from_parts(head, body);
        }
        let (message, trailers) = match encode(body).await {
            Ok(encoded) => encoded,
            Err(status) => return status.into_http(),
        };
        call::release();
        match hold(&mut held, message.len(), rpc.mutates) {
            Ok(()) => Response::from_parts(head, Body::new(Answer::new(&message, trailers, held))),
            Err(full) => status::from_error(full, Repeat::for_rpc(rpc, false)).into_http(),
        }
    }
}

/// Encodes the answer of a unary call. What it was made of is dropped.
async fn encode(mut body: Body) -> Result<(Bytes, Option<HeaderMap>), Status> {
    let (mut message, mut trailers) = (Bytes::new(), None);
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) if message.is_empty() => message = data,
            Ok(data) => message = [message, data].concat().into(),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((message, trailers))
}

/// Holds an answer of so many bytes.
fn hold(held: &mut HeldBytes, message: usize, must_be_sent: bool) -> Result<()> {
    let more = (message + OVERHEAD).saturating_sub(held.bytes());
    if must_be_sent {
        held.grow_beyond(more);
        return Ok(());
    }
    held.grow(more)
}

/// The body of an answer.
struct Answer {
    frames: Frames,
    trailers: Option<HeaderMap>,
    /// Whether its trailers wait until the peer has taken all frames.
    large: bool,
}

impl Answer {
    fn new(message: &[u8], trailers: Option<HeaderMap>, held: HeldBytes) -> Self {
        Self { frames: Frames::new(message, held), trailers, large: message.len() > SMALL }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(frame) = self.frames.next() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if self.large {
            ready!(self.frames.poll_taken(context));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests;
