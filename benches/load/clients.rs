//! The client's workers: so many calls in flight, each followed by the next as soon as it is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use clientele::grpc::pb::{
    billing_service_client::BillingServiceClient, customer_service_client::CustomerServiceClient,
};
use hdrhistogram::Histogram;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tonic::{
    Request, Status,
    transport::{Channel, Endpoint},
};

use super::{
    Result, WARM_UP,
    child::Server,
    issuer::{Bearer, authorized},
};

/// Number of connections to a server; the calls in flight are spread over them.
const CHANNELS: usize = 4;

/// Everything that a worker's calls need.
pub struct Caller {
    pub client: CustomerServiceClient<Channel>,
    pub billing: BillingServiceClient<Channel>,
    /// The worker's index.
    pub worker: u64,
    token: Bearer,
    account: String,
}

impl Caller {
    /// A worker's caller on this connection.
    pub fn new(channel: Channel, worker: u64, token: &Bearer, account: &str) -> Self {
        let client = CustomerServiceClient::new(channel.clone());
        let billing = BillingServiceClient::new(channel);
        Self { client, billing, worker, token: token.clone(), account: account.to_owned() }
    }

    pub fn request<M>(&self, message: M) -> Request<M> {
        authorized(&self.token, Some(&self.account), message)
    }
}

/// One worker's call. Returns false if there is nothing left to call for.
pub trait Call: Send + 'static {
    fn call(&mut self) -> impl Future<Output = std::result::Result<bool, Status>> + Send;
}

pub async fn connect(server: &Server) -> Result<Channel> {
    Ok(Endpoint::from_shared(format!("http://{}", server.address))?.tcp_nodelay(true).connect().await?)
}

/// Workers that call one server and act in one account.
pub struct Clients<'a> {
    pub server: &'a Server,
    pub token: &'a Bearer,
    pub account: &'a str,
    pub in_flight: usize,
    pub time: Duration,
}

impl Clients<'_> {
    /// Lets workers make these calls: first to warm up, then measured.
    pub async fn measure<C: Call>(&self, new: impl Fn(Caller) -> C) -> Result<Measured> {
        measure(self.workers(self.in_flight, new).await?, self.time, || self.server.cpu()).await
    }

    /// Makes so many workers, spread over a few connections.
    pub async fn workers<C: Call>(&self, count: usize, new: impl Fn(Caller) -> C) -> Result<Vec<C>> {
        let mut channels = Vec::new();
        for _ in 0..CHANNELS.min(count) {
            channels.push(connect(self.server).await?);
        }
        let callers = channels.iter().cycle().zip(0..).take(count);
        let callers = callers.map(|(channel, worker)| Caller::new(channel.clone(), worker, self.token, self.account));
        Ok(callers.map(new).collect())
    }
}

/// What was seen of the calls that ended within the measured time.
pub struct Measured {
    /// In microseconds.
    pub latencies: Histogram<u64>,
    pub elapsed: Duration,
    /// The server's CPU time meanwhile; None if it is not known.
    pub cpu: Option<Duration>,
}

impl Measured {
    /// Calls per second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// An empty measurement.
    pub fn nothing() -> Self {
        Self { latencies: histogram(), elapsed: Duration::ZERO, cpu: Some(Duration::ZERO) }
    }

    /// Adds another measurement.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        self.latencies.add(&other.latencies)?;
        self.elapsed += other.elapsed;
        self.cpu = self.cpu.zip(other.cpu).map(|(one, other)| one + other);
        Ok(())
    }
}

/// A histogram of up to a minute, to three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000, 3).expect("bounds that fit together")
}

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const STOPPING: u8 = 2;

pub type Tasks = JoinSet<std::result::Result<Histogram<u64>, Status>>;

async fn measure<C: Call>(workers: Vec<C>, time: Duration, cpu: impl Fn() -> Option<Duration>) -> Result<Measured> {
    let phase = Arc::new(AtomicU8::new(WARMING));
    let mut latencies = histogram();
    let mut tasks: Tasks = JoinSet::new();
    for worker in workers {
        tasks.spawn(work(worker, Arc::clone(&phase)));
    }
    until(&mut tasks, Instant::now() + WARM_UP, &mut latencies).await?;

    let (began, before) = (Instant::now(), cpu());
    phase.store(MEASURING, Ordering::Relaxed);
    until(&mut tasks, began + time, &mut latencies).await?;
    phase.store(STOPPING, Ordering::Relaxed);
    let (elapsed, after) = (began.elapsed(), cpu());

    while let Some(ended) = tasks.join_next().await {
        latencies.add(ended??)?;
    }
    Ok(Measured { latencies, elapsed, cpu: after.zip(before).map(|(after, before)| after.saturating_sub(before)) })
}

/// Waits until this time, or until no worker has anything left to do. A call that fails ends the run.
pub async fn until(tasks: &mut Tasks, then: Instant, latencies: &mut Histogram<u64>) -> Result<()> {
    loop {
        tokio::select! {
            () = sleep_until(then) => return Ok(()),
            ended = tasks.join_next() => match ended {
                Some(ended) => latencies.add(ended??)?,
                None => return Ok(()),
            },
        }
    }
}

async fn work<C: Call>(mut worker: C, phase: Arc<AtomicU8>) -> std::result::Result<Histogram<u64>, Status> {
    let mut latencies = histogram();
    while phase.load(Ordering::Relaxed) != STOPPING {
        let began = Instant::now();
        if !worker.call().await? {
            break;
        }
        if phase.load(Ordering::Relaxed) == MEASURING {
            latencies.saturating_record(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
    }
    Ok(latencies)
}
