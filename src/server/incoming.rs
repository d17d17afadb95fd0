//! Connections: accepted up to so many, encrypted if there is a certificate, and told who is at the other end.

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

use super::preface::Beginning;
use crate::{
    config::{Reloadable, Tls},
    domain::values::workload::Workload,
    layers::Peer,
};

/// How long nothing is accepted after accepting failed, such as for want of file descriptors: else it fails in a loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a handshake may take: whoever says nothing is not waited for.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a peer may take to begin HTTP/2.
const PREFACE_LIMIT: Duration = Duration::from_secs(10);
/// Connections that are there and not yet taken up.
const WAITING: usize = 64;

/// A connection, and who is at its other end.
pub(super) struct Connection {
    stream: Beginning<Either<TcpStream, Box<TlsStream<TcpStream>>>>,
    peer: Peer,
    _place: OwnedSemaphorePermit,
}

/// The connections that come in, so many at most at once, until the order to stop: then nothing listens any more.
pub(super) fn connections(
    listener: TcpListener,
    tls: Option<Reloadable<Tls>>,
    most: usize,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> impl Stream<Item = io::Result<Connection>> + use<> {
    let (taken, waiting) = mpsc::channel(WAITING);
    let accepting = accept(listener, tls, Arc::new(Semaphore::new(most)), taken, tasks.clone(), stop.clone());
    tasks.spawn(stop.run_until_cancelled_owned(accepting));
    ReceiverStream::new(waiting).map(Ok)
}

async fn accept(
    listener: TcpListener,
    tls: Option<Reloadable<Tls>>,
    places: Arc<Semaphore>,
    taken: mpsc::Sender<Connection>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let mut full = false;
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(cause) => {
                warn!(%cause, "nothing can be accepted");
                time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let place = Arc::clone(&places).try_acquire_owned();
        if place.is_err() != full {
            full = place.is_err();
            if full {
                warn!("there are as many connections as there may be: more are closed at once");
            } else {
                info!("there is room for connections again");
            }
        }
        // Closed rather than left to wait: a client that balances goes to another replica.
        let Ok(place) = place else { continue };
        // Small messages are whole ones here; a connection that is gone already says so when it is read.
        let _ = stream.set_nodelay(true);
        match &tls {
            None => {
                let stream = Beginning::new(Either::Left(stream), PREFACE_LIMIT, stop.clone());
                let peer = Peer { address, workload: None };
                let _ = taken.send(Connection { stream, peer, _place: place }).await;
            }
            Some(tls) => {
                let (acceptor, taken) = (TlsAcceptor::from(Arc::clone(&tls.get().config)), taken.clone());
                let stopping = stop.clone();
                tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
                    if let Some(stream) = handshake(&acceptor, stream, address).await {
                        let peer = Peer { address, workload: workload(&stream) };
                        let stream = Beginning::new(Either::Right(Box::new(stream)), PREFACE_LIMIT, stopping);
                        let _ = taken.send(Connection { stream, peer, _place: place }).await;
                    }
                }));
            }
        }
    }
}

/// The encrypted stream, if the handshake succeeds.
async fn handshake(acceptor: &TlsAcceptor, stream: TcpStream, address: SocketAddr) -> Option<TlsStream<TcpStream>> {
    match time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        // A probe of the port hangs up at once; what else fails, whoever runs the client wants to know from both sides.
        Ok(Err(cause)) if cause.kind() == io::ErrorKind::UnexpectedEof => None,
        Ok(Err(cause)) => {
            info!(peer = %address, %cause, "no TLS");
            None
        }
        Err(_) => {
            info!(peer = %address, cause = "the handshake took too long", "no TLS");
            None
        }
    }
}

/// The SPIFFE id of the client's certificate, which was verified. One with several URIs is none of SPIFFE's.
fn workload(stream: &TlsStream<TcpStream>) -> Option<Workload> {
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
