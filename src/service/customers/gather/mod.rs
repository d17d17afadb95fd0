//! Reads of one customer that are in flight at once go to the database together.
//!
//! A read goes out at once, by a statement of its own, while no other is on its way. Those that come meanwhile wait for the next
//! round: one statement for up to a hundred of them. When a round ends, the next begins. So a caller that is alone waits for nobody,
//! and the more are in flight, the less each costs. A round takes its reads from the principals in turn, so one that has hundreds in
//! flight delays nobody else's. If a round takes long, such as where pages come from the disk, others begin beside it, up to
//! `ROUNDS`.
//!
//! Only reads are gathered that would be alike one by one: each is seen as its caller's account sees it, its caller converts the row
//! and pays for its memory, and one whose caller has gone is left out. What a round cannot answer, because it failed or
//! its rows are too large together, is read by a statement of its own.

mod turns;

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry::context::FutureExt as _;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use self::turns::Turns;
use crate::{
    domain::access::caller::Caller,
    error::{Error, Result},
    service::{
        call::{self, CallContext, Share},
        pool::Pool,
    },
    store::{
        self,
        customers::{By, CustomerRecord, Found, Wanted},
    },
    telemetry::{self, Statement as _},
};

/// Reads in one round.
const IN_ROUND: usize = 100;
/// Rounds at once. One at a time has the largest rounds, and so the least work for each read.
const ROUNDS: usize = 4;
/// A round that takes longer is slow: those that wait need not wait for it.
const SLOW: Duration = Duration::from_millis(3);
/// Bytes of rows that one round gives to its callers.
const ROUND_BYTES: usize = 4 * 1024 * 1024;

/// The reads of one customer each, by `B`. Clones share the rounds.
pub(super) struct Gathering<B> {
    inner: Arc<Inner<B>>,
}

impl<B> Clone for Gathering<B> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

struct Inner<B> {
    pool: Pool,
    state: Mutex<State<B>>,
    tasks: TaskTracker,
}

struct State<B> {
    /// Rounds on their way, with reads that went out alone.
    rounds: usize,
    /// When the last of them began.
    began: Option<Instant>,
    /// Reads that wait, of each principal.
    waiting: Turns<Share, Waiting<B>>,
}

/// A read that waits for its round.
struct Waiting<B> {
    /// The call that it belongs to.
    call: Option<Arc<CallContext>>,
    wanted: Wanted<B>,
    answer: oneshot::Sender<Answer>,
}

/// What a round says to one of its reads.
enum Answer {
    Found(Found),
    /// There is no such customer, or its caller does not see it.
    Missing,
    /// The round could not read it.
    ReadAlone,
}

impl<B: By> Gathering<B> {
    pub(super) fn new(pool: Pool) -> Self {
        let state = State { rounds: 0, began: None, waiting: Turns::default() };
        Self { inner: Arc::new(Inner { pool, state: Mutex::new(state), tasks: TaskTracker::new() }) }
    }

    /// Reads one customer as the caller's account sees it.
    ///
    /// # Errors
    /// `CustomerNotFound`, `LookupAmbiguous`, and those of [`Pool::lease`].
    pub(super) async fn read(&self, caller: &Caller, by: &B) -> Result<CustomerRecord> {
        let Some(answered) = self.inner.wait_or_begin(caller, by)? else {
            let _round = Round(&self.inner);
            return self.alone(caller, by).await;
        };
        match self.answer(answered).await {
            Answer::Found(found) => found.seen(caller, call::hold),
            Answer::Missing => Err(Error::CustomerNotFound { at: None }),
            Answer::ReadAlone => self.alone(caller, by).await,
        }
    }

    async fn alone(&self, caller: &Caller, by: &B) -> Result<CustomerRecord> {
        self.inner.pool.lease().await?.run(async |conn| by.alone(conn, caller, call::hold).await).await
    }

