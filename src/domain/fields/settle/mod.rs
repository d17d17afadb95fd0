//! Brings what was written into a customer to the forms that are kept, and compares it with the tables: codes in the place of
//! names, the usual spelling of postal codes, phone numbers as they are dialled.
//!
//! Rule: only what changed is compared. A value that was stored under older rules stays as it is until somebody changes it, also
//! if it is sent again beside others that do change.

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
        email::Email,
        enums::CustomerType,
        phone::Phone,
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

impl CustomerFields {
    /// Settles what differs from `before`.
    ///
    /// # Errors
    /// Every value that its table does not have, with paths that start at the customer. The others are settled.
    pub fn settle(&mut self, before: &Profile, tables: Tables<'_>) -> Result<(), Violations> {
        let Tables { region, industries: own } = tables;
        let mut violations = Violations::default();
        let is_business = self.customer_type == CustomerType::Business;
        let profile = &mut self.profile;
        for kind in [AddressKind::Primary, AddressKind::Billing, AddressKind::Shipping] {
            let settled = settle_address(profile.address_mut(kind), before.address(kind));
            violations.nest(Field::from(kind).name(), settled);
        }
        let mut check = |field: Field, settled| violations.check(field.name(), settled);
        let currency = |written: &str| currencies::parse(written).map(ToOwned::to_owned);
        check(Field::Currency, settle_text(&mut profile.currency, before.currency.as_ref(), currency));
        let industry = |written: &str| industries::parse(own, written);
        check(Field::Industry, settle_text(&mut profile.industry, before.industry.as_ref(), industry));
        if let Some(language) = profile.language.as_ref().filter(|language| before.language.as_ref() != Some(language))
        {
            check(Field::Language, languages::check(language.as_str()));
        }
        let country = profile.primary_address.get(AddressPart::Country).or(region).and_then(country_code);
        if let (Some(number), Some(country)) = (&profile.registration_number, country)
            && is_business
            && profile.registration_number != before.registration_number
        {
            check(Field::RegistrationNumber, registration::check(number.as_str(), country));
        }
        for (place, tax_id) in profile.tax_ids.iter_mut().enumerate() {
            if !before.tax_ids.as_slice().contains(tax_id) {
                violations.nest(&format!("tax_ids[{place}]"), settle_tax_id(tax_id));
            }
        }
        let known: Vec<&Email> = before.emails().map(|(_, email)| email).collect();
        for (path, email) in profile.emails().filter(|(_, email)| !known.contains(email)) {
            violations.check(path, email.check());
        }
        let known: Vec<&Phone> = before.phones().collect();
        for (path, phone) in profile.phones_mut() {
            violations.check(format!("{path}.number"), settle_phone(phone, &known, country));
        }
        violations.finish(Some(()))
    }

    /// The values that today's rules would refuse: those that were stored before there were such rules, or before the tenant's
    /// list of industries changed.
    #[must_use]
    pub fn refused_today(&self, industries: Option<&Industries>) -> Violations {
        let tables = Tables { region: None, industries };
        self.clone().settle(&Profile::default(), tables).err().unwrap_or_default()
    }
}

fn settle_address(address: &mut Address, before: &Address) -> Result<(), Violations> {
    let mut violations = Violations::default();
    let differs = |address: &Address, part| address.get(part) != before.get(part);
    if let Some(written) = address.get(AddressPart::Country)
        && differs(address, AddressPart::Country)
        && let Some(code) = violations.check(AddressPart::Country.as_str(), places::country(written))
    {
        address.settle(AddressPart::Country, code);
    }
    let Some(country) = address.get(AddressPart::Country).and_then(country_code) else {
        return violations.finish(Some(()));
    };
    let moved = before.get(AddressPart::Country).and_then(country_code) != Some(country);
    if let Some(written) = address.get(AddressPart::State)
        && (moved || differs(address, AddressPart::State))
    {
        let is_needed = postal_codes::needed(country).contains(&AddressPart::State);
        let code = violations.check(AddressPart::State.as_str(), places::state(country, written, is_needed));
        if let Some(code) = code.flatten() {
            address.settle(AddressPart::State, code);
        }
        address.keep_state_given(before);
    }
    if let Some(written) = address.get(AddressPart::PostalCode)
        && (moved || differs(address, AddressPart::PostalCode))
        && let Some(spelled) = violations.check(AddressPart::PostalCode.as_str(), postal_codes::parse(country, written))
    {
        address.settle(AddressPart::PostalCode, &spelled);
    }
    violations.finish(Some(()))
}

/// Puts the code in the place of a text that changed.
fn settle_text(
    text: &mut Option<Text<100>>,
    before: Option<&Text<100>>,
    parse: impl FnOnce(&str) -> Result<String, Rule>,
) -> Result<(), Rule> {
    if let Some(written) = text.as_ref().filter(|written| before != Some(written)) {
        *text = Some(Text::stored(parse(written.as_str())?));
    }
    Ok(())
}

fn settle_tax_id(tax_id: &mut TaxId) -> Result<(), Violations> {
    let mut violations = Violations::default();
    let country = violations.check("country", tax_id.country().map(tax_country).transpose()).flatten();
    if let Some(code) = country {
        tax_id.settle(code);
    }
    // With a country that is none, nothing is known of the number.
    if violations.is_empty() {
        violations.check("value", tax_id.check());
    }
    violations.finish(Some(()))
}

/// The code of the country of a tax number.
fn tax_country(written: &str) -> Result<&'static str, Rule> {
    tax::country(written).map_or_else(|| places::country(written), Ok)
}

fn settle_phone(phone: &mut Phone, known: &[&Phone], country: Option<&str>) -> Result<(), Rule> {
    if phone.e164().is_some() {
        return Ok(());
    }
    let same = known.iter().find(|other| other.number() == phone.number());
    if let Some(same) = same.filter(|same| same.e164().is_some()) {
        phone.read_like(same);
        return Ok(());
    }
    match phones::read(phone.number(), country) {
        Ok(dialled) => {
            // One that was stored while no country was known is read once there is one.
            dialled.into_iter().for_each(|dialled| phone.dialled(dialled));
            Ok(())
        }
        // It was there before, and is reported.
        Err(_) if same.is_some() => Ok(()),
        Err(rule) => Err(rule),
    }
}

#[cfg(test)]
mod tests;
