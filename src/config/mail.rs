//! Mails of invitations: how they are delivered, the link in them, and how long it is valid.

use std::{fmt, path::PathBuf, time::Duration};

use super::{problems::Problems, reloadable::Reloadable, tls};
use crate::domain::values::email::Email;

/// Where the link has its token.
pub const TOKEN: &str = "{token}";

/// How invitations are mailed.
#[derive(Clone, Debug)]
pub struct Mail {
    /// How mails are delivered.
    pub delivery: Delivery,
    /// The link of an invitation, with [`TOKEN`] in it.
    pub invitation_url: Option<String>,
    /// How long an invitation can be accepted.
    pub invitation_lifetime: Duration,
    /// Issuers whose tokens state no verified email address: the invitation's token suffices.
    pub emailless_issuers: Vec<String>,
    /// The pace of the sender.
    pub pace: Pace,
}

/// How mails are delivered.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// Not at all: they wait.
    None,
    /// The link is printed.
    Print(fn(&str)),
    /// By a mail server.
    Smtp(Box<Smtp>),
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// The user and its password, if the server asks for them. Reloaded when their files change.
    pub credentials: Option<Reloadable<Credentials>>,
    /// The certificate authorities of the server; without them the built-in Mozilla roots.
    pub ca: Option<PathBuf>,
    /// The sender of the mails.
    pub from: Email,
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// TLS after the command STARTTLS, which the server must support.
    StartTls,
    /// TLS from the start.
    Tls,
    /// None.
    None,
}

/// A user of a mail server.
#[derive(Clone)]
pub struct Credentials {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("credentials")
    }
}

/// The times of the sender. They are no settings: tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often the queue is looked at, if nothing wakes the sender.
    pub poll: Duration,
    /// How long a replica holds a mail that it has taken. Much longer than a delivery may take up to the text.
    pub lease: Duration,
    /// How long one delivery may take, up to the text of the mail.
    pub delivery: Duration,
    /// How long the mail server may take to answer to the text: ten minutes, by RFC 5321, 4.5.3.2.6.
    pub answer: Duration,
    /// How long a replica holds the mail from the text on. Much longer than that answer may take: meanwhile it is not known whether
    /// the server has the mail, or that it has is not noted yet.
    pub in_doubt: Duration,
    /// Pause after the first failure; it grows with the time since the first attempt.
    pub first_pause: Duration,
    /// The longest pause between two attempts.
    pub longest_pause: Duration,
    /// How long delivery is attempted.
    pub give_up: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let hour = Duration::from_secs(3_600);
        Self {
            poll: Duration::from_secs(5),
            lease: Duration::from_secs(300),
            delivery: Duration::from_secs(60),
            answer: Duration::from_secs(600),
            in_doubt: Duration::from_secs(1_800),
            first_pause: Duration::from_secs(30),
            longest_pause: hour,
            give_up: hour * 48,
        }
    }
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            delivery: Delivery::None,
            invitation_url: None,
            invitation_lifetime: Self::LIFETIME,
            emailless_issuers: Vec::new(),
            pace: Pace::default(),
        }
    }
}

impl Mail {
    /// The usual lifetime of an invitation.
    pub const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3_600);
    /// The longest.
    const LONGEST: Duration = Duration::from_secs(90 * 24 * 3_600);
    /// The shortest.
    const SHORTEST: Duration = Duration::from_secs(60);

    /// Adds its problems.
    pub fn verify(&self, problems: &mut Problems) {
        problems.require((Self::SHORTEST..=Self::LONGEST).contains(&self.invitation_lifetime), || {
            "--invitation-lifetime must be from 1m to 2160h".to_owned()
        });
        let url = self.invitation_url.as_deref();
        problems.require(!matches!(self.delivery, Delivery::Smtp(_)) || url.is_some(), || {
            "--smtp-host needs --invitation-url".to_owned()
        });
        if let Some(url) = url {
            let with_token = url.replacen(TOKEN, "x", 1);
            let sound = url.matches(TOKEN).count() == 1 && !url.contains(char::is_whitespace);
            let scheme = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
            problems.require(sound && scheme && with_token.parse::<http::Uri>().is_ok(), || {
                format!("--invitation-url must be an http or https URL with {TOKEN} in it once")
            });
        }
        if let Delivery::Smtp(smtp) = &self.delivery {
            smtp.verify(problems);
        }
    }

    /// The link with this token.
    #[must_use]
    pub fn link(&self, token: &str) -> String {
        self.invitation_url.as_deref().unwrap_or(TOKEN).replacen(TOKEN, token, 1)
    }
}

impl Smtp {
    fn verify(&self, problems: &mut Problems) {
        problems.require(self.credentials.is_none() || self.security != SmtpSecurity::None, || {
            "--smtp-security none would send the password in clear text: leave out --smtp-user-file and \
             --smtp-password-file, or use starttls or tls"
                .to_owned()
        });
        if let Some(Err(problem)) = self.ca.as_deref().map(tls::roots) {
            problems.0.push(format!("--smtp-ca-file {problem}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(mail: &Mail) -> Vec<String> {
        let mut problems = Problems::default();
        mail.verify(&mut problems);
        problems.0
    }

    #[test]
    fn a_link_has_its_token_once() {
        let with = |url: &str| Mail { invitation_url: Some(url.to_owned()), ..Mail::default() };
        let good = with("https://portal.example/join#token={token}");
        assert_eq!(problems(&good), Vec::<String>::new());
        assert_eq!(good.link("abc"), "https://portal.example/join#token=abc");
        for bad in [
            "https://portal.example/join",
            "https://portal.example/{token}/{token}",
            "ftp://portal.example/{token}",
            "portal.example/{token}",
            "https://portal.example/a b{token}",
            "https:///{token}",
        ] {
            assert_eq!(problems(&with(bad)).len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_password_is_not_sent_in_clear_text_and_not_printed() {
        let credentials = Credentials { user: "u".to_owned(), password: "hunter2".to_owned() };
        let smtp = Smtp {
            host: "mail.example".to_owned(),
            port: 25,
            security: SmtpSecurity::None,
            credentials: Some(credentials.into()),
            ca: None,
            from: Email::parse("portal@firm.example").unwrap(),
        };
        let mail = Mail {
            delivery: Delivery::Smtp(Box::new(smtp)),
            invitation_url: Some("https://portal.example/{token}".to_owned()),
            ..Mail::default()
        };
        assert!(problems(&mail)[0].contains("clear text"));
        assert!(!format!("{mail:?}").contains("hunter2"));
        let lifetime = |seconds| Mail { invitation_lifetime: Duration::from_secs(seconds), ..Mail::default() };
        assert_eq!(problems(&lifetime(59)).len() + problems(&lifetime(91 * 24 * 3_600)).len(), 2);
    }
}
