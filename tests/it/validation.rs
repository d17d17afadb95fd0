//! The rules on the values of fields, through a server: docs/validation.md.

use clientele::{domain::values::rule_code::RuleCode, grpc::pb};
use sqlx::types::JsonValue;
use strum::VariantArray as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::world::{World, assert_refused, customer, full_customer, mask, requiring};

pub fn address(country: &str, state: &str, postal_code: &str) -> Option<pb::Address> {
    Some(pb::Address {
        country: country.to_owned(),
        state: state.to_owned(),
        postal_code: postal_code.to_owned(),
        ..Default::default()
    })
}

pub fn phone(number: &str) -> Option<pb::Phone> {
    Some(pb::Phone { number: number.to_owned(), ..Default::default() })
}

pub fn tax_id(value: &str, country: &str) -> pb::TaxId {
    pb::TaxId { value: value.to_owned(), country: country.to_owned(), ..Default::default() }
}

/// The violations of an error: field and rule. Each must say what would be right.
pub fn broken(status: &Status) -> Vec<(String, String)> {
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert!(violations.iter().all(|violation| violation.description.starts_with("must ")), "{violations:?}");
    violations.into_iter().map(|violation| (violation.field, violation.reason)).collect()
}

pub fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(field, rule)| ((*field).to_owned(), (*rule).to_owned())).collect()
}

#[test]
fn every_rule_is_in_the_contract_under_its_code() {
    for code in RuleCode::VARIANTS {
        assert!(pb::FieldRule::from_str_name(&format!("FIELD_RULE_{}", code.as_str())).is_some(), "{code:?}");
    }
    assert!(pb::FieldRule::try_from(i32::try_from(RuleCode::VARIANTS.len()).unwrap()).is_ok());
    assert!(
        pb::FieldRule::try_from(i32::try_from(RuleCode::VARIANTS.len() + 1).unwrap()).is_err(),
        "a rule without code"
    );
}

#[tokio::test]
async fn what_is_wrong_and_what_is_missing_is_reported_at_once_with_rules() {
    let world = World::start().await;
    let required = ["legal_name", "custom_ids.erp", "primary_contact.email", "primary_address.city", "email"];
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, requiring(&required, &[])).await;
    let asked = pb::Customer {
        name: String::new(),
        registration_number: "1704859".to_owned(),
        tax_ids: vec![tax_id("NL006486254B01", "Netherlands"), tax_id("1", "Atlantis"), tax_id("12", "DE")],
        currency: "HRK".to_owned(),
        industry: "Alchemy".to_owned(),
        primary_address: address("Netherlands", "", "12345"),
        billing_address: address("HK", "", "0000"),
        shipping_address: address("US", "Noord Brabant", ""),
        contacts: vec![
            pb::Contact { first_name: "Jan".to_owned(), ..Default::default() },
            pb::Contact { first_name: "Piet".to_owned(), phone: phone("1"), ..Default::default() },
            pb::Contact { email: "piet".to_owned(), phone: phone("2"), ..Default::default() },
        ],
        email: "\"none\"@x.nl".to_owned(),
        ..Default::default()
    };
    let refused = assert_refused(acme.admin.create(asked.clone()).await, Code::InvalidArgument, "INVALID_FIELDS");
    let mut found = broken(&refused);
    found.sort();
    let mut expected = pairs(&[
        ("customer.name", "REQUIRED"),
        ("customer.registration_number", "REGISTRATION_NUMBER"),
        ("customer.tax_ids[0].value", "TAX_ID_CHECKSUM"),
        ("customer.tax_ids[1].country", "COUNTRY"),
        ("customer.tax_ids[2].value", "TAX_ID_FORMAT"),
        ("customer.currency", "CURRENCY_NOT_IN_USE"),
        ("customer.industry", "INDUSTRY"),
        ("customer.primary_address.postal_code", "POSTAL_CODE"),
        ("customer.billing_address.postal_code", "POSTAL_CODE_UNUSED"),
        ("customer.shipping_address.state", "STATE"),
        ("customer.contacts[1].phone.number", "PHONE"),
        ("customer.contacts[2].email", "EMAIL"),
        ("customer.contacts[2].phone.number", "PHONE"),
        ("customer.email", "EMAIL_QUOTED"),
        ("customer.legal_name", "REQUIRED"),
        ("customer.custom_ids.erp", "REQUIRED"),
        ("customer.primary_address.city", "REQUIRED"),
    ]);
    expected.sort();
    // Of contacts of which one cannot be read nothing is said to be missing.
    assert_eq!(found, expected);
    let contacts = asked.contacts[..2].to_vec();
    let refused = acme.admin.create(pb::Customer { contacts, ..asked }).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    let found = broken(&refused);
    for both in pairs(&[("customer.contacts[1].phone.number", "PHONE"), ("customer.primary_contact.email", "REQUIRED")])
    {
        assert!(found.contains(&both), "{both:?} in {found:?}");
    }
    // What is missing alone has its own reason, and lists the fields too.
    let refused = acme.admin.create(customer("Ada")).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    let expected = required.map(|path| (format!("customer.{path}"), "REQUIRED".to_owned()));
    assert_eq!(broken(&refused), expected);
}

