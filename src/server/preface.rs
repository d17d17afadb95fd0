//! Closes connections that do not complete the HTTP/2 preface in time, or before the server stops. hyper has no timeout for
//! the preface, and does not shut a connection down before it.

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

/// The length of the client's preface (RFC 9113, section 3.4).
const PREFACE_LENGTH: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();

/// A stream whose reads fail if the peer has not sent the preface in time, or before the server stops.
pub(super) struct PrefaceTimeout<S> {
    stream: S,
    pending: Option<PendingPreface>,
}

struct PendingPreface {
    missing_bytes: usize,
    timeout: Pin<Box<Sleep>>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S> PrefaceTimeout<S> {
    pub(super) fn new(stream: S, timeout: Duration, stop: CancellationToken) -> Self {
        let (timeout, stop) = (Box::pin(sleep(timeout)), Box::pin(stop.cancelled_owned()));
        Self { stream, pending: Some(PendingPreface { missing_bytes: PREFACE_LENGTH, timeout, stop }) }
    }
}

impl PendingPreface {
    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.timeout.as_mut().poll(context).is_ready() || self.stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the peer has not sent the HTTP/2 preface"));
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PrefaceTimeout<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if let Some(pending) = &mut self.pending {
            if read.is_pending() {
                return pending.poll_timeout(context).map(Err);
            }
            pending.missing_bytes = pending.missing_bytes.saturating_sub(into.filled().len() - before);
            if pending.missing_bytes == 0 {
                self.pending = None;
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PrefaceTimeout<S> {
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

    fn pair() -> (DuplexStream, PrefaceTimeout<DuplexStream>, CancellationToken) {
        let stop = CancellationToken::new();
        let (peer, stream) = duplex(1024);
        (peer, PrefaceTimeout::new(stream, TIMEOUT, stop.clone()), stop)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_complete_the_preface_times_out() {
        for sent in [0, PREFACE_LENGTH - 1] {
            let ((mut peer, mut stream, _stop), began) = (pair(), Instant::now());
            peer.write_all(&[b'P'; PREFACE_LENGTH][..sent]).await.unwrap();
            let mut read = Vec::new();
            assert_eq!(stream.read_to_end(&mut read).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!((read.len(), began.elapsed().as_secs()), (sent, 10));
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
        peer.write_all(&[b'P'; PREFACE_LENGTH]).await.unwrap();
        stream.read_exact(&mut [0; PREFACE_LENGTH]).await.unwrap();
        stop.cancel();
        assert!(timeout(TIMEOUT * 6, stream.read_u8()).await.is_err(), "it still waits");
        peer.write_u8(1).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 1);
    }
}
