//! A raw HTTP/2 client, for what no gRPC client does: messages that are never complete, calls that are reset.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::{
    Reason, SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::Request;
use tokio::net::TcpStream;
use tonic::{Code, Status};

/// A connection of a raw client.
pub struct RawConnection(SendRequest<Bytes>);

/// A call of a raw client, whose headers are sent.
pub struct RawCall {
    answer: ResponseFuture,
    message: SendStream<Bytes>,
}

/// Connects.
pub async fn connect(address: SocketAddr) -> RawConnection {
    let (client, connection) = h2::client::handshake(TcpStream::connect(address).await.unwrap()).await.unwrap();
    tokio::spawn(async {
        // It ends when the server closes it, or the test ends.
        let _ = connection.await;
    });
    RawConnection(client)
}

impl RawConnection {
    /// Begins a call with these headers. Waits until the server allows one more stream.
    pub async fn begin(&self, path: &str, headers: &[(&str, &str)]) -> RawCall {
        let mut request = Request::post(format!("http://server{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut client = self.0.clone().ready().await.unwrap();
        let (answer, message) = client.send_request(request.body(()).unwrap(), false).unwrap();
        RawCall { answer, message }
    }

    /// Begins a call with this token, and sends the start of a message that is never complete.
    pub async fn half(&self, path: &str, token: &str, bytes: usize) -> RawCall {
        let mut call = self.begin(path, &[("authorization", &format!("Bearer {token}"))]).await;
        call.send(&half_message(bytes));
        call
    }
}

/// So many bytes of a message that is one byte longer.
pub fn half_message(bytes: usize) -> Vec<u8> {
    let mut message = vec![0];
    message.extend(u32::try_from(bytes + 1).unwrap().to_be_bytes());
    message.resize(5 + bytes, 0);
    message
}

impl RawCall {
    /// Sends a part of the message.
    pub fn send(&mut self, part: &[u8]) {
        self.message.send_data(Bytes::copy_from_slice(part), false).unwrap();
    }

    /// Sends the rest of the message.
    pub fn finish(&mut self, rest: &[u8]) {
        self.message.send_data(Bytes::copy_from_slice(rest), true).unwrap();
    }

    /// Resets the call, as a client does that gives up.
    pub fn reset(mut self) {
        self.message.send_reset(Reason::CANCEL);
    }

    /// The answer's status.
    pub async fn status(self) -> Status {
        let answer = self.answer.await.unwrap();
        if let Some(status) = Status::from_header_map(answer.headers()) {
            return status;
        }
        let mut body = answer.into_body();
        while let Some(data) = body.data().await {
            let length = data.unwrap().len();
            body.flow_control().release_capacity(length).unwrap();
        }
        let trailers = body.trailers().await.unwrap();
        let status = trailers.and_then(|trailers| Status::from_header_map(&trailers));
        status.unwrap_or_else(|| Status::new(Code::Unknown, "no status"))
    }
}

#[tokio::test]
async fn a_request_that_is_no_grpc_gets_415() {
    let world = crate::world::World::start().await;
    let connection = connect(world.server.address()).await;
    let mut client = connection.0.ready().await.unwrap();
    for (content_type, expected) in
        [("application/json", 415), ("application/grpc-web+proto", 415), ("text/html", 415), ("application/grpc", 200)]
    {
        let request = Request::post("http://server/clientele.v1.CustomerService/GetCustomer");
        let request = request.header("content-type", content_type).body(()).unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        assert_eq!(answer.await.unwrap().status(), expected, "{content_type}");
        client = client.ready().await.unwrap();
    }
}
