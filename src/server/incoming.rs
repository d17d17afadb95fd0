//! Accepts connections within the limits, does TLS, and records the peer's identity.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    time,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{either::Either, sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{connection::Http, limits::ConnectionLimits, opening::OpeningTimeout, write_timeout::WriteTimeout};
use crate::{
    config::{Reloadable, Tls},
    domain::values::workload::Workload,
    layers::{Inner, Peer},
};

/// The pause after `accept` failed, for example for lack of file descriptors; without it the failure repeats in a tight
/// loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time limit for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit for the HTTP/2 preface, or for the head of the first request of HTTP/1.1.
const OPENING_TIMEOUT: Duration = Duration::from_secs(10);
/// When and how often the system asks a silent peer of HTTP/1.1 whether it is still there; HTTP/2 has PING for that.
const KEEPALIVE_TIME: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Accepts connections within the limits and serves each in a task of its own, until it is dropped; then the listener is closed.
pub(super) async fn accept<S: Inner>(
    listener: TcpListener,
    tls: Option<Reloadable<Tls>>,
    mut limits: ConnectionLimits,
    http: Http<S>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(cause) => {
                warn!(%cause, "cannot accept connections");
                time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Closed at once, without a wait, so that a client with load balancing tries another replica.
        let Some(place) = limits.take(address.ip()) else { continue };
        // Messages are small and complete. If the connection is closed already, the next read reports it.
        let _ = stream.set_nodelay(true);
        if http.http1 {
            let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL);
            let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
        }
        let acceptor = tls.as_ref().map(|tls| acceptor(&tls.get(), http.http1));
        let (http, stop) = (http.clone(), stop.clone());
        tasks.spawn(async move {
            let encrypted = stop.clone().run_until_cancelled_owned(encrypted(acceptor, stream, address));
            if let Some(Some((stream, workload))) = encrypted.await {
                let stream = WriteTimeout::new(stream, http.answer_timeout);
                let stream = OpeningTimeout::new(stream, http.http1, OPENING_TIMEOUT, stop);
                http.serve(stream, Peer { address, workload }).await;
            }
            drop(place);
        });
    }
}

/// Returns what encrypts a connection with the certificate as it is now.
fn acceptor(tls: &Tls, http1: bool) -> TlsAcceptor {
    TlsAcceptor::from(Arc::clone(if http1 { &tls.config_with_http1 } else { &tls.config }))
}

/// Returns the stream as it is without TLS, or encrypted, if the handshake succeeds; and the workload that it proves.
async fn encrypted(
    acceptor: Option<TlsAcceptor>,
    stream: TcpStream,
    address: SocketAddr,
) -> Option<(Either<TcpStream, Box<TlsStream<TcpStream>>>, Option<Workload>)> {
    let Some(acceptor) = acceptor else { return Some((Either::Left(stream), None)) };
    let stream = handshake(&acceptor, stream, address).await?;
    let workload = spiffe_id(&stream);
    Some((Either::Right(Box::new(stream)), workload))
}

/// Returns the encrypted stream, if the handshake succeeds.
async fn handshake(acceptor: &TlsAcceptor, stream: TcpStream, address: SocketAddr) -> Option<TlsStream<TcpStream>> {
    match time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        // A port probe hangs up at once. All other failures are logged, because the client's log often lacks the cause.
        Ok(Err(cause)) if cause.kind() == io::ErrorKind::UnexpectedEof => None,
        Ok(Err(cause)) => {
            info!(peer = %address, %cause, "TLS handshake failed");
            None
        }
        Err(_) => {
            info!(peer = %address, cause = "timeout", "TLS handshake failed");
            None
        }
    }
}

/// Returns the SPIFFE id of the client's verified certificate. A certificate with several URIs is not a SPIFFE certificate.
fn spiffe_id(stream: &TlsStream<TcpStream>) -> Option<Workload> {
    let (_, session) = stream.get_ref();
    let certificate = webpki::EndEntityCert::try_from(session.peer_certificates()?.first()?).ok()?;
    let mut uris = certificate.valid_uri_names();
    let (uri, None) = (uris.next()?, uris.next()) else { return None };
    Workload::parse_spiffe(uri).ok()
}
