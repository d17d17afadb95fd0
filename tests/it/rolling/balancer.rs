//! A client that balances round-robin over connections, like gRPC's own clients: a connection that got GOAWAY gets no
//! more calls, and a call that no server began to process, and only such a call, is repeated on another connection
//! (<https://github.com/grpc/proposal/blob/master/A6-client-retries.md#transparent-retries>). tonic's own client does
//! neither.

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

/// One connection; it is not reopened.
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

    /// Always ready: a closed connection fails the call itself, with an error that can be recognized.
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

    /// The next connection that takes calls.
    fn next(&self) -> Connection {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| !connection.requests.is_closed());
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        connections[turn % connections.len()].clone()
    }

    /// Makes a call; repeats it for each connection that did not process it.
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
                // Together with the output of `Instance::stop` it shows the server's state.
                Err(status) => {
                    eprintln!("{:?}: a call to {which} failed", SystemTime::now());
                    return Err(status);
                }
                Ok(answer) => return Ok(answer),
            }
        }
    }
}

/// Whether no server began to process the call: it was never sent, was refused (REFUSED_STREAM), or came after the last
/// stream in the server's GOAWAY.
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
