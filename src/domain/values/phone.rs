//! Phone and fax numbers as they are written. `domain/reference/phones.rs` reads them by the numbering plans of their countries.

use rlibphonenumber::{PHONE_NUMBER_UTIL, enums::Region};
use serde::{Deserialize, Serialize};

use super::rule_code::RuleCode;
use super::text::Text;
use super::unknown_fields::UnknownFields;
use super::violation::{Rule, Violations};

/// The keys to dial after the call is answered: 1 to 40 digits, `*`, `#`, and the pauses `,`, `p` and `w`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extension(String);

impl Extension {
    /// The most characters that it has.
    pub const MAX_CHARS: usize = 40;

    /// Parses what a client sent; white space at its ends is trimmed.
    ///
    /// # Errors
    /// Empty, too long, or anything but digits, `*`, `#`, `,`, `p` and `w`.
    pub fn parse(raw: &str) -> Result<Self, Rule> {
        let dialled = raw.trim();
        let dials = dialled.bytes().all(|key| matches!(key, b'0'..=b'9' | b'*' | b'#' | b',' | b'p' | b'w'));
        if dials && (1..=Self::MAX_CHARS).contains(&dialled.len()) {
            Ok(Self(dialled.to_owned()))
        } else {
            Err(Rule::coded(RuleCode::Extension, "must be 1 to 40 digits, '*', '#' and pauses (',', 'p', 'w')"))
        }
    }

    /// The keys to dial.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A number as its country's numbering plan has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialled {
    /// The number in the form of E.164, without extension: `+31205550123`.
    pub e164: String,
    /// Whether it is in a range that is in use, as far as is known.
    pub valid: bool,
}

/// A phone or fax number: 1 to 40 printable characters with at least one digit, and an optional extension. Two are equal if they
/// are written alike, whether they were read by a numbering plan or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Phone {
    #[serde(rename = "number")]
    number: Text<40>,
    #[serde(rename = "extension", skip_serializing_if = "Option::is_none")]
    extension: Option<Extension>,
    /// Absent: stored before numbers were read, or in national form while no country was known.
    #[serde(rename = "e164", default, skip_serializing_if = "Option::is_none")]
    e164: Option<String>,
    #[serde(rename = "valid", default, skip_serializing_if = "is_false")]
    valid: bool,
    #[serde(flatten)]
    pub(in crate::domain) unknown: UnknownFields,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl PartialEq for Phone {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && self.extension == other.extension && self.unknown == other.unknown
    }
}

impl Eq for Phone {}

impl Phone {
    /// The most characters of the number.
    pub const MAX_CHARS: usize = 40;

    /// Parses what a client sent. Without an extension, one that is written in the number counts.
    ///
    /// # Errors
    /// All violations of `number` and `extension`; two extensions that differ.
    pub fn parse(number: &str, extension: &str) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let number = violations.check("number", parse_number(number));
        let extension = violations.check("extension", super::text::optional(extension, Extension::parse));
        let written = number.as_ref().and_then(|number| written_extension(number.as_str()));
        let extension = match (extension, written) {
            (Some(Some(given)), Some(written)) if given != written => {
                let rule = "must be empty or the same as the extension that is written in the number";
                violations.push("extension", Rule::coded(RuleCode::Extension, rule));
                None
            }
            (Some(None), written) => Some(written),
            (extension, _) => extension,
        };
        violations.finish(number.zip(extension).map(|(number, extension)| Self {
            number,
            extension,
            e164: None,
            valid: false,
            unknown: UnknownFields::default(),
        }))
    }

    /// Parses an optional phone: none if both parts are empty.
    ///
    /// # Errors
    /// As [`Phone::parse`] does: an extension needs a number.
    pub fn parse_optional(number: &str, extension: &str) -> Result<Option<Self>, Violations> {
        if number.trim().is_empty() && extension.trim().is_empty() {
            return Ok(None);
        }
        Self::parse(number, extension).map(Some)
    }

    /// Keeps the fields that a newer release stored with the phone `before`, if the number is the same.
    pub(in crate::domain) fn keep_unknown(&mut self, before: Option<&Self>) {
        if let Some(before) = before.filter(|before| before.number == self.number) {
            self.unknown.clone_from(&before.unknown);
        }
    }

    /// The number in the form of E.164, if it was read by a numbering plan.
    #[must_use]
    pub fn e164(&self) -> Option<&str> {
        self.e164.as_deref()
    }

    /// Whether the number is in a range that is in use. False too if it was not read by a numbering plan.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.valid
    }

    /// Notes how the number's numbering plan has it.
    pub(in crate::domain) fn dialled(&mut self, dialled: Dialled) {
        (self.e164, self.valid) = (Some(dialled.e164), dialled.valid);
    }

    /// Number, extension and E.164 form, empty where there is none, and whether the number is in a range that is in use.
    #[must_use]
    pub fn into_parts(self) -> (String, String, String, bool) {
        let extension = self.extension.map(|Extension(extension)| extension).unwrap_or_default();
        (self.number.into_string(), extension, self.e164.unwrap_or_default(), self.valid)
    }

    /// The number as it was written.
    #[must_use]
    pub fn number(&self) -> &str {
        self.number.as_str()
    }

    /// The extension, if there is one.
    #[must_use]
    pub fn extension(&self) -> Option<&str> {
        self.extension.as_ref().map(Extension::as_str)
    }
}

