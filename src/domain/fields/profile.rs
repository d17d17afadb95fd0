//! What a customer is beside what statements read: one document, kept as the column `customers.profile`. Its field names
//! are the contract's. A field that is empty is left out.

use serde::{Deserialize, Serialize};

use crate::domain::values::{
    address::{Address, AddressKind},
    contacts::Contacts,
    email::Email,
    label::Labels,
    language::Language,
    phone::Phone,
    tax_id::TaxIds,
    text::Text,
};

/// The document. Reading one that an older server wrote must always work: every field has a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each is the field of that name in the contract's Customer")]
pub struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legal_name: Option<Text<300>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_number: Option<Text<40>>,
    #[serde(skip_serializing_if = "TaxIds::is_empty")]
    pub tax_ids: TaxIds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Text<100>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub industry: Option<Text<100>>,
    #[serde(skip_serializing_if = "Address::is_empty")]
    pub primary_address: Address,
    #[serde(skip_serializing_if = "Address::is_empty")]
    pub billing_address: Address,
    #[serde(skip_serializing_if = "Address::is_empty")]
    pub shipping_address: Address,
    #[serde(skip_serializing_if = "Contacts::is_empty")]
    pub contacts: Contacts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_email: Option<Email>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fax: Option<Phone>,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

impl Profile {
    /// One of the addresses.
    #[must_use]
    pub fn address(&self, kind: AddressKind) -> &Address {
        match kind {
            AddressKind::Primary => &self.primary_address,
            AddressKind::Billing => &self.billing_address,
            AddressKind::Shipping => &self.shipping_address,
        }
    }

    /// One of the addresses, to change.
    pub fn address_mut(&mut self, kind: AddressKind) -> &mut Address {
        match kind {
            AddressKind::Primary => &mut self.primary_address,
            AddressKind::Billing => &mut self.billing_address,
            AddressKind::Shipping => &mut self.shipping_address,
        }
    }
}
