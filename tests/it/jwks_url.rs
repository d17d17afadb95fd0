//! An issuer's keys behind an https URL: fetched in the background, kept through an outage, never from another server.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use clientele::{
    config::{Config, Issuer, Jwks, TokenType},
    grpc::pb,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use tonic::{Code, Status};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::{
    pki::Authority,
    world::{AUDIENCE, Keys, World, assert_refused, database, until},
};

/// The tests' other issuer.
const REMOTE: &str = "https://remote.example";

/// An https server of keys: its answer, and the number of its requests.
struct Server {
    address: SocketAddr,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(authority: &Authority) -> Self {
        let (acceptor, listener) = (authority.server().acceptor(&[]), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let (address, answer, asked) =
            (listener.local_addr().unwrap(), Arc::<Mutex<String>>::default(), Arc::default());
        let task = {
            let (answer, asked) = (Arc::clone(&answer), Arc::<AtomicUsize>::clone(&asked));
            tokio::spawn(async move {
                while let Ok((connection, _)) = listener.accept().await {
                    // A client that does not trust it hangs up here.
                    let Ok(mut connection) = acceptor.accept(connection).await else { continue };
                    let mut head = vec![0; 4096];
                    let _ = connection.read(&mut head).await;
                    asked.fetch_add(1, Ordering::Relaxed);
                    let answer = answer.lock().unwrap().clone();
                    if answer.is_empty() {
                        std::future::pending::<()>().await;
                    }
                    let _ = connection.write_all(answer.as_bytes()).await;
                    let _ = connection.shutdown().await;
                }
            })
        };
        Self { address, answer, asked, task }
    }

    fn answers_with(&self, head: &str, body: &str) {
        let length = body.len();
        *self.answer.lock().unwrap() =
            format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    }

    /// Publishes these keys with a key id.
    fn publishes(&self, keys: &Keys, kid: &str) {
        self.answers_with("200 OK", &published(keys, kid));
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Configures a server to accept only the issuer with these keys.
    fn believed(&self, authority: &Authority) -> impl FnOnce(&mut Config) {
        let url = format!("https://localhost:{}/keys", self.address.port());
        let file = authority.file();
        move |config| {
            let jwks = Jwks::Url(url.parse().unwrap());
            let (audience, token_types) = (AUDIENCE.to_owned(), TokenType::usual());
            let issuer = Issuer { issuer: REMOTE.to_owned(), audience, token_types, jwks };
            config.identity.issuers = vec![issuer];
            config.identity.jwks_ca = Some(file);
        }
    }
}

fn published(keys: &Keys, kid: &str) -> String {
    std::fs::read_to_string(keys.jwks()).unwrap().replace("\"tests\"", &format!("{kid:?}"))
}

async fn calls(world: &World, keys: &Keys, kid: &str) -> Result<String, Status> {
    let answer = world.bearer(keys.named(kid, REMOTE, "ada")).access().who_am_i(pb::WhoAmIRequest::default()).await?;
    Ok(answer.into_inner().principal.unwrap().issuer)
}

async fn is_ready(world: &World) -> bool {
    let asked = HealthCheckRequest { service: "readiness".to_owned() };
    let answer = HealthClient::new(world.channel()).check(asked).await.unwrap();
    answer.into_inner().status() == ServingStatus::Serving
}

#[tokio::test]
async fn tokens_are_verified_with_fetched_keys_and_a_new_key_works_at_once() {
    let (authority, keys, new) = (Authority::new(), Keys::new(), Keys::new());
    let server = Server::start(&authority).await;
    server.publishes(&keys, "one");
    let world = World::start_with(database().await, server.believed(&authority)).await;
    until("it is ready", || is_ready(&world)).await;
    assert_eq!(calls(&world, &keys, "one").await.unwrap(), REMOTE);
    assert_eq!(server.asked(), 1);

    // The issuer has a new key: the first token with it makes the server fetch the keys.
    server.publishes(&new, "two");
    assert_eq!(calls(&world, &new, "two").await.unwrap(), REMOTE);
    assert_refused(calls(&world, &keys, "one").await, Code::Unauthenticated, "TOKEN_INVALID");
    // Tokens with unknown key ids cause no further fetch for a minute.
    for kid in ["three", "four", "five"] {
        assert_refused(calls(&world, &new, kid).await, Code::Unauthenticated, "TOKEN_INVALID");
    }
    assert_eq!(server.asked(), 2);
    // An outage changes nothing for tokens with a known key.
    server.task.abort();
    assert_eq!(calls(&world, &new, "two").await.unwrap(), REMOTE);
}

#[tokio::test]
async fn without_keys_a_server_is_not_ready_and_calls_are_unavailable() {
    let (authority, keys) = (Authority::new(), Keys::new());
    let server = Server::start(&authority).await;
    let began = Instant::now();
    // It accepts the request and never answers.
    let world = World::start_with(database().await, server.believed(&authority)).await;
    until("it was asked", async || server.asked() == 1).await;
    assert_refused(calls(&world, &keys, "one").await, Code::Unavailable, "ISSUER_UNAVAILABLE");
    assert!(!is_ready(&world).await);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn answers_other_than_plain_keys_are_rejected() {
    let (authority, keys, elsewhere) = (Authority::new(), Keys::new(), Keys::new());
    let other = Server::start(&authority).await;
    other.publishes(&elsewhere, "one");
    let server = Server::start(&authority).await;
    let moved = format!("302 Found\r\nlocation: https://localhost:{}/keys", other.address.port());
    let padded = published(&keys, "one").replacen('{', &format!("{{\"pad\": {:?}, ", "x".repeat(1024 * 1024)), 1);
    for (head, body) in [(moved.as_str(), ""), ("500 Oh no", ""), ("200 OK", "<html>"), ("200 OK", padded.as_str())] {
        server.answers_with(head, body);
        let asked = server.asked();
        let world = World::start_with(database().await, server.believed(&authority)).await;
        for signer in [&keys, &elsewhere] {
            assert_refused(calls(&world, signer, "one").await, Code::Unavailable, "ISSUER_UNAVAILABLE");
        }
        assert!(server.asked() > asked, "{head}");
    }
    assert_eq!(other.asked(), 0, "a redirect is not followed");
}

#[tokio::test]
async fn keys_of_a_server_with_an_untrusted_certificate_are_rejected() {
    let (authority, stranger, keys) = (Authority::new(), Authority::new(), Keys::new());
    let server = Server::start(&stranger).await;
    server.publishes(&keys, "one");
    let world = World::start_with(database().await, server.believed(&authority)).await;
    assert_refused(calls(&world, &keys, "one").await, Code::Unavailable, "ISSUER_UNAVAILABLE");
    assert_eq!(server.asked(), 0);
}
