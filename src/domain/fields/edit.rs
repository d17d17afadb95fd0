//! An update: the fields that its mask names, each with its new value.

use crate::domain::{
    fields::{customer_fields::CustomerFields, field::Field},
    values::{
        address::{Address, AddressKind, AddressPart},
        contacts::Contacts,
        email::Email,
        enums::{CustomerType, Reach, ServiceClass},
        ids::{BranchId, MemberId},
        label::{LabelKey, LabelValue, Labels},
        language::Language,
        name::Name,
        phone::Phone,
        tax_id::TaxIds,
        text::Text,
        violation::Rule,
    },
};

/// One field's new value. None and empty ones clear the field.
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
    /// One line; the address holds that line alone.
    AddressPart(AddressKind, AddressPart, Address),
    Contacts(Contacts),
    Email(Option<Email>),
    BillingEmail(Option<Email>),
    Phone(Option<Phone>),
    Fax(Option<Phone>),
    Branch(Option<BranchId>),
    SalesPerson(Option<MemberId>),
    OrderReference(Option<Text<255>>),
    Labels(Labels),
    Label(LabelKey, Option<LabelValue>),
    Language(Option<Language>),
}

impl CustomerFields {
    /// Gives one field its new value.
    ///
    /// # Errors
    /// The field whose rule breaks with what is there already, and the rule: too many labels.
    pub fn apply(&mut self, edit: Edit) -> Result<(), (Field, Rule)> {
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
            Edit::Contacts(contacts) => profile.contacts = contacts.keeping_ids(&profile.contacts),
            Edit::Email(email) => profile.email = email,
            Edit::BillingEmail(email) => profile.billing_email = email,
            Edit::Phone(phone) => profile.phone = phone,
            Edit::Fax(fax) => profile.fax = fax,
            Edit::Branch(branch) => self.branch = branch,
            Edit::SalesPerson(member) => self.sales_person = member,
            Edit::OrderReference(reference) => self.order_reference = reference,
            Edit::Labels(labels) => profile.labels = labels,
            Edit::Label(key, Some(value)) => profile.labels.set(key, value).map_err(|rule| (Field::Labels, rule))?,
            Edit::Label(key, None) => profile.labels.remove(&key),
            Edit::Language(language) => profile.language = language,
        }
        Ok(())
    }
}
