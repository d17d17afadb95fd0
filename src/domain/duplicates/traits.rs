//! What of a customer is compared with others.

use std::collections::BTreeSet;

use super::{Reason, names::essence};
use crate::domain::{
    access::relation::Relation,
    fields::customer_fields::CustomerFields,
    reference::{registration, shape::compact, tax},
    search::{fold, phones::phone_forms, places::country_code},
    values::{address::AddressPart, email::Email, phone::Phone, tax_id::TaxId, text::Text},
};

/// Contacts that are compared, in their order: each value costs every write of the customer, and every look-up.
const CONTACTS: usize = 10;
/// Tax numbers that are compared.
const TAX_IDS: usize = 10;

/// A number that a state gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    /// The number alone.
    pub(super) digits: String,
    /// The state, if it is known.
    pub(super) country: Option<&'static str>,
}

impl Number {
    /// Whether they are one: what is not known contradicts nothing.
    fn is(&self, other: &Self) -> bool {
        self.digits == other.digits && agree(self.country, other.country)
    }
}

fn agree(one: Option<&str>, other: Option<&str>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

/// What of a customer is compared with others, in the form in which it is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    pub(super) tax_ids: Vec<Number>,
    pub(super) registration_number: Option<Number>,
    pub(super) emails: BTreeSet<String>,
    pub(super) phones: BTreeSet<String>,
    /// What is essential of the names: see [`essence`].
    pub(super) names: BTreeSet<String>,
    pub(super) city: Option<String>,
    country: Option<&'static str>,
}

impl Traits {
    /// Of a customer, as far as accounts in this relation to it are shown it.
    #[must_use]
    pub fn of(fields: &CustomerFields, relation: Relation) -> Self {
        let profile = &fields.profile;
        let address = &profile.primary_address;
        let written = address.get(AddressPart::Country);
        let country = written.and_then(country_code);
        let contacts = || profile.contacts.as_slice().iter().take(CONTACTS);
        let billing = profile.billing_email.as_ref().filter(|_| relation == Relation::OwnerOrAbove);
        let own = [profile.email.as_ref(), billing].into_iter().flatten().map(Email::compared);
        let theirs = contacts().filter_map(|contact| contact.email.as_ref()).map(Email::compared);
        let phones = [&profile.phone, &profile.fax].into_iter().chain(contacts().map(|contact| &contact.phone));
        let names = [Some(fields.name.as_str()), profile.legal_name.as_ref().map(Text::as_str)];
        let registration_number = profile.registration_number.as_ref();
        let registration_number =
            registration_number.map(|number| compact(&fold(&registration::bare(number.as_str(), country))));
        Self {
            tax_ids: profile.tax_ids.as_slice().iter().take(TAX_IDS).map(tax_number).collect(),
            registration_number: registration_number
                .filter(|digits| !digits.is_empty())
                .map(|digits| Number { digits, country }),
            emails: own.chain(theirs).collect(),
            phones: phones.flatten().filter_map(|phone| dialled(phone, written)).collect(),
            names: names.into_iter().flatten().filter_map(essence).collect(),
            city: address.get(AddressPart::City).map(|city| compact(&fold(city))).filter(|city| !city.is_empty()),
            country,
        }
    }

    /// What it has in common with another customer: ascending, each once.
    #[must_use]
    pub fn in_common(&self, other: &Self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if self.tax_ids.iter().any(|number| other.tax_ids.iter().any(|it| it.is(number))) {
            reasons.push(Reason::TaxId);
        }
        if self.registration_number.iter().zip(&other.registration_number).any(|(one, other)| one.is(other)) {
            reasons.push(Reason::RegistrationNumber);
        }
        if !self.emails.is_disjoint(&other.emails) {
            reasons.push(Reason::Email);
        }
        if !self.phones.is_disjoint(&other.phones) {
            reasons.push(Reason::Phone);
        }
        if !self.names.is_disjoint(&other.names) {
            match (&self.city, &other.city) {
                (Some(one), Some(other_city)) if one == other_city && agree(self.country, other.country) => {
                    reasons.push(Reason::NameAndCity);
                }
                (Some(_), Some(_)) => {}
                _ => reasons.push(Reason::Name),
            }
        }
        reasons
    }
}

/// A tax number without the prefix of its country.
fn tax_number(tax_id: &TaxId) -> Number {
    let (country, digits) = tax::parts(tax_id.value(), tax_id.country().and_then(tax::country));
    Number { digits, country }
}

/// A phone number in the form of E.164, digits alone; none if it is not understood.
fn dialled(phone: &Phone, country: Option<&str>) -> Option<String> {
    match phone.e164() {
        Some(e164) => Some(e164.trim_start_matches('+').to_owned()),
        None => phone_forms(phone.number(), country).pop(),
    }
}
