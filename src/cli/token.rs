//! `clientele token`, and the issuer of `dev`'s tokens: a key in the data folder, which no other server trusts.

use std::path::PathBuf;

use aws_lc_rs::{
    rand::{self, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
use serde_json::json;

use super::{
    data_dir::{self, DataDir},
    output::{Failure, print_result},
};
use crate::{
    config::{self, parse},
    domain::{requests::principal::Principal, values::email::Email},
};

/// The subject of dev's platform operator.
pub(super) const OPERATOR: &str = "operator";
/// The `iss` of dev's tokens.
pub(super) const ISSUER: &str = "clientele-dev";
/// Their `aud`.
const AUDIENCE: &str = "clientele";
/// The key's `kid`.
const KEY_ID: &str = "dev";
const KEY: &str = "dev-key.pem";
const KEY_SET: &str = "dev-jwks.json";
const SEALING_KEY: &str = "sealing.key";

/// Print a token that `clientele dev` accepts
///
/// It is signed with the key in dev's data folder, which is created if absent; dev need not run.
/// Subjects of the demo:
///
///   operator  the platform operator: creates tenants
///   admin     ADMIN of the distributor, and so of all its resellers
///   viewer    VIEWER of the distributor
///   alice     MEMBER of the cloud reseller (few required fields)
///   dmitri    MEMBER of a reseller below the cloud reseller
///   bob       ADMIN of the telecom reseller (manual approval)
///   carol     SERVICE_MANAGER of the dealer, which has branches
///   erika     ADMIN of the reseller with many required fields
///   olga      invited; with --email as `clientele dev` prints it
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Token {
    /// The caller: the token's `sub`
    subject: String,
    /// Data folder of `clientele dev`
    #[arg(long, env = "CLIENTELE_DATA_DIR", value_name = "DIR", default_value = data_dir::DEFAULT)]
    #[arg(hide_env_values = true)]
    data_dir: PathBuf,
    /// Email address of the caller: the token's `email`, as verified. An invitation to it can then be accepted
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// How long the token is valid: 500ms, 20s, 5m, 12h
    #[arg(long, env = "CLIENTELE_TOKEN_TTL", value_name = "DURATION", default_value = "12h", hide_env_values = true)]
    ttl: String,
}

impl Token {
    /// Prints the token.
    pub(super) fn run(self) -> Result<(), Failure> {
        let ttl = parse::duration(&self.ttl).map_err(|problem| Failure(format!("--ttl: {problem}")))?;
        let subject =
            Principal::parse_subject(&self.subject).map_err(|rule| Failure(format!("the subject {}", rule.text())))?;
        let email = self.email.as_deref().map(Email::parse).transpose();
        let email = email.map_err(|rule| Failure(format!("--email {}", rule.text())))?;
        let data_dir = DataDir::create(&self.data_dir)?;
        // Then the folder has everything that a server which accepts these tokens needs, `dev` or another.
        sealing_key(&data_dir)?;
        let token = DevIssuer::load(&data_dir)?.token_with(&subject, email.as_ref(), ttl.as_secs())?;
        Ok(print_result(&token)?)
    }
}

/// The token issuer of a data folder.
pub(super) struct DevIssuer {
    key: Vec<u8>,
    key_set: PathBuf,
}

impl DevIssuer {
    /// Loads the folder's issuer. Its key is created if absent; its public keys are written beside it for servers.
    pub(super) fn load(data_dir: &DataDir) -> Result<Self, Failure> {
        let pem = data_dir.secret(KEY, || {
            let key = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())
                .map_err(Failure::context("cannot create a key"))?;
            Ok(to_pem(key.as_ref()).into_bytes())
        })?;
        let key = from_pem(&pem).ok_or_else(|| {
            Failure(format!(
                "{} contains no Ed25519 key in PEM: remove it to create a new one; its tokens become invalid",
                data_dir.file(KEY).display()
            ))
        })?;
        let issuer = Self { key, key_set: data_dir.file(KEY_SET) };
        let key_set = issuer.key_set()?;
        if data_dir.read(KEY_SET)?.as_deref() != Some(key_set.as_bytes()) {
            data_dir.write(KEY_SET, key_set.as_bytes())?;
        }
        Ok(issuer)
    }

    /// Returns its public keys as a JSON Web Key Set (RFC 7517).
    fn key_set(&self) -> Result<String, Failure> {
        let pair = Ed25519KeyPair::from_pkcs8(&self.key).map_err(Failure::context("cannot read the key"))?;
        let public = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key());
        let key = json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": KEY_ID, "x": public});
        Ok(format!("{:#}\n", json!({"keys": [key]})))
    }

    /// Returns the configuration of a server that trusts its tokens.
    pub(super) fn config(&self) -> config::Issuer {
        let (issuer, audience) = (ISSUER.to_owned(), AUDIENCE.to_owned());
        let jwks = config::Jwks::File(self.key_set.clone());
        config::Issuer { issuer, audience, token_types: config::TokenType::usual(), jwks }
    }

    /// Signs a token for this subject, valid for `seconds`.
    pub(super) fn token_for(&self, subject: &str, seconds: u64) -> Result<String, Failure> {
        self.token_with(subject, None, seconds)
    }

    /// The same, of a caller with this verified email address.
    pub(super) fn token_with(&self, subject: &str, email: Option<&Email>, seconds: u64) -> Result<String, Failure> {
        let now = get_current_timestamp();
        let mut claims = json!({
            "iss": ISSUER,
            "sub": subject,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now.saturating_add(seconds),
        });
        if let Some(email) = email {
            claims["email"] = email.as_str().into();
            claims["email_verified"] = true.into();
        }
        let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(&self.key))
            .map_err(Failure::context("cannot sign a token"))
    }
}

