//! Parses the texts of settings. Errors say what was expected and repeat no secret.

use std::{
    fs,
    net::{SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    str::FromStr as _,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::Uri;
use sqlx::postgres::PgConnectOptions;

use super::{
    identity::{Issuer, Jwks, MeshIdentity, ServicePrincipal},
    token_types::TokenType,
};
use crate::domain::{requests::principal::Principal, values::enums::Role};

/// Parses an address to listen on: `127.0.0.1:50051`, `[::1]:50051`, `localhost:0`.
///
/// # Errors
/// What was expected.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.ok_or_else(|| format!("{text} is not an address of the form HOST:PORT"))
}

/// Parses a whole number.
///
/// # Errors
/// What was expected.
pub fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{text} is not a whole number"))
}

/// Parses a switch, in any of the usual words.
///
/// # Errors
/// What was expected.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(format!("{text} is neither true nor false")),
    }
}

/// Parses which proxy header on the calling workload is trusted.
///
/// # Errors
/// What was expected.
pub fn mesh_identity(text: &str) -> Result<MeshIdentity, String> {
    match text {
        "none" => Ok(MeshIdentity::None),
        "xfcc" => Ok(MeshIdentity::Xfcc),
        "linkerd" => Ok(MeshIdentity::Linkerd),
        _ => Err(format!("{text} is not one of none, xfcc, linkerd")),
    }
}

/// Parses a ratio; `verify` checks its range.
///
/// # Errors
/// What was expected.
pub fn ratio(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("{text} is not a number from 0 to 1"))
}

/// Parses a duration: a whole number and its unit, as in `500ms`, `20s`, `5m`, `12h`.
///
/// # Errors
/// What was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let parsed = number.parse::<u64>().ok().and_then(|number| match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(60 * 60).map(Duration::from_secs),
        _ => None,
    });
    parsed.ok_or_else(|| format!("{text} is not a duration such as 500ms, 20s, 5m or 12h"))
}

/// Parses a database URL: `postgres://USER:PASSWORD@HOST:5432/DATABASE`, with `sslmode` and the like as its query.
///
/// # Errors
/// What was expected, without the URL, which may contain a password.
pub fn database_url(text: &str) -> Result<PgConnectOptions, String> {
    const EXPECTED: &str = "it must be postgres://USER:PASSWORD@HOST:5432/DATABASE";
    if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
        return Err(EXPECTED.to_owned());
    }
    // The driver's own message may repeat part of the URL.
    PgConnectOptions::from_str(text).map_err(|_| format!("{EXPECTED}, special characters written as %XX"))
}

/// Parses an issuer of tokens: `ISSUER,AUDIENCE,JWKS`. Its tokens may have the usual types.
///
/// # Errors
/// What was expected.
pub fn issuer(text: &str) -> Result<Issuer, String> {
    let mut parts = text.splitn(3, ',').map(str::trim);
    let (Some(issuer), Some(audience), Some(jwks)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(format!("{text} is not of the form ISSUER,AUDIENCE,JWKS"));
    };
    let issuer = Principal::parse_issuer(issuer).map_err(|rule| format!("{text}: the issuer {}", rule.text()))?;
    if audience.is_empty() || jwks.is_empty() {
        return Err(format!("{text} is not of the form ISSUER,AUDIENCE,JWKS"));
    }
    let jwks = self::jwks(jwks).map_err(|problem| format!("{issuer}: {problem}"))?;
    Ok(Issuer { issuer, audience: audience.to_owned(), token_types: TokenType::usual(), jwks })
}

/// Parses where keys are: a path, or an https URL. An attacker who can change the key set can issue tokens, so the server
/// must prove its identity by TLS.
fn jwks(text: &str) -> Result<Jwks, String> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        None => Ok(Jwks::File(PathBuf::from(text))),
        Some("https") => {
            let uri = text.parse::<Uri>().ok().filter(|uri| {
                uri.host().is_some_and(|host| !host.is_empty())
                    && !uri.authority().is_some_and(|at| at.as_str().contains('@'))
            });
            uri.map(Jwks::Url).ok_or_else(|| "the URL of its keys must be https://HOST/PATH".to_owned())
        }
        Some(_) => Err("its keys must be in a file or at an https URL".to_owned()),
    }
}

/// Parses a principal: `ISSUER SUBJECT`. An issuer contains no space, a subject may.
///
/// # Errors
/// What was expected.
pub fn principal(text: &str) -> Result<Principal, String> {
    let (issuer, subject) =
        text.trim().split_once(' ').ok_or_else(|| format!("{text} is not of the form 'ISSUER SUBJECT'"))?;
    let issuer = Principal::parse_issuer(issuer).map_err(|rule| format!("{text}: the issuer {}", rule.text()))?;
    let subject = Principal::parse_subject(subject).map_err(|rule| format!("{text}: the subject {}", rule.text()))?;
    Ok(Principal::new(issuer, subject))
}

