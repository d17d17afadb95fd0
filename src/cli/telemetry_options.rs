//! The options of `dev` for metrics and traces; `serve` has settings for them.

use crate::config::{Problems, Telemetry, parse};

#[derive(clap::Args)]
pub(super) struct TelemetryOptions {
    /// Address of the Prometheus endpoint /metrics; usually 0.0.0.0:9464 [default: none]
    #[arg(long, env = "CLIENTELE_METRICS_LISTEN", value_name = "ADDR", hide_env_values = true)]
    metrics_listen: Option<String>,
    /// Collector for traces (OTLP over gRPC), as in http://localhost:4317, or https for TLS [default: none]
    #[arg(long, env = "CLIENTELE_OTLP_ENDPOINT", value_name = "URL", hide_env_values = true)]
    otlp_endpoint: Option<String>,
    /// Share of the traces that begin here which is recorded, from 0 to 1. For a trace that a caller began, the caller decides
    #[arg(long, env = "CLIENTELE_TRACE_SAMPLE_RATIO", value_name = "RATIO", default_value = "0.05")]
    #[arg(hide_env_values = true)]
    trace_sample_ratio: String,
}

impl TelemetryOptions {
    /// Parses the options.
    pub(super) fn read(&self, problems: &mut Problems) -> Option<Telemetry> {
        let metrics_listen = self.metrics_listen.as_deref().map(parse::address).transpose();
        let metrics_listen = problems.value_of("--metrics-listen", metrics_listen);
        let sample_ratio = problems.value_of("--trace-sample-ratio", parse::ratio(&self.trace_sample_ratio));
        Some(Telemetry {
            metrics_listen: metrics_listen?,
            otlp_endpoint: self.otlp_endpoint.clone(),
            otlp_ca: None,
            sample_ratio: sample_ratio?,
        })
    }
}
