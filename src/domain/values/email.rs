//! E-mail addresses: their syntax is checked, not whether the mailbox exists.

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};

use super::characters::{is_joiner, is_selector, is_virama, joins_both_sides};
use super::rule_code::RuleCode;
use super::text::printable;
use super::violation::Rule;

/// What [`Email::parse`] requires beside the RFC 5322 syntax: a domain with a dot, no `Jan <jan@…>`, no `[192.0.2.1]`.
const SHAPE: Options = Options { minimum_sub_domains: 2, allow_domain_literal: false, allow_display_text: false };

const MALFORMED: Rule = Rule::coded(RuleCode::Email, "must be an e-mail address such as Jan.Janssen@company.nl");

const NAMED: Rule =
    Rule::coded(RuleCode::Email, "must be one address alone, such as Jan.Janssen@company.nl, without a name and '<'");

const QUOTED: Rule = Rule::coded(
    RuleCode::EmailQuoted,
    "must have no quotes before the @: few servers deliver to such an address; give the mailbox another name",
);

/// An e-mail address of at most 254 bytes, at most 64 of them before the @ (RFC 5321, 4.5.3.1). The domain is stored in
/// lower case. The part before the @ is stored as given: only the receiver may change its case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

/// The most bytes between two dots of a domain (RFC 1035, 2.3.4).
const MAX_LABEL: usize = 63;

impl Email {
    /// The most bytes that it has: what fits into the path of an SMTP command.
    pub const MAX_CHARS: usize = 254;
    /// The most bytes before the @.
    pub const MAX_LOCAL: usize = 64;

    /// Parses what a client sent.
    ///
    /// # Errors
    /// Empty, too long, not printable, or not an address of the plain form `local@domain.tld`.
    pub fn parse(raw: &str) -> Result<Self, Rule> {
        let email = Self::written(raw)?;
        email.check()?;
        Ok(email)
    }

    /// Takes what a client wrote into a customer. It may be what is stored there already, under older rules: [`Email::check`] is for
    /// what is new.
    ///
    /// # Errors
    /// Empty, too long, not printable, or without an @.
    pub fn written(raw: &str) -> Result<Self, Rule> {
        let text = printable(raw, 1..=Self::MAX_CHARS)?;
        let (local, domain) = text.rsplit_once('@').ok_or(MALFORMED)?;
        // The full stops of East Asia's keyboards are dots of a domain (UTS 46).
        let domain = domain.to_lowercase().replace(['\u{3002}', '\u{FF0E}', '\u{FF61}'], ".");
        let text = format!("{local}@{domain}");
        if text.len() > Self::MAX_CHARS {
            let text = format!("must be at most {} bytes; this has {}", Self::MAX_CHARS, text.len());
            return Err(Rule::coded_with(RuleCode::Length, text));
        }
        Ok(Self(text))
    }

    /// Compares it with today's rules.
    ///
    /// # Errors
    /// Too long before the @, or not an address of the plain form `local@domain.tld`.
    pub fn check(&self) -> Result<(), Rule> {
        let text = self.as_str();
        let (local, domain) = text.rsplit_once('@').ok_or(MALFORMED)?;
        if is_ordinary(local, domain) { Ok(()) } else { Self::check_by_parser(local, text) }
    }

    fn check_by_parser(local: &str, text: &str) -> Result<(), Rule> {
        // Two addresses that look the same would be two.
        if text.contains(is_selector) || !joins(local) {
            return Err(MALFORMED);
        }
        if text.contains(['<', '>']) {
            return Err(NAMED);
        }
        if local.len() > Self::MAX_LOCAL {
            let count = local.len();
            let text = format!("must have at most {} bytes before the @; this has {count}", Self::MAX_LOCAL);
            return Err(Rule::coded_with(RuleCode::Length, text));
        }
        if local.contains('"') {
            return Err(QUOTED);
        }
        // An address literal without its brackets: no top-level domain is a number.
        let numeric = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        if numeric || !is_plain_address(local, text) {
            return Err(MALFORMED);
        }
        Ok(())
    }

    /// A stored address.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The address as it is compared with another: in lower case, with its domain as DNS has it, so `münchen.de` is
    /// `xn--mnchen-3ya.de`. Only the receiver may tell addresses apart by case, and none does. Joiners, which nobody sees, are left
    /// out.
    #[must_use]
    pub fn compared(&self) -> String {
        let lower = self.0.to_lowercase();
        let Some((local, domain)) = lower.rsplit_once('@') else { return lower };
        let local = local.replace(is_joiner, "");
        match idna::domain_to_ascii(domain) {
            Ok(domain) => format!("{local}@{domain}"),
            Err(_) => lower,
        }
    }

    /// The keys under which it may be stored: as it is compared, and as earlier releases compared it, which took a domain as it
    /// was written.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let compared = self.compared();
        let unicode =
            compared.rsplit_once('@').map(|(local, domain)| format!("{local}@{}", idna::domain_to_unicode(domain).0));
        let mut keys = vec![compared, self.0.to_lowercase()];
        keys.extend(unicode);
        keys.sort();
        keys.dedup();
        keys
    }

    /// The address itself.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether it is one of nearly all addresses: of letters, digits and few signs, which need no parser.
fn is_ordinary(local: &str, domain: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+');
    let is_label = |label: &str| {
        let ends = label.starts_with('-') || label.ends_with('-') || label.starts_with("xn--");
        (1..=MAX_LABEL).contains(&label.len())
            && !ends
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let last = domain.rsplit_once('.').map_or("", |(_, last)| last);
    local.len() <= Email::MAX_LOCAL
        && local.split('.').all(|word| !word.is_empty() && word.bytes().all(is_word))
        && domain.split('.').all(is_label)
        && last.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Whether it is an address whose part before the @ may have letters of every script (RFC 6531), and whose domain is one by the
/// rules of IDNA, so that it can be looked up. The parser knows the scripts in part only, so it gets their letters as an `x`.
fn is_plain_address(local: &str, address: &str) -> bool {
    let Some((_, domain)) = address.rsplit_once('@') else { return false };
    if address.is_ascii() {
        // The parser takes all signs of a mailbox's name in a domain, too.
        let is_host = domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
        let is_encoded = domain.split('.').any(|label| label.starts_with("xn--"));
        return is_host
            && (!is_encoded || idna::domain_to_ascii(domain).is_ok())
            && EmailAddress::parse_with_options(address, SHAPE).is_ok();
    }
    let Ok(domain) = idna::domain_to_ascii_strict(domain) else { return false };
    let local: String = local.chars().map(|letter| if letter.is_ascii() { letter } else { 'x' }).collect();
    EmailAddress::parse_with_options(&format!("{local}@{domain}"), SHAPE).is_ok()
}

/// Whether each joiner is where a script is written with one (RFC 5892, appendix A): behind a virama, or between two letters of
/// Arabic, which it keeps apart.
fn joins(local: &str) -> bool {
    let letters: Vec<char> = local.chars().collect();
    let belongs = |(place, joiner): (usize, &char)| {
        let before = place.checked_sub(1).and_then(|before| letters.get(before)).copied();
        let apart = *joiner == '\u{200C}' && letters.get(place + 1).is_some_and(|after| !after.is_ascii());
        before.is_some_and(|before| is_virama(before) || (apart && joins_both_sides(before)))
    };
    letters.iter().enumerate().filter(|(_, letter)| is_joiner(**letter)).all(belongs)
}

#[cfg(test)]
mod tests;
