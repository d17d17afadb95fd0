//! The values of fields: what an update writes into each, and whether each is filled in.

use uuid::Uuid;

use crate::domain::{
    fields::{customer_fields::CustomerFields, field::Field},
    values::{
        address::{Address, AddressKind, AddressPart},
        contacts::SentContacts,
        email::Email,
        enums::{CustomerType, Reach, ServiceClass},
        label::{LabelKey, LabelValue, Labels},
        language::Language,
        name::Name,
        phone::Phone,
        tax_id::TaxIds,
        text::Text,
        violation::Violations,
    },
};

/// One field's new value. None or an empty value clears the field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of that name in the contract's Customer")]
pub enum Edit {
    Type(CustomerType),
    ServiceClass(ServiceClass),
    Reach(Reach),
    Name(Name),
    LegalName(Option<Text<300>>),
    RegistrationNumber(Option<Text<40>>),
    TaxIds(TaxIds),
    Currency(Option<Text<100>>),
    Industry(Option<Text<100>>),
    Address(AddressKind, Address),
    /// One line; the other lines of the address given here are not used.
    AddressPart(AddressKind, AddressPart, Address),
    Contacts(SentContacts),
    Email(Option<Email>),
    BillingEmail(Option<Email>),
    Phone(Option<Phone>),
    Fax(Option<Phone>),
    /// The field that is the reference, and the id.
    Reference(Field, Option<Uuid>),
    OrderReference(Option<Text<255>>),
    Labels(Labels),
    Label(LabelKey, Option<LabelValue>),
    Language(Option<Language>),
}

impl CustomerFields {
    /// Writes one field's new value.
    ///
    /// # Errors
    /// What is wrong together with the values that are there: too many labels, a contact that is none of the customer's. The
    /// paths start at the customer; nothing changes then.
    pub fn apply(&mut self, edit: Edit) -> Result<(), Violations> {
        let profile = &mut self.profile;
        match edit {
            Edit::Type(customer_type) => self.customer_type = customer_type,
            Edit::ServiceClass(service_class) => self.service_class = service_class,
            Edit::Reach(reach) => self.reach = reach,
            Edit::Name(name) => self.name = name,
            Edit::LegalName(legal_name) => profile.legal_name = legal_name,
            Edit::RegistrationNumber(number) => profile.registration_number = number,
            Edit::TaxIds(tax_ids) => profile.tax_ids = tax_ids,
            Edit::Currency(currency) => profile.currency = currency,
            Edit::Industry(industry) => profile.industry = industry,
            Edit::Address(kind, address) => *profile.address_mut(kind) = address,
            Edit::AddressPart(kind, part, address) => profile.address_mut(kind).replace(part, address),
            Edit::Contacts(sent) => profile.contacts = sent.over(&profile.contacts)?,
            Edit::Email(email) => profile.email = email,
            Edit::BillingEmail(email) => profile.billing_email = email,
            Edit::Phone(phone) => profile.phone = phone,
            Edit::Fax(fax) => profile.fax = fax,
            Edit::Reference(field, id) => self.references.set(field, id),
            Edit::OrderReference(reference) => self.order_reference = reference,
            Edit::Labels(labels) => profile.labels = labels,
            Edit::Label(key, Some(value)) => {
                profile.labels.set(key, value).map_err(|rule| Violations::of(Field::Labels.name(), rule))?;
            }
            Edit::Label(key, None) => profile.labels.remove(&key),
            Edit::Language(language) => profile.language = language,
        }
        Ok(())
    }

    /// Whether a field has a value.
    #[must_use]
    pub fn is_filled(&self, field: Field) -> bool {
        let profile = &self.profile;
        match field {
            Field::Type | Field::ServiceClass | Field::Reach | Field::Name => true,
            Field::LegalName => profile.legal_name.is_some(),
            Field::RegistrationNumber => profile.registration_number.is_some(),
            Field::TaxIds => !profile.tax_ids.is_empty(),
            Field::Currency => profile.currency.is_some(),
            Field::Industry => profile.industry.is_some(),
            Field::PrimaryAddress => !profile.primary_address.is_empty(),
            Field::BillingAddress => !profile.billing_address.is_empty(),
            Field::ShippingAddress => !profile.shipping_address.is_empty(),
            Field::Contacts => !profile.contacts.is_empty(),
            Field::Email => profile.email.is_some(),
            Field::BillingEmail => profile.billing_email.is_some(),
            Field::Phone => profile.phone.is_some(),
            Field::Fax => profile.fax.is_some(),
            Field::OrderReference => self.order_reference.is_some(),
            Field::Labels => !profile.labels.is_empty(),
            Field::Language => profile.language.is_some(),
            // All others are references; a test of the messages fills every field.
            _ => self.references.get(field).is_some(),
        }
    }
}
