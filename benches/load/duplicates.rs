//! Look-ups of duplicates: of forms that describe customers of an account of the search dataset.

use clientele::grpc::pb;
use tonic::Status;

use super::{
    clients::{Call, Caller},
    names::Details,
    rng::Rng,
    searches::Subjects,
};

/// Describes a random customer of the account once more, and finds it.
pub struct FindDuplicates {
    caller: Caller,
    rng: Rng,
    subjects: Subjects,
}

impl FindDuplicates {
    pub fn new(caller: Caller, subjects: Subjects) -> Self {
        Self { caller, rng: Rng::new(), subjects }
    }
}

impl Call for FindDuplicates {
    async fn call(&mut self) -> Result<bool, Status> {
        let details = self.subjects.names.customer(*self.rng.pick(&self.subjects.members));
        let message = pb::FindDuplicateCustomersRequest { customer: Some(form(&details)), ..Default::default() };
        let request = self.caller.request(message);
        let answer = self.caller.client.find_duplicate_customers(request).await?.into_inner();
        assert!(!answer.duplicates.is_empty(), "{} was not found", details.name);
        Ok(true)
    }
}

/// What a form would have.
fn form(details: &Details) -> pb::Customer {
    let email = format!("info@{}.example", details.host);
    let contact = pb::Contact {
        first_name: "Ada".to_owned(),
        email: details.contact_email(),
        primary: true,
        ..Default::default()
    };
    pb::Customer {
        name: details.name.clone(),
        legal_name: details.legal_name.clone(),
        primary_address: Some(pb::Address {
            city: details.city.to_owned(),
            country: details.country.to_owned(),
            ..Default::default()
        }),
        email,
        phone: Some(pb::Phone { number: details.phone.clone(), ..Default::default() }),
        contacts: vec![contact],
        ..Default::default()
    }
}
