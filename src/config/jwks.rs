//! An issuer's public keys: a JSON Web Key Set (RFC 7517). The key's type, and not the token, decides the algorithm: RSA is
//! RS256, P-256 is ES256, Ed25519 is EdDSA. An unusable key is rejected here with the reason, and not at the first call.
//! `check-config`, the start of a server, and a reload all read key sets here.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::{Deserialize, de::IgnoredAny};

/// A public key.
#[derive(Debug)]
pub struct Key {
    /// Its `kid`.
    pub id: Option<String>,
    /// The only algorithm that it verifies.
    pub algorithm: Algorithm,
    /// The key itself.
    pub decoding: DecodingKey,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<IgnoredAny>,
}

/// Reads the keys of a JWKS file.
///
/// # Errors
/// Which file, which key and why, as a sentence for the operator who starts the server.
pub fn read_file(path: &Path) -> Result<Vec<Key>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string());
    bytes.and_then(|bytes| parse(&bytes, Err)).map_err(|cause| format!("JWKS file {}: {cause}", path.display()))
}

/// Parses the keys of a JWKS.
///
/// # Errors
/// Which key and why, if `unusable` returns the error.
pub fn parse(bytes: &[u8], unusable: impl Fn(String) -> Result<(), String>) -> Result<Vec<Key>, String> {
    let set: KeySet = serde_json::from_slice(bytes).map_err(|error| format!("not a JSON Web Key Set: {error}"))?;
    let mut keys: Vec<Key> = Vec::with_capacity(set.keys.len());
    for (index, jwk) in set.keys.iter().enumerate() {
        // Many issuers publish encryption keys in the same set.
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            continue;
        }
        let key = parse_key(jwk).and_then(|key| {
            let twice = key.id.is_some() && keys.iter().any(|other| other.id == key.id);
            if twice { Err("has the kid of another key".to_owned()) } else { Ok(key) }
        });
        match key {
            Ok(key) => keys.push(key),
            Err(cause) => unusable(format!("keys[{index}] {cause}"))?,
        }
    }
    if keys.is_empty() { Err("contains no key that verifies signatures".to_owned()) } else { Ok(keys) }
}

fn parse_key(jwk: &Jwk) -> Result<Key, String> {
    if jwk.d.is_some() {
        return Err("is a private key: publish only the public part".to_owned());
    }
    let (algorithm, name) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => (Algorithm::RS256, "RS256"),
        ("EC", Some("P-256")) => (Algorithm::ES256, "ES256"),
        ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, "EdDSA"),
        ("oct", _) => return Err("is a symmetric key: it can sign tokens too".to_owned()),
        (kty, crv) => {
            let crv = crv.map(|crv| format!(" {crv}")).unwrap_or_default();
            return Err(format!("is {kty}{crv}; this server accepts RSA, EC P-256 and OKP Ed25519"));
        }
    };
    if let Some(alg) = jwk.alg.as_deref().filter(|alg| *alg != name) {
        return Err(format!("is for {alg}; a key of its type is accepted only for {name}"));
    }
    let decoding = match algorithm {
        Algorithm::RS256 => {
            let (modulus, exponent) = (bytes(jwk.n.as_deref(), "n")?, bytes(jwk.e.as_deref(), "e")?);
            if !(256..=1024).contains(&modulus.len()) {
                return Err(format!("has {} bits; RSA keys of 2048 to 8192 bits are accepted", modulus.len() * 8));
            }
            DecodingKey::from_rsa_raw_components(&modulus, &exponent)
        }
        Algorithm::ES256 => {
            let (x, y) = (coordinate(jwk.x.as_deref(), "x")?, coordinate(jwk.y.as_deref(), "y")?);
            // An uncompressed point (SEC 1).
            DecodingKey::from_ec_der(&[[4].as_slice(), &x, &y].concat())
        }
        _ => DecodingKey::from_ed_der(&coordinate(jwk.x.as_deref(), "x")?),
    };
    Ok(Key { id: jwk.kid.clone(), algorithm, decoding })
}

fn coordinate(member: Option<&str>, name: &str) -> Result<Vec<u8>, String> {
    let bytes = bytes(member, name)?;
    if bytes.len() == 32 { Ok(bytes) } else { Err(format!("has {} bytes in {name}, not 32", bytes.len())) }
}