#[tokio::test]
async fn an_update_is_compared_with_the_values_that_are_there() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let copaco = acme.admin.create(full_customer("Copaco")).await.unwrap();
    let id = copaco.id.clone();
    let texas = pb::Customer { id: id.clone(), primary_address: address("US", "Texas", "75001"), ..Default::default() };
    // The state and the postal code that are there are none of the new country.
    let refused = acme.admin.update(texas.clone(), &["primary_address.country"]).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(
        broken(&refused),
        pairs(&[("customer.primary_address.state", "STATE"), ("customer.primary_address.postal_code", "POSTAL_CODE")])
    );
    let paths = ["primary_address.country", "primary_address.state", "primary_address.postal_code"];
    let moved = acme.admin.update(texas, &paths).await.unwrap().primary_address.unwrap();
    assert_eq!((moved.country.as_str(), moved.state.as_str(), moved.postal_code.as_str()), ("US", "US-TX", "75001"));
    // The same in other words changes nothing.
    let words = pb::Customer {
        id,
        primary_address: address("USA", "Texas", "75001"),
        currency: "Euro".to_owned(),
        ..Default::default()
    };
    let before = acme.admin.get(&copaco.id).await.unwrap();
    let same = acme.admin.update(words, &[&paths[..], &["currency"]].concat()).await.unwrap();
    assert_eq!(same, before);
}

