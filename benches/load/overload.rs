//! Calls at a constant rate, whether earlier ones are answered or not; and a flood of other calls.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
    time::Duration,
};

use hdrhistogram::Histogram;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{
    Result, WARM_UP,
    clients::{Call, Caller, Clients, Measured, Tasks, histogram, until},
};

/// Wait before the next try of a refused call, if RetryInfo names none.
const PAUSE: Duration = Duration::from_millis(500);
/// Number of workers. It must be larger than the number of calls that wait for an answer at once, or the workers would
/// limit the rate.
const WORKERS: usize = 1024;

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const STOPPING: u8 = 2;

/// What all workers of one rate share.
struct Pace {
    began: Instant,
    /// Time between the starts of two calls.
    interval: Duration,
    next: AtomicU32,
    phase: AtomicU8,
}

impl Clients<'_> {
    /// Starts so many calls a second, first to warm up, then measured. The latency of an answered call counts from when it
    /// was due. Calls that the server refuses for overload are not counted; any other failure ends the run.
    pub async fn paced<C: Call>(&self, per_second: f64, new: impl Fn(Caller) -> C) -> Result<Measured> {
        let (workers, mut latencies) = (self.workers(WORKERS, new).await?, histogram());
        let pace = Arc::new(Pace {
            began: Instant::now(),
            interval: Duration::from_secs_f64(1.0 / per_second),
            next: AtomicU32::new(0),
            phase: AtomicU8::new(WARMING),
        });
        let mut tasks: Tasks = JoinSet::new();
        for worker in workers {
            tasks.spawn(keep_pace(worker, Arc::clone(&pace)));
        }
        until(&mut tasks, Instant::now() + WARM_UP, &mut latencies).await?;
        let (began, before) = (Instant::now(), self.server.cpu());
        pace.phase.store(MEASURING, Ordering::Relaxed);
        until(&mut tasks, began + self.time, &mut latencies).await?;
        pace.phase.store(STOPPING, Ordering::Relaxed);
        let (elapsed, after) = (began.elapsed(), self.server.cpu());
        while let Some(ended) = tasks.join_next().await {
            latencies.add(ended??)?;
        }
        Ok(Measured { latencies, elapsed, cpu: after.zip(before).map(|(after, before)| after.saturating_sub(before)) })
    }

    /// Calls without pause, with so many in flight, until the set is dropped. A refused caller retries when RetryInfo says.
    pub async fn flood<C: Call>(&self, new: impl Fn(Caller) -> C) -> Result<JoinSet<Status>> {
        let mut flood = JoinSet::new();
        for mut worker in self.workers(self.in_flight, new).await? {
            flood.spawn(async move {
                loop {
                    match worker.call().await {
                        Ok(_) => {}
                        Err(refused) if refused.code() == Code::ResourceExhausted => {
                            let delay = refused.get_details_retry_info().and_then(|info| info.retry_delay);
                            sleep(delay.unwrap_or(PAUSE)).await;
                        }
                        Err(failed) => return failed,
                    }
                }
            });
        }
        Ok(flood)
    }
}

async fn keep_pace<C: Call>(mut worker: C, pace: Arc<Pace>) -> std::result::Result<Histogram<u64>, Status> {
    let mut latencies = histogram();
    loop {
        let due = pace.began + pace.interval * pace.next.fetch_add(1, Ordering::Relaxed);
        sleep_until(due).await;
        if pace.phase.load(Ordering::Relaxed) == STOPPING {
            return Ok(latencies);
        }
        match worker.call().await {
            Ok(_) if pace.phase.load(Ordering::Relaxed) == MEASURING => {
                latencies.saturating_record(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX));
            }
            Ok(_) => {}
            Err(refused) if refused.code() == Code::ResourceExhausted => {}
            Err(failed) => return Err(failed),
        }
    }
}
