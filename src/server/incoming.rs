//! Accepts connections up to a limit, does TLS, and records the peer's identity.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tokio_util::{either::Either, sync::CancellationToken, task::TaskTracker};
use tonic::transport::server::Connected;
use tracing::{info, warn};

use super::preface::PrefaceTimeout;
use crate::{
    config::{Reloadable, Tls},
    domain::values::workload::Workload,
    layers::Peer,
};

/// The pause after `accept` failed, for example for lack of file descriptors; without it the failure repeats in a tight
/// loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time limit for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit for the HTTP/2 preface.
const PREFACE_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum accepted connections that are not served yet.
const BACKLOG: usize = 64;

/// A connection and its peer.
pub(super) struct Connection {
    stream: PrefaceTimeout<Either<TcpStream, Box<TlsStream<TcpStream>>>>,
    peer: Peer,
    _permit: OwnedSemaphorePermit,
}

/// Accepts connections, at most `max` at once, until `stop` is cancelled; then the listener is closed.
pub(super) fn connections(
    listener: TcpListener,
    tls: Option<Reloadable<Tls>>,
    max: usize,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> impl Stream<Item = io::Result<Connection>> + use<> {
    let (sender, accepted) = mpsc::channel(BACKLOG);
    let accepting = accept(listener, tls, Arc::new(Semaphore::new(max)), sender, tasks.clone(), stop.clone());
    tasks.spawn(stop.run_until_cancelled_owned(accepting));
    ReceiverStream::new(accepted).map(Ok)
}

async fn accept(
    listener: TcpListener,
    tls: Option<Reloadable<Tls>>,
    permits: Arc<Semaphore>,
    sender: mpsc::Sender<Connection>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let mut full = false;
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(cause) => {
                warn!(%cause, "cannot accept connections");
                time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let permit = Arc::clone(&permits).try_acquire_owned();
        if permit.is_err() != full {
            full = permit.is_err();
            if full {
                warn!("maximum number of client connections reached: more are closed at once");
            } else {
                info!("client connections are accepted again");
            }
        }
        // Closed at once, without a wait, so that a client with load balancing tries another replica.
        let Ok(permit) = permit else { continue };
        // Messages are small and complete. If the connection is closed already, the next read reports it.
        let _ = stream.set_nodelay(true);
        match &tls {
            None => {
                let stream = PrefaceTimeout::new(Either::Left(stream), PREFACE_TIMEOUT, stop.clone());
                let peer = Peer { address, workload: None };
                let _ = sender.send(Connection { stream, peer, _permit: permit }).await;
            }
            Some(tls) => {
                let (acceptor, sender) = (TlsAcceptor::from(Arc::clone(&tls.get().config)), sender.clone());
                let stopping = stop.clone();
                tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
                    if let Some(stream) = handshake(&acceptor, stream, address).await {
                        let peer = Peer { address, workload: spiffe_id(&stream) };
                        let stream = PrefaceTimeout::new(Either::Right(Box::new(stream)), PREFACE_TIMEOUT, stopping);
                        let _ = sender.send(Connection { stream, peer, _permit: permit }).await;
                    }
                }));
            }
        }
    }
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

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