#[tokio::test]
async fn what_was_stored_before_the_rules_stays_and_is_reported_until_it_is_changed() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(full_customer("Ada")).await.unwrap();
    let old: JsonValue = serde_json::json!({
        "currency": "Guilder", "industry": "Alchemy",
        "tax_ids": [{"value": "NL1", "country": "Holland"}],
        "primary_address": {"country": "Atlantis", "state": "Deep", "city": "Poseidonis"},
        "phone": {"number": "+31 1"},
        "email": "\"ada king\"@x.example",
        "contacts": [{"contact_id": "0192a000-0000-7000-8000-000000000001", "last_name": "King", "email": "ada@[192.0.2.1]"}],
    });
    let mut sql = world.sql().await;
    let stored = sqlx::query("update customers set profile = profile || $1 where id::text = $2");
    stored.bind(&old).bind(&ada.id).execute(&mut sql).await.unwrap();

    let read = acme.admin.get(&ada.id).await.unwrap();

    assert_eq!((read.currency.as_str(), read.industry.as_str()), ("Guilder", "Alchemy"));
    assert_eq!(read.primary_address.as_ref().unwrap().country, "Atlantis");
    assert_eq!(read.tax_ids[0].check(), pb::TaxIdCheck::Invalid);
    let reported: Vec<_> = read.invalid_fields.iter().map(|it| (it.field.as_str(), it.rule())).collect();
    let expected = [
        ("primary_address.country", pb::FieldRule::Country),
        ("currency", pb::FieldRule::Currency),
        ("industry", pb::FieldRule::Industry),
        ("tax_ids[0].value", pb::FieldRule::TaxIdFormat),
        ("email", pb::FieldRule::EmailQuoted),
        ("contacts[0].email", pb::FieldRule::Email),
        ("phone.number", pb::FieldRule::Phone),
    ];
    assert_eq!(reported, expected);
    // Sent again beside what changes, it is left alone.
    let city = pb::Customer { legal_name: "Ada B.V.".to_owned(), ..read.clone() };
    let paths = ["legal_name", "currency", "industry", "tax_ids", "primary_address", "phone", "email", "contacts"];
    let updated = acme.admin.update(city, &paths).await.unwrap();
    assert_eq!((updated.invalid_fields.len(), updated.legal_name.as_str()), (7, "Ada B.V."));
    // Changed, it is compared.
    let wrong = pb::Customer { email: "\"ada\"@x.example".to_owned(), ..read.clone() };
    let refused = acme.admin.update(wrong, &["email"]).await;
    assert_eq!(
        broken(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS")),
        pairs(&[("customer.email", "EMAIL_QUOTED")])
    );
    let wrong = pb::Customer { currency: "Gulden".to_owned(), ..read.clone() };
    let refused = acme.admin.update(wrong, &["currency"]).await;
    assert_eq!(
        broken(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS")),
        pairs(&[("customer.currency", "CURRENCY")])
    );
    let right = pb::Customer { currency: "EUR".to_owned(), ..read };
    assert_eq!(acme.admin.update(right, &["currency"]).await.unwrap().invalid_fields.len(), 6);
}

#[tokio::test]
async fn a_required_postal_code_is_not_asked_for_where_there_are_none() {
    let world = World::start().await;
    let required = requiring(&["primary_address.postal_code", "primary_address.country"], &[]);
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, required).await;
    for country in ["Hong Kong", "United Arab Emirates", "Ireland"] {
        let there = pb::Customer { primary_address: address(country, "", ""), ..customer(country) };
        acme.admin.create(there).await.unwrap();
    }
    for country in ["Netherlands", ""] {
        let there = pb::Customer { primary_address: address(country, "", ""), ..customer("Ada") };
        assert_refused(acme.admin.create(there).await, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    }
}

#[tokio::test]
async fn a_state_is_found_as_it_was_given_as_it_is_stored_and_by_its_name() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let granite = pb::Customer { primary_address: address("USA", "New Hampsh", ""), ..customer("Granite") };
    let granite = acme.admin.create(granite).await.unwrap();
    assert_eq!(granite.primary_address.unwrap().state, "US-NH");
    acme.admin.create(customer("Other")).await.unwrap();
    for query in ["New Hampsh", "US-NH", "NH", "New Hampshire"] {
        let request = pb::SearchCustomersRequest {
            query: query.to_owned(),
            field: pb::SearchField::State.into(),
            ..Default::default()
        };
        let found = acme.admin.customers().search_customers(request).await.unwrap().into_inner().results;
        assert_eq!(found.len(), 1, "{query}");
    }
    for country in ["US", "usa", "United States"] {
        let request = pb::SearchCustomersRequest { countries: vec![country.to_owned()], ..Default::default() };
        let found = acme.admin.customers().search_customers(request).await.unwrap().into_inner().results;
        assert_eq!(found.len(), 1, "{country}");
    }
}

#[tokio::test]
async fn a_custom_id_keeps_its_spaces_and_an_empty_label_is_removed() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let asked = pb::Customer {
        custom_ids: [("erp".to_owned(), " A  1 ".to_owned())].into(),
        labels: [("tier".to_owned(), "gold".to_owned()), ("none".to_owned(), " ".to_owned())].into(),
        ..customer("Ada")
    };
    let ada = acme.admin.create(asked).await.unwrap();
    assert_eq!(ada.custom_ids["erp"], "A  1");
    assert_eq!(ada.labels, [("tier".to_owned(), "gold".to_owned())].into());
    let lookup = pb::LookupCustomerRequest { custom_id: "a 1".to_owned(), ..Default::default() };
    let found = acme.admin.customers().lookup_customer(lookup).await.unwrap().into_inner();
    assert_eq!(found.customer.unwrap().id, ada.id);
    let empty = pb::Customer { labels: [("tier".to_owned(), String::new())].into(), ..ada };
    assert!(acme.admin.update(empty, &["labels.tier"]).await.unwrap().labels.is_empty());
}

