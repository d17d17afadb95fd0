//! The text of a customer that is searched.
//!
//! A document is a customer's sections in a row, each closed by [`SECTION`] and each group of them by [`GROUP`]: what is searched
//! anywhere, what is searched from the start of a word, and what accounts below the owner are not shown. A section is words,
//! each begun by [`WORD`], and whole values between [`VALUE`] and [`END`]. So "where a word starts" is a plain substring.
//! No folded text has a control character.

use serde::Serialize;

use super::{
    condition,
    field::SearchField,
    filters,
    fold::fold,
    lexemes::{self, Lexemes, VERSION},
    phones::phone_forms,
    places::state_forms,
    words::{compact, tokens},
};
use crate::domain::{
    fields::customer_fields::CustomerFields,
    reference::tax,
    values::{
        address::AddressPart, contact::ContactPart, custom_id::CustomId, email::Email, phone::Phone, sort_key::SortKey,
        tax_id::TaxId, text::Text,
    },
};

/// Begins a whole value: letters and digits alone, or the folded text if it has none.
pub(super) const VALUE: char = '\u{1}';
/// Begins a word.
pub(super) const WORD: char = '\u{2}';
/// Ends a whole value.
pub(super) const END: char = '\u{3}';
/// Closes a group of sections.
pub const GROUP: char = '\u{1c}';
/// Closes a section.
pub const SECTION: char = '\u{1d}';

/// A section of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// The field that it is part of.
    pub field: SearchField,
    /// The group, from 0.
    pub group: usize,
    /// The place among the sections of the group, from 0.
    pub place: usize,
}

impl Section {
    const fn new(field: SearchField, group: usize, place: usize) -> Self {
        Self { field, group, place }
    }

    /// Whether accounts below the owner are shown it.
    #[must_use]
    pub const fn is_shown_below(self) -> bool {
        self.group != HIDDEN
    }

    /// The section of a document.
    #[must_use]
    pub fn of(self, doc: &str) -> &str {
        doc.split(GROUP).nth(self.group).and_then(|group| group.split(SECTION).nth(self.place)).unwrap_or_default()
    }
}

/// The group of what is searched anywhere.
pub const FREE: usize = 0;
/// The group of what accounts below the owner are not shown.
pub const HIDDEN: usize = 2;

/// The sections in order. Custom IDs are in none: each account has its own.
pub const SECTIONS: [Section; 9] = [
    Section::new(SearchField::Name, FREE, 0),
    Section::new(SearchField::City, FREE, 1),
    Section::new(SearchField::State, 1, 0),
    Section::new(SearchField::Number, 1, 1),
    Section::new(SearchField::Email, 1, 2),
    Section::new(SearchField::Phone, 1, 3),
    Section::new(SearchField::TaxId, 1, 4),
    Section::new(SearchField::Number, HIDDEN, 0),
    Section::new(SearchField::Email, HIDDEN, 1),
];

/// What of a customer is searched: serialized, the columns of `customer_search`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Searchable {
    name: String,
    name_sort: SortKey,
    bucket: u8,
    doc: String,
    country: String,
    #[serde(serialize_with = "condition::as_tsvector")]
    pub(super) lexemes: Lexemes,
    version: i16,
}

impl Searchable {
    /// The text of a customer.
    #[must_use]
    pub fn of(fields: &CustomerFields) -> Self {
        let mut writer = Writer::default();
        let mut group = FREE;
        for section in SECTIONS {
            if section.group != group {
                writer.doc.push(GROUP);
                group = section.group;
            }
            writer.section(section, fields);
            writer.doc.push(SECTION);
        }
        let name = fold(fields.name.as_str());
        lexemes::add_name(&mut writer.lexemes, &name);
        let country =
            fields.profile.primary_address.get(AddressPart::Country).map(filters::country).unwrap_or_default();
        writer.lexemes.extend(filters::of(fields, &country));
        let name_sort = SortKey::of(fields.name.as_str());
        let bucket = name_sort.bucket();
        Self { name, name_sort, bucket, doc: writer.doc, country, lexemes: writer.lexemes, version: VERSION }
    }

    /// The part of the order by name that the customer is in.
    #[must_use]
    pub fn bucket(&self) -> u8 {
        self.bucket
    }

    /// The document.
    #[must_use]
    pub fn doc(&self) -> &str {
        &self.doc
    }
}

/// Lexemes that a customer has of its owner's custom IDs, old ones too: beyond them, or soon after, the oldest are not found by a search, only
/// by a look-up. A `tsvector` takes one megabyte, and what PostgreSQL makes of more is wrong. That is some 1,500 custom IDs.
const MOST_ID_LEXEMES: usize = 10_000;

/// What is searched of custom IDs that one account gave a customer: serialized, a `tsvector`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SearchableIds(#[serde(serialize_with = "condition::as_tsvector")] pub(super) Lexemes);

