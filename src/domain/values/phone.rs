//! Phone and fax numbers as they are written. Whether a number is valid in its numbering plan is not checked yet.

use serde::{Deserialize, Serialize};

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
            Err(Rule::new("must be 1 to 40 digits, '*', '#' and pauses (',', 'p', 'w')"))
        }
    }

    /// The keys to dial.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A phone or fax number: 1 to 40 printable characters with at least one digit, and an optional extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    #[serde(rename = "number")]
    number: Text<40>,
    #[serde(rename = "extension", skip_serializing_if = "Option::is_none")]
    extension: Option<Extension>,
    #[serde(flatten)]
    pub(in crate::domain) unknown: UnknownFields,
}

impl Phone {
    /// The most characters of the number.
    pub const MAX_CHARS: usize = 40;

    /// Parses what a client sent; an empty extension is none.
    ///
    /// # Errors
    /// All violations of `number` and `extension`.
    pub fn parse(number: &str, extension: &str) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let number = violations.check("number", parse_number(number));
        let extension = violations.check("extension", super::text::optional(extension, Extension::parse));
        violations.finish(number.zip(extension).map(|(number, extension)| Self {
            number,
            extension,
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
    if number.as_str().contains(char::is_numeric) { Ok(number) } else { Err(Rule::new("must hold at least one digit")) }
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
        assert_eq!(Phone::parse_optional("", "4"), Err(Violations::of("number", Rule::new("must not be empty"))));
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
