//! A client that balances over connections by turns, as gRPC's own do: a connection that the server has given notice on
//! (GOAWAY) gets no more calls, and a call that no server began to process, and no other, is sent again, to another one
//! (<https://github.com/grpc/proposal/blob/master/A6-client-retries.md#transparent-retries>). tonic's own client does neither.

use std::{
    error::Error as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::SystemTime,
};

use clientele::grpc::pb::customer_service_client::CustomerServiceClient;
use http::{Request, Response, Uri};
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tonic::{Status, body::Body};
use tower::Service;

/// One connection, which is not opened again.
#[derive(Clone)]
pub(super) struct Connection {
    requests: SendRequest<Body>,
    origin: Uri,
}

impl Connection {
    pub(super) async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let http2 = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (requests, connection) = http2.await.unwrap();
        tokio::spawn(connection);
        Self { requests, origin: format!("http://{address}").parse().unwrap() }
    }

    pub(super) fn origin(&self) -> Uri {
        self.origin.clone()
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

    /// Always: a connection that takes no calls says so to the call, with what tells it from others.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.requests.send_request(request))
    }
}

/// The connections.
#[derive(Default)]
pub(super) struct Balancer {
    connections: Mutex<Vec<Connection>>,
    turn: AtomicUsize,
}

impl Balancer {
    pub(super) fn add(&self, connection: Connection) {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// The next in turn of those that take calls.
    fn next(&self) -> Connection {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| !connection.requests.is_closed());
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        connections[turn % connections.len()].clone()
    }

    /// Makes a call, once more for each connection that did not take it.
    pub(super) async fn call<T, F: Future<Output = Result<T, Status>>>(
        &self,
        call: impl Fn(CustomerServiceClient<Connection>) -> F,
    ) -> Result<T, Status> {
        loop {
            let connection = self.next();
            let origin = connection.origin();
            let which = origin.clone();
            match call(CustomerServiceClient::with_origin(connection, origin)).await {
                Err(status) if unprocessed(&status) => {}
                // Beside what `Instance::stop` prints, it says what the server was about.
                Err(status) => {
                    eprintln!("{:?}: a call to {which} failed", SystemTime::now());
                    return Err(status);
                }
                Ok(answer) => return Ok(answer),
            }
        }
    }
}

/// Whether no server began to process the call: it was never sent, refused (REFUSED_STREAM), or came after what the server's
/// GOAWAY names as the last.
fn unprocessed(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        let never_sent = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        let refused = error.downcast_ref::<h2::Error>().is_some_and(|error| {
            error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
        });
        if never_sent || refused {
            return true;
        }
        cause = error.source();
    }
    false
}
