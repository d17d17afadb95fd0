//! Connections to the database that go silent, as behind a firewall that dropped their state: nothing that is sent
//! arrives any more, and there is no error.

use std::{sync::Arc, time::Duration};

use clientele::{config::Database, grpc::pb};
use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tonic::{Code, Status};

use crate::{
    overload::locked_out,
    world::{Client, World, assert_refused, customer, production_database, until},
};

/// The guaranteed limit for a connection that went silent.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// A proxy between the service and PostgreSQL.
struct Proxy {
    port: u16,
    /// When this changes, the existing connections pass nothing any more.
    silenced: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    async fn start(database: &PgConnectOptions) -> Self {
        let socket = database.get_socket().unwrap().join(format!(".s.PGSQL.{}", database.get_port()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silenced = watch::Sender::new(());
        let accepting = {
            let (silenced, socket) = (silenced.clone(), Arc::new(socket));
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    let (silenced, socket) = (silenced.subscribe(), Arc::clone(&socket));
                    tokio::spawn(
                        async move { relay(client, UnixStream::connect(&*socket).await.unwrap(), silenced).await },
                    );
                }
            })
        };
        Self { port, silenced, accepting }
    }

    /// The same database, through the proxy.
    fn before(&self, database: &PgConnectOptions) -> PgConnectOptions {
        let name = database.get_database().unwrap();
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(database.get_username())
            .database(name)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Forwards all data until the silence begins. Then it keeps both ends open and sends nothing until the service closes its
/// end; no packet makes the service do so.
async fn relay(mut client: TcpStream, mut server: UnixStream, mut silenced: watch::Receiver<()>) {
    let passing = tokio::io::copy_bidirectional(&mut client, &mut server);
    let silent = tokio::select! {
        _ = passing => return,
        silent = silenced.changed() => silent.is_ok(),
    };
    let mut swallowed = [0; 1024];
    while silent && client.read(&mut swallowed).await.is_ok_and(|read| read > 0) {}
    let _ = server.shutdown().await;
}

/// A server with one connection, through a proxy.
struct Fixture {
    world: World,
    proxy: Proxy,
    admin: Client,
    ada: String,
}

impl Fixture {
    async fn start(adjust: impl FnOnce(&mut Database)) -> Self {
        let database = production_database().await;
        let proxy = Proxy::start(&database).await;
        let world = World::start_with(database.clone(), |config| {
            config.database.options = proxy.before(&database).into();
            config.database.pool_size = 1;
            // As in `serve`.
            config.database.statement_timeout = Duration::from_secs(4);
            config.database.lock_timeout = Duration::from_secs(2);
            config.database.pool_timeout = Duration::from_secs(1);
            config.limits.deadline = Duration::from_secs(20);
            adjust(&mut config.database);
        })
        .await;
        let acme = world.tenant("acme").await;
        let ada = acme.admin.create(customer("Ada")).await.unwrap().id;
        Self { world, proxy, admin: acme.admin, ada }
    }

    /// A mutation: it does not end when its caller gives up.
    fn rename(&self) -> JoinHandle<Result<pb::Customer, Status>> {
        let (client, id) = (self.admin.clone(), self.ada.clone());
        tokio::spawn(async move { client.update(pb::Customer { id, ..customer("Bob") }, &["name"]).await })
    }
}

/// Whether other calls get the permit of a connection in time, after it went silent during a mutation.
async fn come_back(fixture: &Fixture) -> bool {
    let mut holder = fixture.world.sql().await;
    sqlx::raw_sql("begin; select from customers for update").execute(&mut holder).await.unwrap();
    let lost = fixture.rename();
    until("the mutation runs", async || locked_out(&fixture.world.database).await == 1).await;
    fixture.proxy.silenced.send(()).unwrap();
    let silent_since = Instant::now();
    let back = async {
        // Each waits a second for the one connection.
        while fixture.admin.get(&fixture.ada).await.is_err() {}
    };
    let back = timeout(BACK_WITHIN, back).await.is_ok();
    if back {
        assert!(silent_since.elapsed() < BACK_WITHIN);
        assert_refused(lost.await.unwrap(), Code::Unavailable, "DATABASE_UNAVAILABLE");
    }
    back
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_are_replaced_within_ten_seconds() {
    let (guarded, unguarded) =
        tokio::join!(Fixture::start(|_| ()), Fixture::start(|database| database.close_unresponsive = false));
    let (guarded, unguarded) = tokio::join!(come_back(&guarded), come_back(&unguarded));
    assert!(guarded, "a silent connection is not replaced");
    assert!(!unguarded, "it is replaced without the guard too, so this test proves nothing");
}
