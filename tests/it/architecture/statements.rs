//! The names of the stores' statements in telemetry.

use std::collections::BTreeSet;

use super::source::layer;

#[test]
fn every_statement_that_a_call_sends_has_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    for source in layer("store") {
        for statement in source.statements {
            // The migrator's statements are not sent during a call.
            if source.path == "store/migrations.rs" && !statement.over_conn {
                continue;
            }
            let name = statement.name.unwrap_or_else(|| panic!("{}: {} has no name", source.path, statement.method));
            assert!(is_statements_name(&name), "{}: {name}", source.path);
            assert!(names.insert(name.clone()), "{name} is the name of two statements");
        }
    }
    assert!(names.len() > 45, "{names:?}");
}

/// A table or module, a dot, and the action.
fn is_statements_name(text: &str) -> bool {
    let is_name = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    text.split_once('.').is_some_and(|(room, function)| is_name(room) && is_name(function))
}