/// Returns the folder's sealing key; creates it if absent.
pub(super) fn sealing_key(data_dir: &DataDir) -> Result<[u8; 32], Failure> {
    data_dir.secret(SEALING_KEY, || {
        let mut key = vec![0; 32];
        rand::fill(&mut key).map_err(Failure::context("cannot create a key"))?;
        Ok(key)
    })?;
    parse::sealing_key(&data_dir.file(SEALING_KEY)).map_err(Failure)
}

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----\n";
const END: &str = "\n-----END PRIVATE KEY-----\n";

/// Encodes a PKCS#8 key as PEM; an Ed25519 key fits into one line.
fn to_pem(der: &[u8]) -> String {
    format!("{BEGIN}{}{END}", BASE64_STANDARD.encode(der))
}

/// Decodes the Ed25519 key in a PKCS#8 PEM.
fn from_pem(pem: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(pem).ok()?.trim();
    let text = text.strip_prefix(BEGIN.trim())?.strip_suffix(END.trim())?;
    let der = BASE64_STANDARD.decode(text.split_whitespace().collect::<String>()).ok()?;
    Ed25519KeyPair::from_pkcs8(&der).is_ok().then_some(der)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs};

    use jsonwebtoken::{DecodingKey, Validation, decode, jwk::JwkSet};

    use super::*;

    #[test]
    fn its_published_keys_verify_its_tokens() {
        let temp = tempfile::tempdir().unwrap();
        let data_dir = DataDir::create(temp.path()).unwrap();
        let token = DevIssuer::load(&data_dir).unwrap().token_for("alice", 60).unwrap();

        // A later process has the same key.
        assert_eq!(DevIssuer::load(&data_dir).unwrap().config().jwks, config::Jwks::File(data_dir.file(KEY_SET)));
        let keys: JwkSet = serde_json::from_slice(&data_dir.read(KEY_SET).unwrap().unwrap()).unwrap();
        let mut checks = Validation::new(Algorithm::EdDSA);
        checks.set_audience(&[AUDIENCE]);
        checks.set_issuer(&[ISSUER]);
        let key = DecodingKey::from_jwk(keys.find(KEY_ID).unwrap()).unwrap();
        let claims = decode::<serde_json::Value>(&token, &key, &checks).unwrap().claims;
        assert_eq!((&claims["sub"], claims.get("email")), (&json!("alice"), None));
        let email = Email::parse("Alice@Example.com").unwrap();
        let token = DevIssuer::load(&data_dir).unwrap().token_with("alice", Some(&email), 60).unwrap();
        let claims = decode::<serde_json::Value>(&token, &key, &checks).unwrap().claims;
        assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("Alice@example.com"), &json!(true)));
    }

    #[test]
    fn each_data_folder_has_its_own_keys() {
        let temps: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let keys: HashSet<_> =
            temps.iter().map(|temp| sealing_key(&DataDir::create(temp.path()).unwrap()).unwrap()).collect();
        assert_eq!(keys.len(), 3);
    }

    #[test]
    fn an_invalid_key_file_is_reported_and_not_quoted() {
        let temp = tempfile::tempdir().unwrap();
        let data_dir = DataDir::create(temp.path()).unwrap();
        fs::write(data_dir.file(KEY), "-----BEGIN PRIVATE KEY-----\nbm8=\n-----END PRIVATE KEY-----\n").unwrap();
        let Failure(message) = DevIssuer::load(&data_dir).err().unwrap();
        assert!(message.contains("dev-key.pem") && !message.contains("bm8"), "{message}");
    }
}