#[tokio::test]
async fn a_new_list_of_phones_is_read_in_the_customers_country() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let asked = pb::Customer {
        phone: phone("020 555 0123 ext. 12"),
        fax: phone("+1 202 555 0173"),
        primary_address: address("Netherlands", "", ""),
        ..customer("Ada")
    };
    let request = pb::CreateCustomerRequest { customer: Some(asked), validate_only: true, ..Default::default() };
    let ada = acme.admin.customers().create_customer(request).await.unwrap().into_inner().customer.unwrap();
    let expected = pb::Phone {
        number: "020 555 0123 ext. 12".to_owned(),
        extension: "12".to_owned(),
        e164: "+31205550123".to_owned(),
        valid: true,
    };
    assert_eq!(ada.phone, Some(expected));
    assert_eq!(ada.fax.unwrap().e164, "+12025550173");
    let request = pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { phone: phone("1"), ..acme.admin.create(customer("Bob")).await.unwrap() }),
        update_mask: Some(mask(&["phone"])),
        ..Default::default()
    };
    // Of no country: it cannot be compared.
    acme.admin.customers().update_customer(request).await.unwrap();
}

#[tokio::test]
async fn values_come_back_as_codes_however_people_write_them() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let asked = pb::Customer {
        tax_ids: vec![tax_id("980 7806 84", "xi"), tax_id("GB 117 2236 43", "UK")],
        primary_address: address("724", "Islas Baleares", "E-07001"),
        billing_address: address("Japan", "Tokyo-to", "〒１５４－００２３"),
        shipping_address: address("USA", "Washington, D.C.", "200010001"),
        currency: "€".to_owned(),
        language: "ES-es".to_owned(),
        email: "کتاب\u{200C}ها@EXAMPLE.ir".to_owned(),
        phone: phone("(+34) 971 22 33 44"),
        fax: phone("tel:+34-971-22-33-45"),
        ..customer("Isla")
    };
    let made = acme.admin.create(asked).await.unwrap();
    let taxed: Vec<_> = made.tax_ids.iter().map(|it| (it.country.as_str(), it.check())).collect();
    assert_eq!(taxed, [("XI", pb::TaxIdCheck::ChecksumOk), ("GB", pb::TaxIdCheck::ChecksumOk)]);
    let at = |address: &Option<pb::Address>| {
        let address = address.clone().unwrap();
        [address.country, address.state, address.postal_code]
    };
    assert_eq!(at(&made.primary_address), ["ES", "ES-PM", "07001"]);
    assert_eq!(at(&made.billing_address), ["JP", "JP-13", "154-0023"]);
    assert_eq!(at(&made.shipping_address), ["US", "US-DC", "20001-0001"]);
    assert_eq!((made.currency.as_str(), made.language.as_str()), ("EUR", "es-ES"));
    assert_eq!(made.email, "کتاب\u{200C}ها@example.ir");
    assert_eq!([made.phone.unwrap().e164, made.fax.unwrap().e164], ["+34971223344", "+34971223345"]);
    // Sent back as they were returned they change nothing; what is none of them is refused, each with its rule.
    let wrong = pb::Customer {
        id: made.id.clone(),
        language: "dutch".to_owned(),
        currency: "A".to_owned(),
        email: "jan@exa_mple.nl".to_owned(),
        tax_ids: vec![tax_id("000000000", "GB")],
        ..Default::default()
    };
    let refused = acme.admin.update(wrong, &["language", "currency", "email", "tax_ids"]).await;
    let mut found = broken(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS"));
    found.sort();
    let expected = [
        ("customer.currency", "CURRENCY"),
        ("customer.email", "EMAIL"),
        ("customer.language", "LANGUAGE"),
        ("customer.tax_ids[0].value", "TAX_ID_CHECKSUM"),
    ];
    assert_eq!(found, pairs(&expected));
}
