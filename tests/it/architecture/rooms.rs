//! The rules on the layers of the source, and which layer may use which.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file of src, without its comments and its tests.
pub(super) struct Source {
    /// The path below src, as in `store/customers/mod.rs`.
    pub(super) path: String,
    /// The code without comments; every string is `""`.
    pub(super) code: String,
    /// The strings in it.
    pub(super) texts: Vec<String>,
}

impl Source {
    fn read(path: &Path, from: &Path) -> Self {
        let whole = fs::read_to_string(path).unwrap();
        // rustfmt puts the closing brace of a module at the start of a line.
        let kept = whole.split("#[cfg(test)]\nmod tests {").enumerate().map(|(part, text)| match part {
            0 => text,
            _ => text.split_once("\n}\n").expect("the tests end").1,
        });
        let (code, texts) = apart(&kept.collect::<String>());
        Self { path: path.strip_prefix(from).unwrap().to_str().unwrap().to_owned(), code, texts }
    }

    /// The layer: a folder of src, or a file in src.
    fn room(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    fn words(&self) -> BTreeSet<&str> {
        words(&self.code).collect()
    }

    /// The names that directly follow `root::`, also in braces.
    fn under(&self, root: &str) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        for (at, found) in self.code.match_indices(&format!("{root}::")) {
            if self.code[..at].ends_with(is_word) {
                continue;
            }
            let rest = &self.code[at + found.len()..];
            match rest.strip_prefix('{') {
                None => names.extend(words(rest).next()),
                Some(list) => names.extend(heads(list)),
            }
        }
        names
    }
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char| !is_word(char)).filter(|word| !word.is_empty())
}

/// The first name of every item of a `use` list, up to its closing brace.
fn heads(list: &str) -> Vec<&str> {
    let (mut heads, mut depth, mut begin) = (Vec::new(), 0, 0);
    for (at, char) in list.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                heads.extend(words(&list[begin..at]).next());
                begin = at + 1;
                if char == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    heads
}

/// Separates code from comments and strings.
fn apart(whole: &str) -> (String, Vec<String>) {
    let (mut code, mut texts, mut rest) = (String::new(), Vec::new(), whole);
    while let Some(char) = rest.chars().next() {
        let raw = (rest.starts_with("r\"") || rest.starts_with("r#"))
            && rest[1..].trim_start_matches('#').starts_with('"')
            && !code.ends_with(is_word);
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if raw {
            let hashes = rest[1..].chars().take_while(|char| *char == '#').count();
            let (begin, close) = (hashes + 2, format!("\"{}", "#".repeat(hashes)));
            let end = begin + rest[begin..].find(&close).expect("a raw text ends");
            texts.push(rest[begin..end].to_owned());
            code.push_str("\"\"");
            end + close.len()
        } else if char == '"' {
            let mut escaped = false;
            let close = |char: char| {
                let closes = char == '"' && !escaped;
                escaped = char == '\\' && !escaped;
                closes
            };
            let end = 1 + rest[1..].find(close).expect("a text ends");
            texts.push(rest[1..end].to_owned());
            code.push_str("\"\"");
            end + 1
        } else if char == '\'' && rest[1..].starts_with('\\') {
            4 + rest[3..].find('\'').expect("a character ends")
        } else if char == '\'' && rest[1..].chars().nth(1) == Some('\'') {
            2 + rest[1..].chars().next().unwrap().len_utf8()
        } else {
            code.push(char);
            char.len_utf8()
        };
        rest = &rest[taken..];
    }
    (code, texts)
}

/// All files of src except those with only tests.
fn sources() -> Vec<Source> {
    let from = root().join("src");
    let (mut folders, mut sources) = (vec![from.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" && name != "samples.rs" {
                sources.push(Source::read(&path, &from));
            }
        }
    }
    assert!(sources.len() > 80, "{}", sources.len());
    sources
}

pub(super) fn room(room: &str) -> Vec<Source> {
    let sources: Vec<_> = sources().into_iter().filter(|source| source.room() == room).collect();
    assert!(!sources.is_empty(), "{room} has no files");
    sources
}

