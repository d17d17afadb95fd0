//! The text of a customer that is searched, folded.
//!
//! A document is a customer's sections in a row, each closed by [`SECTION`]. The sections that are searched anywhere hold
//! their values as they are, each closed by [`EXACT`]; in the others each value begins with [`VALUE`] and each word in it
//! with [`WORD`], so that "where a word begins" is a plain substring too. No text of a client holds a control character.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use super::field::SearchField;
use crate::domain::{
    fields::{customer_fields::CustomerFields, profile::Profile},
    values::{
        address::AddressPart,
        email::Email,
        key::Key,
        name::Name,
        phone::Phone,
        text::{Text, collapse},
    },
};

/// Marks the start of a value.
const VALUE: char = '\u{1}';
/// Marks the start of a word in a value.
const WORD: char = '\u{2}';
/// Closes a section.
pub(super) const SECTION: char = '\u{1d}';
/// Closes a value that is searched anywhere: what begins a document and ends with this is the whole name.
pub const EXACT: char = '\u{1f}';

/// The sections of a document, in order.
const SECTIONS: [SearchField; 6] = [
    SearchField::Name,
    SearchField::City,
    SearchField::State,
    SearchField::Email,
    SearchField::Phone,
    SearchField::TaxId,
];

/// Folds a text for searching: the key, which knows no case, width or compatibility forms, without its accents.
///
/// Accents are the combining marks of Latin, Greek and Cyrillic, the points of Hebrew and the vowel marks of Arabic, and
/// the strokes of six Latin letters. Marks that make another letter (Japanese voicing, the vowels of Indic scripts) stay.
#[must_use]
pub fn fold(text: &str) -> String {
    let key = Key::fold(text);
    if key.as_str().is_ascii() {
        return key.as_str().to_owned();
    }
    let apart = DecomposingNormalizerBorrowed::new_nfd().normalize(key.as_str());
    let bare: String = apart.chars().filter(|letter| !is_accent(*letter)).collect();
    let whole: String = ComposingNormalizerBorrowed::new_nfc().normalize(&bare).chars().map(without_stroke).collect();
    // An accent that stood alone stood on a space.
    collapse(&whole)
}

/// migrations/0002_customers.sql has the same list for custom IDs.
fn is_accent(letter: char) -> bool {
    matches!(letter,
        '\u{300}'..='\u{36F}'
        | '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}' | '\u{5C2}' | '\u{5C4}' | '\u{5C5}' | '\u{5C7}'
        | '\u{64B}'..='\u{65F}' | '\u{670}')
}

fn without_stroke(letter: char) -> char {
    match letter {
        'ø' => 'o',
        'ł' => 'l',
        'đ' => 'd',
        'ħ' => 'h',
        'ŧ' => 't',
        'ı' => 'i',
        other => other,
    }
}

/// A folded value as sections that are searched by beginnings have it, and as `custom_ids.search_key` has it.
#[must_use]
pub fn number(folded: &str) -> String {
    format!("{VALUE}{}", marked(folded))
}

/// The text with a mark where each word begins: at whatever stands first or behind a space or ASCII punctuation, and is
/// neither. Full-width punctuation has become ASCII by folding.
pub(super) fn marked(folded: &str) -> String {
    let mut text = String::with_capacity(folded.len() + 4);
    let mut apart = true;
    for letter in folded.chars() {
        let separates = separates(letter);
        if apart && !separates {
            text.push(WORD);
        }
        text.push(letter);
        apart = separates;
    }
    text
}

pub(super) fn separates(letter: char) -> bool {
    letter == ' ' || letter.is_ascii_punctuation()
}

/// What of a customer is searched, as `customer_search` keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searchable {
    doc: String,
    country: String,
}

impl Searchable {
    /// The text of a customer.
    #[must_use]
    pub fn of(fields: &CustomerFields) -> Self {
        Self::of_parts(&fields.name, &fields.profile)
    }

