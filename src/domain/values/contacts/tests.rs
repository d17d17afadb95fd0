//! The contacts of a customer together.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::values::{phone::Phone, text::Text, unknown_fields::UnknownFields};

fn jan(id: u128) -> Contact {
    Contact {
        contact_id: ContactId::from_uuid(Uuid::from_u128(id)),
        first_name: Some(Text::parse("Jan").unwrap()),
        last_name: None,
        job_title: None,
        email: None,
        phone: None,
        primary: false,
        unknown: UnknownFields::default(),
    }
}

#[test]
fn the_first_contact_is_primary_unless_another_is() {
    let contacts = Contacts::try_new(vec![jan(1), jan(2)]).unwrap();
    assert_eq!(contacts.primary(), contacts.as_slice().first());
    let contacts = Contacts::try_new(vec![jan(1), Contact { primary: true, ..jan(2) }]).unwrap();
    assert_eq!(contacts.primary(), contacts.as_slice().last());
    assert_eq!(Contacts::try_new(vec![]).unwrap().primary(), None);
}

#[test]
fn everything_wrong_is_told_at_once() {
    let nobody = Contact { first_name: None, job_title: Some(Text::parse("CEO").unwrap()), ..jan(3) };
    let main = |id| Contact { primary: true, ..jan(id) };
    let refused = Contacts::try_new(vec![main(1), jan(1), nobody, main(4)]).unwrap_err();
    let told: Vec<_> =
        refused.all().iter().map(|violation| (violation.field.as_str(), violation.rule.text())).collect();
    assert_eq!(
        told,
        [
            ("contacts[1].contact_id", "must not repeat that of contacts[0]"),
            ("contacts[2]", "must have a first name, a last name or an email"),
            ("contacts[3].primary", "must be set on one contact only; contacts[0] has it"),
        ]
    );
}

#[test]
fn who_comes_again_without_an_id_keeps_the_old_one() {
    let piet = |id| Contact { first_name: Some(Text::parse("Piet").unwrap()), ..jan(id) };
    let contacts = |list| Contacts::try_new(list).unwrap();
    let before = contacts(vec![jan(1), jan(2), piet(3)]);
    let again = contacts(vec![jan(11), jan(12), piet(13)]).keeping_ids(&before);
    assert_eq!(again, before);
    // One that is named keeps to itself, and a third Jan is new.
    let more = contacts(vec![Contact { primary: true, ..jan(11) }, jan(2), jan(14)]).keeping_ids(&before);
    assert_eq!(more, contacts(vec![Contact { primary: true, ..jan(1) }, jan(2), jan(14)]));
}

#[test]
fn an_id_that_no_contact_has_is_refused() {
    let contacts = |list| Contacts::try_new(list).unwrap();
    let before = contacts(vec![jan(1), jan(2)]);
    let sent = |named: &[usize]| SentContacts {
        contacts: contacts(vec![jan(2), jan(9), jan(1), jan(8)]),
        named: named.to_vec(),
    };
    let refused = |named: &[usize]| {
        let violations = sent(named).over(&before).unwrap_err();
        violations.all().iter().map(|violation| violation.field.clone()).collect::<Vec<_>>()
    };
    assert_eq!(refused(&[0, 1, 2, 3]), ["contacts[1].contact_id", "contacts[3].contact_id"]);
    assert_eq!(refused(&[3]), ["contacts[3].contact_id"]);
    let kept = sent(&[0, 2]).over(&before).unwrap();
    assert_eq!(kept, contacts(vec![jan(2), jan(9), jan(1), jan(8)]));
}

#[test]
fn a_contact_keeps_the_fields_of_a_newer_release_with_its_id_and_those_of_its_phone_with_the_number() {
    let with_phone = |id, number: &str| Contact { phone: Some(Phone::parse(number, "").unwrap()), ..jan(id) };
    let mut stored = serde_json::to_value([with_phone(1, "112"), with_phone(2, "113")]).unwrap();
    for place in ["/0", "/0/phone", "/1", "/1/phone"] {
        stored.pointer_mut(place).unwrap()["added"] = place.into();
    }
    let before: Contacts = serde_json::from_value(stored.clone()).unwrap();
    // Sent again in another order: the second without its id, the first with another number.
    let sent = vec![with_phone(12, "113"), with_phone(1, "114"), with_phone(13, "115")];
    let mut sent = Contacts(sent).keeping_ids(&before);
    sent.keep_unknown(&before);
    let kept = serde_json::to_value(&sent).unwrap();
    assert_eq!(kept[0], stored[1]);
    assert_eq!((&kept[1]["added"], kept[1]["phone"].get("added")), (&stored[0]["added"], None));
    assert_eq!((kept[2].get("added"), kept[2]["phone"].get("added")), (None, None));
}

#[test]
fn a_customer_has_at_most_50_contacts() {
    assert!(Contacts::try_new((1..=50).map(jan).collect()).is_ok());
    let refused = Contacts::try_new((1..=51).map(jan).collect()).unwrap_err();
    assert_eq!(
        refused,
        Violations::of("contacts", Rule::coded(RuleCode::TooMany, "must be at most 50 contacts; these are 51"))
    );
}

proptest! {
    #[test]
    fn a_list_that_is_accepted_has_one_primary_and_is_accepted_again(
        marks in prop::collection::vec((1_u128..60, any::<bool>(), prop::bool::weighted(0.1)), 0..8),
    ) {
        let contacts = marks.into_iter().map(|(id, named, primary)| {
            let first_name = jan(id).first_name.filter(|_| named || id > 5);
            Contact { first_name, primary, ..jan(id) }
        });
        if let Ok(contacts) = Contacts::try_new(contacts.collect()) {
            let marked = contacts.as_slice().iter().filter(|contact| contact.primary).count();
            prop_assert_eq!(marked, contacts.as_slice().len().min(1));
            prop_assert!(contacts.as_slice().iter().all(|contact| Outline::of(contact).is_somebody));
            prop_assert_eq!(Contacts::try_new(contacts.as_slice().to_vec()), Ok(contacts));
        }
    }
}
