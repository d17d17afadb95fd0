//! What a server does of its own accord: it looks whether it is ready, and deletes what has grown old.

use std::{collections::BTreeSet, time::Duration};

use tokio::time;
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};
use tracing::{info, warn};

use crate::{domain::requests::contract, layers::token::Verifier, service::Services, telemetry};

/// The process runs. It says nothing of the database, or an outage would restart every replica.
pub const LIVENESS: &str = "liveness";
/// The process takes calls; "" and the contract's services say the same.
pub const READINESS: &str = "readiness";
/// How often the schema is looked at until it is new enough.
const SCHEMA_POLL: Duration = Duration::from_secs(1);
/// How often stored answers that have grown old are deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Ready once tokens can be verified and the schema is new enough, until the server is told to stop; when it does, health's
/// Watches end, or they would hold their connections for ever.
pub(super) async fn follow_readiness(
    mut health: HealthReporter,
    verifier: Verifier,
    services: Services,
    leaving: CancellationToken,
    stop: CancellationToken,
) {
    let schema = async {
        verifier.ready().await;
        let mut poll = time::interval(SCHEMA_POLL);
        loop {
            poll.tick().await;
            if services.schema_ready().await {
                return;
            }
        }
    };
    if leaving.run_until_cancelled(schema).await.is_some() {
        report(&health, ServingStatus::Serving).await;
        info!("ready");
        leaving.run_until_cancelled(warn_of_indiscretion(&services)).await;
        leaving.cancelled().await;
    }
    report(&health, ServingStatus::NotServing).await;
    stop.cancelled().await;
    for service in following_readiness().chain([LIVENESS]) {
        health.clear_service_status(service).await;
    }
}

/// PostgreSQL's own log is somebody else's, and says more than ours unless it is told not to.
async fn warn_of_indiscretion(services: &Services) {
    if let Ok(settings) = services.indiscreet_settings().await
        && !settings.is_empty()
    {
        warn!(settings = settings.join("; "), "PostgreSQL's own log shows customers' data: see docs/telemetry.md");
    }
}

/// Deletes what is kept for a time and no longer. An hour that fails is made up for by the next.
pub(super) async fn sweep(services: Services, stop: CancellationToken) {
    let sweeping = async {
        let mut rounds = time::interval_at(time::Instant::now() + SWEEP_EVERY, SWEEP_EVERY);
        loop {
            rounds.tick().await;
            let swept = services.sweep().await;
            telemetry::measure(|metrics| metrics.swept(swept.as_ref().ok().copied()));
            match swept {
                Ok(swept) => info!(swept, "old answers deleted"),
                Err(cause) => warn!(%cause, "old answers stay until the next sweep"),
            }
        }
    };
    let _: Option<()> = stop.run_until_cancelled(sweeping).await;
}

pub(super) async fn report(health: &HealthReporter, status: ServingStatus) {
    for service in following_readiness() {
        health.set_service_status(service, status).await;
    }
}

/// What follows readiness: its own name, the server as a whole, and every service of the contract.
fn following_readiness() -> impl Iterator<Item = &'static str> {
    let services = contract::RPCS.iter().filter_map(|rpc| rpc.name().split_once('/')).map(|(service, _)| service);
    services.chain(["", READINESS]).collect::<BTreeSet<_>>().into_iter()
}
