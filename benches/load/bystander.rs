//! A bystander's reads beside callers that give up, and beside as many calls that nobody abandons.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clientele::grpc::pb::{self, access_service_client::AccessServiceClient};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tonic::Status;

use super::{
    Path, Result,
    calls::{BatchGet, Get},
    child::Server,
    clients::{Call, Clients, Measured, connect},
    issuer::{Bearer, Issuer, authorized, into_answer},
    rng::Rng,
};

/// The bystander's subject.
const SUBJECT: &str = "bystander";
/// Its reads per second.
const STEADY: f64 = 100.0;
/// Callers of BatchGetCustomers, each with one call in flight.
const CALLERS: usize = 64;
/// Reads per second of the caller that resets them, over one connection.
const READS: u32 = 1_000;
/// How long that caller waits for an answer before it resets the call, at most.
const RESET_WITHIN: Duration = Duration::from_millis(2);
/// How long the others call before the bystander is measured.
const SETTLE: Duration = Duration::from_millis(500);

/// A principal that reads beside others, and what is known of the others' calls.
pub struct Bystander {
    token: Bearer,
    /// The mean latency of a call that its caller waited for, in microseconds.
    patient: Arc<AtomicU64>,
}

impl Bystander {
    /// Makes it a member of the account.
    pub async fn make(service: &Server, issuer: &Issuer, admin: &Bearer, account: &str) -> Result<Self> {
        let member = pb::AddMemberRequest {
            principal: Some(pb::Principal { subject: SUBJECT.to_owned(), ..Default::default() }),
            role: pb::Role::Viewer.into(),
            ..Default::default()
        };
        let request = authorized(admin, Some(account), member);
        into_answer(AccessServiceClient::new(connect(service).await?).add_member(request).await)?;
        Ok(Self { token: issuer.bearer(SUBJECT)?, patient: Arc::default() })
    }

    /// Measures its reads beside the calls of others, which `others` makes out of so many customers.
    pub async fn measure(&self, path: Path, others: &Clients<'_>, count: u64) -> Result<Measured> {
        let others = match path {
            Path::BesideBatches => self.batches(others, count).await?,
            Path::BesideAbandoned => self.abandoned(others, count).await?,
            Path::BesideReads => reads(others, count, None).await?,
            _ => reads(others, count, Some(RESET_WITHIN)).await?,
        };
        sleep(SETTLE).await;
        let own = Clients { token: &self.token, ..*others.clients };
        let measured = own.paced(STEADY, |caller| Get::new(caller, count)).await?;
        others.failure().map_or(Ok(measured), Err)
    }

    /// Callers that wait for each answer.
    async fn batches<'a>(&self, clients: &'a Clients<'a>, count: u64) -> Result<Others<'a>> {
        let mut others = Others::of(clients);
        for mut worker in clients.workers(CALLERS, |caller| BatchGet::new(caller, count)).await? {
            let (patient, failed) = (Arc::clone(&self.patient), Arc::clone(&others.failed));
            others.tasks.spawn(async move {
                loop {
                    let began = Instant::now();
                    if let Err(status) = worker.call().await {
                        return note(&failed, &status);
                    }
                    let latency = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                    // A moving mean; which of two writers wins does not matter.
                    let mean = patient.load(Ordering::Relaxed);
                    let next = if mean == 0 { latency } else { (mean * 63 + latency) / 64 };
                    patient.store(next, Ordering::Relaxed);
                }
            });
        }
        Ok(others)
    }

    /// Callers that begin a call as often as the patient ones, and give up at random between none and twice their latency.
    async fn abandoned<'a>(&self, clients: &'a Clients<'a>, count: u64) -> Result<Others<'a>> {
        let latency = self.patient.load(Ordering::Relaxed);
        if latency == 0 {
            return Err("beside_batches must be measured first".into());
        }
        let mut others = Others::of(clients);
        for mut worker in clients.workers(CALLERS, |caller| BatchGet::new(caller, count)).await? {
            let failed = Arc::clone(&others.failed);
            others.tasks.spawn(async move {
                let mut rng = Rng::new();
                loop {
                    let next = Instant::now() + Duration::from_micros(latency);
                    let patience = Duration::from_micros(rng.below(2 * latency));
                    if let Ok(Err(status)) = timeout(patience, worker.call()).await {
                        return note(&failed, &status);
                    }
                    sleep_until(next).await;
                }
            });
        }
        Ok(others)
    }
}

/// One caller's reads at a constant rate over one connection, each reset at random within this time.
async fn reads<'a>(clients: &'a Clients<'a>, count: u64, reset_within: Option<Duration>) -> Result<Others<'a>> {
    let mut others = Others::of(clients);
    let channel = connect(clients.server).await?;
    let (token, account, failed) = (clients.token.clone(), clients.account.to_owned(), Arc::clone(&others.failed));
    others.tasks.spawn(async move {
        let mut rng = Rng::new();
        let (mut calls, mut next) = (JoinSet::new(), Instant::now());
        loop {
            next += Duration::from_secs(1) / READS;
            sleep_until(next).await;
            let mut get = Get::of(channel.clone(), &token, &account, count);
            let patience = reset_within.map(|limit| limit.mul_f64(rng.below(1_000) as f64 / 1_000.0));
            let failed = Arc::clone(&failed);
            calls.spawn(async move {
                match patience {
                    None => _ = get.call().await.inspect_err(|status| note(&failed, status)),
                    // The server may end the connection of a caller that floods; the next call makes another one.
                    Some(patience) => _ = timeout(patience, get.call()).await,
                }
            });
            while calls.try_join_next().is_some() {}
        }
    });
    Ok(others)
}

/// The calls of others, until this is dropped.
struct Others<'a> {
    clients: &'a Clients<'a>,
    tasks: JoinSet<()>,
    failed: Arc<Mutex<Option<String>>>,
}

impl<'a> Others<'a> {
    fn of(clients: &'a Clients<'a>) -> Self {
        Self { clients, tasks: JoinSet::new(), failed: Arc::default() }
    }

    /// The first failure of a call that was not given up.
    fn failure(&self) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        let failed = self.failed.lock().expect("no worker panics while it holds the lock");
        failed.as_ref().map(|message| format!("a call beside the bystander: {message}").into())
    }
}

fn note(failed: &Mutex<Option<String>>, status: &Status) {
    let mut failed = failed.lock().expect("no worker panics while it holds the lock");
    failed.get_or_insert_with(|| format!("{:?}: {}", status.code(), status.message()));
}
