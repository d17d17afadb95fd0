//! The answer of a call with a deadline: it ends with the deadline, however slowly it comes.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Status, body::Body};

use super::attempt::out_of_time;

/// The body, until the deadline.
pub(super) fn until(deadline: Instant, body: Body) -> Body {
    Body::new(Until { body, deadline: Box::pin(sleep_until(deadline)) })
}

struct Until {
    body: Body,
    deadline: Pin<Box<Sleep>>,
}

impl HttpBody for Until {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => self.deadline.as_mut().poll(context).map(|()| Some(Err(out_of_time()))),
            frame @ Poll::Ready(_) => frame,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
