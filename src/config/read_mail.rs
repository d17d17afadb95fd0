//! Reads how invitations are mailed.

use std::path::PathBuf;

use super::{
    mail::{Credentials, Delivery, Mail, Pace, Smtp, SmtpSecurity},
    parse,
    problems::Problems,
    reloadable::Reloadable,
    settings::{
        EMAILLESS_ISSUERS, INVITATION_LIFETIME, INVITATION_URL, MAIL_FROM, SMTP_CA_FILE, SMTP_HOST, SMTP_PASSWORD_FILE,
        SMTP_PORT, SMTP_SECURITY, SMTP_USER_FILE, Setting,
    },
    sources::RawSettings,
    values::{SecretFile, required},
};
use crate::domain::values::email::Email;

pub(super) fn mail(raw: &RawSettings, problems: &mut Problems) -> Option<Mail> {
    let delivery = delivery(raw, problems);
    let invitation_lifetime = required(raw, problems, &INVITATION_LIFETIME, parse::duration);
    Some(Mail {
        delivery: delivery?,
        invitation_url: raw.value(&INVITATION_URL).map(ToOwned::to_owned),
        invitation_lifetime: invitation_lifetime?,
        emailless_issuers: raw.values(&EMAILLESS_ISSUERS).to_vec(),
        pace: Pace::default(),
    })
}

fn delivery(raw: &RawSettings, problems: &mut Problems) -> Option<Delivery> {
    let security = required(raw, problems, &SMTP_SECURITY, parse_security);
    let port = required(raw, problems, &SMTP_PORT, parse_port);
    let Some(host) = raw.value(&SMTP_HOST) else {
        for setting in [&MAIL_FROM, &SMTP_USER_FILE, &SMTP_PASSWORD_FILE, &SMTP_CA_FILE] {
            problems.require(raw.value(setting).is_none(), || format!("--{} needs --smtp-host", setting.flag()));
        }
        return Some(Delivery::None);
    };
    let from = required(raw, problems, &MAIL_FROM, |text| {
        Email::parse(text).map_err(|rule| format!("{text} {}", rule.text()))
    });
    let credentials = credentials(raw).map_err(|problem| problems.0.push(problem)).ok();
    let security = security?;
    let smtp = Smtp {
        host: host.to_owned(),
        port: port?.unwrap_or(match security {
            SmtpSecurity::StartTls => 587,
            SmtpSecurity::Tls => 465,
            SmtpSecurity::None => 25,
        }),
        security,
        credentials: credentials?,
        ca: raw.value(&SMTP_CA_FILE).map(PathBuf::from),
        from: from?,
    };
    Some(Delivery::Smtp(Box::new(smtp)))
}

fn credentials(raw: &RawSettings) -> Result<Option<Reloadable<Credentials>>, String> {
    let file = |setting: &Setting| raw.value(setting).map(|file| SecretFile::new(raw, setting, file));
    match (file(&SMTP_USER_FILE), file(&SMTP_PASSWORD_FILE)) {
        (Some(user), Some(password)) => {
            let files = vec![user.file.clone(), password.file.clone()];
            let read = move || Ok(Credentials { user: user.read()?, password: password.read()? });
            Reloadable::from_files(files, read).map(Some)
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err("--smtp-user-file needs --smtp-password-file".to_owned()),
        (None, Some(_)) => Err("--smtp-password-file needs --smtp-user-file".to_owned()),
    }
}

fn parse_security(text: &str) -> Result<SmtpSecurity, String> {
    match text {
        "starttls" => Ok(SmtpSecurity::StartTls),
        "tls" => Ok(SmtpSecurity::Tls),
        "none" => Ok(SmtpSecurity::None),
        _ => Err(format!("{text} is not one of starttls, tls, none")),
    }
}

/// A port; none for 0.
fn parse_port(text: &str) -> Result<Option<u16>, String> {
    let port: u16 = text.parse().map_err(|_| format!("{text} is not a port: a number from 1 to 65535"))?;
    Ok((port != 0).then_some(port))
}