/// Parses a principal with a role in every tenant: `ROLE ISSUER SUBJECT`.
///
/// # Errors
/// What was expected.
pub fn service_principal(text: &str) -> Result<ServicePrincipal, String> {
    let (role, rest) = text.trim().split_once(' ').unwrap_or((text, ""));
    let role = Role::parse(role).ok_or_else(|| {
        format!("{text} is not of the form 'ROLE ISSUER SUBJECT', with VIEWER, MEMBER, SERVICE_MANAGER or ADMIN first")
    })?;
    Ok(ServicePrincipal { principal: principal(rest)?, role })
}

/// Reads the key in a file: 32 random bytes, raw, in hexadecimal or in base64.
///
/// # Errors
/// What was expected; the file's content is not repeated.
pub fn sealing_key(file: &Path) -> Result<[u8; 32], String> {
    let bytes = fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    // 32 random bytes are never all printable. Printable content is an encoded key, so that a password is not accepted
    // as a raw key.
    let text = bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    let key = if text {
        let text = bytes.trim_ascii();
        hexadecimal(text).or_else(|| BASE64_STANDARD.decode(text).ok()?.try_into().ok())
    } else {
        bytes.try_into().ok()
    };
    key.filter(|key: &[u8; 32]| key.iter().any(|byte| *byte != key[0])).ok_or_else(|| {
        format!(
            "{} must contain 32 random bytes, raw, in hexadecimal or in base64: create it with \
             `head -c 32 /dev/urandom > FILE`",
            file.display()
        )
    })
}

fn hexadecimal(digits: &[u8]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    if digits.len() != 2 * key.len() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(content: &[u8]) -> Result<[u8; 32], String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        sealing_key(file.path())
    }

    #[test]
    fn a_key_is_the_same_in_each_of_its_three_forms() {
        let raw: [u8; 32] = std::array::from_fn(|index| u8::try_from(200 + index).unwrap());
        let hex: String = raw.iter().map(|byte| format!("{byte:02X}")).collect();

        assert_eq!(key_of(&raw), Ok(raw));
        assert_eq!(key_of(format!("{hex}\n").as_bytes()), Ok(raw));
        assert_eq!(key_of(BASE64_STANDARD.encode(raw).as_bytes()), Ok(raw));
    }

    #[test]
    fn a_value_that_is_not_a_random_key_is_rejected_and_not_repeated() {
        for wrong in [&b""[..], b"correct horse battery staple 123", &[200; 32], &[200, 7], &[b'0'; 64]] {
            let refusal = key_of(wrong).unwrap_err();
            assert!(refusal.contains("32 random bytes") && !refusal.contains("horse"), "{refusal}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("12h"), Ok(Duration::from_secs(43_200)));
        for wrong in ["", "5", "s", "-5s", "1.5s", "5 s", "5d", "99999999999999999999s", "9999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_database_url_is_not_repeated() {
        assert!(database_url("postgres://me:secret@db.example:5433/clientele?sslmode=require").is_ok());
        for wrong in ["me:secret@db", "mysql://me:secret@db/x", "postgres://me:secret@db:x/y", "postgres://u:se cret"] {
            let refusal = database_url(wrong).unwrap_err();
            assert!(!refusal.contains("cret"), "{refusal}");
        }
    }

    #[test]
    fn a_principal_is_an_issuer_and_the_rest() {
        let service = service_principal("SERVICE_MANAGER https://id.example order service").unwrap();
        assert_eq!(service.principal, Principal::new("https://id.example", "order service"));
        assert_eq!(service.role, Role::ServiceManager);
        for wrong in ["", "ADMIN", "ADMIN issuer", "admin issuer subject"] {
            assert!(service_principal(wrong).is_err(), "{wrong}");
        }
        assert!(
            issuer("https://id.example,clientele").is_err() && issuer("a b,c,d").is_err() && issuer("a,,d").is_err()
        );
    }

    #[test]
    fn keys_are_in_a_file_or_at_an_https_url() {
        let jwks = |text: &str| issuer(&format!("https://id.example,clientele,{text}")).map(|issuer| issuer.jwks);
        assert_eq!(jwks("/etc/jwks.json"), Ok(Jwks::File("/etc/jwks.json".into())));
        let url = "https://id.example:8443/keys?a=b,c";
        assert_eq!(jwks(url), Ok(Jwks::Url(url.parse().unwrap())));
        for wrong in ["http://id.example/keys", "file:///etc/jwks.json", "https://", "https://me:hunter2@id.example/"] {
            assert!(!jwks(wrong).unwrap_err().contains("hunter2"), "{wrong}");
        }
    }

    #[test]
    fn addresses_are_numbers_or_names() {
        assert_eq!(address("127.0.0.1:0").unwrap().port(), 0);
        assert!(address("localhost:50051").unwrap().ip().is_loopback());
        assert!(address("50051").is_err() && address("127.0.0.1").is_err());
    }
}