fn parse_number(raw: &str) -> Result<Text<40>, Rule> {
    let number = Text::parse(raw)?;
    if number.as_str().contains(char::is_numeric) {
        Ok(number)
    } else {
        Err(Rule::coded(RuleCode::Phone, "must hold at least one digit"))
    }
}

/// The extension that is written in a number: "020 5550123 ext. 12".
fn written_extension(number: &str) -> Option<Extension> {
    if !number.contains(|letter: char| letter.is_alphabetic() || matches!(letter, '#' | ';' | ',' | '~' | '＃' | '～'))
    {
        return None;
    }
    // Any country will do: an extension is written alike in all.
    let found = PHONE_NUMBER_UTIL.parse(number, Some(Region::US)).ok()?.extension?;
    Extension::parse(&found).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    #[test]
    fn a_number_is_kept_as_it_was_written() {
        for raw in ["+31(0)123456789", "040-2 123 456", "٠١٢٣٤٥٦", "112"] {
            assert_eq!(Phone::parse(raw, "").unwrap().number(), raw);
        }
        assert_eq!(Phone::parse("112", " 12,p#4*w ").unwrap().extension(), Some("12,p#4*w"));
    }

    #[test]
    fn violations_of_both_parts_are_reported_together() {
        let violations = Phone::parse("none", "ext. 4").unwrap_err();
        let fields: Vec<_> = violations.all().iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["number", "extension"]);
        assert_eq!(violations.all()[0].rule.text(), "must hold at least one digit");
    }

    #[test]
    fn a_phone_is_optional_but_an_extension_needs_a_number() {
        assert_eq!(Phone::parse_optional("", " "), Ok(None));
        assert_eq!(
            Phone::parse_optional("", "4"),
            Err(Violations::of("number", Rule::coded(RuleCode::Required, "must not be empty")))
        );
    }

    #[test]
    fn an_extension_may_be_written_in_the_number() {
        for number in [
            "020 5550123 ext. 12",
            "+31 20 5550123 x12",
            "+31 20 555 0123;ext=12",
            "+31205550123 #12",
            "+31 20 555 0123 extension 12",
            "+34 912 345 678 extensión 12",
            "+55 11 2345 6789 anexo 12",
            "+7 495 123 45 67 доб. 12",
            "+31205550123,,12",
        ] {
            let phone = Phone::parse(number, "").unwrap();
            assert_eq!((phone.number(), phone.extension()), (number, Some("12")));
            assert_eq!(Phone::parse(number, "12"), Ok(phone), "sent back as it was returned");
            let refused = Phone::parse(number, "13").unwrap_err();
            assert_eq!(
                (refused.all()[0].field.as_str(), refused.all()[0].rule.code()),
                ("extension", RuleCode::Extension)
            );
        }
        assert_eq!(Phone::parse("1-800-FLOWERS", "").unwrap().extension(), None);
    }

    #[test]
    fn an_absent_extension_is_not_stored() {
        let phone = Phone::parse("112", "").unwrap();
        let stored = serde_json::to_string(&phone).unwrap();
        assert_eq!(stored, r#"{"number":"112"}"#);
        assert_eq!(serde_json::from_str::<Phone>(&stored).unwrap(), phone);
    }

    proptest! {
        #[test]
        fn any_input_is_refused_or_kept_in_its_final_form(
            number in samples::raw(),
            extension in prop_oneof![samples::raw(), "[ 0-9*#,pw]{0,45}"],
        ) {
            if let Ok(phone) = Phone::parse(&number, "") {
                samples::assert_kept(phone.number(), Phone::MAX_CHARS);
            }
            if let Ok(phone) = Phone::parse("1", &extension) {
                samples::assert_kept(phone.extension().unwrap_or_default(), Extension::MAX_CHARS);
            }
            if let Ok(phone) = Phone::parse(&number, &extension) {
                let again = Phone::parse(phone.number(), phone.extension().unwrap_or_default());
                prop_assert_eq!(again, Ok(phone));
            }
        }
    }
}
