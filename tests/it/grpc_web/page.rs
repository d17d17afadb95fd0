//! A client over HTTP/1.1 that speaks gRPC-Web, as a page in a browser does.

use std::net::SocketAddr;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tonic::{Code, Status};

use crate::world::Client;

/// The origin that the tests' servers allow.
pub const PORTAL: &str = "https://portal.example";
/// The content types of gRPC-Web.
pub const BINARY: &str = "application/grpc-web+proto";
pub const TEXT: &str = "application/grpc-web-text";

/// A connection of a page.
pub struct Page(SendRequest<Full<Bytes>>);

/// An answer by gRPC-Web, in its parts.
#[derive(Debug)]
pub struct Answer {
    pub http_status: StatusCode,
    pub headers: HeaderMap,
    /// The messages, encoded.
    pub messages: Vec<Vec<u8>>,
    /// What the frame of trailers has; none if there is no such frame.
    pub trailers: Option<HeaderMap>,
}

impl Page {
    pub async fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap()).await
    }

    pub async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (page, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async {
            // It ends when the server closes it, or the test ends.
            let _ = connection.await;
        });
        Self(page)
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        self.0.ready().await.expect("the connection is open");
        let (head, body) = self.0.send_request(request).await.unwrap().into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    /// Whether the server has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Calls an RPC as this client, with these headers too.
    pub async fn call(
        &mut self,
        content_type: &'static str,
        client: &Client,
        path: &str,
        message: &impl Message,
        headers: &[(&str, &str)],
    ) -> Answer {
        let answer = self.send(request(content_type, client, path, message, headers)).await;
        Answer::read(answer, content_type == TEXT)
    }
}

/// A call as a request.
pub fn request(
    content_type: &'static str,
    client: &Client,
    path: &str,
    message: &impl Message,
    headers: &[(&str, &str)],
) -> Request<Full<Bytes>> {
    let mut body = frame(&message.encode_to_vec());
    if content_type == TEXT {
        body = BASE64_STANDARD.encode(body).into_bytes();
    }
    let mut request = Request::post(path).header("host", "server").header("content-type", content_type);
    let token = client.token.as_ref().map(|token| format!("Bearer {token}"));
    for (name, value) in [("authorization", token), ("clientele-account", client.account.clone())] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from(body)).unwrap()
}

/// A message with its prefix.
pub fn frame(message: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

impl Answer {
    /// Reads the frames of a body.
    pub fn read(answer: Response<Bytes>, is_text: bool) -> Self {
        let (head, body) = answer.into_parts();
        // Each frame is encoded by itself: padding may be inside.
        let decode = |group: &[u8]| BASE64_STANDARD.decode(group).unwrap();
        let body = if is_text { body.chunks(4).flat_map(decode).collect() } else { body.to_vec() };
        let (mut messages, mut trailers, mut rest) = (Vec::new(), None, body.as_slice());
        while let [flag, length @ ..] = rest {
            assert_eq!(trailers, None, "the trailers are the last frame");
            let (length, frames) = length.split_first_chunk::<4>().expect("a whole prefix");
            let (content, others) = frames.split_at(usize::try_from(u32::from_be_bytes(*length)).unwrap());
            match flag {
                0 => messages.push(content.to_vec()),
                0x80 => trailers = Some(fields(content)),
                _ => panic!("a frame with the flag {flag}"),
            }
            rest = others;
        }
        Self { http_status: head.status, headers: head.headers, messages, trailers }
    }

    /// The status: of the trailers, or of a head without a body.
    pub fn status(&self) -> Status {
        let status = Status::from_header_map(self.trailers.as_ref().unwrap_or(&self.headers));
        status.unwrap_or_else(|| Status::new(Code::Unknown, "no status"))
    }

    /// The only message of a call that succeeded.
    pub fn message<M: Message + Default>(&self) -> M {
        assert_eq!((self.status().code(), self.messages.len()), (Code::Ok, 1), "{self:?}");
        M::decode(self.messages[0].as_slice()).unwrap()
    }

    /// The error of a call that failed.
    pub fn result(&self) -> Result<(), Status> {
        let status = self.status();
        if status.code() == Code::Ok { Ok(()) } else { Err(status) }
    }
}

fn fields(block: &[u8]) -> HeaderMap {
    let lines = std::str::from_utf8(block).unwrap().split_terminator("\r\n");
    let field = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value.trim_start()).unwrap())
    };
    lines.map(field).collect()
}
