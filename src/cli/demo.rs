//! The demo data: a distributor, two resellers and a hundred customers of many countries and scripts, all invented but
//! for the one of DESIGN's example. Every address for mail is under example.com.

use std::{collections::BTreeMap, net::SocketAddr};

use super::{
    Failure,
    dev::OPERATOR,
    folder::Folder,
    tell,
    token::{DevIssuer, ISSUER},
};
use crate::grpc::demo::{self, Demo, Fate, Owner, Plan, Record};

/// One customer a line, so that many fit on a screen and a spreadsheet can read them.
const CUSTOMERS: &str = include_str!("demo.txt");
/// The reseller that approves by itself.
pub(super) const CLOUD: &str = "Noordzee Cloud";
/// The reseller that approves by hand.
pub(super) const TELECOM: &str = "Baltic Telecom";
/// What a data folder knows of its demo: nothing while it is being made, its ids once it is complete.
const PROGRESS: &str = "demo.json";
/// Long enough to fill in the demo on a slow machine.
const TOKEN_SECONDS: u64 = 60 * 60;

/// Fills in the demo data where there is no tenant yet, or goes on where that was interrupted.
pub(super) async fn fill(
    address: SocketAddr,
    folder: &Folder,
    issuer: &DevIssuer,
    empty: bool,
) -> Result<Option<Demo>, Failure> {
    let failed = |why| Failure(format!("cannot fill in the demo data: {why}"));
    let begun = folder.read(PROGRESS)?;
    let complete: Option<Demo> = begun.as_deref().and_then(|progress| serde_json::from_slice(progress).ok());
    let operator = issuer.token_for(OPERATOR, TOKEN_SECONDS)?;
    let tenants = demo::has_tenant(address, &operator).await.map_err(failed)?;
    match (complete, tenants) {
        (Some(demo), true) => return Ok(Some(demo)),
        // Somebody's own tenant, made under --empty: no place for a demo.
        (None, true) if begun.is_none() => return Ok(None),
        _ if empty => return Ok(None),
        _ => {}
    }
    tell("filling in demo data");
    folder.write(PROGRESS, b"")?;
    let mut tokens = BTreeMap::new();
    for subject in demo::SUBJECTS.into_iter().chain([OPERATOR]) {
        tokens.insert(subject, issuer.token_for(subject, TOKEN_SECONDS)?);
    }
    let demo = demo::seed(address, ISSUER, &tokens, &plan()).await.map_err(failed)?;
    folder.write(PROGRESS, serde_json::to_string_pretty(&demo)?.as_bytes())?;
    Ok(Some(demo))
}

/// What is made.
fn plan() -> Plan {
    let lines = CUSTOMERS.lines().filter(|line| !line.starts_with('#'));
    Plan {
        tenant: "Demo Distribution",
        cloud: CLOUD,
        telecom: TELECOM,
        customers: lines.enumerate().filter_map(|(index, line)| record(index, line)).collect(),
    }
}

/// The customer of a line; nothing if the line has not the columns that the file's first line names, in that order.
fn record(index: usize, line: &'static str) -> Option<Record> {
    let mut columns = line.split('|');
    let mut next = || columns.next();
    let owner = owner_of(next()?)?;
    let by_order = owner == Owner::Cloud && index.is_multiple_of(9);
    Some(Record {
        owner,
        fate: fate_of(next()?)?,
        is_person: next()? == "person",
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
    })
}

fn owner_of(word: &str) -> Option<Owner> {
    match word {
        "distributor" => Some(Owner::Distributor),
        "cloud" => Some(Owner::Cloud),
        "telecom" => Some(Owner::Telecom),
        _ => None,
    }
}

fn fate_of(word: &str) -> Option<Fate> {
    match word {
        "created" => Some(Fate::Created),
        "approved" => Some(Fate::Approved),
        "rejected" => Some(Fate::Rejected),
        "archived" => Some(Fate::Archived),
        _ => None,
    }
}

/// Some in the ERP system, some with a dealer's number and its leading zeros, some in both, and every seventh, as from
/// before there were custom IDs, nowhere.
fn custom_ids(owner: Owner, index: usize) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    if index.is_multiple_of(7) {
        return ids;
    }
    match owner {
        Owner::Distributor => ids.insert("dms".to_owned(), format!("00{}", 4711 + index)),
        Owner::Cloud => ids.insert("erp".to_owned(), format!("ERP-{}", 10_000 + index)),
        Owner::Telecom => ids.insert("default".to_owned(), format!("BT{:06}", 31 * index)),
    };
    if index.is_multiple_of(5) {
        ids.insert("dms".to_owned(), format!("00{}", 4711 + index));
    }
    ids
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
    use crate::domain::{email::Email, language::Language, phone::Phone, text::Text};

    #[test]
    fn it_has_a_hundred_customers_whose_names_and_ids_are_their_own() {
        let customers = plan().customers;
        assert_eq!(customers.len(), 100);
        assert_eq!(customers.iter().map(|customer| customer.name).collect::<HashSet<_>>().len(), 100);
        let ids = customers.iter().flat_map(|customer| &customer.custom_ids);
        assert_eq!(ids.clone().count(), ids.collect::<HashSet<_>>().len());
    }

    #[test]
    fn every_customer_has_what_its_fate_asks_for() {
        for customer in plan().customers {
            assert!(!customer.currency.is_empty() && !customer.city.is_empty(), "{}", customer.name);
            let addresses = [customer.email, customer.billing_email, customer.contact_email];
            assert!(addresses.iter().all(|address| address.is_empty() || address.ends_with("example.com")));
            if customer.owner == Owner::Telecom {
                assert!(!customer.billing_email.is_empty(), "{} cannot be created", customer.name);
            }
            if customer.fate == Fate::Approved {
                assert!(!customer.email.is_empty() && !customer.contact_email.is_empty(), "{}", customer.name);
            }
        }
    }

    #[test]
    fn every_value_is_one_that_the_service_takes() {
        for customer in plan().customers {
            let name = customer.name;
            assert!(Phone::parse(customer.phone, "").is_ok(), "{name}: {}", customer.phone);
            assert!(Language::parse(customer.language).is_ok(), "{name}: {}", customer.language);
            assert!(Text::<120>::parse(name).is_ok() && Text::<16>::parse(customer.postal_code).is_ok(), "{name}");
            for address in [customer.email, customer.billing_email, customer.contact_email] {
                assert!(address.is_empty() || Email::parse(address).is_ok(), "{name}: {address}");
            }
        }
    }
}
