//! The measure of the queue of mails.

use std::sync::PoisonError;

use tokio::time::Instant;

use super::{MEASURE, Mailer};
use crate::{store, telemetry::OutboxStatus};

impl Mailer {
    /// Measures the queue, if the last time is long ago. Without a database the last values stay.
    pub async fn measure(&self) {
        let last = self.measured.lock().unwrap_or_else(PoisonError::into_inner).0;
        if last.is_some_and(|last| last.elapsed() < MEASURE) {
            return;
        }
        let status = async {
            let mut lease = self.pool.lease().await?;
            lease.run(async |conn| store::access::outbox::status(conn).await).await
        };
        if let Ok((waiting, since)) = status.await {
            let status = OutboxStatus { waiting, since: since.map(|since| since.timestamp()) };
            *self.measured.lock().unwrap_or_else(PoisonError::into_inner) = (Some(Instant::now()), status);
        }
    }

    /// The queue as it was measured last.
    #[must_use]
    pub fn status(&self) -> OutboxStatus {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
