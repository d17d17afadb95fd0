//! The violations of updates: all in one answer, whether they are of the form, of a table, of what is stored or of the policies.

use clientele::grpc::pb;
use tonic::Code;

use crate::{
    validation::{address, broken, pairs, phone, tax_id},
    world::{World, assert_refused, full_customer, mask, requiring},
};

#[tokio::test]
async fn an_update_reports_what_is_wrong_and_what_is_missing_at_once() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, requiring(&["language", "email"], &[])).await;
    let made = acme.admin.create(full_customer("Copaco")).await.unwrap();
    // A wrong form, a value that no table has, one that does not fit what is stored, and one that is cleared.
    let wrong = pb::Customer {
        id: made.id.clone(),
        email: "none".to_owned(),
        currency: "HRK".to_owned(),
        primary_address: address("", "", "12345"),
        contacts: vec![
            pb::Contact { first_name: "Jan".to_owned(), phone: phone("1"), ..Default::default() },
            pb::Contact { email: "no".to_owned(), ..Default::default() },
        ],
        tax_ids: vec![tax_id("", "NL"), tax_id("12", "DE")],
        ..Default::default()
    };
    let paths = ["email", "currency", "primary_address.postal_code", "contacts", "tax_ids", "language"];
    let mut expected = pairs(&[
        ("customer.email", "EMAIL"),
        ("customer.currency", "CURRENCY_NOT_IN_USE"),
        ("customer.primary_address.postal_code", "POSTAL_CODE"),
        ("customer.contacts[0].phone.number", "PHONE"),
        ("customer.contacts[1].email", "EMAIL"),
        ("customer.tax_ids[0].value", "REQUIRED"),
        ("customer.tax_ids[1].value", "TAX_ID_FORMAT"),
        ("customer.language", "REQUIRED"),
    ]);
    expected.sort();
    let upsert = pb::UpsertCustomerRequest {
        customer: Some(wrong.clone()),
        update_mask: Some(mask(&paths)),
        ..Default::default()
    };
    let upserted = acme.admin.customers().upsert_customer(upsert).await.map(drop);
    for refused in [acme.admin.update(wrong.clone(), &paths).await.map(drop), upserted] {
        let mut found = broken(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS"));
        found.sort();
        assert_eq!(found, expected);
    }
    // The same without a wrong form.
    let refused = acme.admin.update(wrong.clone(), &["currency", "language"]).await;
    let found = broken(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS"));
    assert_eq!(found, pairs(&[("customer.currency", "CURRENCY_NOT_IN_USE"), ("customer.language", "REQUIRED")]));
    // Of a customer that the caller does not see, only the form is known to be wrong.
    let other = world.tenant("other").await;
    let refused = other.admin.update(wrong, &["email", "language"]).await;
    let found = broken(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS"));
    assert_eq!(found, pairs(&[("customer.email", "EMAIL")]));
    assert_eq!(acme.admin.get(&made.id).await.unwrap(), made);
}
