//! `clientele health`: asks a server how it is.

use std::path::Path;

use clap::builder::PossibleValuesParser;
use rustls::ClientConfig;

use super::{
    Failure,
    dev::callable,
    print,
    settings::{Logging, Settings},
};
use crate::{
    config::{
        Problems, RawSettings, parse,
        settings::{LISTEN, TLS_CERT_FILE, TLS_KEY_FILE},
        tls,
    },
    server::{self, LIVENESS, READINESS},
};

/// Ask a server how it is: prints SERVING, or fails and says why not
///
/// For probes that cannot ask gRPC's health service by themselves. It asks the server that these settings describe, on
/// this machine: where it listens, and with a certificate by TLS, which it believes by that very certificate and shows
/// as its own.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Health {
    /// Whether it takes calls, or whether it runs at all
    #[arg(default_value = READINESS, value_parser = PossibleValuesParser::new([READINESS, LIVENESS]))]
    which: String,
    /// Ask here, and not where the settings say
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    #[command(flatten)]
    settings: Settings<true>,
}

/// Whom to ask for what.
pub(super) struct Question {
    which: String,
    address: String,
    tls: Option<ClientConfig>,
}

impl Health {
    /// What is said, and the question that it comes to. The rest of a server's settings is not looked at.
    pub(super) fn question(self, logging: Logging) -> Result<(RawSettings, Question), Problems> {
        let mut problems = Problems::default();
        let said = self.settings.gather(logging, &mut problems);
        let address = self.address.or_else(|| {
            let listen = parse::address(said.one(&LISTEN).unwrap_or_default());
            problems.take(&said.label(&LISTEN), listen).map(|listen| callable(listen).to_string())
        });
        let tls = match (said.one(&TLS_CERT_FILE), said.one(&TLS_KEY_FILE)) {
            (Some(certificate), Some(key)) => {
                problems.take(&said.label(&TLS_CERT_FILE), tls::same(Path::new(certificate), Path::new(key)))
            }
            _ => None,
        };
        match address {
            Some(address) if problems.0.is_empty() => Ok((said, Question { which: self.which, address, tls })),
            _ => Err(problems),
        }
    }
}

/// Asks, and prints the answer if it is a good one.
pub(super) async fn ask(question: Question) -> Result<(), Failure> {
    let Question { which, address, tls } = question;
    server::health::ask(&address, tls, &which).await.map_err(Failure)?;
    Ok(print("SERVING")?)
}
