//! The limits of a new customer's fields, and of the errors that are reported.

use clientele::grpc::pb;
use tonic_types::StatusExt as _;

use crate::{
    create_customer_fields::{address, jan, phone, refused, tax_id},
    world::{World, bad_fields, customer, full_customer},
};

/// Fields whose values are those of a table.
const BY_TABLE: [&str; 3] = ["tax_ids[0].country", "currency", "industry"];

#[tokio::test]
async fn a_text_may_reach_its_limit_and_not_exceed_it() {
    type Write = fn(&mut pb::Customer, String);
    let limits: [(&str, usize, Write); 17] = [
        ("name", 120, |customer, text| customer.name = text),
        ("legal_name", 300, |customer, text| customer.legal_name = text),
        ("custom_ids.erp", 255, |customer, text| _ = customer.custom_ids.insert("erp".to_owned(), text)),
        ("registration_number", 40, |customer, text| customer.registration_number = text),
        ("tax_ids[0].value", 40, |customer, text| customer.tax_ids = vec![tax_id(&text)]),
        ("tax_ids[0].country", 100, |customer, text| {
            customer.tax_ids = vec![pb::TaxId { country: text, ..tax_id("1") }];
        }),
        ("currency", 100, |customer, text| customer.currency = text),
        ("industry", 100, |customer, text| customer.industry = text),
        ("primary_address.city", 100, |customer, text| customer.primary_address = address(&text)),
        ("billing_address.city", 100, |customer, text| customer.billing_address = address(&text)),
        ("shipping_address.postal_code", 16, |customer, text| {
            customer.shipping_address = Some(pb::Address { postal_code: text, ..Default::default() });
        }),
        ("contacts[0].first_name", 100, |customer, text| {
            customer.contacts = vec![pb::Contact { first_name: text, ..Default::default() }];
        }),
        ("contacts[0].last_name", 100, |customer, text| {
            customer.contacts = vec![pb::Contact { last_name: text, ..Default::default() }];
        }),
        ("contacts[0].job_title", 100, |customer, text| {
            customer.contacts = vec![pb::Contact { job_title: text, ..jan() }];
        }),
        ("phone.number", 40, |customer, text| customer.phone = phone(&text, "")),
        ("order_reference", 255, |customer, text| customer.order_reference = text),
        ("labels.tier", 500, |customer, text| _ = customer.labels.insert("tier".to_owned(), text)),
    ];
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for (field, limit, write) in limits {
        // Characters, not bytes. The 7 is for the phone number, which needs a digit.
        let longest = format!("7{}", "\u{e9}".repeat(limit - 1));
        let mut fits = customer("Ada");
        write(&mut fits, longest.clone());
        match acme.admin.create(fits).await {
            Ok(_) => assert!(!BY_TABLE.contains(&field), "{field}"),
            Err(refused) => {
                assert!(BY_TABLE.contains(&field), "{field}: {refused:?}");
                let rule = &refused.get_details_bad_request().unwrap().field_violations[0].reason;
                assert_ne!(rule, "LENGTH", "{field}: its length is right, and no table has it");
            }
        }
        let mut too_long = customer("Ada");
        write(&mut too_long, format!("{longest}e"));
        let refused = refused(&acme.admin, too_long).await;
        assert_eq!(bad_fields(&refused), [format!("customer.{field}")]);
        let rule = &refused.get_details_bad_request().unwrap().field_violations[0].description;
        assert!(rule.contains(&format!("{limit} characters; this has {}", limit + 1)), "{field}: {rule}");
    }
}

#[tokio::test]
async fn a_list_may_reach_its_limit_and_not_exceed_it() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let lists = |length: usize| {
        let numbered = |prefix: &str| (0..length).map(|number| (format!("{prefix}{number}"), "x".to_owned())).collect();
        let contacts = vec![jan(); length];
        let tax_ids = (0..length).map(|number| tax_id(&number.to_string())).collect();
        [
            ("tax_ids", 20, pb::Customer { tax_ids, ..customer("Ada") }),
            ("contacts", 50, pb::Customer { contacts, ..customer("Ada") }),
            ("labels", 50, pb::Customer { labels: numbered("k"), ..customer("Ada") }),
            ("custom_ids", 20, pb::Customer { custom_ids: numbered("system-"), ..customer("Ada") }),
        ]
    };
    for length in [20, 21, 50, 51, 70] {
        for (field, limit, mut asked) in lists(length) {
            if length <= limit {
                // Each attempt creates a new customer.
                asked.custom_ids.values_mut().for_each(|id| *id = format!("{id}-{length}"));
                acme.admin.create(asked).await.unwrap_or_else(|status| panic!("{field}: {status:?}"));
                continue;
            }
            let refused = refused(&acme.admin, asked).await;
            assert_eq!(bad_fields(&refused), [format!("customer.{field}")], "{length}");
            let rule = &refused.get_details_bad_request().unwrap().field_violations[0].description;
            assert!(rule.ends_with(&format!("these are {length}")), "{field}: {rule}");
        }
    }
}

#[tokio::test]
async fn hundreds_of_violations_fit_into_4_kib() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let bad = "\u{200b}x".to_owned();
    let contact = pb::Contact {
        contact_id: bad.clone(),
        first_name: bad.clone(),
        last_name: bad.clone(),
        job_title: bad.clone(),
        email: bad.clone(),
        phone: phone(&bad, &bad),
        primary: false,
    };
    let asked = pb::Customer {
        name: bad.clone(),
        contacts: vec![contact; 50],
        labels: (0..50).map(|number| (format!("k{number}-{}", "x".repeat(58)), bad.clone())).collect(),
        ..full_customer("")
    };
    let asked = pb::Customer { name: bad, ..asked };

    let refused = refused(&acme.admin, asked).await;

    let violations = refused.get_details_bad_request().unwrap().field_violations;
    let (last, listed) = violations.split_last().unwrap();
    assert_eq!(listed[0].field, "customer.name");
    assert!(listed.len() >= 10, "{}", listed.len());
    assert_eq!(
        (last.field.as_str(), last.description.clone()),
        ("", format!("and {} more", 1 + 7 * 50 + 50 - listed.len()))
    );
    assert!(refused.message().ends_with("(and 400 more)."), "{}", refused.message());
    // As in HTTP/2 trailers: the message escaped, the details in base64.
    let escaped: usize = refused.message().bytes().map(|byte| if byte.is_ascii_alphanumeric() { 1 } else { 3 }).sum();
    assert!(escaped + refused.details().len().div_ceil(3) * 4 <= 4_200, "{}", refused.details().len());
    let least = refused.message().len() + refused.details().len().div_ceil(3) * 4;
    assert!((3_500..=4_096).contains(&least), "{least}: as many as fit");
}
