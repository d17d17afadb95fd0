//! The pipeline for every text of a client: normalised, trimmed, printable, and of a bounded length.
//!
//! Rule: no other file normalises a text that is stored. Texts that look the same must be the same, and invisible characters
//! are refused: a zero-width space in a name would make a second customer that looks like the first. Those that a script or an
//! emoji is written with are kept, and the keys of uniqueness and the searches ignore them.

use std::ops::RangeInclusive;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use serde::{Deserialize, Serialize};

use super::rule_code::RuleCode;
use super::sequences::Sequences;
use super::violation::Rule;

/// A text with more bytes than this per allowed character cannot become short enough by composing, and is refused before
/// the expensive steps. A Hangul syllable written as three jamo, the longest of living scripts, has nine.
const MAX_BYTES_PER_CHAR: usize = 16;

/// BRAILLE PATTERN BLANK: blank, but a symbol by its Unicode category.
const BRAILLE_BLANK: char = '\u{2800}';

/// Converts a text to the form that is stored: NFC, trimmed, each run of inner white space replaced by one space. `chars` is
/// the allowed length in code points of that form. An empty text is valid if `chars` starts at 0.
///
/// # Errors
/// Too long, too short, or a character that is invisible or unassigned: control characters (tab and line feed too, except at
/// the ends, where they are trimmed), bidi controls, zero-width and other default-ignorable ones, line and paragraph
/// separators, private use, unassigned. Joiners inside a word or an emoji and variation selectors after what they vary are
/// kept. Characters are numbered from 1, as they were sent.
pub fn printable(raw: &str, chars: RangeInclusive<usize>) -> Result<String, Rule> {
    if is_plain(raw) {
        return within(raw.len(), &chars).map(|()| raw.to_owned());
    }
    let trimmed = raw.trim();
    if trimmed.len() > chars.end().saturating_mul(MAX_BYTES_PER_CHAR) {
        return Err(wrong_length(trimmed.chars().count(), &chars));
    }
    if let Some((place, found, why)) = first_refused(trimmed) {
        let before = raw.chars().take_while(|blank| blank.is_whitespace()).count();
        let place = before + place;
        let rule = format!("must not hold {why}; character {place} is U+{:04X}", u32::from(found));
        return Err(Rule::coded_with(RuleCode::Characters, rule));
    }
    let text = collapse(&ComposingNormalizerBorrowed::new_nfc().normalize(trimmed));
    within(text.chars().count(), &chars).map(|()| text)
}

/// Converts a text to a form that is kept as it was given, for what must match another system: NFC and trimmed, with the white
/// space inside as it is. Otherwise as [`printable`].
///
/// # Errors
/// Those of [`printable`].
pub(super) fn verbatim(raw: &str, chars: RangeInclusive<usize>) -> Result<String, Rule> {
    let trimmed = raw.trim();
    if trimmed.len() > chars.end().saturating_mul(MAX_BYTES_PER_CHAR) {
        return Err(wrong_length(trimmed.chars().count(), &chars));
    }
    // For its rules on characters: the length is counted with all spaces.
    printable(raw, 0..=trimmed.len())?;
    let text = ComposingNormalizerBorrowed::new_nfc().normalize(trimmed).into_owned();
    within(text.chars().count(), &chars).map(|()| text)
}

/// Parses an optional text: an empty one, or white space alone, is `None`.
///
/// # Errors
/// Those of `parse` for any other text.
pub fn optional<T>(raw: &str, parse: impl FnOnce(&str) -> Result<T, Rule>) -> Result<Option<T>, Rule> {
    if raw.trim().is_empty() { Ok(None) } else { parse(raw).map(Some) }
}

/// Whether a text is printable ASCII without spaces at its ends or two in a row. Nearly all texts are, and need no more work.
pub(super) fn is_plain(text: &str) -> bool {
    let mut last = b' ';
    for &byte in text.as_bytes() {
        if !(b' '..=b'~').contains(&byte) || (byte == b' ' && last == b' ') {
            return false;
        }
        last = byte;
    }
    last != b' '
}

/// Trims a text and replaces each run of white space in it by one space.
pub(in crate::domain) fn collapse(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !collapsed.is_empty() {
            collapsed.push(' ');
        }
        collapsed.push_str(word);
    }
    collapsed
}

/// The first character that must not be where it is: its place from 1, itself, and why.
fn first_refused(text: &str) -> Option<(usize, char, &'static str)> {
    let (mut sequences, mut rest) = (Sequences::default(), text.chars());
    let mut place = 0;
    while let Some(found) = rest.next() {
        place += 1;
        let why = match sequences.take(found, &rest) {
            Ok(true) => None,
            Ok(false) => refused(found),
            Err(why) => Some(why),
        };
        if let Some(why) = why {
            return Some((place, found, why));
        }
    }
    None
}

/// A text after so many rounds of folding that a further one changes nothing. Two have been enough for every text tried so far; the
/// bound guarantees an end.
pub(in crate::domain) fn settled(text: &str, round: impl Fn(&str) -> String) -> String {
    const MAX_ROUNDS: usize = 4;
    let mut folded = round(text);
    for _ in 0..MAX_ROUNDS {
        let next = round(&folded);
        if next == folded {
            break;
        }
        folded = next;
    }
    folded
}

/// Why no text may contain this character; none if it is allowed.
fn refused(found: char) -> Option<&'static str> {
    if found.is_ascii_graphic() || found == ' ' {
        return None;
    }
    match CodePointMapData::<GeneralCategory>::new().get(found) {
        GeneralCategory::Unassigned | GeneralCategory::PrivateUse | GeneralCategory::Surrogate => {
            Some("private or unassigned characters")
        }
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator => Some("invisible or control characters"),
        // Fillers and variation selectors are letters and marks by category, and invisible too.
        _ if found == BRAILLE_BLANK || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(found) => {
            Some("invisible or control characters")
        }
        _ => None,
    }
}

