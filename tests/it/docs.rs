//! The documents agree with the contract.

use std::collections::BTreeMap;

use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};
use serde_json::Value;

use crate::protos;
use clientele::{domain::requests::contract::RPCS, grpc::DESCRIPTORS};

const README: &str = include_str!("../../README.md");
const PORTALS: &str = include_str!("../../docs/portals.md");
const ACCESS: &str = include_str!("../../docs/access.md");

#[test]
fn every_reason_has_its_row_in_the_errors_document_with_its_code_and_what_to_do() {
    let text = include_str!("../../docs/errors.md");
    let rows: BTreeMap<&str, Vec<&str>> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| {
            let (reason, rest) = line.split_once("` | ")?;
            Some((reason, rest.trim_end_matches(" |").split(" | ").collect()))
        })
        .collect();
    let reasons: BTreeMap<String, String> = protos::reasons().into_iter().collect();
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), reasons.keys().map(String::as_str).collect::<Vec<_>>());
    for (reason, comment) in &reasons {
        let [code, when, what_to_do] = rows[reason.as_str()][..] else { panic!("{reason}: code, when, what to do") };
        assert_eq!(code, comment.split(':').next().unwrap(), "{reason}");
        assert!(when.len() > 10 && what_to_do.len() > 10, "{reason}");
    }
}

#[test]
fn the_readme_names_every_rpc() {
    for rpc in RPCS {
        let (service, name) = rpc.path.rsplit_once('/').unwrap();
        let service = service.rsplit('.').next().unwrap();
        let row = README.lines().find(|line| line.starts_with(&format!("| [{service}]"))).expect(service);
        assert!(row.split([' ', ',']).any(|word| word == name), "{service} lacks {name}");
    }
}

/// `.ci/walk` makes these calls with grpcurl. This test quickly finds fields and values that the contract does not have.
#[test]
fn every_request_of_the_walks_fits_the_contract() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    for walk in [README, ACCESS, PORTALS] {
        let requests = requests(walk);
        assert!(requests.len() > 10, "{requests:?}");
        for (rpc, body) in requests {
            let (service, name) = rpc.split_once('/').unwrap();
            let service = pool.get_service_by_name(&format!("clientele.v1.{service}")).expect(&rpc);
            let method = service.methods().find(|method| method.name() == name).expect(&rpc);
            holds(&method.input(), &body, &rpc);
        }
    }
}

#[test]
fn features_marked_as_coming_do_not_exist_yet() {
    let coming: Vec<&str> = PORTALS.split("\n\n").filter(|paragraph| paragraph.starts_with("*Coming*")).collect();
    assert!(coming.len() <= 5, "at most one paragraph for each portal");
    let words = coming.iter().flat_map(|paragraph| paragraph.split(|letter: char| !letter.is_alphanumeric()));
    for word in words {
        assert!(
            !RPCS.iter().any(|rpc| rpc.path.rsplit_once('/').unwrap().1 == word),
            "{word} exists now: show how to call it"
        );
    }
}

#[test]
fn what_the_readme_calls_planned_does_not_exist_yet() {
    let (_, planned) = README.split_once("## Planned, and not there yet\n").expect("the section");
    let (planned, _) = planned.split_once("\n## ").expect("its end");
    let names = planned.split("** (").skip(1).flat_map(|item| item.split(')').next().unwrap().split(", "));
    let names: Vec<&str> = names.collect();
    assert!(names.contains(&"WatchCustomers"), "{names:?}");
    for name in names {
        assert!(
            !RPCS.iter().any(|rpc| rpc.path.ends_with(&format!("/{name}"))),
            "{name} exists now: README calls it planned"
        );
    }
}

/// The calls of a walk: RPC and body.
fn requests(walk: &str) -> Vec<(String, Value)> {
    let pieces: Vec<&str> = walk.split("Service/").collect();
    let calls = pieces.windows(2).filter_map(|pair| {
        let (_, service) =
            pair[0].rsplit_once("call ").filter(|(_, service)| !service.contains(char::is_whitespace))?;
        let (name, _) = pair[1].split_once(|letter: char| !letter.is_alphanumeric())?;
        let body = match pair[1].split_once(" -d ") {
            Some((_, body)) if body.starts_with('\'') => unquoted(body),
            // A variable: its value.
            Some((_, body)) => unquoted(walk.split_once(&format!("\n{}=", body[2..].split('"').next()?))?.1),
            None => "{}".to_owned(),
        };
        let rpc = format!("{service}Service/{name}");
        let body = serde_json::from_str(&body).unwrap_or_else(|why| panic!("{rpc}: {why} in {body}"));
        Some((rpc, body))
    });
    calls.collect()
}

/// A shell word that begins with a quote: the quoted text, with the names of variables between quotes.
fn unquoted(word: &str) -> String {
    let mut text = String::new();
    for (index, piece) in word.split('\'').enumerate().skip(1) {
        if index % 2 == 0 && !piece.starts_with('$') {
            break; // outside quotes and not a variable: the end of the word
        }
        text.push_str(piece);
    }
    text
}

/// Asserts that every key is a field of its message, and every enum value exists.
fn holds(message: &MessageDescriptor, body: &Value, place: &str) {
    for (key, value) in body.as_object().unwrap_or_else(|| panic!("{place} is no message: {body}")) {
        let place = format!("{place}.{key}");
        let field = message.get_field_by_name(key).unwrap_or_else(|| panic!("{place} is no field"));
        let values = match value {
            Value::Array(values) if field.is_list() => values.iter().collect(),
            value if !field.is_list() => vec![value],
            value => panic!("{place} is a list, not {value}"),
        };
        for value in values {
            match field.kind() {
                Kind::Message(kind) if !field.is_map() => holds(&kind, value, &place),
                Kind::Enum(kind) => {
                    let name = value.as_str().unwrap_or_else(|| panic!("{place}: {value}"));
                    assert!(kind.get_value_by_name(name).is_some(), "{place}: {name}");
                }
                _ => {}
            }
        }
    }
}
