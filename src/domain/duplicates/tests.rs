//! Which customers are alike, by tables of real-looking ones.

use proptest::prelude::*;

use super::{names::essence, *};
use crate::domain::{
    access::relation::Relation,
    fields::customer_fields::CustomerFields,
    samples,
    values::{
        address::AddressPart,
        contact::Contact,
        contacts::Contacts,
        email::Email,
        enums::{Origin, Reach},
        name::Name,
        phone::Phone,
        tax_id::{TaxId, TaxIds},
        text::Text,
    },
};

#[test]
fn names_that_are_alike() {
    for (one, other) in [
        ("Copaco Netherlands B.V.", "Copaco Netherlands"),
        ("Copaco Netherlands BV", "COPACO  netherlands b v"),
        ("Finch & Sparrow Ltd", "Finch and Sparrow Limited"),
        ("Müller GmbH", "Mueller G.m.b.H."),
        ("Müller GmbH & Co. KG", "Muller"),
        ("Bäckerei Schröder e.K.", "Baeckerei Schroeder"),
        ("H.L.F. Transport", "HLF Transport B.V."),
        ("H L F Transport", "Transport HLF"),
        ("T-Systems", "T Systems AG"),
        ("Jan de Vries", "Vries, Jan de"),
        ("O'Brien & Sons", "O’Brien and Sons Ltd."),
        ("Café Zürich Sàrl", "Cafe Zurich"),
        ("Stichting Leergeld", "Leergeld"),
        ("Plan B B.V.", "Plan B"),
        ("Kowalski Sp. z o.o.", "Kowalski"),
        ("Novák s.r.o.", "Novak"),
        ("株式会社田中", "田中株式会社"),
        ("ООО Ромашка", "Ромашка"),
        ("Acme Private Limited", "ACME Pvt. Ltd."),
        ("The Coffee Company", "Coffee Company Ltd"),
        ("Grundfos A/S", "Grundfos"),
        ("Smit Smit", "Smit"),
    ] {
        assert_eq!(essence(one), essence(other), "{one:?} and {other:?}");
    }
}

#[test]
fn names_that_are_not_alike() {
    for (one, other) in [
        ("Copaco Netherlands B.V.", "Copaco Belgium N.V."),
        ("Jansen Holding B.V.", "Jansen B.V."),
        ("Coffee Company", "Coffee Ltd"),
        ("Mario Rossi", "Maria Rossi"),
        ("Jan Jansen", "Jan Janssen"),
        ("Zoo Antwerpen", "Antwerpen"),
        ("AG Insurance", "Insurance"),
        ("Smit", "Smits"),
        ("Route 66", "Route 6"),
        ("田中", "中田"),
        ("Anna B. Visser", "Anna C. Visser"),
        ("Plan A", "Plan B"),
        ("Limited", "Incorporated"),
        ("The And", "Und"),
    ] {
        assert_ne!(essence(one), essence(other), "{one:?} and {other:?}");
    }
    assert_eq!(essence("—"), None);
}

/// A customer: name, city, country, email, phone, tax number, registration number; an empty text is none.
fn fields([name, city, country, email, phone, tax_id, number]: [&str; 7]) -> CustomerFields {
    let mut fields = CustomerFields::new(Name::from(name.to_owned()), Origin::Api);
    let profile = &mut fields.profile;
    profile.primary_address.set(AddressPart::City, city).unwrap();
    profile.primary_address.set(AddressPart::Country, country).unwrap();
    profile.email = (!email.is_empty()).then(|| Email::parse(email).unwrap());
    profile.phone = Phone::parse_optional(phone, "").unwrap();
    profile.registration_number = Text::parse_optional(number).unwrap();
    let tax_ids = if tax_id.is_empty() { Vec::new() } else { vec![TaxId::parse(tax_id, "").unwrap()] };
    profile.tax_ids = TaxIds::try_new(tax_ids).unwrap();
    fields
}

fn all(customer: [&str; 7]) -> Traits {
    Traits::of(&fields(customer), Relation::OwnerOrAbove)
}

#[test]
fn customers_have_in_common_what_their_values_say() {
    use Reason::{Email, Name, NameAndCity, Phone, RegistrationNumber, TaxId};
    let copaco = ["Copaco", "Eindhoven", "NL", "Info@Copaco.example", "+31 40 250 5000", "NL006486253B01", "17048595"];
    for (other, reasons) in [
        (copaco, vec![TaxId, RegistrationNumber, Email, Phone, NameAndCity]),
        (["Other", "", "", "", "", "nl 0064.86.253.B01", ""], vec![TaxId]),
        (["Other", "", "NL", "", "", "", "1704 8595"], vec![RegistrationNumber]),
        (["Other", "", "", "", "", "", "17048595"], vec![RegistrationNumber]),
        // The same number of another country's register.
        (["Other", "", "SE", "", "", "", "17048595"], vec![]),
        (["Other", "", "", "info@copaco.EXAMPLE", "", "", ""], vec![Email]),
        (["Other", "", "NL", "", "040-250 5000", "", ""], vec![Phone]),
        // Another country's number of the same digits.
        (["Other", "", "BE", "", "040-250 5000", "", ""], vec![]),
        (["COPACO B.V.", "eindhoven", "Netherlands", "", "", "", ""], vec![NameAndCity]),
        (["COPACO B.V.", "", "NL", "", "", "", ""], vec![Name]),
        (["COPACO B.V.", "Utrecht", "NL", "", "", "", ""], vec![]),
        (["COPACO B.V.", "Eindhoven", "BE", "", "", "", ""], vec![]),
    ] {
        let (one, other) = (all(copaco), all(other));
        assert_eq!(one.in_common(&other), reasons, "{other:?}");
        assert_eq!(other.in_common(&one), reasons, "{other:?}");
    }
}

