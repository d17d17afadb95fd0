//! The rules on the layers of the source, and which layer may use which; how long a file may be.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, files, layer, sources, text};

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !(char.is_alphanumeric() || char == '_')).filter(|word| !word.is_empty())
}

/// The words of `source`'s code that are on the list, with the path.
fn hits(source: &Source, list: &[&str]) -> Vec<String> {
    list.iter().filter(|word| source.words.contains(**word)).map(|word| format!("{}: {word}", source.path)).collect()
}

#[test]
fn the_domain_never_awaits_and_uses_no_database_no_grpc_and_no_runtime() {
    let foreign = ["async", "await", "sqlx", "tonic", "tokio", "prost", "prost_types", "http", "tower", "moka"];
    let found: Vec<_> = layer("domain").iter().flat_map(|source| hits(source, &foreign)).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn services_contain_no_sql() {
    for source in layer("service") {
        // A connection may pass through, but statements belong to the stores. The pool begins and ends transactions and their parts.
        let mut known = BTreeSet::from(["Connection", "Error", "PgConnection", "postgres"]);
        let pool = source.path.starts_with("service/pool/");
        if pool {
            known.insert("raw_sql");
        }
        let others: Vec<_> = source.under("sqlx").difference(&known).copied().collect();
        assert!(others.is_empty(), "{}: sqlx::{others:?}", source.path);
        for text in &source.texts {
            let verb = words(text).next().unwrap_or_default().to_lowercase();
            let sql =
                ["select", "insert", "update", "delete", "merge", "with", "set", "lock", "begin", "commit", "rollback"];
            let snapshot = "begin transaction isolation level repeatable read, read only";
            let allowed = pool
                && ["begin", "commit", "rollback", "rollback to savepoint part", snapshot].contains(&text.as_str());
            assert!(!sql.contains(&verb.as_str()) || allowed, "{}: {text:?}", source.path);
        }
    }
}

#[test]
fn stores_own_no_pool_and_neither_begin_nor_commit() {
    let owned =
        ["Pool", "PgPool", "PoolConnection", "Lease", "Transaction", "begin", "commit", "rollback", "savepoint"];
    for source in layer("store") {
        let found = hits(&source, &owned);
        assert!(found.is_empty(), "{found:?}");
        for text in &source.texts {
            let found: Vec<_> = words(text).filter(|word| owned.contains(&word.to_lowercase().as_str())).collect();
            assert!(found.is_empty(), "{}: {text:?}", source.path);
        }
    }
}

#[test]
fn only_client_grpc_layers_server_and_telemetry_use_tonic() {
    for source in sources() {
        let knows = |name: &str| source.words.iter().any(|word| word == name || word.starts_with(&format!("{name}_")));
        assert!(
            !knows("tonic") || ["client", "grpc", "layers", "pb", "server", "telemetry"].contains(&source.layer()),
            "{}: tonic",
            source.path
        );
        assert!(!knows("prost") || ["client", "grpc", "pb"].contains(&source.layer()), "{}: prost", source.path);
    }
}

#[test]
fn only_client_and_grpc_use_the_generated_types() {
    for source in sources().iter().filter(|source| !["client", "grpc", "pb"].contains(&source.layer())) {
        // The layers make statuses of their own, which need a reason.
        let allowed = if source.layer() == "layers" { BTreeSet::from(["ErrorReason"]) } else { BTreeSet::new() };
        let generated: Vec<_> = source.under("pb").difference(&allowed).copied().collect();
        // `tonic_health::pb` belongs to health, both server and client.
        let of_health =
            ["health_server", "FILE_DESCRIPTOR_SET", "health_client", "HealthCheckRequest", "health_check_response"];
        let generated: Vec<_> = generated.into_iter().filter(|name| !of_health.contains(name)).collect();
        assert!(generated.is_empty(), "{}: pb::{generated:?}", source.path);
        let all = source.paths.iter().any(|path| path.last().is_some_and(|name| name == "pb"));
        assert!(!all, "{} imports all of pb", source.path);
    }
}

#[test]
fn each_layer_uses_only_inner_layers() {
    let rooms: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("domain", ["domain"].as_slice()),
        ("error", &["domain", "error"]),
        ("telemetry", &["config", "telemetry"]),
        ("store", &["domain", "error", "store", "telemetry"]),
        ("service", &["config", "domain", "error", "service", "store", "telemetry"]),
        // Nothing of the server is in the client.
        ("client", &["client", "pb"]),
        ("pb", &[]),
        ("grpc", &["client", "domain", "error", "grpc", "pb", "service", "store"]),
        ("layers", &["config", "domain", "error", "grpc", "layers", "service", "telemetry"]),
        ("server", &["client", "config", "domain", "error", "grpc", "layers", "server", "service", "telemetry"]),
        ("config", &["config", "domain"]),
    ]);
    let mut seen = BTreeMap::<String, BTreeSet<String>>::new();
    for source in sources() {
        let known = seen.entry(source.layer().to_owned()).or_default();
        known.extend(source.under("crate").into_iter().map(str::to_owned));
    }
    for (room, further_in) in rooms {
        let known = &seen[room];
        let others: Vec<_> = known.iter().filter(|known| !further_in.contains(&known.as_str())).collect();
        assert!(others.is_empty(), "{room} knows {others:?}");
    }
}

#[test]
fn only_the_migrator_takes_advisory_locks() {
    for source in sources().iter().filter(|source| source.path != "store/migrations.rs") {
        for text in &source.texts {
            let text = text.to_lowercase();
            assert!(!text.contains("advisory") && !text.starts_with("listen "), "{}: {text:?}", source.path);
        }
    }
}

#[test]
fn no_file_is_longer_than_300_lines() {
    let lengths = files().into_iter().map(|path| (text(&path).lines().count(), path));
    let long: Vec<_> = lengths.filter(|(lines, _)| *lines > 300).collect();
    assert!(long.is_empty(), "make two files of it, each with a subject of its own: {long:?}");
}
