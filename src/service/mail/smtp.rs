//! Delivers one mail to a mail server. The connection is ours to end: a server that has taken the mail and then falls silent
//! must not make the delivery a failure.

use std::{fmt, time::Duration};

use lettre::{
    Message,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
        extension::ClientId,
    },
};

use crate::config::mail::{Smtp, SmtpSecurity};

/// How long the server has to answer QUIT, after it has taken the mail.
const QUIT: Duration = Duration::from_secs(2);

/// Why a mail was not delivered. The text has no address: answers of mail servers repeat it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// Whether the server says that there is no such address: trying again is pointless.
    pub(super) no_such_address: bool,
    cause: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.cause)
    }
}

impl Refused {
    fn new(cause: impl Into<String>) -> Self {
        Self { no_such_address: false, cause: cause.into() }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let kind = match error.status() {
            Some(code) => {
                return Self { no_such_address: is_bad_mailbox(&error), cause: format!("it answered {code}") };
            }
            None if error.is_timeout() => "it did not answer in time",
            None if error.is_tls() => "TLS failed",
            None if error.is_client() => "it lacks an extension of SMTP that is needed",
            None if error.is_response() => "its answer is not SMTP",
            None => "the connection failed",
        };
        Self::new(kind)
    }
}

/// Whether the answer has an enhanced status code (RFC 3463) of a bad destination: no mailbox, system or syntax.
fn is_bad_mailbox(error: &Error) -> bool {
    let text = error.to_string();
    error.is_permanent()
        && ["5.1.1", "5.1.2", "5.1.3", "5.1.10"]
            .iter()
            .any(|code| text.split([' ', '(', ')', ',']).any(|word| word == *code))
}

/// Delivers a mail. Success: the server has taken it.
///
/// # Errors
/// Why it has not; or it is not known whether it has.
pub(super) async fn deliver(smtp: &Smtp, message: &Message, within: Duration) -> Result<(), Refused> {
    let mut connection = None;
    let delivered = tokio::time::timeout(within, async {
        let connection = connection.insert(connect(smtp, within).await?);
        Ok(connection.send(message.envelope(), &message.formatted()).await.map(drop)?)
    });
    let delivered = delivered.await.unwrap_or_else(|_| Err(Refused::new("it did not answer in time")));
    if let Some(connection) = connection.as_mut().filter(|_| delivered.is_ok()) {
        let _: Result<_, _> = tokio::time::timeout(QUIT, connection.quit()).await;
    }
    delivered
}

async fn connect(smtp: &Smtp, within: Duration) -> Result<AsyncSmtpConnection, Refused> {
    let hello = ClientId::Domain(smtp.from.as_str().rsplit('@').next().unwrap_or_default().to_owned());
    let address = (smtp.host.as_str(), smtp.port);
    let tls = match smtp.security {
        SmtpSecurity::None => None,
        SmtpSecurity::StartTls | SmtpSecurity::Tls => Some(tls(smtp)?),
    };
    let from_the_start = tls.clone().filter(|_| smtp.security == SmtpSecurity::Tls);
    let mut connection =
        AsyncSmtpConnection::connect_tokio1(address, Some(within), &hello, from_the_start, None).await?;
    if let Some(tls) = tls.filter(|_| smtp.security == SmtpSecurity::StartTls) {
        connection.starttls(tls, &hello).await?;
    }
    if let Some(credentials) = &smtp.credentials {
        let credentials = credentials.get();
        let credentials = Credentials::new(credentials.user.clone(), credentials.password.clone());
        connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
    }
    Ok(connection)
}

fn tls(smtp: &Smtp) -> Result<TlsParameters, Refused> {
    let builder = TlsParameters::builder(smtp.host.clone());
    let builder = match &smtp.ca {
        None => builder.certificate_store(CertificateStore::WebpkiRoots),
        Some(file) => {
            let unreadable = |_| Refused::new("--smtp-ca-file cannot be read");
            let pem = std::fs::read(file).map_err(unreadable)?;
            let authorities = Certificate::from_pem(&pem).map_err(|_| Refused::new("--smtp-ca-file is no PEM file"))?;
            builder.certificate_store(CertificateStore::None).add_root_certificate(authorities)
        }
    };
    builder.build_rustls().map_err(|_| Refused::new("TLS cannot be configured"))
}
