use super::*;
use crate::domain::{
    samples,
    values::{
        contact::Contact, contacts::Contacts, enums::Origin, ids::ContactId, language::Language, name::Name,
        rule_code::RuleCode, tax_id::TaxIds, unknown_fields::UnknownFields,
    },
};

fn fields() -> CustomerFields {
    CustomerFields::new(Name::parse("Copaco").unwrap(), Origin::Api)
}

fn address(country: &str, state: &str, postal_code: &str) -> Address {
    let mut address = Address::default();
    for (part, text) in
        [(AddressPart::Country, country), (AddressPart::State, state), (AddressPart::PostalCode, postal_code)]
    {
        address.set(part, text).unwrap();
    }
    address
}

fn text(text: &str) -> Option<Text<100>> {
    Text::parse_optional(text).unwrap()
}

fn tax_ids(all: &[(&str, &str)]) -> TaxIds {
    TaxIds::try_new(all.iter().map(|(value, country)| TaxId::parse(value, country).unwrap()).collect()).unwrap()
}

fn contact(number: &str) -> Contact {
    Contact {
        contact_id: ContactId::from_uuid(samples::id(number.len() as u128)),
        first_name: Some(Text::parse("Jan").unwrap()),
        last_name: None,
        job_title: None,
        email: None,
        phone: Some(Phone::parse(number, "").unwrap()),
        primary: false,
        unknown: UnknownFields::default(),
    }
}

/// The fields that are refused, and the rules that they break.
fn refused(settled: Result<(), Violations>) -> Vec<(String, RuleCode)> {
    let violations = settled.err().unwrap_or_default();
    violations.all().iter().map(|violation| (violation.field.clone(), violation.rule.code())).collect()
}

#[test]
fn the_personal_portals_example_becomes_codes() {
    let mut copaco = fields();
    let profile = &mut copaco.profile;
    profile.registration_number = Some(Text::parse("17048595").unwrap());
    profile.tax_ids = tax_ids(&[("NL006486253B01", "Netherlands")]);
    (profile.currency, profile.industry) = (text("Euro"), text("Non-profit"));
    profile.primary_address = address("Netherlands", "Noord Brabant", "5652AW");
    profile.contacts = Contacts::try_new(vec![contact("+31(0)123456789")]).unwrap();
    assert_eq!(copaco.settle(&Profile::default(), Tables::default()), Ok(()));
    let profile = &copaco.profile;
    assert_eq!(profile.currency, text("EUR"));
    assert_eq!(profile.industry, text("non-profit"));
    let home = |part| profile.primary_address.get(part).unwrap();
    assert_eq!(
        (home(AddressPart::Country), home(AddressPart::State), home(AddressPart::PostalCode)),
        ("NL", "NL-NB", "5652 AW")
    );
    assert_eq!(profile.primary_address.state_given(), Some("Noord Brabant"));
    assert_eq!(profile.tax_ids.as_slice()[0].country(), Some("NL"));
    let phone = profile.contacts.as_slice()[0].phone.as_ref().unwrap();
    assert_eq!((phone.number(), phone.e164(), phone.is_valid()), ("+31(0)123456789", Some("+31123456789"), false));
    assert!(copaco.refused_today(None).is_empty());
    // Settled once, settled for good.
    let mut again = copaco.clone();
    assert_eq!((again.settle(&Profile::default(), Tables::default()), &again), (Ok(()), &copaco));
    assert_eq!(again.profile.primary_address.state_given(), Some("Noord Brabant"));
}

#[test]
fn everything_that_no_table_has_is_refused_at_once_with_its_path() {
    let mut wrong = fields();
    let profile = &mut wrong.profile;
    profile.registration_number = Some(Text::parse("1704859").unwrap());
    profile.tax_ids = tax_ids(&[("NL006486253B01", ""), ("NL006486254B01", "NL"), ("1", "Atlantis"), ("12", "DE")]);
    (profile.currency, profile.industry) = (text("HRK"), text("Alchemy"));
    profile.language = Some(Language::parse("dutch").unwrap());
    profile.primary_address = address("NL", "", "12345");
    profile.billing_address = address("Atlantis", "Anywhere", "0");
    profile.shipping_address = address("US", "Noord Brabant", "5652 AW");
    profile.phone = Some(Phone::parse("1", "").unwrap());
    profile.contacts = Contacts::try_new(vec![contact("020-555 0123"), contact("+31 1")]).unwrap();
    let expected = [
        ("primary_address.postal_code", RuleCode::PostalCode),
        ("billing_address.country", RuleCode::Country),
        ("shipping_address.state", RuleCode::State),
        ("shipping_address.postal_code", RuleCode::PostalCode),
        ("currency", RuleCode::CurrencyNotInUse),
        ("industry", RuleCode::Industry),
        ("language", RuleCode::Language),
        ("registration_number", RuleCode::RegistrationNumber),
        ("tax_ids[1].value", RuleCode::TaxIdChecksum),
        ("tax_ids[2].country", RuleCode::Country),
        ("tax_ids[3].value", RuleCode::TaxIdFormat),
        ("phone.number", RuleCode::Phone),
        ("contacts[1].phone.number", RuleCode::Phone),
    ];
    let expected: Vec<_> = expected.map(|(field, code)| (field.to_owned(), code)).into();
    assert_eq!(refused(wrong.clone().settle(&Profile::default(), Tables::default())), expected);
    // Stored before there were rules, all of it stays as it is, and is reported.
    let stored = wrong.profile.clone();
    assert_eq!(wrong.settle(&stored, Tables::default()), Ok(()));
    assert_eq!(wrong.profile, stored);
    let reported = wrong.refused_today(None);
    let reported: Vec<_> = reported.all().iter().map(|it| (it.field.clone(), it.rule.code())).collect();
    assert_eq!(reported, expected);
}

