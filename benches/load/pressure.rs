//! Calls that come when they come, whether earlier ones are answered or not; and a flood of others beside them.

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
    crew::{Call, Caller, Crew, Measured, Tasks, histogram, until},
};

/// Waits for a refused call's next try where none is told.
const PAUSE: Duration = Duration::from_millis(500);
/// Those that keep the pace: more than ever wait for an answer at once, or the pace would be theirs.
const WORKERS: usize = 1024;

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const STOPPING: u8 = 2;

/// What all that keep the pace share.
struct Pace {
    began: Instant,
    /// Between one call's beginning and the next one's.
    interval: Duration,
    next: AtomicU32,
    phase: AtomicU8,
}

impl Crew<'_> {
    /// Begins so many calls a second, first to warm up, then to be measured: those that are answered, from when they
    /// should have begun. Calls that the server refuses as too many are not counted; any other failure ends the run.
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

    /// Calls on and on, as many in flight as there are, until the set is dropped. Who is refused comes again when it is told.
    pub async fn flood<C: Call>(&self, new: impl Fn(Caller) -> C) -> Result<JoinSet<Status>> {
        let mut flood = JoinSet::new();
        for mut worker in self.workers(self.in_flight, new).await? {
            flood.spawn(async move {
                loop {
                    match worker.call().await {
                        Ok(_) => {}
                        Err(refused) if refused.code() == Code::ResourceExhausted => {
                            let told = refused.get_details_retry_info().and_then(|told| told.retry_delay);
                            sleep(told.unwrap_or(PAUSE)).await;
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
