//! `clientele health`: checks a server's health.

use std::path::Path;

use clap::builder::PossibleValuesParser;

use super::{
    listen::local_address,
    output::{Failure, print_result},
    settings::{Logging, OfHealth, Settings},
};
use crate::{
    client::Tls,
    config::{
        Problems, RawSettings, parse,
        settings::{LISTEN, TLS_CERT_FILE, TLS_KEY_FILE},
        tls::OwnServer,
    },
    server::{self, LIVENESS, READINESS},
};

/// Check a server's health: prints SERVING, or fails with the reason
///
/// For probes that cannot call gRPC's health service themselves. It checks the server with these settings on this
/// machine: at its `listen` address, and with a certificate over TLS. It trusts only that certificate, and presents it
/// as the client certificate.
#[derive(clap::Args)]
pub(super) struct Health {
    /// Readiness (the server accepts calls) or liveness (the process runs)
    #[arg(default_value = READINESS, value_parser = PossibleValuesParser::new([READINESS, LIVENESS]))]
    check: String,
    /// Address of the server, instead of that in the settings
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    #[command(flatten)]
    settings: Settings<OfHealth>,
    #[command(flatten)]
    logging: Logging,
}

/// A health check: the service's name, and the server.
pub(super) struct HealthQuery {
    service: String,
    address: String,
    tls: Option<Tls>,
}

impl Health {
    /// Returns the settings and the query. Other settings of a server are ignored.
    pub(super) fn query(self) -> Result<(RawSettings, HealthQuery), Problems> {
        let mut problems = Problems::default();
        let settings = self.settings.gather(&self.logging, &mut problems);
        let address = self.address.or_else(|| {
            let listen = parse::address(settings.value(&LISTEN).unwrap_or_default());
            problems.value_of(&settings.label(&LISTEN), listen).map(|listen| local_address(listen).to_string())
        });
        let tls = match (settings.value(&TLS_CERT_FILE), settings.value(&TLS_KEY_FILE)) {
            (Some(certificate), Some(key)) => {
                let own = OwnServer::read(Path::new(certificate), Path::new(key));
                let own = problems.value_of(&settings.label(&TLS_CERT_FILE), own);
                own.map(|own| Tls::verified_by(own.verifier).identity(own.certificate, own.key))
            }
            _ => None,
        };
        match address {
            Some(address) if problems.0.is_empty() => Ok((settings, HealthQuery { service: self.check, address, tls })),
            _ => Err(problems),
        }
    }
}

/// Checks the server, and prints SERVING if it is healthy.
pub(super) async fn check(query: HealthQuery) -> Result<(), Failure> {
    let HealthQuery { service, address, tls } = query;
    server::health::check(&address, tls, &service).await.map_err(Failure)?;
    Ok(print_result("SERVING")?)
}
