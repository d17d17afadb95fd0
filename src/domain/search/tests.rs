//! The property of the search: whoever types a value of a customer finds the customer.

mod names;

use proptest::prelude::*;

use self::names::NAMES;
use super::{Fields, Query, SECTIONS, SearchField, Searchable, SearchableIds};
use crate::domain::{
    fields::{customer_fields::CustomerFields, profile::Profile},
    samples,
    values::{
        address::AddressPart,
        contact::Contact,
        contacts::Contacts,
        custom_id::CustomId,
        email::Email,
        enums::Origin,
        ids::ContactId,
        name::Name,
        phone::Phone,
        tax_id::{TaxId, TaxIds},
        text::Text,
        unknown_fields::UnknownFields,
    },
};

fn fields(name: &str) -> Option<CustomerFields> {
    Some(CustomerFields::new(Name::parse(name).ok()?, Origin::Api))
}

fn lies_in(query: &Query, doc: &str, ids: &str, asked: Option<SearchField>) -> bool {
    let shown = || SECTIONS.iter().filter(|section| asked.is_none_or(|only| only == section.field));
    let sections: Vec<(SearchField, &str)> = shown()
        .map(|section| (section.field, section.of(doc)))
        .chain(asked.is_none_or(|only| only == SearchField::Number).then_some((SearchField::Number, ids)))
        .collect();
    let word = |word: &super::Word| sections.iter().any(|(field, section)| word.lies_in(*field, section));
    let tokens = query.asked();
    let words = tokens.iter().all(|token| token.lists().iter().any(|list| list.iter().all(word)));
    let number = query
        .number()
        .is_some_and(|number| sections.iter().any(|(field, section)| field.is_number() && section.contains(&number)));
    (words && !tokens.is_empty())
        || number
        || (tokens.is_empty() && sections.iter().any(|(_, section)| section.contains(&query.value())))
}

/// That a value finds the customer, in its field and in all, by its text and by the lexemes that are asked for first.
fn assert_finds(
    fields: &CustomerFields,
    ids: &[CustomId],
    field: SearchField,
    value: &str,
) -> Result<(), TestCaseError> {
    // A value that is longer than a query when folded cannot be asked for as a whole.
    let Ok(query) = Query::parse(value) else { return Ok(()) };
    if query.is_empty() {
        return Ok(());
    }
    let text = Searchable::of(fields);
    let words: String = ids.iter().map(|id| SearchableIds::words(id.as_str())).collect();
    let mut lexemes = text.lexemes.clone();
    lexemes.extend(SearchableIds::of(ids).0);
    for asked in [None, Some(field)] {
        prop_assert!(lies_in(&query, text.doc(), &words, asked), "{value:?} in {asked:?}: {:?}", text.doc());
    }
    for (asked, of_ids) in [(None, true), (Some(field), field == SearchField::Number)] {
        let asks = |is: fn(SearchField) -> bool| asked.is_none_or(is);
        let asked = Fields { free: asks(SearchField::is_free), numbers: asks(SearchField::is_number) };
        prop_assert!(query.lexemes(asked).holds(&lexemes), "the index does not find {value:?}: {lexemes:?}");
        if ids.is_empty() || !of_ids {
            prop_assert!(
                query.lexemes_of_one(asked).holds(&lexemes) || query.asked().is_empty(),
                "{value:?}: {lexemes:?}"
            );
        } else {
            prop_assert!(
                query.id_lexemes().holds(&SearchableIds::of(ids).0),
                "the index of ids does not find {value:?}"
            );
        }
    }
    assert_ranks(fields, ids, &query)
}

/// Whoever has the query as a name, as how a name starts or as a whole value is found by the lexemes of that rank.
fn assert_ranks(fields: &CustomerFields, ids: &[CustomId], query: &Query) -> Result<(), TestCaseError> {
    let (text, ids) =
        (Searchable::of(fields), ids.iter().map(|id| (SearchableIds::words(id.as_str()), SearchableIds::of([id]))));
    let name = super::fold(fields.name.as_str());
    if name.starts_with(query.as_name()) {
        let starts = [true, false].iter().all(|alone| query.name_start_lexemes(*alone).holds(&text.lexemes));
        prop_assert!(starts, "{query:?} starts {name:?}");
    }
    let is_exact = SECTIONS.iter().any(|section| {
        matches!(section.field, SearchField::Number | SearchField::Email)
            && section.of(text.doc()).contains(&query.value())
    });
    if is_exact || name == query.as_name() {
        prop_assert!(query.exact_lexemes().holds(&text.lexemes), "{query:?} is {:?}", text.doc());
    }
    for (words, SearchableIds(lexemes)) in ids.filter(|(words, _)| words.contains(&query.value())) {
        prop_assert!(query.exact_lexemes().holds(&lexemes), "{query:?} is {words:?}");
    }
    Ok(())
}

