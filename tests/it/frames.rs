//! A client that writes and reads single frames of HTTP/2, for what no library's client does.

use std::net::{IpAddr, SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::connections::HELLO;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
/// The flag END_STREAM; ACK of SETTINGS and PING.
pub const END: u8 = 1;
const END_HEADERS: u8 = 4;
const MAX_FRAME: usize = 16 * 1024;

/// A frame.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn ends(&self) -> bool {
        self.flags & END == END
    }
}

/// A connection, frame by frame.
pub struct Frames {
    stream: TcpStream,
    next: u32,
}

impl Frames {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::hello(TcpStream::connect(address).await.unwrap()).await
    }

    /// From this address of this machine.
    pub async fn connect_from(from: [u8; 4], address: SocketAddr) -> Self {
        Self::hello(connect_from(from, address).await).await
    }

    async fn hello(mut stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        // The server may have closed it already.
        let _ = stream.write_all(HELLO).await;
        Self { stream, next: 1 }
    }

    /// Starts a call with these headers besides those of every call, in as many frames as it takes. Returns its stream.
    pub async fn call(&mut self, path: &str, headers: &[(&str, &str)]) -> u32 {
        let id = self.next;
        self.next += 2;
        let mut block = Vec::new();
        let every = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "clientele"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ];
        for (name, value) in every.iter().chain(headers) {
            // A literal without indexing, with a new name (RFC 7541, section 6.2.2).
            block.push(0);
            for text in [name, value] {
                string(text.as_bytes(), &mut block);
            }
        }
        let mut parts = block.chunks(MAX_FRAME).peekable();
        let mut kind = HEADERS;
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_none() { END_HEADERS } else { 0 };
            self.send(kind, flags, id, part).await;
            kind = CONTINUATION;
        }
        id
    }

    /// Sends DATA, which may end the stream.
    pub async fn data(&mut self, id: u32, data: &[u8], ends: bool) {
        self.send(DATA, u8::from(ends), id, data).await;
    }

    pub async fn send(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(id.to_be_bytes());
        frame.extend(payload);
        // The end of the connection shows when it is read.
        let _ = self.stream.write_all(&frame).await;
    }

    /// Reads the next frame; none at the end of the connection. Acknowledges SETTINGS and PING.
    pub async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap()];
        self.stream.read_exact(&mut payload).await.ok()?;
        match kind {
            SETTINGS if flags != END => self.send(SETTINGS, END, 0, &[]).await,
            PING if flags != END => self.send(PING, END, 0, &payload).await,
            _ => {}
        }
        Some(Frame { kind, flags, stream: u32::from_be_bytes(id), payload })
    }

    /// Reads until a frame of this kind on this stream; none if the connection ends before. A GOAWAY before it is a failure.
    pub async fn until(&mut self, kind: u8, id: u32) -> Option<Frame> {
        while let Some(frame) = self.next().await {
            if frame.kind == kind && frame.stream == id {
                return Some(frame);
            }
            assert!(frame.kind != GOAWAY, "{:?}", String::from_utf8_lossy(&frame.payload));
        }
        None
    }

    /// Waits until the server has processed everything that was sent: it answers PING in order. Returns whether it did.
    pub async fn is_alive(&mut self) -> bool {
        self.send(PING, 0, 0, b"in order").await;
        while let Some(frame) = self.next().await {
            match frame.kind {
                PING if frame.flags == END && frame.payload == b"in order" => return true,
                GOAWAY => return false,
                _ => {}
            }
        }
        false
    }
}

/// A connection from this address of this machine.
pub async fn connect_from(from: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((IpAddr::from(from), 0))).unwrap();
    socket.connect(address).await.unwrap()
}

/// A string of HPACK: its length with a prefix of seven bits, and its bytes.
fn string(text: &[u8], block: &mut Vec<u8>) {
    let mut push = |byte: usize| block.push(u8::try_from(byte).unwrap());
    if text.len() < 127 {
        push(text.len());
    } else {
        push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            push(rest % 128 + 128);
            rest /= 128;
        }
        push(rest);
    }
    block.extend(text);
}
