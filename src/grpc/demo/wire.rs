//! Converts the demo's records to the contract's messages, and makes requests.

use std::net::SocketAddr;

use tonic::{
    Request, Response, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

use super::record::{Owner, Record};
use crate::grpc::pb;

/// Converts a record to a customer with this branch and this sales person; both may be empty.
pub(super) fn customer(record: &Record, branch_id: String, sales_person_id: String) -> pb::Customer {
    let text = |text: &str| text.to_owned();
    let phone = |number: &str| (!number.is_empty()).then(|| pb::Phone { number: text(number), ..Default::default() });
    let contact = pb::Contact {
        first_name: text(record.first_name),
        last_name: text(record.last_name),
        job_title: text(record.job_title),
        email: text(record.contact_email),
        phone: phone(if record.owner == Owner::Full { record.phone } else { "" }),
        primary: true,
        ..Default::default()
    };
    let tax_id = pb::TaxId { value: text(record.tax_id), country: text(record.country), ..Default::default() };
    let home = record.is_person && record.owner == Owner::Telecom;
    pb::Customer {
        r#type: (if record.is_person { pb::CustomerType::Personal } else { pb::CustomerType::Business }).into(),
        service_class: (if home { pb::ServiceClass::Residential } else { pb::ServiceClass::Normal }).into(),
        reach: (if record.owner == Owner::Distributor { pb::Reach::Fleet } else { pb::Reach::Local }).into(),
        origin: (if record.order_reference.is_empty() { pb::Origin::ControlPanel } else { pb::Origin::Marketplace })
            .into(),
        name: text(record.name),
        legal_name: text(record.legal_name),
        registration_number: text(record.registration_number),
        tax_ids: Some(tax_id).into_iter().filter(|tax_id| !tax_id.value.is_empty()).collect(),
        currency: text(record.currency),
        industry: text(record.industry),
        primary_address: Some(pb::Address {
            line1: text(record.line1),
            postal_code: text(record.postal_code),
            city: text(record.city),
            state: text(record.state),
            country: text(record.country),
            ..Default::default()
        }),
        contacts: Some(contact).into_iter().filter(|_| !record.last_name.is_empty()).collect(),
        email: text(record.email),
        billing_email: text(record.billing_email),
        phone: phone(record.phone),
        order_reference: record.order_reference.clone(),
        labels: record.labels.clone(),
        language: text(record.language),
        custom_ids: record.custom_ids.clone(),
        branch_id,
        sales_person_id,
        ..Default::default()
    }
}

/// Connects to the service.
pub(super) async fn connect(address: SocketAddr) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| error.to_string())?;
    endpoint.connect().await.map_err(|error| format!("cannot connect to {address}: {error}"))
}

pub(super) fn request<T>(message: T, token: &str, account: &str) -> Result<Request<T>, String> {
    let mut request = Request::new(message);
    let mut put = |name: &'static str, value: String| {
        let value: MetadataValue<Ascii> = value.parse().map_err(|_| format!("{name} is not a valid header value"))?;
        request.metadata_mut().insert(name, value);
        Ok::<_, String>(())
    };
    put("authorization", format!("Bearer {token}"))?;
    if !account.is_empty() {
        put("clientele-account", account.to_owned())?;
    }
    Ok(request)
}

/// Returns a call's response, or the service's error with what was called.
pub(super) fn into_result<T>(what: &str, response: Result<Response<T>, Status>) -> Result<T, String> {
    response.map(Response::into_inner).map_err(|status| format!("{what}: {:?}: {}", status.code(), status.message()))
}
