//! Closes connections that do not open in time, or before the server stops: with the HTTP/2 preface, or where HTTP/1.1 is served,
//! with the head of a first request. hyper has no timeout for the preface, and does not shut a connection down before it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The client's preface (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose reads fail if the peer has not opened the connection in time, or before the server stops.
pub(super) struct OpeningTimeout<S> {
    stream: S,
    pending: Option<PendingOpening>,
}

struct PendingOpening {
    received: Received,
    http1: bool,
    timeout: Pin<Box<Sleep>>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// What has arrived.
enum Received {
    /// So many bytes of the preface.
    Preface(usize),
    /// Part of a head of HTTP/1.1, which ends with an empty line.
    Head { in_empty_line: bool },
}

impl<S> OpeningTimeout<S> {
    /// `http1`: whether a head of HTTP/1.1 opens the connection too.
    pub(super) fn new(stream: S, http1: bool, timeout: Duration, stop: CancellationToken) -> Self {
        let (timeout, stop) = (Box::pin(sleep(timeout)), Box::pin(stop.cancelled_owned()));
        Self { stream, pending: Some(PendingOpening { received: Received::Preface(0), http1, timeout, stop }) }
    }
}

impl PendingOpening {
    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.timeout.as_mut().poll(context).is_ready() || self.stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the peer has not opened the connection"));
        }
        Poll::Pending
    }

    /// Reads a byte that has arrived; returns whether the connection is open with it.
    fn is_opened_by(&mut self, byte: u8) -> bool {
        match self.received {
            Received::Preface(bytes) if !self.http1 || PREFACE.get(bytes) == Some(&byte) => {
                self.received = Received::Preface(bytes + 1);
                bytes + 1 == PREFACE.len()
            }
            Received::Preface(_) => {
                self.received = Received::Head { in_empty_line: false };
                false
            }
            Received::Head { in_empty_line } => {
                self.received = Received::Head { in_empty_line: byte == b'\n' || (in_empty_line && byte == b'\r') };
                in_empty_line && byte == b'\n'
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for OpeningTimeout<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if let Some(pending) = &mut self.pending {
            if read.is_pending() {
                return pending.poll_timeout(context).map(Err);
            }
            if into.filled().iter().skip(before).any(|byte| pending.is_opened_by(*byte)) {
                self.pending = None;
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for OpeningTimeout<S> {
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        time::{Instant, timeout},
    };

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn pair() -> (DuplexStream, OpeningTimeout<DuplexStream>, CancellationToken) {
        pair_with(false)
    }

    fn pair_with(http1: bool) -> (DuplexStream, OpeningTimeout<DuplexStream>, CancellationToken) {
        let stop = CancellationToken::new();
        let (peer, stream) = duplex(1024);
        (peer, OpeningTimeout::new(stream, http1, TIMEOUT, stop.clone()), stop)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_complete_the_preface_times_out() {
        for sent in [0, PREFACE.len() - 1] {
            let ((mut peer, mut stream, _stop), began) = (pair(), Instant::now());
            peer.write_all(&[b'P'; PREFACE.len()][..sent]).await.unwrap();
            let mut read = Vec::new();
            assert_eq!(stream.read_to_end(&mut read).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!((read.len(), began.elapsed().as_secs()), (sent, 10));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_head_of_http_1_times_out_like_half_a_preface() {
        for sent in ["", "P", "PRI * HTTP/2.0\r\n", "POST / HTTP/1.1\r\nhost: a\r\n", "GET / HTTP/1.1\r\n\r"] {
            let ((mut peer, mut stream, _stop), began) = (pair_with(true), Instant::now());
            let half = async {
                peer.write_all(sent.as_bytes()).await.unwrap();
                // A byte now and then does not delay it.
                sleep(TIMEOUT / 2).await;
                let _ = peer.write_all(if sent.len() > 20 { b"x" } else { b"" }).await;
                sleep(TIMEOUT).await;
            };
            let mut read = Vec::new();
            let (failed, ()) = tokio::join!(
                async {
                    let failed = stream.read_to_end(&mut read).await;
                    (failed.unwrap_err().kind(), began.elapsed().as_secs())
                },
                half
            );
            assert_eq!(failed, (io::ErrorKind::TimedOut, 10), "{sent:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_preface_or_the_head_of_a_request_opens_a_connection_that_may_be_http_1() {
        for sent in [PREFACE, b"POST / HTTP/1.1\r\nhost: a\r\n\r\n", b"PRI / HTTP/1.1\nhost: a\n\n"] {
            let (mut peer, mut stream, stop) = pair_with(true);
            // In pieces, as a network may deliver it.
            for byte in sent {
                peer.write_u8(*byte).await.unwrap();
                assert_eq!(stream.read_u8().await.unwrap(), *byte);
            }
            stop.cancel();
            assert!(timeout(TIMEOUT * 6, stream.read_u8()).await.is_err(), "it still waits");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stopping_server_does_not_wait_for_a_preface() {
        let ((_peer, mut stream, stop), began) = (pair(), Instant::now());
        stop.cancel();
        assert!(stream.read_u8().await.is_err());
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_preface_neither_the_timeout_nor_a_stop_ends_a_read() {
        let (mut peer, mut stream, stop) = pair();
        peer.write_all(&[b'P'; PREFACE.len()]).await.unwrap();
        stream.read_exact(&mut [0; PREFACE.len()]).await.unwrap();
        stop.cancel();
        assert!(timeout(TIMEOUT * 6, stream.read_u8()).await.is_err(), "it still waits");
        peer.write_u8(1).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 1);
    }
}
