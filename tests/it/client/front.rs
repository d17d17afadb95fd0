//! A proxy in front of a server, which loses or refuses calls as a test says, and notes how each came.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::Instant,
};
use tonic::{Status, body::Body, transport::Channel};
use tower::ServiceExt as _;

/// What happens to a call.
pub enum Fate {
    /// The server answers it.
    Answered,
    /// The server answers it, and the connection breaks before the answer is through.
    Lost,
    /// It is refused; the server never sees it.
    Refused(Status),
    /// Nothing happens.
    Ignored,
}

/// A call as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub message: Bytes,
    pub at: Instant,
}

impl Seen {
    /// A header's text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The time limit of the call.
    pub fn time_left(&self) -> Duration {
        Duration::from_millis(self.header("grpc-timeout").strip_suffix('m').unwrap().parse().unwrap())
    }

    /// The request.
    pub fn request<M: prost::Message + Default>(&self) -> M {
        M::decode(&self.message[5..]).unwrap()
    }
}

/// The proxy.
pub struct Front {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: Channel,
    fates: Mutex<VecDeque<Fate>>,
    seen: Mutex<Vec<Seen>>,
}

impl Front {
    /// In front of a server. Calls are answered, unless they have another fate.
    pub async fn of(server: Channel) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { server, fates: Mutex::default(), seen: Mutex::default() });
        tokio::spawn(accept(listener, shared.clone()));
        Self { address, shared }
    }

    /// The fates of the next calls.
    pub fn expect(&self, fates: impl IntoIterator<Item = Fate>) {
        self.shared.fates.lock().unwrap().extend(fates);
    }

    /// The calls since this was last asked.
    pub fn seen(&self) -> Vec<Seen> {
        assert!(self.shared.fates.lock().unwrap().is_empty(), "fewer calls came than expected");
        std::mem::take(&mut self.shared.seen.lock().unwrap())
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, shared.clone()));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let broken = Arc::new(Notify::new());
    let calls = service_fn(|request| answer(request, shared.clone(), broken.clone()));
    let mut server = http2::Builder::new(TokioExecutor::new());
    server.timer(TokioTimer::new());
    tokio::select! {
        _ = server.serve_connection(TokioIo::new(stream), calls) => (),
        () = broken.notified() => (),
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    broken: Arc<Notify>,
) -> Result<Response<Body>, Status> {
    let (parts, body) = request.into_parts();
    let message = body.collect().await.map_err(|error| Status::internal(error.to_string()))?.to_bytes();
    let (path, headers) = (parts.uri.path().to_owned(), parts.headers.clone());
    shared.seen.lock().unwrap().push(Seen { path, headers, message: message.clone(), at: Instant::now() });
    let fate = shared.fates.lock().unwrap().pop_front().unwrap_or(Fate::Answered);
    let forwarded = Request::from_parts(parts, Body::new(Full::new(message)));
    let forwarded =
        async { shared.server.clone().oneshot(forwarded).await.map_err(|error| Status::from_error(error.into())) };
    match fate {
        Fate::Answered => forwarded.await,
        Fate::Refused(status) => Ok(status.into_http()),
        Fate::Ignored => std::future::pending().await,
        Fate::Lost => {
            forwarded.await?;
            broken.notify_one();
            std::future::pending().await
        }
    }
}