#[test]
fn a_score_is_the_sum_of_its_reasons_up_to_a_hundred() {
    assert_eq!(score(&[Reason::Email]), 40);
    assert_eq!(score(&[Reason::Email, Reason::Phone]), 70);
    assert_eq!(score(&[Reason::TaxId, Reason::RegistrationNumber, Reason::Email]), 100);
}

#[test]
fn accounts_below_find_nothing_by_what_they_are_not_shown() {
    let mut fleet = CustomerFields { reach: Reach::Fleet, ..fields(["Copaco", "", "", "", "", "", ""]) };
    fleet.profile.billing_email = Some(Email::parse("bills@copaco.example").unwrap());
    let asking = all(["Other", "", "", "bills@copaco.example", "", "", ""]);
    let by = |relation| Traits::of(&fleet, relation).in_common(&asking);
    assert_eq!(by(Relation::OwnerOrAbove), [Reason::Email]);
    assert_eq!(by(Relation::Below), []);
    let key = asking.asked().into_iter().find(|asked| asked.reason == Reason::Email).unwrap().key;
    let keys = stored_keys(&fleet);
    assert!(keys.contains(&key) && !keys.contains(&(key | FLEET)));
}

#[test]
fn addresses_and_numbers_are_one_however_they_are_written() {
    let with_contact = |email: &str| {
        let mut fields = fields(["Copaco", "", "", "", "", "", ""]);
        let contact = samples::profile().contacts.as_slice()[0].clone();
        let contact = Contact { email: Some(Email::parse(email).unwrap()), phone: None, ..contact };
        fields.profile.contacts = Contacts::stored(vec![contact]);
        Traits::of(&fields, Relation::OwnerOrAbove)
    };
    let other = |email: &str| all(["Other", "", "", email, "", "", ""]);
    let reasons = with_contact("Jan@MÜNCHEN.example").in_common(&other("jan@xn--mnchen-3ya.example"));
    assert_eq!(reasons, [Reason::Email]);
    let numbered = |name: &str, number: &str| all([name, "", "NL", "", "", "", number]);
    assert_eq!(
        numbered("Copaco", "KvK 17048595").in_common(&numbered("Other", "1704 8595")),
        [Reason::RegistrationNumber]
    );
    let taxed = |name: &str, number: &str| all([name, "", "", "", "", number, ""]);
    assert_eq!(
        taxed("Copaco", "ＮＬ００６４８６２５３Ｂ０１").in_common(&taxed("Other", "NL 0064.86.253.B01")),
        [Reason::TaxId]
    );
}

#[test]
fn keys_are_stored_and_never_change() {
    let keys =
        stored_keys(&fields(["Copaco", "Eindhoven", "NL", "a@b.example", "+31402505000", "NL006486253B01", "1"]));
    insta::assert_compact_debug_snapshot!(keys, @"{-6875879602893006347, -6765516993784437132, -5456578505970287968, -3936967265927244397, -3426942342147493967, 2485834468227300770}");
}

proptest! {
    /// What two customers have in common is found by a key.
    #[test]
    fn whatever_is_in_common_is_among_the_keys(
        one in customers(),
        other in customers(),
    ) {
        let (asking, stored) = (all(one.each_ref().map(String::as_str)), all(other.each_ref().map(String::as_str)));
        let keys = stored.keys();
        for reason in asking.in_common(&stored) {
            let found = asking.asked().into_iter().any(|asked| asked.reason == reason && keys.contains(&asked.key));
            prop_assert!(found, "{reason:?}");
        }
    }

    #[test]
    fn any_name_has_an_essence_of_its_own_or_none(name in samples::raw()) {
        if let Some(essence_of) = essence(&name) {
            prop_assert!(!essence_of.is_empty());
        }
    }
}

fn customers() -> impl Strategy<Value = [String; 7]> {
    let one_of = |values: &'static [&'static str]| prop::sample::select(values).prop_map(str::to_owned);
    (
        one_of(&["Copaco", "Copaco B.V.", "Finch & Sparrow", "Sparrow and Finch Ltd"]),
        one_of(&["", "Eindhoven", "EINDHOVEN", "Utrecht"]),
        one_of(&["", "NL", "BE", "Netherlands"]),
        one_of(&["", "a@b.example", "A@b.example", "c@b.example"]),
        one_of(&["", "+31402505000", "040 2505000"]),
        one_of(&["", "NL006486253B01", "006486253B01", "FR40303265045"]),
        one_of(&["", "17048595", "1704-8595"]),
    )
        .prop_map(|(name, city, country, email, phone, tax_id, number)| {
            [name, city, country, email, phone, tax_id, number]
        })
}
