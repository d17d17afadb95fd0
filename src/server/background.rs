//! Background work of a server: it deletes expired stored answers, and mails invitations.

use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    layers::ActiveRequests,
    service::{Services, mail::Mailer},
    telemetry,
};

/// How often expired stored answers are deleted.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(3600);

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
