//! The client: as many calls in flight as are asked for, each followed by the next as soon as it is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use clientele::grpc::pb::{self, customer_service_client::CustomerServiceClient};
use hdrhistogram::Histogram;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};
use uuid::Uuid;

use super::{
    Result, WARM_UP,
    customers::{self, ACTIVE, PENDING},
};

/// Everything that a worker's calls need.
#[derive(Clone)]
pub struct Caller {
    pub client: CustomerServiceClient<Channel>,
    pub token: MetadataValue<Ascii>,
    pub account: MetadataValue<Ascii>,
    /// How many customers of each kind there are.
    pub active: u64,
    pub pending: u64,
    /// The next customer to be approved, for all workers.
    pub next: Arc<AtomicU64>,
}

impl Caller {
    fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.clone());
        request.metadata_mut().insert("clientele-account", self.account.clone());
        request
    }
}

/// One worker's way of calling: false if there is nothing left to call for.
pub trait Call: Send + 'static {
    fn call(&mut self) -> impl Future<Output = std::result::Result<bool, Status>> + Send;
}

/// Reads a random customer in full.
pub struct Get(Caller, Dice);

impl Get {
    pub fn new(caller: Caller) -> Self {
        Self(caller, Dice::new())
    }
}

impl Call for Get {
    async fn call(&mut self) -> std::result::Result<bool, Status> {
        let id = customers::id(ACTIVE, 1 + self.1.below(self.0.active));
        let message = pb::GetCustomerRequest { customer_id: id.to_string(), view: pb::CustomerView::Full.into() };
        let request = self.0.request(message);
        let answer = self.0.client.get_customer(request).await?.into_inner();
        assert!(answer.customer.is_some_and(|customer| !customer.contacts.is_empty()), "not in full");
        Ok(true)
    }
}

/// Creates a customer with every field, a custom ID in two systems, and a request_id.
pub struct Create(Caller);

impl Create {
    pub fn new(caller: Caller) -> Self {
        Self(caller)
    }
}

impl Call for Create {
    async fn call(&mut self) -> std::result::Result<bool, Status> {
        let message = customers::create(&customers::token());
        let request = self.0.request(message);
        self.0.client.create_customer(request).await?;
        Ok(true)
    }
}

/// Approves a customer that waits for it: another one each time.
pub struct Approve(Caller);

impl Approve {
    pub fn new(caller: Caller) -> Self {
        Self(caller)
    }
}

impl Call for Approve {
    async fn call(&mut self) -> std::result::Result<bool, Status> {
        let next = self.0.next.fetch_add(1, Ordering::Relaxed);
        if next > self.0.pending {
            return Ok(false);
        }
        let id = customers::id(PENDING, next);
        let message = pb::ApproveCustomerRequest { customer_id: id.to_string(), ..Default::default() };
        let request = self.0.request(message);
        let answer = self.0.client.approve_customer(request).await?.into_inner();
        assert!(
            answer.customer.is_some_and(|customer| customer.status() == pb::CustomerStatus::Active),
            "not approved"
        );
        Ok(true)
    }
}

/// Random numbers that cost nothing beside a call (xorshift).
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        Self(Uuid::new_v4().as_u64_pair().1 | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What was seen of the calls that ended within the measured time.
pub struct Measured {
    /// In microseconds.
    pub latencies: Histogram<u64>,
    pub elapsed: Duration,
    /// What the server worked meanwhile; none where that is not known.
    pub cpu: Option<Duration>,
}

/// Up to a minute, to three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000, 3).expect("bounds that fit together")
}

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const STOPPING: u8 = 2;

type Tasks = JoinSet<std::result::Result<Histogram<u64>, Status>>;

/// Lets the workers call, first to warm up, then to be measured.
pub async fn measure<C: Call>(workers: Vec<C>, time: Duration, cpu: impl Fn() -> Option<Duration>) -> Result<Measured> {
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

/// Waits until then, or until no worker has anything left to do. A call that fails ends the run.
async fn until(tasks: &mut Tasks, then: Instant, latencies: &mut Histogram<u64>) -> Result<()> {
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
