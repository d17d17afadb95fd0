//! Serves one connection: its limits, its calls, and its end. It speaks HTTP/2, or HTTP/1.1 where gRPC-Web is served. A connection
//! without a call for a while gets GOAWAY, and is closed if its peer does not react; HTTP/1.1 has no GOAWAY, and is closed at once.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::body::Body;
use tracing::debug;

use super::{
    drain::{Drain, Drained},
    headers,
    streams::Streams,
};
use crate::{
    config::Connections,
    layers::{Inner, KeptBody, Peer, PeerLimit, tokenless::TokenlessPlaces},
};

/// What a stream may send before it is read. A larger message takes more round trips.
const STREAM_WINDOW: u32 = 64 * 1024 - 1;
/// What a connection may send before it is read, at least.
const CONNECTION_WINDOW: u32 = 128 * 1024;
/// The least part of it for each stream. h2 closes a connection when half of its window is spent on small frames that were not
/// read; each costs at most 256 bytes of it. So each stream may have one, which is a whole message of most calls.
const WINDOW_PER_STREAM: u32 = 512;
/// What of an answer is buffered for a peer that reads slowly.
const SEND_BUFFER: usize = 64 * 1024;
const MAX_FRAME: u32 = 16 * 1024;
/// What of a request, and what of an answer, is buffered in HTTP/1.1. A list of headers must fit into it.
const HTTP1_BUFFER: usize = 72 * 1024;
/// Maximum resets by a peer that are not accepted yet, and of streams that the server reset, before the connection is
/// closed: more than callers that give up cause, fewer than a flood (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 256;
const MAX_ERROR_RESETS: usize = 1024;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the peer of an idle connection has to react to GOAWAY.
const GOAWAY_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves connections. A clone serves the next.
#[derive(Clone)]
pub(super) struct Http<S> {
    service: S,
    builder: auto::Builder<Streams>,
    /// Whether HTTP/1.1 is served too.
    pub(super) http1: bool,
    idle_timeout: Duration,
    /// How long a peer may read nothing.
    pub(super) answer_timeout: Duration,
    /// The open calls without a token of each peer.
    tokenless: PeerLimit,
    drain: Arc<Drain>,
    stop: CancellationToken,
}

impl<S: Inner> Http<S> {
    /// Answers calls by this service, over HTTP/2, and over HTTP/1.1 if `http1`. When `stop` is cancelled, connections end gracefully.
    pub(super) fn new(
        service: S,
        config: &Connections,
        http1: bool,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let mut builder = auto::Builder::new(Streams::new(config.answer_timeout));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(config.max_streams)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(connection_window(config.max_streams))
            .max_frame_size(MAX_FRAME)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(headers::MAX_LIST)
            .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
            .max_local_error_reset_streams(MAX_ERROR_RESETS)
            .keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT);
        // Without hyper's time limit for a head: `Opening` limits the first, `OpenCalls` the wait for each later one.
        builder.http1().header_read_timeout(None).max_buf_size(HTTP1_BUFFER);
        Self {
            service,
            builder: if http1 { builder } else { builder.http2_only() },
            http1,
            idle_timeout: config.idle_timeout,
            answer_timeout: config.answer_timeout,
            // As many as it may have connections: each may have a health watch.
            tokenless: PeerLimit::new(config.max_per_peer, config.exempt.clone()),
            drain: Arc::new(Drain { tasks: tasks.clone(), stop: stop.clone() }),
            stop,
        }
    }

    /// Serves a connection until it has ended.
    pub(super) async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: Peer) {
        let open = OpenCalls::default();
        let tokenless = TokenlessPlaces::new(&self.tokenless, peer.address.ip());
        let calls = Calls { service: self.service, open: open.clone(), peer, tokenless, drain: self.drain };
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(stream), calls));
        let mut stopped = pin!(self.stop.cancelled());
        let (mut stopping, mut going_away) = (false, false);
        let mut idle = pin!(open.idle_for(self.idle_timeout));
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(cause) = ended {
                        debug!(%cause, "a connection failed");
                    }
                    return;
                }
                () = stopped.as_mut(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = idle.as_mut(), if !stopping => {
                    // A peer that does not react to GOAWAY is cut off.
                    if going_away {
                        return;
                    }
                    going_away = true;
                    connection.as_mut().graceful_shutdown();
                    idle.set(open.idle_for(GOAWAY_TIMEOUT));
                }
            }
        }
    }
}

/// The window of a connection that may have so many streams, in bytes.
fn connection_window(max_streams: u32) -> u32 {
    max_streams.saturating_mul(WINDOW_PER_STREAM).max(CONNECTION_WINDOW)
}

/// The calls of one connection.
struct Calls<S> {
    service: S,
    open: OpenCalls,
    peer: Peer,
    tokenless: TokenlessPlaces,
    drain: Arc<Drain>,
}

impl<S: Inner> Service<Request<Incoming>> for Calls<S> {
    // The call is open until its response's body is dropped.
    type Response = Response<KeptBody<OpenCall>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let call = self.open.begin();
        let mut request = request.map(|body| Body::new(Drained::new(body, Arc::clone(&self.drain))));
        let version = request.version();
        headers::cut(request.headers_mut(), version);
        request.extensions_mut().insert(self.peer.clone());
        self.tokenless.insert_into(&mut request);
        let response = self.service.clone().run(request);
        Box::pin(async { Ok(response.await.map(|body| KeptBody::new(body, call))) })
    }
}

/// The open calls of a connection. Clones share the count.
#[derive(Clone)]
struct OpenCalls(Arc<Mutex<Count>>);

struct Count {
    open: usize,
    /// When the last call ended, or the connection began.
    since: Instant,
}

/// Counts a call until it is dropped.
struct OpenCall(OpenCalls);

impl Default for OpenCalls {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Count { open: 0, since: Instant::now() })))
    }
}

impl OpenCalls {
    fn begin(&self) -> OpenCall {
        self.count().open += 1;
        OpenCall(self.clone())
    }

    /// Waits until no call was open for this time, counted from now on.
    async fn idle_for(&self, time: Duration) {
        let mut from = Instant::now();
        loop {
            sleep_until(from + time).await;
            let idle_since = {
                let count = self.count();
                (count.open == 0).then_some(count.since)
            };
            match idle_since {
                Some(since) if since <= from => return,
                Some(since) => from = since,
                None => from = Instant::now(),
            }
        }
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        // Nothing in here panics while the count is half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let mut count = self.0.count();
        count.open -= 1;
        count.since = Instant::now();
    }
}

#[cfg(test)]
mod tests;