/// The words of `source`'s code that are on the list, with the path.
fn hits(source: &Source, list: &[&str]) -> Vec<String> {
    let found = source.words();
    list.iter().filter(|word| found.contains(**word)).map(|word| format!("{}: {word}", source.path)).collect()
}

#[test]
fn code_is_separated_from_comments_and_strings() {
    let (code, texts) = apart("let a = r#\"x \"y\"\"#; // async \"no\"\nlet 'b' = '\\''; f::<'c>(\"q \\\" r\", '\"');");
    assert_eq!(code, "let a = \"\"; \nlet  = ; f::<'c>(\"\", );");
    assert_eq!(texts, ["x \"y\"", "q \\\" r"]);
    let source =
        Source { path: "a/b.rs".into(), texts, code: "use crate::{a::{b, c}, d::E}; crate::f::g(); mycrate::h".into() };
    assert_eq!(source.under("crate").into_iter().collect::<Vec<_>>(), ["a", "d", "f"]);
}

#[test]
fn the_domain_never_awaits_and_uses_no_database_no_grpc_and_no_runtime() {
    let foreign = ["async", "await", "sqlx", "tonic", "tokio", "prost", "prost_types", "http", "tower", "moka"];
    let found: Vec<_> = room("domain").iter().flat_map(|source| hits(source, &foreign)).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn services_contain_no_sql() {
    for source in room("service") {
        // A connection may pass through, but statements belong to the stores. The pool begins and ends transactions.
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
            let allowed = pool && ["begin", "commit", "rollback"].contains(&text.as_str());
            assert!(!sql.contains(&verb.as_str()) || allowed, "{}: {text:?}", source.path);
        }
    }
}

#[test]
fn stores_own_no_pool_and_neither_begin_nor_commit() {
    let owned =
        ["Pool", "PgPool", "PoolConnection", "Lease", "Transaction", "begin", "commit", "rollback", "savepoint"];
    for source in room("store") {
        let found = hits(&source, &owned);
        assert!(found.is_empty(), "{found:?}");
        for text in &source.texts {
            let found: Vec<_> = words(text).filter(|word| owned.contains(&word.to_lowercase().as_str())).collect();
            assert!(found.is_empty(), "{}: {text:?}", source.path);
        }
    }
}

#[test]
fn only_grpc_layers_server_and_telemetry_use_tonic() {
    for source in sources() {
        let words = source.words();
        let knows = |name: &str| words.iter().any(|word| *word == name || word.starts_with(&format!("{name}_")));
        assert!(
            !knows("tonic") || ["grpc", "layers", "server", "telemetry"].contains(&source.room()),
            "{}: tonic",
            source.path
        );
        assert!(!knows("prost") || source.room() == "grpc", "{}: prost", source.path);
    }
}

#[test]
fn only_grpc_uses_the_generated_types() {
    for source in sources().iter().filter(|source| source.room() != "grpc") {
        // The layers make statuses of their own, which need a reason.
        let allowed = if source.room() == "layers" { BTreeSet::from(["ErrorReason"]) } else { BTreeSet::new() };
        let generated: Vec<_> = source.under("pb").difference(&allowed).copied().collect();
        // `tonic_health::pb` belongs to health, both server and client.
        let of_health =
            ["health_server", "FILE_DESCRIPTOR_SET", "health_client", "HealthCheckRequest", "health_check_response"];
        let generated: Vec<_> = generated.into_iter().filter(|name| !of_health.contains(name)).collect();
        assert!(generated.is_empty(), "{}: pb::{generated:?}", source.path);
        let imported = source.code.contains("pb,") || source.code.contains("grpc::pb;") || source.code.contains("pb}");
        assert!(!imported, "{} imports all of pb", source.path);
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
        ("grpc", &["domain", "error", "grpc", "service", "store"]),
        ("layers", &["config", "domain", "error", "grpc", "layers", "service", "telemetry"]),
        ("server", &["config", "domain", "error", "grpc", "layers", "server", "service", "telemetry"]),
        ("config", &["config", "domain"]),
    ]);
    let mut seen = BTreeMap::<String, BTreeSet<String>>::new();
    for source in sources() {
        let known = seen.entry(source.room().to_owned()).or_default();
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
