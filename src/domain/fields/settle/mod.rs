//! Brings what was written into a customer to the forms that are kept, and compares it with the tables: codes in the place of
//! names, the usual spelling of postal codes, phone numbers as they are dialled.
//!
//! Rule: only what changed is compared. A value that was stored under older rules stays as it is until somebody changes it, also
//! if it is sent again beside others that do change.

use std::borrow::Cow;

use crate::domain::{
    fields::{customer_fields::CustomerFields, field::Field, profile::Profile},
    reference::{
        currencies,
        industries::{self, Industries},
        languages, phones, places, postal_codes, registration, tax,
    },
    search::places::country_code,
    values::{
        address::{Address, AddressKind, AddressPart},
        enums::CustomerType,
        phone::{Dialled, Phone},
        tax_id::TaxId,
        text::Text,
        violation::{Rule, Violations},
    },
};

/// What of its tenant and its owner a customer's values are compared with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tables<'a> {
    /// The country of a customer without one, as its owner's policies name it.
    pub region: Option<&'a str>,
    /// The tenant's own industries; none: the default list.
    pub industries: Option<&'a Industries>,
}

/// What a value of a customer is brought to.
enum Form {
    Address(AddressKind, AddressPart, Cow<'static, str>),
    /// The state is that of before, and was given as then.
    StateGiven(AddressKind),
    Currency(String),
    Industry(String),
    /// The country of the tax ID at this place.
    TaxCountry(usize, &'static str),
    /// The phone number at this place among all.
    Phone(usize, Dialled),
}

/// What is read of a customer's values.
#[derive(Default)]
struct Readings {
    /// Of those that have another form than they were written in.
    forms: Vec<Form>,
    violations: Violations,
}

impl CustomerFields {
    /// Settles what differs from `before`.
    ///
    /// # Errors
    /// Every value that its table does not have, with paths that start at the customer. The others are settled.
    pub fn settle(&mut self, before: &Profile, tables: Tables<'_>) -> Result<(), Violations> {
        let Readings { forms, violations } = self.read(before, tables);
        for form in forms {
            self.profile.take_form(form, before);
        }
        violations.finish(Some(()))
    }

    /// The values that today's rules would refuse: those that were stored before there were such rules, or before the tenant's
    /// list of industries changed.
    #[must_use]
    pub fn refused_today(&self, industries: Option<&Industries>) -> Violations {
        self.read(&Profile::default(), Tables { region: None, industries }).violations
    }

    /// Compares what differs from `before` with the tables. Nothing is copied of what has its form already: every read of a customer
    /// asks for this.
    fn read(&self, before: &Profile, tables: Tables<'_>) -> Readings {
        let Tables { region, industries: own } = tables;
        let mut readings = Readings::default();
        let profile = &self.profile;
        for kind in [AddressKind::Primary, AddressKind::Billing, AddressKind::Shipping] {
            let violations = readings.read_address(kind, profile.address(kind), before.address(kind));
            readings.violations.nest(Field::from(kind).name(), violations.finish(Some(())));
        }
        let currency = |written: &str| currencies::parse(written);
        readings.read_text(Field::Currency, &profile.currency, &before.currency, currency, Form::Currency);
        let industry = |written: &str| industries::parse(own, written);
        readings.read_text(Field::Industry, &profile.industry, &before.industry, industry, Form::Industry);
        let Readings { forms, violations } = &mut readings;
        if let Some(language) = profile.language.as_ref().filter(|language| before.language.as_ref() != Some(language))
        {
            violations.check(Field::Language.name(), languages::check(language.as_str()));
        }
        let country = profile.primary_address.get(AddressPart::Country).or(region).and_then(country_code);
        if let (Some(number), Some(country)) = (&profile.registration_number, country)
            && self.customer_type == CustomerType::Business
            && profile.registration_number != before.registration_number
        {
            violations.check(Field::RegistrationNumber.name(), registration::check(number.as_str(), country));
        }
        for (place, tax_id) in profile.tax_ids.as_slice().iter().enumerate() {
            if !before.tax_ids.as_slice().contains(tax_id) {
                match read_tax_id(tax_id) {
                    Ok(code) => forms.extend(code.map(|code| Form::TaxCountry(place, code))),
                    Err(refused) => {
                        violations.nest::<()>(&format!("tax_ids[{place}]"), Err(refused));
                    }
                }
            }
        }
        for (path, email) in profile.emails() {
            if !before.emails().any(|(_, known)| known == email) {
                violations.check(path, email.check());
            }
        }
        for (place, (path, phone)) in profile.phones_with_paths().enumerate() {
            let dialled = violations.check(path, read_phone(phone, before, country)).flatten();
            forms.extend(dialled.map(|dialled| Form::Phone(place, dialled)));
        }
        readings
    }
}

impl Readings {
    fn read_address(&mut self, kind: AddressKind, address: &Address, before: &Address) -> Violations {
        let mut violations = Violations::default();
        let differs = |part| address.get(part) != before.get(part);
        let form = |part, form: Cow<'static, str>| {
            let differs = address.get(part) != Some(&*form);
            differs.then_some(Form::Address(kind, part, form))
        };
        let Some(written) = address.get(AddressPart::Country) else { return violations };
        if differs(AddressPart::Country) {
            let code = violations.check(AddressPart::Country.as_str(), places::country(written));
            self.forms.extend(code.and_then(|code| form(AddressPart::Country, code.into())));
        }
        let Some(country) = country_code(written) else { return violations };
        let moved = before.get(AddressPart::Country).and_then(country_code) != Some(country);
        if let Some(written) = address.get(AddressPart::State)
            && (moved || differs(AddressPart::State))
        {
            let is_needed = postal_codes::needs_state(country);
            let code = violations.check(AddressPart::State.as_str(), places::state(country, written, is_needed));
            self.forms.extend(code.flatten().and_then(|code| form(AddressPart::State, code.into())));
            self.forms.extend(before.get(AddressPart::State).map(|_| Form::StateGiven(kind)));
        }
        if let Some(written) = address.get(AddressPart::PostalCode)
            && (moved || differs(AddressPart::PostalCode))
            && let Some(Cow::Owned(spelled)) =
                violations.check(AddressPart::PostalCode.as_str(), postal_codes::parse(country, written))
        {
            self.forms.extend(form(AddressPart::PostalCode, spelled.into()));
        }
        violations
    }

    /// Reads a text that a code takes the place of, if it changed.
    fn read_text<T: AsRef<str>>(
        &mut self,
        field: Field,
        text: &Option<Text<100>>,
        before: &Option<Text<100>>,
        parse: impl FnOnce(&str) -> Result<T, Rule>,
        form: fn(String) -> Form,
    ) {
        let Some(written) = text.as_ref().filter(|_| text != before).map(Text::as_str) else { return };
        if let Some(code) = self.violations.check(field.name(), parse(written)) {
            let code = code.as_ref();
            self.forms.extend((code != written).then(|| form(code.to_owned())));
        }
    }
}

impl Profile {
    fn take_form(&mut self, form: Form, before: &Self) {
        match form {
            Form::Address(kind, part, form) => self.address_mut(kind).settle(part, &form),
            Form::StateGiven(kind) => self.address_mut(kind).keep_state_given(before.address(kind)),
            Form::Currency(code) => self.currency = Some(Text::stored(code)),
            Form::Industry(code) => self.industry = Some(Text::stored(code)),
            Form::TaxCountry(place, code) => {
                if let Some(tax_id) = self.tax_ids.iter_mut().nth(place) {
                    tax_id.settle(code);
                }
            }
            Form::Phone(place, dialled) => {
                if let Some(phone) = self.phones_mut().nth(place) {
                    phone.dialled(dialled);
                }
            }
        }
    }
}

/// The code of a tax number's country, if another text stands in its place.
fn read_tax_id(tax_id: &TaxId) -> Result<Option<&'static str>, Violations> {
    let of = |field: &'static str| move |rule| Violations::of(field, rule);
    // With a country that is none, nothing is known of the number.
    let country = tax_id.country().map(tax_country).transpose().map_err(of("country"))?;
    tax_id.check().map_err(of("value"))?;
    Ok(country.filter(|code| tax_id.country() != Some(code)))
}

/// The code of the country of a tax number.
fn tax_country(written: &str) -> Result<&'static str, Rule> {
    tax::country(written).map_or_else(|| places::country(written), Ok)
}

/// How a phone number is dialled, if that is not known of it yet.
fn read_phone(phone: &Phone, before: &Profile, country: Option<&str>) -> Result<Option<Dialled>, Rule> {
    if phone.e164().is_some() {
        return Ok(None);
    }
    let same = before.phones().find(|other| other.number() == phone.number());
    if let Some(e164) = same.and_then(Phone::e164) {
        let valid = same.is_some_and(Phone::is_valid);
        return Ok(Some(Dialled { e164: e164.to_owned(), valid }));
    }
    match phones::read(phone.number(), country) {
        // One that was stored while no country was known is read once there is one.
        Ok(dialled) => Ok(dialled),
        // It was there before, and is reported.
        Err(_) if same.is_some() => Ok(None),
        Err(rule) => Err(rule),
    }
}

#[cfg(test)]
mod tests;
