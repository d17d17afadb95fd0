//! The names of the stores' statements in telemetry.

use std::collections::BTreeSet;

use super::rooms::room;

#[test]
fn every_statement_that_a_call_sends_has_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    for source in room("store") {
        let mut texts = source.texts.iter().filter(|text| is_statements_name(text));
        for method in [".fetch_all(", ".fetch_one(", ".fetch_optional(", ".execute("] {
            for (at, _) in source.code.match_indices(method) {
                let (arguments, rest) = source.code[at + method.len()..].split_once(')').unwrap();
                // The migrator's statements are not sent during a call.
                if source.path == "store/migrations.rs" && arguments != "conn" {
                    continue;
                }
                assert!(rest.trim_start().starts_with(".named("), "{}: {method}{arguments}) has no name", source.path);
                let name = texts.next().unwrap_or_else(|| panic!("{}: too few names", source.path));
                assert!(names.insert(name.clone()), "{name} is the name of two statements");
            }
        }
    }
    assert!(names.len() > 45, "{names:?}");
}

/// A table or module, a dot, and the action.
fn is_statements_name(text: &str) -> bool {
    let is_name = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    text.split_once('.').is_some_and(|(room, function)| is_name(room) && is_name(function))
}
