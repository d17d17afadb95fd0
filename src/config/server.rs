//! The whole configuration of a server.

use std::net::SocketAddr;

use super::{
    connections::Connections,
    database::Database,
    grpc_web::GrpcWeb,
    identity::{Identity, MeshIdentity},
    limits::Limits,
    load::Load,
    mail::Mail,
    problems::Problems,
    reloadable::Reloadable,
    sealing::SealingKeys,
    telemetry::Telemetry,
    tls::Tls,
};

/// The configuration of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Its database.
    pub database: Database,
    /// Trusted token issuers, and principals with rights of their own.
    pub identity: Identity,
    /// The keys for etags and page tokens. All replicas have the same.
    pub sealing: Reloadable<SealingKeys>,
    /// Deadlines and the stop sequence.
    pub limits: Limits,
    /// The server certificate; without one the server serves in clear text.
    pub tls: Option<Reloadable<Tls>>,
    /// The proxy header that names the calling workload, if one is trusted besides client certificates.
    pub mesh_identity: MeshIdentity,
    /// Limits on client connections.
    pub connections: Connections,
    /// gRPC-Web, if it is served.
    pub grpc_web: Option<GrpcWeb>,
    /// Bounds on concurrent work.
    pub load: Load,
    /// Whether reflection is served.
    pub reflection: bool,
    /// Mails of invitations.
    pub mail: Mail,
    /// Where metrics and traces go.
    pub telemetry: Telemetry,
}

impl Config {
    /// Checks whether a server can run with it.
    ///
    /// # Errors
    /// Every problem.
    pub fn verify(&self) -> Result<(), Problems> {
        let mut problems = Problems::default();
        self.database.verify(&mut problems);
        self.identity.verify(&mut problems);
        self.sealing.get().verify(&mut problems);
        self.limits.verify(&mut problems);
        self.telemetry.verify(&mut problems);
        self.connections.verify(&mut problems);
        self.load.verify(&mut problems);
        self.mail.verify(&mut problems);
        self.verify_across(&mut problems);
        if problems.0.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Adds the problems between one concern and another.
    pub fn verify_across(&self, problems: &mut Problems) {
        problems.require(self.database.statement_timeout <= self.limits.deadline, || {
            "--statement-timeout is longer than --deadline: a statement would outlive its call".to_owned()
        });
        for named in &self.mail.emailless_issuers {
            problems.require(self.identity.issuers.iter().any(|issuer| issuer.issuer == *named), || {
                format!("--emailless-issuer: no --issuer is {named}")
            });
        }
    }
}