#[test]
fn what_depends_on_the_country_is_compared_again_when_that_changes() {
    let mut moved = fields();
    moved.profile.primary_address = address("NL", "NL-NB", "5652 AW");
    assert_eq!(moved.settle(&Profile::default(), Tables::default()), Ok(()));
    let before = moved.profile.clone();
    moved.profile.primary_address.set(AddressPart::Country, "Belgium").unwrap();
    assert_eq!(
        refused(moved.settle(&before, Tables::default())),
        [
            ("primary_address.state".to_owned(), RuleCode::State),
            ("primary_address.postal_code".to_owned(), RuleCode::PostalCode)
        ]
    );
    moved.profile = before.clone();
    moved.profile.primary_address.set(AddressPart::Country, "the Netherlands").unwrap();
    moved.profile.primary_address.set(AddressPart::State, "Noord-Brabant").unwrap();
    assert_eq!(
        (moved.settle(&before, Tables::default()), &moved.profile),
        (Ok(()), &before),
        "the same in other words"
    );
}

#[test]
fn a_tax_number_that_stays_beside_a_new_one_is_not_compared() {
    let mut stored = fields();
    stored.profile.tax_ids = tax_ids(&[("NL1", "Netherlands")]);
    let before = stored.profile.clone();
    stored.profile.tax_ids = tax_ids(&[("NL1", "Netherlands"), ("NL006486253B01", "Netherlands")]);
    assert_eq!(stored.settle(&before, Tables::default()), Ok(()));
    let countries: Vec<_> = stored.profile.tax_ids.as_slice().iter().map(|it| it.country().unwrap()).collect();
    assert_eq!(countries, ["Netherlands", "NL"]);
    stored.profile.tax_ids = tax_ids(&[("NL2", "Netherlands")]);
    assert_eq!(
        refused(stored.settle(&before, Tables::default())),
        [("tax_ids[0].value".to_owned(), RuleCode::TaxIdFormat)]
    );
}

#[test]
fn a_national_phone_number_is_read_in_the_customers_country_or_the_owners() {
    let number = || Some(Phone::parse("020-555 0123", "").unwrap());
    let read = |country: &str, region: Option<&str>| {
        let mut called = fields();
        called.profile.phone = number();
        called.profile.primary_address = address(country, "", "");
        called
            .settle(&Profile::default(), Tables { region, ..Tables::default() })
            .map(|()| called.profile.phone.unwrap().e164().map(str::to_owned))
    };
    assert_eq!(read("", None), Ok(None));
    assert_eq!(read("", Some("Netherlands")), Ok(Some("+31205550123".to_owned())));
    assert_eq!(read("NL", Some("US")), Ok(Some("+31205550123".to_owned())));
}

#[test]
fn a_phone_number_that_was_not_read_before_is_read_once_the_country_is_known() {
    let mut stored = fields();
    stored.profile.phone = Some(Phone::parse("020-555 0123", "").unwrap());
    stored.profile.contacts = Contacts::try_new(vec![contact("020-555 0124")]).unwrap();
    assert_eq!(stored.settle(&Profile::default(), Tables::default()), Ok(()));
    assert_eq!(stored.profile.phone.as_ref().unwrap().e164(), None);
    let before = stored.profile.clone();
    stored.profile.primary_address = address("Netherlands", "", "");
    assert_eq!(stored.settle(&before, Tables::default()), Ok(()));
    let numbers: Vec<_> = stored.profile.phones().map(|phone| phone.e164().unwrap()).collect();
    assert_eq!(numbers, ["+31205550123", "+31205550124"]);
}

#[test]
fn a_tax_number_of_northern_ireland_has_its_own_country() {
    let mut belfast = fields();
    belfast.profile.tax_ids = tax_ids(&[("980 7806 84", "xi"), ("XI 980 7806 85", "XI")]);
    assert_eq!(
        refused(belfast.settle(&Profile::default(), Tables::default())),
        [("tax_ids[1].value".to_owned(), RuleCode::TaxIdChecksum)]
    );
    let countries: Vec<_> = belfast.profile.tax_ids.as_slice().iter().map(|it| it.country().unwrap()).collect();
    assert_eq!(countries, ["XI", "XI"]);
}

#[test]
fn a_phone_number_that_was_not_read_before_is_left_as_it_is_when_it_is_sent_again() {
    let mut stored = fields();
    stored.profile.phone = Some(Phone::parse("112", "").unwrap());
    stored.profile.primary_address = address("NL", "", "");
    let before = stored.profile.clone();
    stored.profile.fax = Some(Phone::parse("112", "").unwrap());
    assert_eq!(stored.settle(&before, Tables::default()), Ok(()));
    assert_eq!(stored.profile.phone.unwrap().e164(), None);
}

#[test]
fn a_person_may_have_any_registration_number() {
    let mut person = fields();
    person.profile.registration_number = Some(Text::parse("P-1").unwrap());
    person.profile.primary_address = address("NL", "", "");
    person.customer_type = CustomerType::Personal;
    assert_eq!(person.settle(&Profile::default(), Tables::default()), Ok(()));
}
