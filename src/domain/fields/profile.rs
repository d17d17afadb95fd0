//! The fields of a customer that no statement reads: one document, the column `customers.profile`. Its field names are the
//! contract's. An empty field is left out.

use serde::{Deserialize, Serialize};

use crate::domain::values::{
    address::{Address, AddressKind},
    contact::Contact,
    contacts::Contacts,
    email::Email,
    label::Labels,
    language::Language,
    phone::Phone,
    tax_id::TaxIds,
    text::Text,
    unknown_fields::UnknownFields,
};

/// The document. Every field has a default, so that a document of an older release can be read; fields of a newer release are
/// kept by every update.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each is the field of that name in the contract's Customer")]
pub struct Profile {
    #[serde(rename = "legal_name", skip_serializing_if = "Option::is_none")]
    pub legal_name: Option<Text<300>>,
    #[serde(rename = "registration_number", skip_serializing_if = "Option::is_none")]
    pub registration_number: Option<Text<40>>,
    #[serde(rename = "tax_ids", skip_serializing_if = "TaxIds::is_empty")]
    pub tax_ids: TaxIds,
    #[serde(rename = "currency", skip_serializing_if = "Option::is_none")]
    pub currency: Option<Text<100>>,
    #[serde(rename = "industry", skip_serializing_if = "Option::is_none")]
    pub industry: Option<Text<100>>,
    #[serde(rename = "primary_address", skip_serializing_if = "Address::is_absent")]
    pub primary_address: Address,
    #[serde(rename = "billing_address", skip_serializing_if = "Address::is_absent")]
    pub billing_address: Address,
    #[serde(rename = "shipping_address", skip_serializing_if = "Address::is_absent")]
    pub shipping_address: Address,
    #[serde(rename = "contacts", skip_serializing_if = "Contacts::is_empty")]
    pub contacts: Contacts,
    #[serde(rename = "email", skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    #[serde(rename = "billing_email", skip_serializing_if = "Option::is_none")]
    pub billing_email: Option<Email>,
    #[serde(rename = "phone", skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    #[serde(rename = "fax", skip_serializing_if = "Option::is_none")]
    pub fax: Option<Phone>,
    #[serde(rename = "labels", skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    #[serde(rename = "language", skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

/// The path of a value of the customer's own, or of one of its contacts': the text is made where it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValuePath {
    contact: Option<usize>,
    name: &'static str,
}

impl From<ValuePath> for String {
    fn from(ValuePath { contact, name }: ValuePath) -> Self {
        match contact {
            Some(place) => format!("contacts[{place}].{name}"),
            None => name.to_owned(),
        }
    }
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

    /// All phone numbers: phone, fax and those of contacts.
    pub fn phones(&self) -> impl Iterator<Item = &Phone> {
        self.phones_with_paths().map(|(_, phone)| phone)
    }

    /// The same, each with the path of its number.
    pub fn phones_with_paths(&self) -> impl Iterator<Item = (ValuePath, &Phone)> {
        let own = [("phone.number", &self.phone), ("fax.number", &self.fax)];
        self.with_paths(own, ("phone.number", |contact| &contact.phone))
    }

    /// The email addresses, each with its path.
    pub fn emails(&self) -> impl Iterator<Item = (ValuePath, &Email)> {
        let own = [("email", &self.email), ("billing_email", &self.billing_email)];
        self.with_paths(own, ("email", |contact| &contact.email))
    }

    /// Values of the customer's own, then of its contacts.
    fn with_paths<'a, T>(
        &'a self,
        own: [(&'static str, &'a Option<T>); 2],
        (name, of_contact): (&'static str, fn(&Contact) -> &Option<T>),
    ) -> impl Iterator<Item = (ValuePath, &'a T)> {
        let own = own.into_iter().map(|(name, value)| (ValuePath { contact: None, name }, value));
        let contacts = self.contacts.as_slice().iter().enumerate();
        let contacts = contacts.map(move |(place, it)| (ValuePath { contact: Some(place), name }, of_contact(it)));
        own.chain(contacts).filter_map(|(path, value)| Some((path, value.as_ref()?)))
    }

    /// The phones in the order of [`Profile::phones`], to change.
    pub fn phones_mut(&mut self) -> impl Iterator<Item = &mut Phone> {
        let contacts = self.contacts.iter_mut().map(|contact| &mut contact.phone);
        [&mut self.phone, &mut self.fax].into_iter().chain(contacts).flatten()
    }

    /// Keeps the fields that a newer release stored in the parts that an update replaced: in an address that was not cleared, in a
    /// contact with the same id, in a tax ID or a phone that stays. Those beside the parts an update does not touch.
    pub fn keep_unknown(&mut self, before: &Self) {
        for kind in [AddressKind::Primary, AddressKind::Billing, AddressKind::Shipping] {
            self.address_mut(kind).keep_unknown(before.address(kind));
        }
        self.contacts.keep_unknown(&before.contacts);
        self.tax_ids.keep_unknown(&before.tax_ids);
        for (phone, before) in [(&mut self.phone, &before.phone), (&mut self.fax, &before.fax)] {
            if let Some(phone) = phone {
                phone.keep_unknown(before.as_ref());
            }
        }
    }

    /// Whether a newer release stored fields anywhere in it.
    #[must_use]
    pub fn has_unknown(&self) -> bool {
        let contacts = self.contacts.as_slice();
        [&self.unknown, &self.primary_address.unknown, &self.billing_address.unknown, &self.shipping_address.unknown]
            .into_iter()
            .chain(contacts.iter().map(|contact| &contact.unknown))
            .chain(self.tax_ids.as_slice().iter().map(|tax_id| &tax_id.unknown))
            .chain(self.phones().map(|phone| &phone.unknown))
            .any(|unknown| !unknown.is_empty())
    }

    /// Removes all fields of a newer release: from what is shown, never from what is stored.
    pub fn drop_unknown(&mut self) {
        let none = UnknownFields::default;
        self.unknown = none();
        for kind in [AddressKind::Primary, AddressKind::Billing, AddressKind::Shipping] {
            self.address_mut(kind).unknown = none();
        }
        self.tax_ids.iter_mut().for_each(|tax_id| tax_id.unknown = none());
        let contacts = self.contacts.iter_mut().map(|contact| {
            contact.unknown = none();
            &mut contact.phone
        });
        let phones = [&mut self.phone, &mut self.fax].into_iter().chain(contacts).flatten();
        phones.for_each(|phone| phone.unknown = none());
    }
}
