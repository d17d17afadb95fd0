//! A separate port for metrics: `GET /metrics` and nothing else. Scrapers need no token, and the service's own port does not
//! serve metrics.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use http::{Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time,
};
use tokio_util::sync::CancellationToken;

use super::handle::Telemetry;

/// Maximum concurrent scrapers; more wait.
const MAX_SCRAPERS: usize = 16;
/// Time limit for a request's head, and for the whole connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// The pause after `accept` failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The content type of Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The port, listening.
#[derive(Debug)]
pub struct MetricsPort {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsPort {
    /// Listens on the address; port 0 picks a free one.
    ///
    /// # Errors
    /// The system's error.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Returns the address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves metrics until `stop` is cancelled.
pub async fn serve_metrics(port: MetricsPort, telemetry: Telemetry, stop: CancellationToken) {
    let serving = async {
        // Dropping the set ends its connections.
        let mut scrapers = JoinSet::new();
        loop {
            while scrapers.try_join_next().is_some() {}
            if scrapers.len() >= MAX_SCRAPERS {
                scrapers.join_next().await;
            }
            match port.listener.accept().await {
                Ok((stream, _)) => drop(scrapers.spawn(serve_scraper(stream, telemetry.clone()))),
                Err(_) => time::sleep(ACCEPT_PAUSE).await,
            }
        }
    };
    let _: Option<()> = stop.run_until_cancelled(serving).await;
}

async fn serve_scraper(stream: TcpStream, telemetry: Telemetry) {
    let service = service_fn(|request| {
        let response = respond(&request, &telemetry);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that breaks or times out needs no handling.
    let _ended = time::timeout(CONNECTION_TIMEOUT, connection).await;
}

fn respond(request: &Request<Incoming>, telemetry: &Telemetry) -> Response<String> {
    let empty = |status| {
        let mut response = Response::new(String::new());
        *response.status_mut() = status;
        response
    };
    if request.uri().path() != "/metrics" {
        return empty(StatusCode::NOT_FOUND);
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let Ok(text) = telemetry.metrics().text() else { return empty(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut response = Response::new(text);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(TEXT_FORMAT));
    response
}
