//! A health check of a server, for probes that cannot call gRPC's health service themselves.

use std::time::Duration;

use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::{
    client::{Client, Tls},
    layers::NOT_READY,
};

/// Time limit for the response.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Checks the health of a service at HOST:PORT, over TLS if there is a TLS configuration.
///
/// # Errors
/// The service's status if it is not SERVING, or why there is no response.
pub async fn check(address: &str, tls: Option<Tls>, service: &str) -> Result<(), String> {
    let builder = Client::builder(address).deadline(TIMEOUT).attempts(1);
    let builder = match tls {
        Some(tls) => builder.tls(tls),
        None => builder,
    };
    let client = builder.connect().await.map_err(|error| error.message().to_owned())?;
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(client.calls()).check(request).await;
    let answer = answer.map_err(|status| format!("{service}: {}", status.message()))?;
    let why = answer.metadata().get(NOT_READY.as_str()).and_then(|words| words.to_str().ok()).map(ToOwned::to_owned);
    match (answer.into_inner().status(), why) {
        (ServingStatus::Serving, _) => Ok(()),
        (status, None) => Err(format!("{service} is {}", status.as_str_name())),
        (status, Some(why)) => Err(format!("{service} is {}: {why}", status.as_str_name())),
    }
}
