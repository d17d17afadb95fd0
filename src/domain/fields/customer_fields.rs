//! The fields of a customer that clients write.

use serde::{Deserialize, Serialize};

use crate::domain::{
    fields::{profile::Profile, references::References},
    values::{
        enums::{CustomerType, Origin, Reach, ServiceClass},
        name::Name,
        text::Text,
    },
};

/// The fields of a customer that clients write. Serialized as one flat object, under the contract's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the field of that name in the contract's Customer")]
pub struct CustomerFields {
    #[serde(rename = "type")]
    pub customer_type: CustomerType,
    #[serde(rename = "service_class")]
    pub service_class: ServiceClass,
    #[serde(rename = "reach")]
    pub reach: Reach,
    #[serde(rename = "name")]
    pub name: Name,
    #[serde(rename = "origin")]
    pub origin: Origin,
    #[serde(flatten)]
    pub references: References,
    #[serde(rename = "order_reference", default, skip_serializing_if = "Option::is_none")]
    pub order_reference: Option<Text<255>>,
    /// Boxed: customers are moved more often than they are looked into.
    #[serde(flatten)]
    pub profile: Box<Profile>,
}

impl CustomerFields {
    /// A customer of this name, with the defaults for every other field.
    #[must_use]
    pub fn new(name: Name, origin: Origin) -> Self {
        Self {
            customer_type: CustomerType::default(),
            service_class: ServiceClass::default(),
            reach: Reach::default(),
            name,
            origin,
            references: References::default(),
            order_reference: None,
            profile: Box::default(),
        }
    }
}
