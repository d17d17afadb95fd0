//! How a connection begins: a peer that does not come to speak HTTP/2 is not waited for, neither now nor when the server
//! stops. The HTTP/2 library waits for the first bytes for ever, and takes no order to stop before they are there.

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
const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();

/// A stream that fails to be read unless its peer has sent the preface in time, and before the server stops.
pub(super) struct Beginning<S> {
    stream: S,
    awaited: Option<Awaited>,
}

struct Awaited {
    bytes: usize,
    time_is_up: Pin<Box<Sleep>>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S> Beginning<S> {
    pub(super) fn new(stream: S, longest: Duration, stop: CancellationToken) -> Self {
        let (time_is_up, stop) = (Box::pin(sleep(longest)), Box::pin(stop.cancelled_owned()));
        Self { stream, awaited: Some(Awaited { bytes: PREFACE, time_is_up, stop }) }
    }
}

impl Awaited {
    fn poll_given_up(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.time_is_up.as_mut().poll(context).is_ready() || self.stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the peer has not begun to speak HTTP/2"));
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Beginning<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if let Some(awaited) = &mut self.awaited {
            if read.is_pending() {
                return awaited.poll_given_up(context).map(Err);
            }
            awaited.bytes = awaited.bytes.saturating_sub(into.filled().len() - before);
            if awaited.bytes == 0 {
                self.awaited = None;
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Beginning<S> {
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

    const LONGEST: Duration = Duration::from_secs(10);

    fn pair() -> (DuplexStream, Beginning<DuplexStream>, CancellationToken) {
        let stop = CancellationToken::new();
        let (peer, stream) = duplex(1024);
        (peer, Beginning::new(stream, LONGEST, stop.clone()), stop)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_come_to_the_end_of_the_preface_is_given_up() {
        for sent in [0, PREFACE - 1] {
            let ((mut peer, mut stream, _stop), began) = (pair(), Instant::now());
            peer.write_all(&[b'P'; PREFACE][..sent]).await.unwrap();
            let mut read = Vec::new();
            assert_eq!(stream.read_to_end(&mut read).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!((read.len(), began.elapsed().as_secs()), (sent, 10));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_waits_for_no_preface() {
        let ((_peer, mut stream, stop), began) = (pair(), Instant::now());
        stop.cancel();
        assert!(stream.read_u8().await.is_err());
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_preface_a_peer_may_be_silent_and_a_stop_is_the_connections_own_matter() {
        let (mut peer, mut stream, stop) = pair();
        peer.write_all(&[b'P'; PREFACE]).await.unwrap();
        stream.read_exact(&mut [0; PREFACE]).await.unwrap();
        stop.cancel();
        assert!(timeout(LONGEST * 6, stream.read_u8()).await.is_err(), "it still waits");
        peer.write_u8(1).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 1);
    }
}