fn within(count: usize, chars: &RangeInclusive<usize>) -> Result<(), Rule> {
    if chars.contains(&count) { Ok(()) } else { Err(wrong_length(count, chars)) }
}

fn wrong_length(count: usize, chars: &RangeInclusive<usize>) -> Rule {
    let (least, most) = (chars.start(), chars.end());
    match (count, least) {
        (0, _) => Rule::coded(RuleCode::Required, "must not be empty"),
        (_, 0) => Rule::coded_with(RuleCode::Length, format!("must be at most {most} characters; this has {count}")),
        _ => {
            let rule = format!("must be {least} to {most} characters; this has {count}");
            Rule::coded_with(RuleCode::Length, rule)
        }
    }
}

/// A text of 1 to `MAX` printable characters without a further rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The most code points that it has.
    pub const MAX_CHARS: usize = MAX;

    /// Parses what a client sent.
    ///
    /// # Errors
    /// As [`printable`] does, for 1 to `MAX` characters.
    pub fn parse(raw: &str) -> Result<Self, Rule> {
        printable(raw, 1..=MAX).map(Self)
    }

    /// Parses an optional text: empty is `None`.
    ///
    /// # Errors
    /// As [`Text::parse`] does.
    pub fn parse_optional(raw: &str) -> Result<Option<Self>, Rule> {
        optional(raw, Self::parse)
    }

    /// A stored text. Today's rules are not applied.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// The text as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    fn rule(raw: &str) -> String {
        printable(raw, 1..=120).unwrap_err().text().to_owned()
    }

    #[test]
    fn an_ordinary_text_is_kept_as_it_is() {
        for text in ["Copaco Netherlands B.V.", "Société Générale", "中国电信", "Ω & Söhne", "00123"] {
            assert_eq!(printable(text, 1..=120).unwrap(), text);
        }
    }

    #[test]
    fn white_space_is_trimmed_and_runs_of_it_become_one_space() {
        for raw in ["  Jan   Janssen ", "Jan\u{A0}\u{3000}Janssen", "\t\nJan Janssen\r\n", "\u{2028}Jan Janssen"] {
            assert_eq!(printable(raw, 1..=120).unwrap(), "Jan Janssen");
        }
    }

    #[test]
    fn two_encodings_of_a_text_are_stored_as_one() {
        assert_eq!(printable("Mu\u{308}nchen", 1..=7).unwrap(), "München");
    }

    #[test]
    fn invisible_and_control_characters_are_refused_with_their_position() {
        assert_eq!(rule("Copaco\u{200B}"), "must not hold invisible or control characters; character 7 is U+200B");
        assert_eq!(rule(" a\tb"), "must not hold invisible or control characters; character 3 is U+0009");
        for hidden in ["\0", "\n", "\u{85}", "\u{AD}", "\u{202E}", "\u{2066}", "\u{2028}", "\u{FEFF}", "\u{3164}"] {
            assert!(rule(&format!("a{hidden}b")).starts_with("must not hold invisible"), "{hidden:?}");
        }
        for none in ["\u{E000}", "\u{378}", "\u{FFFF}", "\u{10FFFF}"] {
            assert!(rule(none).starts_with("must not hold private or unassigned"), "{none:?}");
        }
    }

    #[test]
    fn the_length_is_counted_in_characters_of_the_stored_form() {
        assert_eq!(rule(&"x".repeat(134)), "must be 1 to 120 characters; this has 134");
        assert_eq!(rule(&"é".repeat(121)), "must be 1 to 120 characters; this has 121");
        assert_eq!(rule(&"é".repeat(100_000)), "must be 1 to 120 characters; this has 100000");
        assert!(printable(&"e\u{301}".repeat(120), 1..=120).is_ok());
        assert_eq!(printable("abc", 0..=2).unwrap_err().text(), "must be at most 2 characters; this has 3");
    }

    #[test]
    fn empty_is_refused_unless_it_is_optional() {
        assert_eq!(rule(""), "must not be empty");
        assert_eq!(rule(" \u{A0}\n"), "must not be empty");
        assert_eq!(printable("", 0..=5).unwrap(), "");
        assert_eq!(Text::<5>::parse_optional(" ").unwrap(), None);
        assert_eq!(Text::<5>::parse_optional("a").unwrap().unwrap().as_str(), "a");
    }

    #[test]
    fn a_stored_text_is_read_back_without_todays_rule() {
        let stored: Text<3> = serde_json::from_str(r#""longer than three""#).unwrap();
        assert_eq!(serde_json::to_string(&stored).unwrap(), r#""longer than three""#);
    }

    proptest! {
        #[test]
        fn any_input_is_refused_or_kept_in_its_final_form(raw in samples::raw()) {
            if let Ok(text) = Text::<40>::parse(&raw) {
                samples::assert_kept(text.as_str(), 40);
                prop_assert!(!text.as_str().is_empty());
                prop_assert_eq!(Text::parse(text.as_str()), Ok(text.clone()));
            }
        }

        #[test]
        fn the_fast_path_for_plain_text_and_the_slow_one_agree(raw in "[ -~]{0,30}") {
            prop_assert_eq!(printable(&raw, 0..=30).unwrap(), collapse(&raw));
            prop_assert_eq!(is_plain(&raw), !raw.is_empty() && collapse(&raw) == raw);
        }
    }
}
