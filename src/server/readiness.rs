//! Readiness: what has to be there before the server takes calls, and what the log says until then.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};
use tracing::{info, warn};

use crate::{
    domain::requests::contract,
    layers::token::Verifier,
    service::{
        Services,
        readiness::{Obstacle, Readiness},
    },
};

/// The health service of the process. It does not depend on the database: an outage must not restart every replica.
pub const LIVENESS: &str = "liveness";
/// The health service of readiness for calls. The empty name and the contract's services report the same.
pub const READINESS: &str = "readiness";
/// How often it is checked what is still in the way.
const POLL: Duration = Duration::from_secs(1);
/// How often the log repeats what is in the way, while nothing changes.
const REPEAT: Duration = Duration::from_secs(30);

/// Reports SERVING once tokens can be verified, the database answers and its schema is new enough, until `not_ready` is
/// cancelled. When `stop` is cancelled, health's Watch streams end; they would keep their connections open for ever.
pub(super) async fn update_readiness(
    mut health: HealthReporter,
    readiness: Readiness,
    verifier: Verifier,
    services: Services,
    not_ready: CancellationToken,
    stop: CancellationToken,
) {
    let find = || obstacles(verifier.clone(), services.clone());
    let ready = wait_until_ready(&readiness, find, |obstacle| {
        warn!(reason = obstacle.word(), cause = %obstacle, remedy = obstacle.remedy(), "not ready");
    });
    if Box::pin(not_ready.run_until_cancelled(ready)).await.is_some() {
        set_readiness(&health, ServingStatus::Serving).await;
        info!("ready");
        not_ready.run_until_cancelled(warn_if_database_logs_customer_data(&services)).await;
        not_ready.cancelled().await;
    }
    readiness.set(&[Obstacle::ShuttingDown]);
    set_readiness(&health, ServingStatus::NotServing).await;
    stop.cancelled().await;
    for service in readiness_services().chain([LIVENESS]) {
        health.clear_service_status(service).await;
    }
}

/// What is in the way now.
async fn obstacles(verifier: Verifier, services: Services) -> Vec<Obstacle> {
    let (issuers, database) = tokio::join!(verifier.unavailable_issuers(), services.database_obstacle());
    let issuers = issuers.map(|issuers| Obstacle::IssuerUnavailable { issuers });
    issuers.into_iter().chain(database).collect()
}

/// Checks again and again what is in the way, until nothing is; says it at once, when it changes, and every 30 seconds.
async fn wait_until_ready<F: Future<Output = Vec<Obstacle>>>(
    readiness: &Readiness,
    find: impl Fn() -> F,
    say: impl Fn(&Obstacle),
) {
    let mut poll = time::interval(POLL);
    let mut logged = Instant::now();
    loop {
        poll.tick().await;
        let obstacles = find().await;
        let changed = readiness.set(&obstacles);
        if obstacles.is_empty() {
            return;
        }
        if changed || logged.elapsed() >= REPEAT {
            logged = Instant::now();
            obstacles.iter().for_each(&say);
        }
    }
}

/// PostgreSQL's own log is outside our control. By default it contains values of customers.
async fn warn_if_database_logs_customer_data(services: &Services) {
    if let Ok(settings) = services.indiscreet_settings().await
        && !settings.is_empty()
    {
        warn!(settings = settings.join("; "), "PostgreSQL's own log may show customer data: see docs/telemetry.md");
    }
}

pub(super) async fn set_readiness(health: &HealthReporter, status: ServingStatus) {
    for service in readiness_services() {
        health.set_service_status(service, status).await;
    }
}

/// The health services that report readiness: its own name, the whole server, and every service of the contract.
fn readiness_services() -> impl Iterator<Item = &'static str> {
    let services = contract::RPCS.iter().filter_map(|rpc| rpc.name().split_once('/')).map(|(service, _)| service);
    services.chain(["", READINESS]).collect::<BTreeSet<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_in_the_way_is_said_at_once_when_it_changes_and_every_thirty_seconds() {
        let began = Instant::now();
        let schema = |found| Obstacle::SchemaOutdated { found, needed: 9 };
        let (said, readiness) = (RefCell::new(Vec::new()), Readiness::default());
        let find = || {
            ready(match began.elapsed().as_secs() {
                0..5 => vec![Obstacle::IssuerUnavailable { issuers: vec!["one".to_owned()] }, schema(0)],
                5..40 => vec![schema(0)],
                40..50 => vec![schema(7)],
                _ => Vec::new(),
            })
        };
        let say = |obstacle: &Obstacle| said.borrow_mut().push((began.elapsed().as_secs(), obstacle.to_string()));
        wait_until_ready(&readiness, find, say).await;
        let schema_is = |found| schema(found).to_string();
        let expected = [
            (0, "no signing keys of the issuer one".to_owned()),
            (0, schema_is(0)),
            (5, schema_is(0)),
            (35, schema_is(0)),
            (40, schema_is(7)),
        ];
        assert_eq!(said.into_inner(), expected);
        assert_eq!((readiness.words(), began.elapsed().as_secs()), (Vec::new(), 50));
    }
}
