//! The statement of a search, read from PostgreSQL's log.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::PathBuf,
};

use clientele::{embedded::Cluster, grpc::pb};

use super::shapes::Shape;
use crate::search_customers::search;

/// The log of a cluster whose sessions have `log_statement = 'all'`.
pub struct Log(PathBuf);

/// A statement with its parameters.
pub struct Statement {
    pub text: String,
    /// As SQL literals.
    pub parameters: Vec<String>,
    /// Customers on the page.
    pub found: usize,
}

impl Log {
    pub fn of(cluster: &Cluster) -> Self {
        Self(cluster.socket_dir().join("postgres.log"))
    }

    fn length(&self) -> u64 {
        self.0.metadata().unwrap().len()
    }

    /// The statement of a call, which returns how many customers it found.
    pub async fn of_call(&self, call: impl AsyncFnOnce() -> usize) -> Statement {
        let before = self.length();
        let found = call().await;
        let logged = self.behind(before);
        let (text, parameters) = last_search(&logged).unwrap_or_else(|| panic!("no statement: {logged}"));
        Statement { text, parameters: literals(&parameters), found }
    }

    fn behind(&self, place: u64) -> String {
        let (mut log, mut text) = (File::open(&self.0).unwrap(), String::new());
        log.seek(SeekFrom::Start(place)).unwrap();
        log.read_to_string(&mut text).unwrap();
        text
    }
}

/// Makes a search on the server. Returns the statement of its last page.
pub async fn ask(log: &Log, shape: &Shape) -> Statement {
    let mut request = pb::SearchCustomersRequest { page_size: 50, ..shape.request.clone() };
    for _ in 1..shape.page {
        request.page_token = search(&shape.client, request.clone()).await.unwrap().next_page_token;
        assert!(!request.page_token.is_empty(), "{} has no next page", shape.name);
    }
    // A search that is stopped is looked at all the same.
    log.of_call(async || search(&shape.client, request.clone()).await.map_or(0, |page| page.results.len())).await
}

/// The last statement of a search in a part of the log, and the line with its parameters. All lines but the first of a record
/// begin with a tab.
fn last_search(logged: &str) -> Option<(String, String)> {
    let mut records = Vec::<String>::new();
    for line in logged.lines() {
        match (line.strip_prefix('\t'), records.last_mut()) {
            (Some(more), Some(record)) => *record += &format!("\n{more}"),
            _ => records.push(line.to_owned()),
        }
    }
    records.windows(2).rev().find_map(|pair| {
        let (_, text) = pair[0].split_once("LOG:  execute ")?.1.split_once(": ")?;
        let (_, parameters) = pair[1].split_once("DETAIL:  ")?.1.split_once(": ")?;
        text.contains("page as materialized").then(|| (text.to_owned(), parameters.to_owned()))
    })
}

/// The values of `$1 = 'a', $2 = NULL, …`.
fn literals(parameters: &str) -> Vec<String> {
    let (mut all, mut rest) = (Vec::new(), parameters);
    while let Some((_, value)) = rest.split_once(&format!("${} = ", all.len() + 1)) {
        let end = match value.strip_prefix('\'') {
            None => value.find(',').unwrap_or(value.len()),
            Some(quoted) => {
                let mut quotes = 0;
                let close = quoted.char_indices().find(|(at, letter)| {
                    quotes += usize::from(*letter == '\'');
                    quotes % 2 == 1 && *letter == '\'' && !quoted[at + 1..].starts_with('\'')
                });
                close.unwrap().0 + 2
            }
        };
        all.push(value[..end].to_owned());
        rest = &value[end..];
    }
    all
}

impl Statement {
    /// The types of the parameters: those that every search has, then such as PostgreSQL finds out itself. It cannot for one
    /// that is not used.
    pub fn types(&self) -> String {
        const FIRST: [&str; 5] = ["uuid", "uuid", "uuid", "uuid[]", "text[]"];
        let is_used = |number: usize| {
            self.text
                .split(&format!("${number}"))
                .skip(1)
                .any(|behind| !behind.starts_with(|letter: char| letter.is_ascii_digit()))
        };
        let all = (1..=self.parameters.len()).map(|number| match FIRST.get(number - 1) {
            Some(known) => known,
            None if is_used(number) => "unknown",
            None => "text",
        });
        all.collect::<Vec<_>>().join(", ")
    }
}
