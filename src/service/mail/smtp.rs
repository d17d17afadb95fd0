//! Delivers one mail to a mail server, in two parts: what comes before the text may be given up at any time, and from the text on it
//! is not known whether the server has the mail, until it says so. The connection is ours to end: a server that has taken the
//! mail and then falls silent must not make the delivery a failure.

use std::{fmt, time::Duration};

use lettre::{
    Message,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    },
};

use crate::config::mail::{Smtp, SmtpSecurity};

/// How long the server has to answer QUIT, after it has taken the mail.
const QUIT: Duration = Duration::from_secs(2);

const LACKS_EXTENSION: &str = "it lacks an extension of SMTP that is needed";

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

    fn late() -> Self {
        Self::new("it did not answer in time")
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let kind = match error.status() {
            Some(code) => {
                return Self { no_such_address: is_bad_mailbox(&error), cause: format!("it answered {code}") };
            }
            None if error.is_timeout() => return Self::late(),
            None if error.is_tls() => "TLS failed",
            None if error.is_client() => LACKS_EXTENSION,
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

/// A mail server that waits for the text of a mail: it has taken nothing yet, and takes nothing if the connection is closed.
pub(super) struct Waiting(AsyncSmtpConnection);

/// Says to a mail server who sends a mail to whom.
///
/// # Errors
/// Why it does not want the mail. It has not taken it.
pub(super) async fn begin(smtp: &Smtp, message: &Message, within: Duration) -> Result<Waiting, Refused> {
    let mut connection = None;
    let begun = tokio::time::timeout(within, async {
        let connection = connection.insert(connect(smtp, within).await?);
        envelope(connection, message).await
    });
    let begun = begun.await.unwrap_or_else(|_| Err(Refused::late()));
    let connection = connection.ok_or_else(|| Refused::new("the connection failed"));
    match begun {
        Ok(()) => connection.map(Waiting),
        Err(refused) => {
            if let Ok(mut connection) = connection {
                quit(&mut connection).await;
            }
            Err(refused)
        }
    }
}

impl Waiting {
    /// Sends the text of the mail. Success: the server has taken it.
    ///
    /// # Errors
    /// Why it has not; or it is not known whether it has.
    pub(super) async fn finish(mut self, message: &Message, within: Duration) -> Result<(), Refused> {
        let connection = &mut self.0;
        let text = message.formatted();
        let sent = tokio::time::timeout(within, connection.message(&text)).await;
        let sent = sent.map_err(|_| Refused::late()).and_then(|answer| answer.map(drop).map_err(Refused::from));
        if sent.is_ok() {
            quit(connection).await;
        }
        sent
    }
}

async fn quit(connection: &mut AsyncSmtpConnection) {
    let _: Result<_, _> = tokio::time::timeout(QUIT, connection.quit()).await;
}

/// Everything before the text, which is plain ASCII but for addresses that are not.
async fn envelope(connection: &mut AsyncSmtpConnection, message: &Message) -> Result<(), Refused> {
    let envelope = message.envelope();
    let mut parameters = Vec::new();
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    if addresses.any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Refused::new(LACKS_EXTENSION));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !message.formatted().is_ascii() {
        if !connection.server_info().supports_feature(Extension::EightBitMime) {
            return Err(Refused::new(LACKS_EXTENSION));
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    connection.command(Mail::new(envelope.from().cloned(), parameters)).await?;
    for to in envelope.to() {
        connection.command(Rcpt::new(to.clone(), Vec::new())).await?;
    }
    connection.command(Data).await?;
    Ok(())
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
