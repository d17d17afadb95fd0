//! The client has few dependencies, and none of the server's.

use std::{collections::BTreeSet, process::Command};

/// Crates of the server, of each kind: none may come into the client.
const OF_THE_SERVER: [&str; 14] = [
    "axum",
    "chrono",
    "clap",
    "hyper-rustls",
    "icu_properties",
    "jsonwebtoken",
    "lettre",
    "moka",
    "opentelemetry",
    "rlibphonenumber",
    "serde_json",
    "shared-features",
    "sqlx",
    "tonic-reflection",
];
/// The crates that the client is linked with, with those that run in the compiler. A wider bound needs a reason.
const AT_MOST: usize = 80;

/// The crates that a package with these features is made of, by name.
fn crates(features: &[&str]) -> BTreeSet<String> {
    let tree = ["tree", "--package", "clientele", "--edges", "normal", "--prefix", "none", "--locked", "--offline"];
    let output =
        Command::new(env!("CARGO")).args(tree).args(features).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn the_client_alone_has_few_dependencies_and_none_of_the_server() {
    let server = crates(&[]);
    assert!(server.len() > 250, "{}", server.len());
    for name in OF_THE_SERVER {
        assert!(server.contains(name), "{name} is not in the server either: name another crate");
    }
    let client = crates(&["--no-default-features", "--features", "client"]);
    assert!(client.contains("tonic") && client.contains("rustls"), "{client:?}");
    let servers: Vec<_> = OF_THE_SERVER.into_iter().filter(|name| client.contains(*name)).collect();
    assert!(servers.is_empty(), "{servers:?}");
    assert!(client.len() <= AT_MOST, "{} crates: {client:?}", client.len());
}