    /// Waits for a round's answer. It is measured as a statement of the call.
    async fn answer(&self, mut answered: oneshot::Receiver<Answer>) -> Answer {
        let waiting = async {
            loop {
                match tokio::time::timeout(SLOW, &mut answered).await {
                    Ok(answer) => return Ok(answer.unwrap_or(Answer::ReadAlone)),
                    Err(_) => self.inner.begin_beside_slow_ones(),
                }
            }
        };
        waiting.named(B::ALONE).await.unwrap_or(Answer::ReadAlone)
    }
}

impl<B: By> Inner<B> {
    fn state(&self) -> MutexGuard<'_, State<B>> {
        // Nothing in here panics while the state is half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a read wait for the next round; none if it goes out alone, as a round of its own.
    fn wait_or_begin(&self, caller: &Caller, by: &B) -> Result<Option<oneshot::Receiver<Answer>>> {
        let mut state = self.state();
        if state.rounds == 0 {
            state.begin();
            return Ok(None);
        }
        // Only a read that waits needs a copy of its caller's scope.
        let wanted = Wanted::new(caller.scope(), by)?;
        let (answer, answered) = oneshot::channel();
        state.waiting.push(call::share(), Waiting { call: call::current(), wanted, answer });
        Ok(Some(answered))
    }

    /// A round has ended: the next one begins, if reads wait.
    fn end_round(self: &Arc<Self>) {
        let mut state = self.state();
        state.rounds -= 1;
        self.begin_round(&mut state);
    }

    fn begin_beside_slow_ones(self: &Arc<Self>) {
        let mut state = self.state();
        if state.rounds < ROUNDS && state.began.is_none_or(|began| began.elapsed() >= SLOW) {
            self.begin_round(&mut state);
        }
    }

    fn begin_round(self: &Arc<Self>, state: &mut State<B>) {
        let reads = state.waiting.take(IN_ROUND, Waiting::is_wanted);
        if !reads.is_empty() {
            state.begin();
            let inner = Arc::clone(self);
            let round = async move {
                let _round = Round(&inner);
                inner.answer_all(reads).await;
            };
            // It belongs to none of its callers' traces.
            self.tasks.spawn(round.with_context(telemetry::context()));
        }
    }

    /// Answers all reads of a round.
    async fn answer_all(&self, reads: Vec<Waiting<B>>) {
        let (wanted, mut answers): (Vec<_>, Vec<_>) =
            reads.into_iter().map(|read| (read.wanted, Some(read.answer))).unzip();
        let mut bytes = 0;
        let done = async {
            let mut lease = self.pool.lease().await?;
            lease
                .run(async |conn| {
                    store::customers::read_gathered(conn, &wanted, |place, found, size| {
                        bytes += size;
                        if bytes > ROUND_BYTES {
                            return ControlFlow::Break(());
                        }
                        if let Some(answer) = answers.get_mut(place).and_then(Option::take) {
                            // A caller that has gone takes no answer.
                            _ = answer.send(found.map_or(Answer::ReadAlone, Answer::Found));
                        }
                        ControlFlow::Continue(())
                    })
                    .await
                })
                .await
        };
        let complete = done.await.is_ok() && bytes <= ROUND_BYTES;
        for answer in answers.into_iter().flatten() {
            _ = answer.send(if complete { Answer::Missing } else { Answer::ReadAlone });
        }
    }
}

/// One that is on its way, until this is dropped.
struct Round<'a, B: By>(&'a Arc<Inner<B>>);

impl<B: By> Drop for Round<'_, B> {
    fn drop(&mut self) {
        self.0.end_round();
    }
}

impl<B> Waiting<B> {
    /// Whether its caller still waits.
    fn is_wanted(&self) -> bool {
        self.call.as_ref().is_none_or(|call| !call.is_pointless())
    }
}

impl<B> State<B> {
    fn begin(&mut self) {
        self.rounds += 1;
        self.began = Some(Instant::now());
    }
}
