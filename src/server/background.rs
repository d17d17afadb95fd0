//! Background work of a server: it updates its readiness, deletes expired stored answers, and mails invitations.

use std::{collections::BTreeSet, time::Duration};

use tokio::time;
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};
use tracing::{info, warn};

use crate::{
    domain::requests::contract,
    layers::{ActiveRequests, token::Verifier},
    service::{Services, mail::Mailer},
    telemetry,
};

/// The health service of the process. It does not depend on the database: an outage must not restart every replica.
pub const LIVENESS: &str = "liveness";
/// The health service of readiness for calls. The empty name and the contract's services report the same.
pub const READINESS: &str = "readiness";
/// How often the schema's version is checked until it is new enough.
const SCHEMA_POLL: Duration = Duration::from_secs(1);
/// How often expired stored answers are deleted.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(3600);

/// Reports SERVING once tokens can be verified and the schema is new enough, until `not_ready` is cancelled. When `stop` is
/// cancelled, health's Watch streams end; they would keep their connections open for ever.
pub(super) async fn update_readiness(
    mut health: HealthReporter,
    verifier: Verifier,
    services: Services,
    not_ready: CancellationToken,
    stop: CancellationToken,
) {
    let ready = async {
        verifier.ready().await;
        let mut poll = time::interval(SCHEMA_POLL);
        loop {
            poll.tick().await;
            if services.schema_ready().await {
                return;
            }
        }
    };
    if not_ready.run_until_cancelled(ready).await.is_some() {
        set_readiness(&health, ServingStatus::Serving).await;
        info!("ready");
        not_ready.run_until_cancelled(warn_if_database_logs_customer_data(&services)).await;
        not_ready.cancelled().await;
    }
    set_readiness(&health, ServingStatus::NotServing).await;
    stop.cancelled().await;
    for service in readiness_services().chain([LIVENESS]) {
        health.clear_service_status(service).await;
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

/// Deletes expired stored answers every hour. After a failure the next run deletes them.
pub(super) async fn run_cleanup(services: Services, stop: CancellationToken) {
    let cleanup = async {
        let mut runs = time::interval_at(time::Instant::now() + CLEANUP_INTERVAL, CLEANUP_INTERVAL);
        loop {
            runs.tick().await;
            let result = services.sweep().await;
            telemetry::measure(|metrics| metrics.cleaned_up(result.as_ref().ok().copied()));
            match result {
                Ok(deleted) => info!(deleted, "expired stored answers deleted"),
                Err(cause) => warn!(%cause, "expired stored answers not deleted; the next run tries again"),
            }
        }
    };
    let _: Option<()> = stop.run_until_cancelled(cleanup).await;
}

/// Delivers the mails of invitations, and measures their queue. A delivery that has begun counts as a call: a server
/// that stops waits for it as long as for calls.
pub(super) async fn run_mailer(mailer: Mailer, requests: ActiveRequests, stop: CancellationToken) {
    if !mailer.delivers() {
        warn!("no mail server is configured (--smtp-host): invitations wait");
    }
    while !stop.is_cancelled() {
        let delivered = if mailer.delivers() {
            let _active = requests.start();
            mailer.deliver_next(stop.cancelled()).await
        } else {
            Ok(false)
        };
        match delivered {
            Ok(true) => {
                // Also while the queue does not end: that is when the measure matters.
                mailer.measure().await;
                continue;
            }
            Ok(false) => {}
            Err(cause) => warn!(%cause, "the queue of invitations cannot be read; it is tried again"),
        }
        let _: Option<()> = stop
            .run_until_cancelled(async {
                mailer.wait().await;
                mailer.measure().await;
            })
            .await;
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
