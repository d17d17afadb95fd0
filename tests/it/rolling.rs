//! Two instances behind a client that balances, restarted in turn under load: no call fails.

#![allow(clippy::print_stderr, reason = "what a failure is understood by")]

mod balancer;

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use clientele::grpc::pb;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::ConnectOptions as _;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tonic::Request;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use self::balancer::{Balancer, Connection};
use crate::{
    connections::stuck,
    processes::{BOUND, clientele, path},
    world::{AUDIENCE, ISSUER, Keys, OPERATOR, World, customer, production, production_database, rounds, until},
};

const CALLERS: usize = 8;
/// Number of calls that are answered between two steps, so that there is load at each step.
const BETWEEN: usize = 40;
/// Maximum duration of a stop with stuck peers. Only running calls may delay it, for up to 25 seconds; here they are short.
const STOPS_WITHIN: Duration = Duration::from_secs(15);

/// A process `clientele serve`.
struct Instance {
    child: Child,
    address: String,
    log: JoinHandle<String>,
}

impl Instance {
    /// Starts one and waits until it listens.
    async fn start(url: &str, keys: &Keys, sealing: &str) -> Self {
        let issuer = format!("{ISSUER},{AUDIENCE},{}", path(&keys.jwks()));
        let operator = format!("{ISSUER} {OPERATOR}");
        let mut serve = clientele(&["serve", "--listen=127.0.0.1:0", "--log=warn", "--issuer", &issuer]);
        serve.args(["--database-url", url, "--operator", &operator, "--sealing-key-file", sealing]);
        // On a busy machine the calls are slow, not refused.
        serve.args(["--pool-size=4", "--pool-timeout=10s", "--queue-timeout=10s"]);
        let mut child = serve.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut begun = String::new();
        let address = loop {
            let line = timeout(BOUND, lines.next_line()).await.expect("it starts").unwrap();
            let line = line.unwrap_or_else(|| panic!("it ended: {begun}"));
            if let Some(address) = line.strip_prefix("listening on ") {
                break address.to_owned();
            }
            begun.push_str(&line);
        };
        // Reads the whole log: a full pipe would block the process.
        let log = tokio::spawn(async move {
            let mut log = String::new();
            while let Ok(Some(line)) = lines.next_line().await {
                log = format!("{log}{line}\n");
            }
            log
        });
        Self { child, address, log }
    }

    /// Connects to it as soon as it is ready.
    async fn connect(&self) -> Connection {
        let connection = Connection::open(&self.address).await;
        until("it is ready", async || {
            let request = HealthCheckRequest { service: "readiness".to_owned() };
            let health = HealthClient::with_origin(connection.clone(), connection.origin()).check(request).await;
            health.unwrap().into_inner().status() as i32 == 1
        })
        .await;
        connection
    }

    /// Sends SIGTERM, with stuck peers and an open watch, and waits until it has ended.
    async fn stop(mut self) {
        let stuck = stuck(self.address.parse().unwrap()).await;
        let watching = Connection::open(&self.address).await;
        let request = HealthCheckRequest { service: "readiness".to_owned() };
        let watch = HealthClient::with_origin(watching.clone(), watching.origin()).watch(request).await.unwrap();

        eprintln!("{:?}: {} gets SIGTERM", SystemTime::now(), self.address);
        let signalled = Instant::now();
        kill(Pid::from_raw(self.child.id().unwrap().cast_signed()), Signal::SIGTERM).unwrap();
        let status = timeout(BOUND, self.child.wait()).await.expect("it ends").unwrap();
        let took = signalled.elapsed();

        let log = self.log.await.unwrap();
        eprintln!("{:?}: {} has ended; its log: {log}", SystemTime::now(), self.address);
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(took < STOPS_WITHIN && !log.contains("aborted") && !log.contains("panic"), "after {took:?}: {log}");
        drop((watch, stuck));
    }
}

/// Creates and reads customers until it is stopped. Returns the number of created customers.
async fn call_on(balancer: Arc<Balancer>, token: String, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) -> usize {
    let mut created = 0;
    while !stop.load(Ordering::Relaxed) {
        let ada = balancer.call(|mut client| {
            let create = pb::CreateCustomerRequest { customer: Some(customer("Ada")), ..Default::default() };
            let create = authorized(&token, create);
            async move { Ok(client.create_customer(create).await?.into_inner().customer.unwrap()) }
        });
        let ada = ada.await.unwrap_or_else(|failed| panic!("a creation failed: {failed:?}"));
        created += 1;
        let read = balancer.call(|mut client| {
            let id = ada.id.clone();
            let read = pb::GetCustomerRequest { customer_id: id, view: pb::CustomerView::Full.into() };
            let read = authorized(&token, read);
            async move { Ok(client.get_customer(read).await?.into_inner().customer.unwrap()) }
        });
        assert_eq!(read.await.unwrap_or_else(|failed| panic!("a read failed: {failed:?}")), ada);
        answered.fetch_add(2, Ordering::Relaxed);
    }
    created
}

fn authorized<M>(token: &str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_instances_are_stopped_and_started() {
    let database = production_database().await;
    // This instance is used to create the tenant.
    let world = World::start_with(database.clone(), |_| ()).await;
    let acme = world.tenant("acme").await;
    let token = acme.admin.token.clone().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sealing = folder.path().join("sealing.key");
    std::fs::write(&sealing, std::array::from_fn::<u8, 32, _>(|index| 255 - u8::try_from(index).unwrap())).unwrap();
    let url = production().await.url(database.get_database().unwrap());
    let start = async || Instance::start(&url, &world.keys, path(&sealing)).await;

    let balancer = Arc::new(Balancer::default());
    let mut instances = [start().await, start().await];
    for instance in &instances {
        balancer.add(instance.connect().await);
    }
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| tokio::spawn(call_on(balancer.clone(), token.clone(), stop.clone(), answered.clone())))
        .collect();
    let more = async || {
        let before = answered.load(Ordering::Relaxed);
        until("calls are answered", async || {
            callers.iter().any(JoinHandle::is_finished) || answered.load(Ordering::Relaxed) >= before + BETWEEN
        })
        .await;
    };

    for round in 0..rounds(5) {
        more().await;
        let leaving = std::mem::replace(&mut instances[(round % 2) as usize], start().await);
        leaving.stop().await;
        more().await;
        balancer.add(instances[(round % 2) as usize].connect().await);
    }

    more().await;
    stop.store(true, Ordering::Relaxed);
    let mut created = 0;
    for caller in callers {
        created += caller.await.unwrap();
    }
    let kept: i64 = sqlx::query_scalar("select count(*) from customers")
        .fetch_one(&mut database.connect().await.unwrap())
        .await
        .unwrap();
    assert_eq!(usize::try_from(kept).unwrap(), created, "no repeated call was done twice");
    for instance in instances {
        instance.stop().await;
    }
}
