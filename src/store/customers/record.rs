//! A customer as statements return it.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    domain::{
        accounts::policies::Policies,
        billing::terms::Terms,
        customers::{customer::Customer, link::Link},
        fields::field::Field,
        values::custom_id::CustomIds,
    },
    store::requests::Stored,
};

/// A customer as the acting account sees it, with what its commands decide by.
#[derive(Clone, Debug)]
pub struct CustomerRecord {
    /// The customer.
    pub customer: Customer,
    /// The acting account's link to it.
    pub link: Link,
    /// The revision of the owner's link.
    pub owner_link_revision: i64,
    /// The owner's custom IDs of it.
    pub owner_ids: CustomIds,
    /// The owner's policies.
    pub policies: Arc<Policies>,
    /// The id of a sales person that is no longer a member.
    pub gone_sales_person: Option<Uuid>,
    /// The rate plan and the features that apply to it. Empty if it was read in the view BASIC.
    pub terms: Terms,
}

impl CustomerRecord {
    /// Whether the customer's sales person is no longer a member. Another one, which a change has just set, is.
    #[must_use]
    pub fn is_sales_person_gone(&self) -> bool {
        let gone = self.gone_sales_person;
        gone.is_some() && gone == self.customer.fields.references.get(Field::SalesPersonId)
    }
}

/// A locked customer as a batch decides on it. What no batch decides by was not read: its profile is empty, and of its holds
/// the first is there. No statement writes these from it.
#[derive(Clone, Debug)]
pub struct BatchCustomer {
    /// The customer.
    pub customer: Customer,
    /// The revision of the acting account's link; 0 for one that was never written.
    pub link_revision: i64,
}

/// Everything that a command on one customer decides by.
#[derive(Clone, Debug)]
pub struct LoadedCustomer {
    /// The customer, with its owner's policies as they are now.
    pub seen: CustomerRecord,
    /// The stored answer, if the request is a repeat.
    pub stored: Option<Stored>,
    /// Of the references that were asked about, the fields whose id is not the owner's.
    pub foreign: Vec<Field>,
}
