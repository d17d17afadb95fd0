use std::{convert::Infallible, future::pending};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    task::JoinHandle,
};
use tower::service_fn;

use super::*;

/// The client's preface and an empty SETTINGS frame.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// HEADERS that end stream 1: POST, http, and the path `/`, from HPACK's static table.
const CALL: &[u8] = &[0, 0, 3, 1, 5, 0, 0, 0, 1, 0x83, 0x86, 0x84];
/// RST_STREAM of stream 1: CANCEL.
const RESET: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;

/// A peer of a connection that is idle after five minutes. Its calls never have an answer.
struct RawPeer {
    stream: DuplexStream,
    began: Instant,
    serving: JoinHandle<()>,
    stop: CancellationToken,
}

impl RawPeer {
    async fn connect() -> Self {
        Self::connect_with(false).await
    }

    /// The server may serve HTTP/1.1 too.
    async fn connect_with(http1: bool) -> Self {
        let mut peer = Self::silent(http1);
        peer.stream.write_all(HELLO).await.unwrap();
        peer
    }

    fn silent(http1: bool) -> Self {
        let (stream, served) = duplex(64 * 1024);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let service = service_fn(|_: Request<Body>| pending::<Result<Response<Body>, Infallible>>());
        let http = Http::new(service, &Connections::default(), http1, &tasks, stop.clone());
        let peer = Peer { address: ([10, 0, 0, 7], 7).into(), workload: None };
        let serving = tasks.spawn(http.serve(served, peer));
        Self { stream, began: Instant::now(), serving, stop }
    }

    /// Reads frames until one of this type, or the end; acknowledges SETTINGS, and PING if `answers`. Returns whether it came.
    async fn meets(&mut self, wanted: u8, answers: bool) -> bool {
        loop {
            let mut head = [0; 9];
            if self.stream.read_exact(&mut head).await.is_err() {
                return false;
            }
            let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
            self.stream.read_exact(&mut payload).await.unwrap();
            let [_, _, length, kind, flags, ..] = head;
            if kind == wanted {
                return true;
            }
            let acknowledged: &[u8] = match kind {
                SETTINGS if flags != ACK => &[],
                PING if flags != ACK && answers => &payload,
                _ => continue,
            };
            let length = if acknowledged.is_empty() { 0 } else { length };
            // The server may have closed the connection meanwhile.
            let _ = self.stream.write_all(&[&[0, 0, length, kind, ACK, 0, 0, 0, 0], acknowledged].concat()).await;
        }
    }

    fn seconds(&self) -> u64 {
        self.began.elapsed().as_secs()
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_gets_goaway_and_is_closed_even_if_its_peer_does_not_react() {
    for (http1, reacts, closed) in [(false, true, 300), (false, false, 310), (true, true, 300), (true, false, 310)] {
        let mut peer = RawPeer::connect_with(http1).await;
        assert!(peer.meets(GOAWAY, true).await, "GOAWAY comes first");
        assert_eq!(peer.seconds(), 300);
        while peer.meets(GOAWAY, reacts).await {}
        (&mut peer.serving).await.unwrap();
        assert_eq!(peer.seconds(), closed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_an_open_call_is_not_idle() {
    let mut peer = RawPeer::connect().await;
    peer.stream.write_all(CALL).await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_secs(3600), peer.meets(GOAWAY, true)).await;
    assert!(waiting.is_err(), "the call is open");
    peer.stream.write_all(RESET).await.unwrap();
    let reset = peer.seconds();
    assert!(peer.meets(GOAWAY, true).await);
    assert_eq!(peer.seconds(), reset + 300);
}

#[tokio::test(start_paused = true)]
async fn a_stopping_server_ends_an_idle_connection_and_waits_for_an_open_call() {
    for called in [false, true] {
        let mut peer = RawPeer::connect().await;
        if called {
            peer.stream.write_all(CALL).await.unwrap();
        }
        let until_stop = tokio::time::timeout(Duration::from_secs(1), peer.meets(GOAWAY, true));
        assert!(until_stop.await.is_err());
        peer.stop.cancel();
        assert!(peer.meets(GOAWAY, true).await);
        let ended = tokio::time::timeout(Duration::from_secs(20), async { while peer.meets(GOAWAY, true).await {} });
        assert_eq!(ended.await.is_ok(), !called);
    }
}

/// A request without a body.
const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_connection_of_http_1_is_closed_when_it_is_idle_and_not_while_its_call_is_open() {
    for (sent, closed) in [(&b""[..], Some(300)), (b"POST / HTT", Some(310)), (REQUEST, None)] {
        let mut peer = RawPeer::silent(true);
        peer.stream.write_all(sent).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(3600), &mut peer.serving).await;
        assert_eq!(ended.is_ok().then(|| peer.seconds()), closed, "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopping_server_ends_an_idle_connection_of_http_1_and_one_whose_caller_hangs_up() {
    for sent in [&b""[..], REQUEST] {
        let mut peer = RawPeer::silent(true);
        peer.stream.write_all(sent).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        peer.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(20), &mut peer.serving).await.is_ok();
        assert_eq!(ended, sent.is_empty());
        drop(peer.stream);
        if !ended {
            peer.serving.await.unwrap();
        }
    }
}

#[test]
fn all_windows_are_half_of_the_memory_limit_of_the_chart_at_most() {
    let Connections { max, max_streams, .. } = Connections::default();
    let windows = max * usize::try_from(connection_window(max_streams)).unwrap();
    assert!(windows <= 512 * 1024 * 1024 / 2, "{windows}");
    assert_eq!([1, 256, 1024].map(connection_window), [128 * 1024, 128 * 1024, 512 * 1024]);
}
