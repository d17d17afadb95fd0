//! Answers in base64, for browsers' older interface (XMLHttpRequest), which hands a page a stream only as text.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Response, header::CONTENT_TYPE};
use http_body::{Body as HttpBody, Frame};
use tonic::{Status, body::Body};

/// Encodes a binary answer. Each frame is encoded by itself, so that none waits for the next.
pub(super) fn as_text(response: Response<Body>) -> Response<Body> {
    let mut response = response.map(|body| Body::new(Text(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc-web-text+proto"));
    response
}

struct Text(Body);

impl HttpBody for Text {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.0).poll_frame(context);
        frame.map(|frame| Some(frame?.map(|frame| frame.map_data(encode))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}

fn encode(bytes: Bytes) -> Bytes {
    Bytes::from_owner(Encoded { text: BASE64_STANDARD.encode(&bytes), _counted: bytes })
}

/// A text, and the bytes that it is made of: those are counted until the peer has taken them (`respond`).
struct Encoded {
    text: String,
    _counted: Bytes,
}

impl AsRef<[u8]> for Encoded {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}
