//! As many calls at once as the server answers well, and a short line behind them; whoever comes when that is full is
//! refused at once, with a word on when to come again. A server that takes more answers none in time.
//!
//! Searches have a limit of their own, as they have sessions of their own: a flood of them leaves the rest alone. Health
//! and reflection have none: an overload must not look like a dead server.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::body::Body;

use super::{ActiveRequests, Around, Inner};
use crate::{
    config::Config,
    domain::requests::contract,
    error::Error,
    grpc::status::{self, Repeat},
};

/// The RPCs that search.
const SEARCHES: [&str; 1] = ["/clientele.v1.CustomerService/SearchCustomers"];
/// Searches in flight for each session that they have: the next one's request is read and its caller known before a
/// session comes free.
const SEARCHES_PER_CONNECTION: usize = 4;
/// Places for each that may stand in line: a line is for a burst. One so long that few come to its end in time costs them the
/// wait and us their upkeep.
const PLACES_PER_IN_LINE: usize = 4;
/// When a caller should come again that was refused.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Lets in as many calls as may be in flight.
#[derive(Clone)]
pub struct Admission {
    // Shared: a layer is cloned for each call.
    calls: Arc<Room>,
    searches: Arc<Room>,
    // Made once: of a refusal nothing is as dear as spelling it out.
    refusal: Arc<Response<()>>,
}

/// A call's place among those in flight. It is given back when the last clone is dropped: a mutation that outlives its
/// caller keeps one.
#[derive(Clone)]
pub struct InFlight {
    _place: Arc<(OwnedSemaphorePermit, TaskTrackerToken)>,
}

impl Admission {
    /// Calls in flight are noted in `begun`.
    #[must_use]
    pub fn new(config: &Config, begun: &ActiveRequests) -> Self {
        let room = |places| Arc::new(Room::new(places, config.load.queue_wait, begun));
        Self {
            calls: room(config.load.in_flight),
            searches: room(config.database.search_connections * SEARCHES_PER_CONNECTION),
            // Nothing was done: any call may be sent again.
            refusal: Arc::new(
                status::from_error(Error::Overloaded { retry_after: RETRY_AFTER }, Repeat::Safe).into_http(),
            ),
        }
    }
}

impl Around for Admission {
    async fn around<S: Inner>(self, inner: S, mut request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        // What is no RPC of the contract costs nothing worth a place.
        let Some(rpc) = contract::rpc(path) else { return inner.run(request).await };
        let room = if SEARCHES.contains(&rpc.path) { &self.searches } else { &self.calls };
        match room.enter().await {
            Some(place) => {
                request.extensions_mut().insert(place.clone());
                let answer = inner.run(request).await;
                drop(place);
                answer
            }
            None => self.refusal.as_ref().clone().map(|()| Body::empty()),
        }
    }
}

/// Places, and a line for them.
struct Room {
    places: Arc<Semaphore>,
    line: Semaphore,
    longest: Duration,
    begun: ActiveRequests,
}

impl Room {
    /// Some may stand in line, each for `longest`.
    fn new(places: usize, longest: Duration, begun: &ActiveRequests) -> Self {
        let line = Semaphore::new((places / PLACES_PER_IN_LINE).max(1));
        Self { places: Arc::new(Semaphore::new(places)), line, longest, begun: begun.clone() }
    }

    async fn enter(&self) -> Option<InFlight> {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => self.stand_in_line().await?,
        };
        Some(InFlight { _place: Arc::new((place, self.begun.begin())) })
    }

    async fn stand_in_line(&self) -> Option<OwnedSemaphorePermit> {
        let _in_line = self.line.try_acquire().ok()?;
        timeout(self.longest, Arc::clone(&self.places).acquire_owned()).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests;
