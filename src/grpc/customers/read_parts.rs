//! Reads the values of a customer that have parts: addresses, phone numbers, contacts and tax IDs.

use strum::VariantArray as _;

use crate::{
    domain::values::{
        address::{Address, AddressPart},
        contact::Contact,
        contacts::{Contacts, Outline, SentContacts},
        email::Email,
        ids::ContactId,
        phone::Phone,
        tax_id::{TaxId, TaxIds},
        text::{Text, optional},
        unknown_fields::UnknownFields,
        violation::Violations,
    },
    grpc::pb,
    service::clock,
};

/// Reads tax IDs: each by itself, then the list. What is wrong with one does not hide what is wrong with another.
pub(super) fn tax_ids(violations: &mut Violations, raw: &[pb::TaxId]) -> Option<TaxIds> {
    violations.nest("customer", TaxIds::check_count(raw.len()))?;
    let parsed: Vec<Option<TaxId>> = raw
        .iter()
        .enumerate()
        .map(|(place, pb::TaxId { value, country, check: _ })| {
            violations.nest(&format!("customer.tax_ids[{place}]"), TaxId::parse(value, country))
        })
        .collect();
    let together = TaxIds::check(parsed.iter().map(Option::as_ref));
    violations.nest("customer", together.finish(Some(())));
    Some(TaxIds::read(parsed))
}

/// One line of an address.
pub(super) fn line(address: &pb::Address, part: AddressPart) -> &str {
    match part {
        AddressPart::Line1 => &address.line1,
        AddressPart::Line2 => &address.line2,
        AddressPart::City => &address.city,
        AddressPart::State => &address.state,
        AddressPart::PostalCode => &address.postal_code,
        AddressPart::Country => &address.country,
    }
}

/// Reads an address; none if one of its lines breaks a rule.
pub(super) fn address(violations: &mut Violations, at: &str, raw: Option<&pb::Address>) -> Option<Address> {
    let mut address = Address::default();
    let mut whole = true;
    if let Some(raw) = raw {
        for &part in AddressPart::VARIANTS {
            let set = address.set(part, line(raw, part));
            whole &= violations.check(format!("{at}.{}", part.as_str()), set).is_some();
        }
    }
    whole.then_some(address)
}

/// Reads a phone number; an empty one clears the field.
pub(super) fn phone(violations: &mut Violations, at: &str, raw: Option<&pb::Phone>) -> Option<Option<Phone>> {
    let Some(pb::Phone { number, extension, e164: _, valid: _ }) = raw else { return Some(None) };
    violations.nest(at, Phone::parse_optional(number, extension))
}

/// Reads contacts: each by itself, then the list. What is wrong with one does not hide what is wrong with another.
pub(super) fn contacts(violations: &mut Violations, raw: &[pb::Contact]) -> Option<SentContacts> {
    violations.nest("customer", Contacts::check_count(raw.len()))?;
    let before = violations.all().len();
    let parsed: Vec<Contact> = raw
        .iter()
        .enumerate()
        .map(|(place, contact)| parse_contact(violations, &format!("customer.contacts[{place}]"), contact))
        .collect();
    let (contacts, mut together) = Contacts::read(parsed);
    if violations.all().len() > before {
        // The rules on the whole list are checked as far as the parts that are sent allow it.
        together = Contacts::check(&raw.iter().map(outline).collect::<Vec<_>>());
    }
    violations.nest("customer", together.finish(Some(())));
    let named = raw.iter().enumerate().filter(|(_, contact)| !contact.contact_id.is_empty());
    Some(SentContacts { contacts, named: named.map(|(place, _)| place).collect() })
}

fn outline(raw: &pb::Contact) -> Outline {
    Outline {
        contact_id: ContactId::parse(&raw.contact_id).ok(),
        is_somebody: [&raw.first_name, &raw.last_name, &raw.email].iter().any(|part| !part.trim().is_empty()),
        primary: raw.primary,
    }
}

/// What can be read of a contact.
fn parse_contact(violations: &mut Violations, at: &str, raw: &pb::Contact) -> Contact {
    // Every field is named, so that a field that is added to the contract does not compile here.
    let pb::Contact { contact_id, first_name, last_name, job_title, email, phone: number, primary } = raw;
    let field = |name: &str| format!("{at}.{name}");
    let id =
        if contact_id.is_empty() { None } else { violations.check(field("contact_id"), ContactId::parse(contact_id)) };
    Contact {
        contact_id: id.unwrap_or_else(|| ContactId::from_uuid(clock::new_id())),
        first_name: violations.check(field("first_name"), Text::parse_optional(first_name)).flatten(),
        last_name: violations.check(field("last_name"), Text::parse_optional(last_name)).flatten(),
        job_title: violations.check(field("job_title"), Text::parse_optional(job_title)).flatten(),
        email: violations.check(field("email"), optional(email, Email::written)).flatten(),
        phone: phone(violations, &field("phone"), number.as_ref()).flatten(),
        primary: *primary,
        unknown: UnknownFields::default(),
    }
}
