//! The body of a stream, which ends its access line: with the status of its trailers, or as CANCELLED where it is dropped before.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Code, Status, body::Body};

use super::AccessLine;

/// A body with the line of its call.
pub(super) struct Streamed {
    body: Body,
    line: AccessLine,
}

impl Streamed {
    pub(super) fn new(body: Body, line: AccessLine) -> Self {
        Self { body, line }
    }
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let trailers = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::trailers_ref);
        if let Some(status) = trailers.and_then(Status::from_header_map) {
            self.line.write(status.code(), (status.code() != Code::Ok).then_some(&status));
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
