//! A port of its own for metrics: `GET /metrics` and nothing else. Whoever scrapes needs no token, and whoever calls the
//! service never reaches it.

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

use super::Telemetry;

/// Scrapers at once. One more waits.
const SCRAPERS: usize = 16;
/// How long a scraper may take over its request's head, and over the whole connection.
const HEAD_LIMIT: Duration = Duration::from_secs(5);
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);
/// How long nothing is accepted after accepting failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The port, listening.
#[derive(Debug)]
pub struct MetricsPort {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsPort {
    /// Listens there; port 0 picks a free one.
    ///
    /// # Errors
    /// What the system says.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Answers scrapers until it is told to stop.
pub async fn expose(port: MetricsPort, telemetry: Telemetry, stop: CancellationToken) {
    let answering = async {
        // Dropped with this, they end with it.
        let mut scrapers = JoinSet::new();
        loop {
            while scrapers.try_join_next().is_some() {}
            if scrapers.len() >= SCRAPERS {
                scrapers.join_next().await;
            }
            match port.listener.accept().await {
                Ok((stream, _)) => drop(scrapers.spawn(scraper(stream, telemetry.clone()))),
                Err(_) => time::sleep(ACCEPT_PAUSE).await,
            }
        }
    };
    let _: Option<()> = stop.run_until_cancelled(answering).await;
}

async fn scraper(stream: TcpStream, telemetry: Telemetry) {
    let service = service_fn(|request| {
        let answer = answer(&request, &telemetry);
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service);
    // One that breaks off, or stays for longer, is its own affair.
    let _ended = time::timeout(CONNECTION_LIMIT, connection).await;
}

fn answer(request: &Request<Incoming>, telemetry: &Telemetry) -> Response<String> {
    let bare = |status| {
        let mut answer = Response::new(String::new());
        *answer.status_mut() = status;
        answer
    };
    if request.uri().path() != "/metrics" {
        return bare(StatusCode::NOT_FOUND);
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return bare(StatusCode::METHOD_NOT_ALLOWED);
    }
    let Ok(text) = telemetry.metrics().text() else { return bare(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut answer = Response::new(text);
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(TEXT));
    answer
}
