//! The rules on a new customer's fields, and that all errors are reported at once.

use clientele::grpc::pb::{self, Role};
use tonic::{Code, Status};

use crate::world::{Client, World, assert_refused, bad_fields, customer, unknown_id};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

pub fn address(city: &str) -> Option<pb::Address> {
    Some(pb::Address { city: city.to_owned(), ..Default::default() })
}

pub fn phone(number: &str, extension: &str) -> Option<pb::Phone> {
    Some(pb::Phone { number: number.to_owned(), extension: extension.to_owned(), ..Default::default() })
}

pub fn tax_id(value: &str) -> pb::TaxId {
    pb::TaxId { value: value.to_owned(), ..Default::default() }
}

pub fn jan() -> pb::Contact {
    pb::Contact { first_name: "Jan".to_owned(), ..Default::default() }
}

pub async fn refused(client: &Client, asked: pb::Customer) -> Status {
    assert_refused(client.create(asked).await, Code::InvalidArgument, "INVALID_FIELDS")
}

#[tokio::test]
async fn every_invalid_field_is_reported_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let asked = pb::Customer {
        name: String::new(),
        origin: 99,
        custom_ids: [("ERP", "1"), ("erp", ""), ("dms", "ok")].map(|(key, id)| (key.to_owned(), id.to_owned())).into(),
        r#type: 99,
        service_class: -1,
        reach: 3,
        legal_name: "x".repeat(301),
        tax_ids: vec![tax_id(""), tax_id("NL1"), tax_id("nl1")],
        primary_address: Some(pb::Address { postal_code: "1".repeat(17), ..address("a\u{200b}b").unwrap() }),
        contacts: vec![
            pb::Contact { job_title: "CEO".to_owned(), primary: true, ..Default::default() },
            pb::Contact { email: "jan".to_owned(), contact_id: "7".to_owned(), primary: true, ..jan() },
            pb::Contact { phone: phone("none", "x"), ..jan() },
        ],
        email: "jan@".to_owned(),
        billing_email: "Jan <jan@company.nl>".to_owned(),
        phone: phone("call me", ""),
        fax: phone("", "12"),
        sales_person_id: "42".to_owned(),
        order_reference: "a\u{7}b".to_owned(),
        labels: [("Segment", "smb"), ("tier", "\u{202e}dlog")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        language: "klingon!".to_owned(),
        ..Default::default()
    };
    let request =
        pb::CreateCustomerRequest { customer: Some(asked), request_id: "not a uuid".to_owned(), ..Default::default() };

    let refused = acme.admin.customers().create_customer(request).await;

    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    let mut expected = [
        "request_id",
        "customer.name",
        "customer.origin",
        "customer.custom_ids",
        "customer.custom_ids.erp",
        "customer.type",
        "customer.service_class",
        "customer.reach",
        "customer.legal_name",
        "customer.tax_ids[0].value",
        "customer.tax_ids[2]",
        "customer.primary_address.city",
        "customer.primary_address.postal_code",
        "customer.contacts[0]",
        "customer.contacts[1].primary",
        "customer.contacts[1].contact_id",
        "customer.contacts[1].email",
        "customer.contacts[2].phone.number",
        "customer.contacts[2].phone.extension",
        "customer.email",
        "customer.billing_email",
        "customer.phone.number",
        "customer.fax.number",
        "customer.sales_person_id",
        "customer.order_reference",
        "customer.labels",
        "customer.labels.tier",
        "customer.language",
    ];
    expected.sort_unstable();
    assert_eq!(fields, expected);
}

#[tokio::test]
async fn every_reference_to_something_that_the_owner_does_not_have_is_named_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (branch, seller) = (acme.branch("Harbour").await, acme.add("seller", Role::Viewer).await.member_id);
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let paths = ["branch_id", "sales_person_id"];
    for (branch_id, sales_person_id, foreign) in [
        (unknown_id(), unknown_id(), paths.as_slice()),
        (unknown_id(), seller.clone(), &paths[..1]),
        (branch, unknown_id(), &paths[1..]),
    ] {
        let asked = pb::Customer { branch_id, sales_person_id, ..customer("Bob") };
        let foreign: Vec<String> = foreign.iter().map(|path| format!("customer.{path}")).collect();
        assert_eq!(bad_fields(&refused(&acme.admin, asked.clone()).await), foreign);
        let update = acme.admin.update(pb::Customer { id: ada.id.clone(), ..asked }, &paths).await;
        assert_eq!(bad_fields(&assert_refused(update, Code::InvalidArgument, "INVALID_FIELDS")), foreign);
    }
    assert_eq!(acme.admin.get(&ada.id).await.unwrap(), ada);
}

#[tokio::test]
async fn a_request_without_a_customer_is_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let refused = acme.admin.customers().create_customer(pb::CreateCustomerRequest::default()).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["customer"]);
}