    /// The text of a customer of this name and profile.
    #[must_use]
    pub fn of_parts(name: &Name, profile: &Profile) -> Self {
        let mut doc = String::with_capacity(256);
        for section in SECTIONS {
            write_section(&mut doc, section, name, profile);
            doc.push(SECTION);
        }
        let country = profile.primary_address.get(AddressPart::Country).map(fold).unwrap_or_default();
        Self { doc, country }
    }

    /// The whole text.
    #[must_use]
    pub fn doc(&self) -> &str {
        &self.doc
    }

    /// The folded country of the primary address; empty if there is none.
    #[must_use]
    pub fn country(&self) -> &str {
        &self.country
    }

    /// One field's part of the text.
    pub(crate) fn section(&self, field: SearchField) -> &str {
        place(field).and_then(|place| self.doc.split(SECTION).nth(place)).unwrap_or_default()
    }
}

/// Where in a document the field's section is, from 0. Numbers are not in it: each account has its own.
pub(super) fn place(field: SearchField) -> Option<usize> {
    SECTIONS.iter().position(|section| *section == field)
}

fn write_section(doc: &mut String, section: SearchField, name: &Name, profile: &Profile) {
    let mut free = |value: Option<&str>| {
        if let Some(value) = value {
            doc.push_str(&fold(value));
            doc.push(EXACT);
        }
    };
    match section {
        SearchField::Name => {
            free(Some(name.as_str()));
            free(profile.legal_name.as_ref().map(Text::as_str));
        }
        SearchField::City => free(profile.primary_address.get(AddressPart::City)),
        SearchField::State => write_value(doc, profile.primary_address.get(AddressPart::State)),
        SearchField::Email => write_value(doc, profile.email.as_ref().map(Email::as_str)),
        SearchField::Phone => write_written_two_ways(doc, profile.phone.as_ref().map(Phone::number)),
        SearchField::TaxId => {
            for tax_id in profile.tax_ids.as_slice() {
                write_written_two_ways(doc, Some(tax_id.value()));
            }
        }
        SearchField::Number => {}
    }
}

fn write_value(doc: &mut String, value: Option<&str>) {
    if let Some(value) = value {
        doc.push_str(&number(&fold(value)));
    }
}

/// A phone number or tax ID: as it is written, and without the spaces and punctuation in it but a leading `+`.
fn write_written_two_ways(doc: &mut String, value: Option<&str>) {
    let Some(value) = value.map(fold) else { return };
    doc.push_str(&number(&value));
    let plus = if value.starts_with('+') { "+" } else { "" };
    let together: String = plus.chars().chain(value.chars().filter(|letter| !separates(*letter))).collect();
    if together != value {
        doc.push_str(&number(&together));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    #[test]
    fn case_accents_and_width_do_not_matter() {
        for (text, folded) in [
            ("München", "munchen"),
            ("ＭＵ\u{308}ＮＣＨＥＮ", "munchen"),
            ("Łódź", "lodz"),
            ("Straße", "strasse"),
            ("İstanbul ısı", "istanbul isi"),
            ("Ｃａｆé", "cafe"),
            ("ΆΘΉΝΑ", "αθηνα"),
            ("Йод", "иод"),
            ("한국", "한국"),
            ("ガス", "ガス"),
            ("中国电信", "中国电信"),
            ("שָׁלוֹם", "שלום"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn a_word_begins_behind_spaces_and_punctuation() {
        assert_eq!(marked("jan.janssen@company"), "\u{2}jan.\u{2}janssen@\u{2}company");
        assert_eq!(marked("+31 (0)12"), "+\u{2}31 (\u{2}0)\u{2}12");
        assert_eq!(marked("--"), "--");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(raw in samples::raw()) {
            prop_assert_eq!(fold(&fold(&raw)), fold(&raw));
        }

        #[test]
        fn every_spelling_of_a_word_is_one(word in "[a-zA-ZÀ-ÖØ-öø-ÿА-я]{1,10}") {
            prop_assert_eq!(fold(&word.to_uppercase()), fold(&word));
        }
    }
}
