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
        let (local, _) = text.rsplit_once('@').ok_or(MALFORMED)?;
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

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    #[test]
    fn ordinary_addresses_are_kept_with_their_domain_in_lower_case() {
        for (raw, kept) in [
            ("Jan.Janssen@company.nl", "Jan.Janssen@company.nl"),
            (" Jan.Janssen@Company.NL ", "Jan.Janssen@company.nl"),
            ("o'brien+tag@mail.example.co.uk", "o'brien+tag@mail.example.co.uk"),
            ("info@MÜNCHEN.de", "info@münchen.de"),
            ("a@xn--mnchen-3ya.de", "a@xn--mnchen-3ya.de"),
            ("пользователь@пример.рф", "пользователь@пример.рф"),
            ("अजय@डाटा.भारत", "अजय@डाटा.भारत"),
            ("ผู้ใช้@ตัวอย่าง.ไทย", "ผู้ใช้@ตัวอย่าง.ไทย"),
            ("用户@例子.广告", "用户@例子.广告"),
            ("مستخدم@مثال.إختبار", "مستخدم@مثال.إختبار"),
            ("Δοκιμή+x@παράδειγμα.δοκιμή", "Δοκιμή+x@παράδειγμα.δοκιμή"),
            ("josé@company.nl", "josé@company.nl"),
            ("user@例子。广告", "user@例子.广告"),
            ("jan@ab--cd.example", "jan@ab--cd.example"),
            // Words that are written with a joiner: Sinhala, Persian.
            ("ශ්\u{200D}රී@example.lk", "ශ්\u{200D}රී@example.lk"),
            ("کتاب\u{200C}ها@example.ir", "کتاب\u{200C}ها@example.ir"),
        ] {
            assert_eq!(Email::parse(raw).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn what_is_not_a_plain_address_is_refused_with_an_example() {
        for raw in [
            "jan",
            "jan@",
            "@company.nl",
            "jan@localhost",
            "jan@@company.nl",
            "jan @company.nl",
            "jan@company..nl",
            "jan@[192.0.2.1]",
            "jan@192.0.2.1",
            ".jan@company.nl",
            "jan@-company.nl",
            "jan@company.nl.",
            "jan@company.nl, piet@company.nl",
            "mailto:jan@company.nl",
            "ja\u{200D}n@company.nl",
            "jan@com\u{200C}pany.nl",
            "\u{2764}\u{FE0F}@company.nl",
            "jan@exa_mple.nl",
            "jan@exa!mple.nl",
            "jan@com#pany.nl",
            "jan@münchen_.de",
            // No name is encoded like this.
            "jan@xn--zzzzzzzzzzz.nl",
            "ش\u{200C}x@example.ir",
        ] {
            assert_eq!(Email::parse(raw), Err(MALFORMED), "{raw:?}");
        }
        assert!(Email::parse("jan\r\nbcc:x@company.nl").unwrap_err().text().starts_with("must not hold"));
    }

    #[test]
    fn a_part_in_quotes_is_refused_with_the_reason() {
        for raw in
            ["\"jan janssen\"@company.nl", "\"jan@home\"@company.nl", "\"\"@company.nl", "jan.\"x y\"@company.nl"]
        {
            assert_eq!(Email::parse(raw), Err(QUOTED), "{raw:?}");
        }
        for raw in ["Jan <jan@company.nl>", "<jan@company.nl>", "\"Jan Janssen\" <jan@company.nl>"] {
            assert_eq!(Email::parse(raw), Err(NAMED), "{raw:?}");
        }
    }

    #[test]
    fn addresses_are_compared_without_case_in_the_form_of_dns() {
        for (one, other) in [
            ("Info@MÜNCHEN.de", "info@xn--mnchen-3ya.de"),
            ("کتاب\u{200C}ها@example.ir", "کتابها@EXAMPLE.ir"),
            ("пользователь@ПРИМЕР.рф", "Пользователь@пример.рф"),
        ] {
            let compared = |raw| Email::parse(raw).unwrap().compared();
            assert_eq!(compared(one), compared(other));
        }
    }

    #[test]
    fn an_address_has_at_most_254_bytes_64_of_them_before_the_at() {
        let longest = format!("{}@{}.nl", "a".repeat(64), ["b".repeat(62), "c".repeat(62), "d".repeat(60)].join("."));
        assert!(Email::parse(&longest).is_ok(), "{}", longest.len());
        assert!(Email::parse(&format!("{}@company.nl", "a".repeat(65))).unwrap_err().text().contains("this has 65"));
        let long = format!("a@{}nl", "bcdefgh.".repeat(32));
        assert_eq!(Email::parse(&long).unwrap_err().text(), "must be 1 to 254 characters; this has 260");
        let wide = format!("a@{}nl", "éééééé.".repeat(32));
        assert_eq!(Email::parse(&wide).unwrap_err().text(), "must be at most 254 bytes; this has 420");
    }

    fn near() -> impl Strategy<Value = String> {
        prop_oneof![
            1 => samples::raw(),
            2 => (samples::raw(), samples::raw()).prop_map(|(local, domain)| format!("{local}@{domain}")),
            4 => "[a-zA-Z.+'\"ÀéßΣσςİıẞ]{1,12}@[a-zA-ZÀéßΣσςİıẞ\u{307}-]{1,8}\\.[a-zA-ZÀéßΣςİ]{1,6}",
        ]
    }

    proptest! {
        #[test]
        fn any_input_is_refused_or_kept_in_its_final_form(raw in near()) {
            if let Ok(email) = Email::parse(&raw) {
                samples::assert_kept(email.as_str(), Email::MAX_CHARS);
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
            }
        }
    }
}