#[tokio::test]
async fn text_with_invisible_characters_is_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for hidden in [
        '\0',
        '\u{7}',
        '\t',
        '\n',
        '\u{7f}',
        '\u{85}',
        '\u{ad}',
        '\u{200b}',
        '\u{202e}',
        '\u{2028}',
        '\u{2066}',
        '\u{2800}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{e000}',
        '\u{e0041}',
    ] {
        let text = format!("a{hidden}b");
        let asked = pb::Customer {
            industry: text.clone(),
            primary_address: address(&text),
            labels: [("tier".to_owned(), text.clone())].into(),
            custom_ids: [("erp".to_owned(), text.clone())].into(),
            contacts: vec![pb::Contact { last_name: text.clone(), ..jan() }],
            ..customer(&text)
        };
        let mut fields = bad_fields(&refused(&acme.admin, asked).await);
        fields.sort();
        let expected =
            ["contacts[0].last_name", "custom_ids.erp", "industry", "labels.tier", "name", "primary_address.city"];
        assert_eq!(fields, expected.map(|field| format!("customer.{field}")), "U+{:04X}", u32::from(hidden));
    }
}

#[tokio::test]
async fn emails_phones_languages_keys_and_ids_are_validated() {
    type Write = fn(&mut pb::Customer, String);
    let shapes: [(&str, Write, &[&str]); 9] = [
        (
            "email",
            |customer, text| customer.email = text,
            &["jan", "@b.nl", "jan@b", "a b@c.nl", "<j@b.nl>", "j@[1.2.3.4]"],
        ),
        ("billing_email", |customer, text| customer.billing_email = text, &["j@@b.nl", "j@b..nl"]),
        ("phone.number", |customer, text| customer.phone = phone(&text, ""), &["none", "+", "()"]),
        ("fax.extension", |customer, text| customer.fax = phone("112", &text), &["ext 4", "1-2", "\u{661}"]),
        ("language", |customer, text| customer.language = text, &["d", "nl_NL", "nl-", "dutchlanguage"]),
        (
            "sales_person_id",
            |customer, text| customer.sales_person_id = text,
            &["1", "01890a5d", "00000000-0000-0000-0000-000000000000"],
        ),
        (
            "contacts[0].contact_id",
            |customer, text| customer.contacts = vec![pb::Contact { contact_id: text, ..jan() }],
            &["1", "nil"],
        ),
        (
            "labels",
            |customer, text| _ = customer.labels.insert(text, "x".to_owned()),
            &["", "A", "-a", "a.", "a b", "\u{e9}"],
        ),
        (
            "custom_ids",
            |customer, text| _ = customer.custom_ids.insert(text, "x".to_owned()),
            &["", "ERP", "2nd", "a_b", "a.b"],
        ),
    ];
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for (field, write, bad) in shapes {
        for text in bad {
            let mut asked = customer("Ada");
            write(&mut asked, (*text).to_owned());
            let refused = refused(&acme.admin, asked).await;
            assert_eq!(bad_fields(&refused), [format!("customer.{field}")], "{text:?}");
        }
    }
}

#[tokio::test]
async fn contacts_are_people_and_one_is_primary() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let with = |contacts: Vec<pb::Contact>| pb::Customer { contacts, ..customer("Ada") };
    let primary = |contact: pb::Contact| pb::Contact { primary: true, ..contact };
    let known = |id: &str| pb::Contact { contact_id: id.to_owned(), ..jan() };
    for (contacts, field) in [
        (vec![pb::Contact { job_title: "CEO".to_owned(), ..Default::default() }], "contacts[0]"),
        (vec![jan(), pb::Contact { phone: phone("112", ""), ..Default::default() }], "contacts[1]"),
        (vec![primary(jan()), jan(), primary(jan())], "contacts[2].primary"),
        (vec![known(ID), jan(), known(&ID.to_uppercase())], "contacts[2].contact_id"),
    ] {
        assert_eq!(bad_fields(&refused(&acme.admin, with(contacts)).await), [format!("customer.{field}")]);
    }
    let kept = acme.admin.create(with(vec![jan(), primary(jan()), jan()])).await.unwrap().contacts;
    assert_eq!(kept.iter().map(|contact| contact.primary).collect::<Vec<_>>(), [false, true, false]);
    assert_ne!(kept[0].contact_id, kept[2].contact_id);
    // The server gives the ids: a new customer has no contact that could be known by one.
    let asked = with(vec![known(ID), jan(), known(&kept[0].contact_id)]);
    let expected = ["customer.contacts[0].contact_id", "customer.contacts[2].contact_id"];
    assert_eq!(bad_fields(&refused(&acme.admin, asked).await), expected);
    let kept = acme.admin.create(with(vec![jan(), jan()])).await.unwrap().contacts;
    assert_eq!(
        kept.iter().map(|contact| contact.primary).collect::<Vec<_>>(),
        [true, false],
        "the first one by default"
    );
    let mailed = pb::Contact { email: "jan@company.nl".to_owned(), ..Default::default() };
    acme.admin.create(with(vec![mailed])).await.expect("an email address is enough");
}
