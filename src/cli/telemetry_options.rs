//! What `dev` is told about metrics and traces, as `serve` is by its settings.

use crate::config::{Problems, Telemetry, parse};

#[derive(clap::Args)]
pub(super) struct TelemetryOptions {
    /// Where Prometheus finds metrics, at /metrics; 0.0.0.0:9464 is usual [default: nowhere]
    #[arg(long, env = "CLIENTELE_METRICS_LISTEN", value_name = "ADDR", hide_env_values = true)]
    metrics_listen: Option<String>,
    /// The collector that takes traces by OTLP over gRPC, as in http://localhost:4317, or https for TLS [default: none]
    #[arg(long, env = "CLIENTELE_OTLP_ENDPOINT", value_name = "URL", hide_env_values = true)]
    otlp_endpoint: Option<String>,
    /// The part of the traces that begin here which is recorded; a caller's own are as the caller says
    #[arg(long, env = "CLIENTELE_TRACE_SAMPLE_RATIO", value_name = "0 TO 1", default_value = "0.05")]
    #[arg(hide_env_values = true)]
    trace_sample_ratio: String,
}

impl TelemetryOptions {
    /// What they say, as far as it can be read.
    pub(super) fn read(&self, problems: &mut Problems) -> Option<Telemetry> {
        let metrics_listen = self.metrics_listen.as_deref().map(parse::address).transpose();
        let metrics_listen = problems.take("--metrics-listen", metrics_listen);
        let sample_ratio = problems.take("--trace-sample-ratio", parse::ratio(&self.trace_sample_ratio));
        Some(Telemetry {
            metrics_listen: metrics_listen?,
            otlp_endpoint: self.otlp_endpoint.clone(),
            otlp_ca: None,
            sample_ratio: sample_ratio?,
        })
    }
}
