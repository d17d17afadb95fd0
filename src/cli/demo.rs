//! The demo data: a distributor, resellers of every kind below it, and customers of many countries and scripts in every
//! state. All are invented, except the example of the design. Every email address is under example.com.

use std::{collections::BTreeMap, net::SocketAddr};

use super::{
    data_dir::DataDir,
    output::{Failure, print_message},
    token::{DevIssuer, ISSUER, OPERATOR},
};
use crate::{
    domain::values::ids::{InvitationId, TenantId},
    grpc::demo::{self, Demo, FinalState, Owner, Record},
    service::mail::{Link, Mailer},
};

/// One customer in each line, so that many fit on a screen and a spreadsheet can read them.
const CUSTOMERS: &str = include_str!("demo.txt");
/// The line of the design's example customer, whose ERP number is 123.
const EXAMPLE: usize = 4;
/// The state of the demo in the data folder: empty while it is being created, its ids when it is complete.
const PROGRESS: &str = "demo.json";
/// Long enough to create the demo data on a slow machine.
const TOKEN_SECONDS: u64 = 60 * 60;

/// Creates the demo data if there is no tenant yet, or continues after an interruption.
pub(super) async fn create(
    address: SocketAddr,
    data_dir: &DataDir,
    issuer: &DevIssuer,
    no_demo_data: bool,
) -> Result<Option<Demo>, Failure> {
    let failed = |cause| Failure(format!("cannot create the demo data: {cause}"));
    let begun = data_dir.read(PROGRESS)?;
    let complete: Option<Demo> = begun.as_deref().and_then(|progress| serde_json::from_slice(progress).ok());
    let operator = issuer.token_for(OPERATOR, TOKEN_SECONDS)?;
    let tenants = demo::has_tenant(address, &operator).await.map_err(failed)?;
    match (complete, tenants) {
        (Some(demo), true) => {
            if demo.edition < demo::EDITION {
                print_message("the demo data is from an older version: remove the folder to get the current data");
            }
            return Ok(Some(demo));
        }
        // A tenant of the user's own, created with --no-demo-data: do not add a demo.
        (None, true) if begun.is_none() => return Ok(None),
        _ if no_demo_data => return Ok(None),
        _ => {}
    }
    print_message("creating demo data");
    data_dir.write(PROGRESS, b"")?;
    let mut tokens = BTreeMap::new();
    for subject in demo::SUBJECTS.into_iter().chain([OPERATOR]) {
        tokens.insert(subject, issuer.token_for(subject, TOKEN_SECONDS)?);
    }
    let demo = demo::create(address, ISSUER, &tokens, &records()).await.map_err(failed)?;
    data_dir.write(PROGRESS, serde_json::to_string_pretty(&demo)?.as_bytes())?;
    Ok(Some(demo))
}

/// The link of the demo's invitation, as long as nobody has accepted it.
pub(super) async fn link(mailer: &Mailer, demo: &Demo) -> Result<Option<Link>, Failure> {
    let (tenant, invitation) = (TenantId::parse(&demo.tenant), InvitationId::parse(&demo.invitation));
    match (tenant, invitation) {
        (Ok(tenant), Ok(invitation)) => Ok(mailer.link(tenant, invitation).await?),
        // The demo of an older version has none.
        _ => Ok(None),
    }
}

/// Returns the demo's customers.
fn records() -> Vec<Record> {
    let lines = CUSTOMERS.lines().filter(|line| !line.starts_with('#'));
    lines.enumerate().filter_map(|(index, line)| parse_record(index, line)).collect()
}

/// Parses the customer of a line; none if the line does not have the columns of the file's first line.
fn parse_record(index: usize, line: &'static str) -> Option<Record> {
    let mut columns = line.split('|');
    let mut next = || columns.next();
    let owner = parse_owner(next()?)?;
    let (state, is_person) = (parse_state(next()?)?, next()? == "person");
    let by_order = owner == Owner::Market || (owner == Owner::Cloud && index.is_multiple_of(9));
    let mut record = Record {
        owner,
        final_state: state,
        is_person,
        name: next()?,
        legal_name: next()?,
        registration_number: next()?,
        tax_id: next()?,
        industry: next()?,
        line1: next()?,
        postal_code: next()?,
        city: next()?,
        state: next()?,
        country: next()?,
        currency: next()?,
        language: next()?,
        phone: next()?,
        email: next()?,
        billing_email: next()?,
        first_name: next()?,
        last_name: next()?,
        job_title: next()?,
        contact_email: next()?,
        custom_ids: custom_ids(owner, index),
        labels: labels(index),
        order_reference: if by_order { format!("MP-2026-{index:04}") } else { String::new() },
        tags: Vec::new(),
        branch: index % 2,
        sales_person: if owner == Owner::Cloud && index.is_multiple_of(4) { "alice" } else { "" },
    };
    record.tags = tags(&record, index);
    Some(record)
}

fn parse_owner(word: &str) -> Option<Owner> {
    match word {
        "distributor" => Some(Owner::Distributor),
        "cloud" => Some(Owner::Cloud),
        "telecom" => Some(Owner::Telecom),
        "dealer" => Some(Owner::Dealer),
        "market" => Some(Owner::Market),
        "full" => Some(Owner::Full),
        _ => None,
    }
}