impl SearchableIds {
    /// Of these custom IDs, the newest first: about as many as have `MOST_ID_LEXEMES`.
    #[must_use]
    pub fn of<'a>(ids: impl IntoIterator<Item = &'a CustomId>) -> Self {
        let mut writer = Writer::default();
        for id in ids {
            if writer.lexemes.len() >= MOST_ID_LEXEMES {
                break;
            }
            writer.words(Some(id.as_str()), false, Whole::Exact);
        }
        Self(writer.lexemes)
    }

    /// The text of one custom ID, as `custom_ids.search_words` keeps it: like a section.
    #[must_use]
    pub fn words(id: &str) -> String {
        let mut writer = Writer::default();
        writer.words(Some(id), false, Whole::Exact);
        writer.doc
    }
}

#[derive(Default)]
struct Writer {
    doc: String,
    lexemes: Lexemes,
}

impl Writer {
    fn section(&mut self, section: Section, fields: &CustomerFields) {
        let profile = &fields.profile;
        let contacts = || profile.contacts.as_slice().iter();
        match (section.field, section.is_shown_below()) {
            (SearchField::Name, _) => {
                self.words(Some(fields.name.as_str()), true, Whole::IfNoWord);
                self.words(profile.legal_name.as_ref().map(Text::as_str), true, Whole::IfNoWord);
            }
            (SearchField::City, _) => self.words(profile.primary_address.get(AddressPart::City), true, Whole::IfNoWord),
            (SearchField::State, _) => {
                let country = profile.primary_address.get(AddressPart::Country);
                let state = profile.primary_address.get(AddressPart::State);
                self.words(state, false, Whole::IfNoWord);
                self.words(profile.primary_address.state_given(), false, Whole::IfNoWord);
                let forms = state.map(|state| state_forms(country, state)).unwrap_or_default();
                forms.iter().for_each(|form| self.words(Some(form), false, Whole::IfNoWord));
            }
            (SearchField::Number, true) => {
                self.words(profile.registration_number.as_ref().map(Text::as_str), false, Whole::Exact);
            }
            (SearchField::Number, false) => {
                self.words(fields.order_reference.as_ref().map(Text::as_str), false, Whole::Exact);
            }
            (SearchField::Email, true) => {
                self.words(profile.email.as_ref().map(Email::as_str), false, Whole::Exact);
                contacts().for_each(|contact| self.words(contact.get(ContactPart::Email), false, Whole::Exact));
            }
            (SearchField::Email, false) => {
                self.words(profile.billing_email.as_ref().map(Email::as_str), false, Whole::Exact);
            }
            (SearchField::Phone, _) => {
                let phones = [&profile.phone, &profile.fax].into_iter().chain(contacts().map(|contact| &contact.phone));
                let country = profile.primary_address.get(AddressPart::Country);
                phones.flatten().for_each(|phone| self.phone(phone, country));
            }
            (SearchField::TaxId, _) => {
                profile.tax_ids.as_slice().iter().for_each(|tax_id| self.tax_id(tax_id));
            }
        }
    }

    /// The words of a value, and the whole value where it is compared with the whole query.
    fn words(&mut self, value: Option<&str>, free: bool, whole: Whole) {
        let Some(value) = value else { return };
        let folded = fold(value);
        let before = self.doc.len();
        for token in tokens(&folded) {
            for word in token.words() {
                self.doc.push(WORD);
                self.doc.push_str(word);
                lexemes::add_word(&mut self.lexemes, word, free);
            }
        }
        if whole != Whole::IfNoWord || self.doc.len() == before {
            let letters = compact(&folded);
            self.whole(if letters.is_empty() { &folded } else { &letters });
        }
        if whole == Whole::Exact {
            lexemes::add_exact(&mut self.lexemes, &folded);
        }
    }

    /// Another form of a number, letters and digits alone.
    fn form(&mut self, form: &str) {
        self.whole(form);
    }

    /// With and without the prefix of its country, where this is known.
    fn tax_id(&mut self, tax_id: &TaxId) {
        self.words(Some(tax_id.value()), false, Whole::Start);
        let value = compact(&fold(tax_id.value()));
        match value.split_at_checked(COUNTRY_CODE) {
            Some((country, rest)) if is_code(country) => {
                if rest.contains(|letter: char| letter.is_ascii_digit()) {
                    self.form(rest);
                }
            }
            _ => {
                let country = tax_id.country().and_then(tax::country).map(str::to_ascii_lowercase);
                country.into_iter().for_each(|country| self.form(&format!("{country}{value}")));
            }
        }
    }

    /// As it was given, with its extension, in its national and in its international form.
    fn phone(&mut self, phone: &Phone, country: Option<&str>) {
        let number = phone.number();
        match phone.extension() {
            Some(extension) => self.words(Some(&format!("{number} {extension}")), false, Whole::Start),
            None => self.words(Some(number), false, Whole::Start),
        }
        phone_forms(number, country).iter().for_each(|form| self.form(form));
    }

    fn whole(&mut self, value: &str) {
        self.doc.push(VALUE);
        self.doc.push_str(value);
        self.doc.push(END);
        lexemes::add_value(&mut self.lexemes, value);
    }
}

/// Letters of a country's code.
const COUNTRY_CODE: usize = 2;

fn is_code(country: &str) -> bool {
    country.len() == COUNTRY_CODE && country.bytes().all(|letter| letter.is_ascii_lowercase())
}

/// Whether a value is compared with the whole query too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    /// It is, and who has it is first.
    Exact,
    /// The query may be how it starts.
    Start,
    /// There is nothing else to find it by.
    IfNoWord,
}
