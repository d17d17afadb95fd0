//! Where metrics and traces go.

use std::{net::SocketAddr, path::PathBuf};

use super::{problems::Problems, tls};

/// Where metrics and traces go. Logs go to standard error.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The address for Prometheus; port 0 picks a free one. Without it there is no metrics port.
    pub metrics_listen: Option<SocketAddr>,
    /// The collector for traces by OTLP over gRPC, as in `http://localhost:4317`, or with TLS by `https`. Without it no
    /// traces are sent.
    pub otlp_endpoint: Option<String>,
    /// The certificate authorities for the collector; without them the built-in Mozilla roots.
    pub otlp_ca: Option<PathBuf>,
    /// The share of the traces that begin here which is recorded, from 0 to 1. A trace that a caller began is recorded
    /// if the caller samples it.
    pub sample_ratio: f64,
}

impl Telemetry {
    /// The default share of recorded traces: one in twenty.
    pub const SAMPLE_RATIO: f64 = 0.05;

    /// Adds its problems.
    pub fn verify(&self, problems: &mut Problems) {
        problems.require((0.0..=1.0).contains(&self.sample_ratio), || {
            "--trace-sample-ratio must be from 0 to 1, as in 0.05".to_owned()
        });
        let over_tls = self.otlp_endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("https://"));
        problems.require(over_tls || self.otlp_ca.is_none(), || {
            "--otlp-ca-file needs an --otlp-endpoint that begins with https://".to_owned()
        });
        if let Some(Err(problem)) = self.otlp_ca.as_deref().map(tls::roots) {
            problems.0.push(format!("--otlp-ca-file {problem}"));
        }
        let Some(endpoint) = &self.otlp_endpoint else { return };
        let host = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
        problems.require(host.is_some_and(|host| !host.is_empty()), || {
            format!(
                "--otlp-endpoint {endpoint}: it must be http://HOST:4317 or https://HOST:4317, a collector that accepts OTLP \
                 over gRPC"
            )
        });
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { metrics_listen: None, otlp_endpoint: None, otlp_ca: None, sample_ratio: Self::SAMPLE_RATIO }
    }
}