fn parse_state(word: &str) -> Option<FinalState> {
    match word {
        "created" => Some(FinalState::Created),
        "approved" => Some(FinalState::Approved),
        "rejected" => Some(FinalState::Rejected),
        "suspended" => Some(FinalState::Suspended),
        "archived" => Some(FinalState::Archived),
        "held" => Some(FinalState::Held),
        _ => None,
    }
}

/// Returns a customer's custom IDs: of the ERP system, of a dealer with its leading zeros, or of both. Every seventh customer
/// has none, like customers from before there were custom IDs, unless the owner requires one.
fn custom_ids(owner: Owner, index: usize) -> BTreeMap<String, String> {
    let dms = || ("dms", format!("00{}", 4711 + index));
    let billing = || ("billing", format!("R-{:05}", 7 * index));
    let mut ids = match owner {
        Owner::Dealer => vec![dms()],
        Owner::Full => vec![("erp", format!("AEG-{index:04}")), billing()],
        _ if index.is_multiple_of(7) => return BTreeMap::new(),
        Owner::Distributor => vec![dms()],
        Owner::Cloud if index == EXAMPLE => vec![("erp", "123".to_owned())],
        Owner::Cloud => vec![("erp", format!("ERP-{}", 10_000 + index))],
        Owner::Telecom => vec![("default", format!("BT{:06}", 31 * index)), billing()],
        Owner::Market => vec![("default", format!("NM-{index}"))],
    };
    if index.is_multiple_of(5) {
        ids.push(dms());
    }
    ids.into_iter().map(|(system, id)| (system.to_owned(), id)).collect()
}

/// Returns the owner's tags of a customer, in its own language.
fn tags(record: &Record, index: usize) -> Vec<&'static str> {
    let (every, in_country) = (|n| index.is_multiple_of(n), |country| record.country == country);
    let candidates: &[(&str, bool)] = match record.owner {
        Owner::Distributor => &[("fleet contract", true), ("Benelux", in_country("NL") || in_country("BE"))],
        Owner::Cloud => &[("key account", every(6)), ("Großkunde", in_country("DE")), ("renewal 2027", every(8))],
        Owner::Telecom => &[("VIP", every(6)), ("fibre", every(4)), ("światłowód", in_country("PL") && every(3))],
        Owner::Dealer => &[("service contract", every(3)), ("winter tyres", every(2))],
        Owner::Market => &[("first order", true)],
        Owner::Full => &[("audited", record.final_state == FinalState::Approved)],
    };
    candidates.iter().filter(|(_, has)| *has).map(|(tag, _)| *tag).collect()
}

fn labels(index: usize) -> BTreeMap<String, String> {
    let segment = ["small", "medium", "enterprise"].into_iter().cycle().nth(index).unwrap_or_default();
    let mut labels = BTreeMap::from([("segment".to_owned(), segment.to_owned())]);
    if index % 10 == 3 {
        labels.insert("newsletter".to_owned(), "yes".to_owned());
    }
    labels
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::values::{email::Email, language::Language, phone::Phone, text::Text};

    #[test]
    fn it_has_120_customers_with_distinct_names_and_custom_ids() {
        let customers = records();
        assert_eq!(customers.len(), 120, "a line without all columns is skipped");
        assert_eq!(customers.iter().map(|customer| customer.name).collect::<HashSet<_>>().len(), 120);
        let ids = customers.iter().flat_map(|customer| &customer.custom_ids);
        assert_eq!(ids.clone().count(), ids.collect::<HashSet<_>>().len());
        assert_eq!(customers[EXAMPLE].name, "Copaco");
    }

    #[test]
    fn every_customer_has_the_fields_that_its_final_state_requires() {
        for customer in records() {
            assert!(!customer.currency.is_empty() && !customer.city.is_empty(), "{}", customer.name);
            let addresses = [customer.email, customer.billing_email, customer.contact_email];
            assert!(addresses.iter().all(|address| address.is_empty() || address.ends_with("example.com")));
            match customer.owner {
                Owner::Telecom => assert!(!customer.billing_email.is_empty(), "{} cannot be created", customer.name),
                Owner::Market => assert!(!customer.line1.is_empty(), "{} cannot be created", customer.name),
                Owner::Full => assert!(!customer.legal_name.is_empty(), "{} cannot be created", customer.name),
                Owner::Distributor | Owner::Cloud | Owner::Dealer => {}
            }
            if matches!(customer.final_state, FinalState::Approved | FinalState::Suspended) {
                assert!(!customer.email.is_empty() && !customer.contact_email.is_empty(), "{}", customer.name);
            }
        }
    }

    #[test]
    fn every_value_is_valid() {
        for customer in records() {
            let name = customer.name;
            assert!(Phone::parse(customer.phone, "").is_ok(), "{name}: {}", customer.phone);
            assert!(Language::parse(customer.language).is_ok(), "{name}: {}", customer.language);
            assert!(
                Text::<120>::parse(name).is_ok() && Text::<16>::parse_optional(customer.postal_code).is_ok(),
                "{name}"
            );
            for address in [customer.email, customer.billing_email, customer.contact_email] {
                assert!(address.is_empty() || Email::parse(address).is_ok(), "{name}: {address}");
            }
        }
    }
}
