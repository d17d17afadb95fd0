//! `clientele token`, and the issuer of `dev`'s tokens: a key in the data folder, which no other server believes.

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
    Failure,
    folder::{self, Folder},
    print,
};
use crate::{
    config::{self, parse},
    domain::requests::principal::Principal,
};

/// The `iss` of dev's tokens.
pub(super) const ISSUER: &str = "clientele-dev";
/// Their `aud`.
const AUDIENCE: &str = "clientele";
/// The key's name, in tokens and in the key set.
const KEY_ID: &str = "dev";
const KEY: &str = "dev-key.pem";
const KEY_SET: &str = "dev-jwks.json";
const SEALING_KEY: &str = "sealing.key";

/// Print a token that `clientele dev` believes, and nothing else
///
/// It is signed by the key in dev's data folder, made if absent; dev need not run. The subject `operator`
/// is dev's platform operator; in the demo data `admin`, `alice`, `bob` and `viewer` are members.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Token {
    /// Who calls: the token's `sub`
    subject: String,
    /// The data folder of `clientele dev`
    #[arg(long, env = "CLIENTELE_DATA", value_name = "DIR", default_value = folder::DEFAULT, hide_env_values = true)]
    data: PathBuf,
    /// How long it is good for: 500ms, 20s, 5m, 12h
    #[arg(long, env = "CLIENTELE_TOKEN_TTL", value_name = "TIME", default_value = "12h", hide_env_values = true)]
    ttl: String,
}

impl Token {
    /// Prints the token.
    pub(super) fn run(self) -> Result<(), Failure> {
        let ttl = parse::duration(&self.ttl).map_err(|problem| Failure(format!("--ttl: {problem}")))?;
        let subject =
            Principal::parse_subject(&self.subject).map_err(|rule| Failure(format!("the subject {}", rule.text())))?;
        let folder = Folder::make(&self.data)?;
        // With it the folder holds all that a server of such tokens needs, `dev` or another.
        sealing_key(&folder)?;
        let token = DevIssuer::of(&folder)?.token_for(&subject, ttl.as_secs())?;
        Ok(print(&token)?)
    }
}

/// The issuer that a data folder has for itself.
pub(super) struct DevIssuer {
    key: Vec<u8>,
    key_set: PathBuf,
}

impl DevIssuer {
    /// The folder's issuer; its key is made if absent, and its public keys lie beside it for whoever is to believe it.
    pub(super) fn of(folder: &Folder) -> Result<Self, Failure> {
        let pem = folder.secret(KEY, || {
            let key =
                Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).map_err(Failure::doing("cannot make a key"))?;
            Ok(to_pem(key.as_ref()).into_bytes())
        })?;
        let key = from_pem(&pem).ok_or_else(|| {
            Failure(format!(
                "{} holds no Ed25519 key in PEM: remove it, and a new one is made; tokens signed by it end with it",
                folder.file(KEY).display()
            ))
        })?;
        let issuer = Self { key, key_set: folder.file(KEY_SET) };
        let key_set = issuer.key_set()?;
        if folder.read(KEY_SET)?.as_deref() != Some(key_set.as_bytes()) {
            folder.write(KEY_SET, key_set.as_bytes())?;
        }
        Ok(issuer)
    }

    /// Its public keys, as RFC 7517 writes them.
    fn key_set(&self) -> Result<String, Failure> {
        let pair = Ed25519KeyPair::from_pkcs8(&self.key).map_err(Failure::doing("cannot read the key"))?;
        let public = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key());
        let key = json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": KEY_ID, "x": public});
        Ok(format!("{:#}\n", json!({"keys": [key]})))
    }

    /// What a server must know to believe its tokens.
    pub(super) fn config(&self) -> config::Issuer {
        let (issuer, audience) = (ISSUER.to_owned(), AUDIENCE.to_owned());
        config::Issuer { issuer, audience, jwks: config::Jwks::File(self.key_set.clone()) }
    }

    /// A token of this subject, good for so many seconds.
    pub(super) fn token_for(&self, subject: &str, seconds: u64) -> Result<String, Failure> {
        let now = get_current_timestamp();
        let claims = json!({
            "iss": ISSUER,
            "sub": subject,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now.saturating_add(seconds),
        });
        let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(&self.key))
            .map_err(Failure::doing("cannot sign a token"))
    }
}

/// The folder's sealing key, made if absent.
pub(super) fn sealing_key(folder: &Folder) -> Result<[u8; 32], Failure> {
    folder.secret(SEALING_KEY, || {
        let mut key = vec![0; 32];
        rand::fill(&mut key).map_err(Failure::doing("cannot make a key"))?;
        Ok(key)
    })?;
    parse::sealing_key(&folder.file(SEALING_KEY)).map_err(Failure)
}

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----\n";
const END: &str = "\n-----END PRIVATE KEY-----\n";

/// A PKCS#8 key as PEM; a key of Ed25519 fits into its one line.
fn to_pem(der: &[u8]) -> String {
    format!("{BEGIN}{}{END}", BASE64_STANDARD.encode(der))
}

/// The Ed25519 key in a PKCS#8 PEM.
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
    fn its_tokens_are_proved_by_the_keys_that_it_publishes() {
        let room = tempfile::tempdir().unwrap();
        let folder = Folder::make(room.path()).unwrap();
        let token = DevIssuer::of(&folder).unwrap().token_for("alice", 60).unwrap();

        // Another process, later: the same key.
        assert_eq!(DevIssuer::of(&folder).unwrap().config().jwks, config::Jwks::File(folder.file(KEY_SET)));
        let keys: JwkSet = serde_json::from_slice(&folder.read(KEY_SET).unwrap().unwrap()).unwrap();
        let mut checks = Validation::new(Algorithm::EdDSA);
        checks.set_audience(&[AUDIENCE]);
        checks.set_issuer(&[ISSUER]);
        let key = DecodingKey::from_jwk(keys.find(KEY_ID).unwrap()).unwrap();
        let claims = decode::<serde_json::Value>(&token, &key, &checks).unwrap().claims;
        assert_eq!(claims["sub"], "alice");
    }

    #[test]
    fn a_folder_has_keys_of_its_own() {
        let rooms: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let keys: HashSet<_> =
            rooms.iter().map(|room| sealing_key(&Folder::make(room.path()).unwrap()).unwrap()).collect();
        assert_eq!(keys.len(), 3);
    }

    #[test]
    fn what_is_no_key_says_so() {
        let room = tempfile::tempdir().unwrap();
        let folder = Folder::make(room.path()).unwrap();
        fs::write(folder.file(KEY), "-----BEGIN PRIVATE KEY-----\nbm8=\n-----END PRIVATE KEY-----\n").unwrap();
        let Failure(refusal) = DevIssuer::of(&folder).err().unwrap();
        assert!(refusal.contains("dev-key.pem") && !refusal.contains("bm8"), "{refusal}");
    }
}