/// Every field with this value, if it takes it.
fn assert_found_by(value: &str) -> Result<(), TestCaseError> {
    let base = || fields("Base").unwrap();
    let with = |change: &dyn Fn(&mut CustomerFields)| {
        let mut changed = base();
        change(&mut changed);
        changed
    };
    if let Some(named) = fields(value) {
        assert_finds(&named, &[], SearchField::Name, named.name.as_str())?;
        assert_finds(&named, &[], SearchField::Name, value)?;
    }
    if let Ok(text) = Text::<300>::parse(value) {
        let legal = with(&|it| it.profile.legal_name = Some(text.clone()));
        assert_finds(&legal, &[], SearchField::Name, value)?;
    }
    for (part, field) in [(AddressPart::City, SearchField::City), (AddressPart::State, SearchField::State)] {
        let mut placed = base();
        if placed.profile.primary_address.set(part, value).is_ok() {
            assert_finds(&placed, &[], field, value)?;
        }
    }
    if let Ok(text) = Text::<40>::parse(value) {
        let registered = with(&|it| it.profile.registration_number = Some(text.clone()));
        assert_finds(&registered, &[], SearchField::Number, value)?;
    }
    if let Ok(text) = Text::<255>::parse(value) {
        let ordered = with(&|it| it.order_reference = Some(text.clone()));
        assert_finds(&ordered, &[], SearchField::Number, value)?;
    }
    if let Ok(id) = CustomId::parse(value) {
        assert_finds(&base(), &[id], SearchField::Number, value)?;
    }
    if let Ok(tax_id) = TaxId::parse(value, "NL") {
        let taxed = with(&|it| it.profile.tax_ids = TaxIds::try_new(vec![tax_id.clone()]).unwrap());
        assert_finds(&taxed, &[], SearchField::TaxId, value)?;
    }
    if let Ok(email) = Email::parse(value) {
        let billed = with(&|it| it.profile.billing_email = Some(email.clone()));
        assert_finds(&billed, &[], SearchField::Email, value)?;
    }
    if let Ok(phone) = Phone::parse(value, "") {
        let contact = Contact {
            contact_id: ContactId::from_uuid(uuid::Uuid::nil()),
            first_name: Text::parse_optional("Jan").unwrap(),
            last_name: None,
            job_title: None,
            email: None,
            phone: Some(phone),
            primary: true,
            unknown: UnknownFields::default(),
        };
        let called = with(&|it| it.profile.contacts = Contacts::try_new(vec![contact.clone()]).unwrap());
        assert_finds(&called, &[], SearchField::Phone, value)?;
    }
    Ok(())
}

#[test]
fn names_and_cities_of_many_countries_find_their_customers() {
    for name in NAMES {
        assert_found_by(name).unwrap();
        // A token of punctuation alone is nothing, unless it is the whole value.
        for word in name.split(' ').filter(|word| Query::parse(word).is_ok_and(|query| !query.asked().is_empty())) {
            let named = fields(name).unwrap();
            assert_finds(&named, &[], SearchField::Name, word).unwrap();
        }
    }
    for value in [
        "GB 111 2223 34",
        "NL006486253B01",
        "+31 20 555 0123",
        "020-5550124",
        "jan.o'neill+x@first-last.example",
        "42",
        "TX",
    ] {
        assert_found_by(value).unwrap();
    }
}

#[test]
fn other_spellings_find_the_customer_too() {
    for (name, query) in [
        ("O’Brien", "O'Brien"),
        ("O'Brien", "obrien"),
        ("H.L.F. Transport", "HLF"),
        ("HLF Transport", "h.l.f."),
        ("Lindqvist, Petra", "petra lindqvist"),
        ("T–Systems", "t-systems"),
        ("Œuvre", "oeuvre"),
        ("Þórður", "thordur"),
        ("Col·legi", "collegi"),
        ("علی کریمی", "علي كريمي"),
        ("İstanbul", "ıstanbul"),
        ("株式会社田中", "田中"),
        ("Jan de Vries", "de"),
        ("❤️", "❤"),
    ] {
        assert_finds(&fields(name).unwrap(), &[], SearchField::Name, query).unwrap();
    }
    let mut dutch = fields("Dutch").unwrap();
    dutch.profile.primary_address.set(AddressPart::Country, "Netherlands").unwrap();
    dutch.profile.primary_address.set(AddressPart::State, "NB").unwrap();
    dutch.profile.phone = Some(Phone::parse("020-5550124", "").unwrap());
    for (field, query) in [
        (SearchField::Phone, "0205550124"),
        (SearchField::Phone, "+31 20 5550124"),
        (SearchField::Phone, "020 555 01 24"),
        (SearchField::State, "Noord-Brabant"),
        (SearchField::State, "noord brab"), // typos: on purpose
    ] {
        assert_finds(&dutch, &[], field, query).unwrap();
    }
}

/// A code that took the place of a name is found by both, and by the names of the standard.
#[test]
fn what_a_code_replaced_finds_its_customer() {
    for (country, given, code) in [
        ("Netherlands", "Noord Brabant", "NL-NB"),
        ("USA", "Calif.", "US-CA"),
        ("USA", "newhamp", "US-NH"),
        ("日本", "東京都", "JP-13"),
        ("Deutschland", "BY", "DE-BY"),
    ] {
        let mut placed = fields("Base").unwrap();
        placed.profile.primary_address.set(AddressPart::Country, country).unwrap();
        placed.profile.primary_address.set(AddressPart::State, given).unwrap();
        placed.settle(&Profile::default(), crate::domain::fields::settle::Tables::default()).unwrap();
        assert_eq!(placed.profile.primary_address.get(AddressPart::State), Some(code));
        for query in [given, code] {
            assert_finds(&placed, &[], SearchField::State, query).unwrap();
        }
    }
    let mut called = fields("Base").unwrap();
    called.profile.primary_address.set(AddressPart::Country, "Netherlands").unwrap();
    called.profile.phone = Some(Phone::parse("020-5550124 ext. 12", "").unwrap());
    called.settle(&Profile::default(), crate::domain::fields::settle::Tables::default()).unwrap();
    for query in ["020-5550124 ext. 12", "0205550124", "+31 20 555 0124", "12"] {
        assert_finds(&called, &[], SearchField::Phone, query).unwrap();
    }
}

proptest! {
    #[test]
    fn whatever_is_stored_finds_its_customer(raw in samples::raw()) {
        assert_found_by(&raw)?;
    }

    #[test]
    fn words_with_punctuation_find_their_customer(raw in "[a-cA-C0-9À-Ö田中가ก .,'’/+&_—-]{1,40}") {
        assert_found_by(&raw)?;
    }
}
