//! The customers that are created and read. They have every field. Names, custom IDs and order references contain a unique
//! token, so that SQL can copy a customer any number of times.

use clientele::grpc::pb;
use uuid::Uuid;

/// The ids of customers that SQL makes start with one of these; a number follows.
pub const ACTIVE: &str = "0192a000-0000-7000-8000-";
pub const PENDING: &str = "0192a000-0000-7000-8001-";
pub const CHANGED: &str = "0192a000-0000-7000-8002-";
pub const SEARCHED: &str = "0192a000-0000-7000-8003-";

/// The id of a customer that SQL made.
pub fn id(kind: &str, number: u64) -> Uuid {
    format!("{kind}{number:012x}").parse().expect("a UUID")
}

/// 32 unique hexadecimal digits. Case folding does not change them.
pub fn token() -> String {
    Uuid::new_v4().simple().to_string()
}

/// A request for a customer with every field that a client may write.
pub fn create(token: &str) -> pb::CreateCustomerRequest {
    let text = str::to_owned;
    let address = |street: &str, number: u32| {
        Some(pb::Address {
            line1: format!("{street} {number}"),
            line2: text("Building B"),
            city: text("Eindhoven"),
            state: text("Noord Brabant"),
            postal_code: text("5652AW"),
            country: text("Netherlands"),
        })
    };
    // Numbers of its own, as different customers have: by them duplicates are looked up.
    let own = token.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default() % 10_000_000;
    let phone = |number: &str| Some(pb::Phone { number: text(number), extension: text("12"), ..Default::default() });
    let contact = |first: &str, last: &str, job: &str, primary| pb::Contact {
        first_name: text(first),
        last_name: text(last),
        job_title: text(job),
        email: format!("{first}.{last}@t{token}.example"),
        phone: phone(&format!("+31(0)61{own:07}")),
        primary,
        ..Default::default()
    };
    let customer = pb::Customer {
        name: format!("Copaco {token}"),
        r#type: pb::CustomerType::Business.into(),
        service_class: pb::ServiceClass::Normal.into(),
        reach: pb::Reach::Local.into(),
        legal_name: format!("Copaco {token} Netherlands B.V."),
        custom_ids: [(text("erp"), format!("ERP-{token}")), (text("dms"), format!("00{token}"))].into(),
        registration_number: format!("1{own:07}"),
        tax_ids: vec![pb::TaxId { value: format!("NV-{own}"), country: text("United States"), ..Default::default() }],
        currency: text("Euro"),
        industry: text("Non-profit"),
        primary_address: address("Hoevenweg", 21),
        billing_address: address("Kanaaldijk", 5),
        shipping_address: address("Havenkade", 112),
        contacts: vec![contact("Jan", "Janssen", "CEO", true), contact("Fatima", "Yilmaz", "Procurement", false)],
        email: format!("info@t{token}.example"),
        billing_email: format!("bills@t{token}.example"),
        phone: phone(&format!("+31 62{own:07}")),
        fax: phone(&format!("+31 63{own:07}")),
        origin: pb::Origin::Marketplace.into(),
        order_reference: format!("MP-{token}"),
        labels: [(text("segment"), text("smb")), (text("newsletter"), text("yes"))].into(),
        language: text("nl-NL"),
        ..Default::default()
    };
    let request_id = Uuid::new_v4().to_string();
    pb::CreateCustomerRequest { customer: Some(customer), request_id, ..Default::default() }
}
