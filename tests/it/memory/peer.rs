//! A peer that speaks HTTP/2 itself: it decides what it sends and what it takes.

use std::net::SocketAddr;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::{
    RecvStream, SendStream,
    client::{Builder, ResponseFuture, SendRequest},
};
use http::{Request, Response};
use prost::Message;
use tokio::net::TcpStream;

use crate::world::Client;

/// One connection.
#[derive(Clone)]
pub struct Peer {
    requests: SendRequest<Bytes>,
    address: SocketAddr,
}

impl Peer {
    /// Connects. The peer lets the server send so many bytes of each stream before it has read any.
    pub async fn open(address: SocketAddr, window: u32) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut builder = Builder::new();
        builder.initial_window_size(window).initial_connection_window_size((1 << 31) - 1).initial_max_send_streams(256);
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self { requests, address }
    }

    /// Begins a call, of this client or without a token. The message follows.
    pub async fn begin(&self, client: Option<&Client>, path: &str) -> (ResponseFuture, SendStream<Bytes>) {
        let mut request = Request::post(format!("http://{}{path}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(Client { token: Some(token), account, .. }) = client {
            request = request.header("authorization", format!("Bearer {token}"));
            if let Some(account) = account {
                request = request.header("clientele-account", account);
            }
        }
        let mut requests = self.requests.clone().ready().await.unwrap();
        requests.send_request(request.body(()).unwrap(), false).unwrap()
    }

    /// Makes a call, and returns the response with a body of which it has taken nothing.
    pub async fn call(
        &self,
        client: Option<&Client>,
        path: &str,
        message: &impl Message,
    ) -> Result<Response<RecvStream>, h2::Error> {
        let (response, mut body) = self.begin(client, path).await;
        body.send_data(frame(message.encoded_len(), &message.encode_to_vec()), true)?;
        response.await
    }
}

/// A gRPC message: its head with this length, and these bytes.
pub fn frame(length: usize, bytes: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + bytes.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap());
    frame.put_slice(bytes);
    frame.freeze()
}

/// Sends as the server's window allows, until all is sent or the server wants no more.
pub async fn send(body: &mut SendStream<Bytes>, mut bytes: Bytes) {
    while !bytes.is_empty() {
        body.reserve_capacity(bytes.len());
        let Some(Ok(window)) = std::future::poll_fn(|context| body.poll_capacity(context)).await else { return };
        if body.send_data(bytes.split_to(window.min(bytes.len())), false).is_err() {
            return;
        }
    }
}
