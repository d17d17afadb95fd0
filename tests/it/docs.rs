//! The documents that repeat the contract say what it says.

use std::collections::BTreeMap;

use crate::protos;

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
    let readme = include_str!("../../README.md");
    for rpc in clientele::domain::contract::RPCS {
        let (service, name) = rpc.path.rsplit_once('/').unwrap();
        let service = service.rsplit('.').next().unwrap();
        let row = readme.lines().find(|line| line.starts_with(&format!("| [{service}]"))).expect(service);
        assert!(row.split([' ', ',']).any(|word| word == name), "{service} lacks {name}");
    }
}
