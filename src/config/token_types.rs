//! The types of tokens: `typ` of a token's header (RFC 7519, section 5.1). An issuer signs tokens of several kinds with the
//! same keys; the type tells them apart (RFC 8725, section 3.11).

use std::fmt;

use crate::domain::requests::principal::Principal;

/// What a token says about its own type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// Nothing.
    None,
    /// This type: in lower case, without `application/`.
    Named(String),
}

/// A type that is accepted of one issuer, or of every issuer that has none of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AcceptedType {
    /// The issuer.
    pub(super) issuer: Option<String>,
    /// The type.
    pub(super) token_type: TokenType,
}

impl TokenType {
    /// Longest name of a type (RFC 6838, section 4.2: 127 characters on both sides of the slash).
    const MAX: usize = 255;

    /// The types that are accepted by default: those of access tokens (RFC 9068), those that most issuers give to every token, and
    /// tokens without a type.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        vec![Self::Named("at+jwt".to_owned()), Self::Named("jwt".to_owned()), Self::None]
    }

    /// Reads the type of a token's header. Case does not matter, nor does `application/` (RFC 7515, section 4.1.9). None: it is
    /// no type at all.
    #[must_use]
    pub fn of_header(typ: Option<&str>) -> Option<Self> {
        let Some(typ) = typ else { return Some(Self::None) };
        let lower = typ.to_ascii_lowercase();
        let name = lower.strip_prefix("application/").filter(|rest| !rest.contains('/')).unwrap_or(&lower);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+/".contains(&byte);
        let valid = (1..=Self::MAX).contains(&name.len()) && name.bytes().all(allowed);
        valid.then(|| Self::Named(name.to_owned()))
    }
}

impl fmt::Display for TokenType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => out.write_str("none"),
            Self::Named(name) => out.write_str(name),
        }
    }
}

impl AcceptedType {
    /// Parses `TYPE` or `ISSUER TYPE`; `none` is a token without a type. The error says what was expected.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (issuer, name) = match text.split_once(' ') {
            Some((issuer, name)) => (Some(issuer), name.trim()),
            None => (None, text),
        };
        let issuer = issuer.map(Principal::parse_issuer).transpose();
        let issuer = issuer.map_err(|rule| format!("{text}: the issuer {}", rule.text()))?;
        let named = if name == "none" { Some(TokenType::None) } else { TokenType::of_header(Some(name)) };
        let token_type = named.ok_or_else(|| format!("{text} is not of the form 'TYPE' or 'ISSUER TYPE'"))?;
        Ok(Self { issuer, token_type })
    }
}

/// The types that are accepted of an issuer: its own, or those of every issuer.
pub(super) fn of_issuer(accepted: &[AcceptedType], issuer: &str) -> Vec<TokenType> {
    let of = |named: Option<&str>| -> Vec<TokenType> {
        let entries = accepted.iter().filter(|entry| entry.issuer.as_deref() == named);
        entries.map(|entry| entry.token_type.clone()).collect()
    };
    let own = of(Some(issuer));
    if own.is_empty() { of(None) } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Option<TokenType> {
        Some(TokenType::Named(name.to_owned()))
    }

    #[test]
    fn a_type_is_compared_without_case_and_without_application() {
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert_eq!(TokenType::of_header(Some(typ)), named("at+jwt"), "{typ}");
        }
        assert_eq!(TokenType::of_header(Some("application/a/b")), named("application/a/b"));
        assert_eq!(TokenType::of_header(None), Some(TokenType::None));
        assert_eq!(TokenType::of_header(Some("none")), named("none"), "the word is one of the setting alone");
        for wrong in ["", "application/", "a b", "a\n", "\u{fc}", &"a".repeat(256)] {
            assert_eq!(TokenType::of_header(Some(wrong)), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_default_of_the_setting_is_what_is_usual() {
        let texts = super::super::settings::TOKEN_TYPES.default.split(';');
        let accepted: Vec<AcceptedType> = texts.map(|text| AcceptedType::parse(text).unwrap()).collect();
        assert_eq!(of_issuer(&accepted, "https://id.example"), TokenType::usual());
    }

    #[test]
    fn an_issuer_with_types_of_its_own_has_no_others() {
        let texts = ["JWT", "none", "https://id.example at+jwt"];
        let accepted = texts.map(|text| AcceptedType::parse(text).unwrap());
        assert_eq!(of_issuer(&accepted, "https://id.example"), [TokenType::Named("at+jwt".to_owned())]);
        let others = [TokenType::Named("jwt".to_owned()), TokenType::None];
        assert_eq!(of_issuer(&accepted, "https://other.example"), others);
        assert_eq!(of_issuer(&accepted[2..], "https://other.example"), []);
        for wrong in ["a b c", "https://id.example ", "\u{200b} JWT", "a,b"] {
            assert!(AcceptedType::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