fn bytes(member: Option<&str>, name: &str) -> Result<Vec<u8>, String> {
    let member = member.ok_or_else(|| format!("has no {name}"))?;
    URL_SAFE_NO_PAD.decode(member).map_err(|_| format!("is not base64url in {name}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read_text(text: &str) -> Result<Vec<Key>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        read_file(file.path()).map_err(|error| {
            assert!(error.starts_with(&format!("JWKS file {}: ", file.path().display())), "{error}");
            error.split_once(": ").unwrap().1.to_owned()
        })
    }

    fn set_of(key: &str) -> Result<Vec<Key>, String> {
        read_text(&format!(r#"{{"keys":[{{{key}}}]}}"#))
    }

    #[test]
    fn an_unusable_key_is_rejected_with_its_reason() {
        let short = URL_SAFE_NO_PAD.encode([1; 128]);
        let point = URL_SAFE_NO_PAD.encode([1; 32]);
        let accepted = "this server accepts RSA, EC P-256 and OKP Ed25519";
        for (key, cause) in [
            (r#""kty":"oct","k":"c2VjcmV0""#, "keys[0] is a symmetric key: it can sign tokens too"),
            (r#""kty":"EC","crv":"P-384""#, &format!("keys[0] is EC P-384; {accepted}")),
            (r#""kty":"OKP","crv":"X25519""#, &format!("keys[0] is OKP X25519; {accepted}")),
            (r#""kty":"RSA","alg":"PS256""#, "keys[0] is for PS256; a key of its type is accepted only for RS256"),
            (r#""kty":"RSA","alg":"HS256""#, "keys[0] is for HS256; a key of its type is accepted only for RS256"),
            (r#""kty":"RSA","e":"AQAB""#, "keys[0] has no n"),
            (r#""kty":"RSA","n":"?","e":"AQAB""#, "keys[0] is not base64url in n"),
            (
                &format!(r#""kty":"RSA","n":"{short}","e":"AQAB""#),
                "keys[0] has 1024 bits; RSA keys of 2048 to 8192 bits are accepted",
            ),
            (r#""kty":"OKP","crv":"Ed25519","x":"AQAB""#, "keys[0] has 3 bytes in x, not 32"),
            (
                &format!(r#""kty":"OKP","crv":"Ed25519","x":"{point}","d":"{point}""#),
                "keys[0] is a private key: publish only the public part",
            ),
            (
                &format!(r#""kty":"OKP","crv":"Ed25519","x":"{point}","use":"enc""#),
                "contains no key that verifies signatures",
            ),
        ] {
            assert_eq!(set_of(key).unwrap_err(), cause);
        }
        assert_eq!(read_text(r#"{"keys":[]}"#).unwrap_err(), "contains no key that verifies signatures");
        assert!(read_text("{}").unwrap_err().starts_with("not a JSON Web Key Set: missing field `keys`"));
        assert!(read_file(Path::new("/nowhere/jwks.json")).unwrap_err().starts_with("JWKS file /nowhere/jwks.json: "));
    }

    #[test]
    fn the_usable_keys_of_a_set_are_kept_if_others_are_skipped() {
        let point = URL_SAFE_NO_PAD.encode([1; 32]);
        let ours = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"a","x":"{point}"}}"#);
        let theirs = r#"{"kty":"EC","crv":"P-384","kid":"b"}"#;
        let usable = |set: String| parse(set.as_bytes(), |_| Ok(())).map(|keys| keys.len());
        assert_eq!(usable(format!(r#"{{"keys":[{theirs},{ours},{theirs}]}}"#)), Ok(1));
        assert!(usable(format!(r#"{{"keys":[{theirs}]}}"#)).is_err());
    }

    #[test]
    fn two_keys_with_the_same_kid_are_rejected() {
        let key = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"a","x":"{}"}}"#, URL_SAFE_NO_PAD.encode([1; 32]));
        assert_eq!(
            read_text(&format!(r#"{{"keys":[{key},{key}]}}"#)).unwrap_err(),
            "keys[1] has the kid of another key"
        );
    }
}
