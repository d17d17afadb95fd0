//! The body of a stream, which tells its access line how the stream ended. The line ends by itself, as CANCELLED, where the body is
//! dropped before.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Code, Status, body::Body};

/// A body, and what is told its code and, unless that is OK, its status.
pub(super) struct Streamed<E> {
    body: Body,
    ended: E,
}

impl<E> Streamed<E> {
    pub(super) fn new(body: Body, ended: E) -> Self {
        Self { body, ended }
    }
}

impl<E: FnMut(Code, Option<&Status>) + Unpin> HttpBody for Streamed<E> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let trailers = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::trailers_ref);
        if let Some(status) = trailers.and_then(Status::from_header_map) {
            (self.ended)(status.code(), (status.code() != Code::Ok).then_some(&status));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
