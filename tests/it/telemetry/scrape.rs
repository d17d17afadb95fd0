//! Reads metrics as Prometheus does.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::world::World;

/// One line: a name, its labels, its value.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// The metrics of one scrape.
#[derive(Clone, Debug)]
pub struct Scrape {
    pub text: String,
    /// The type of each family: counter, gauge, histogram.
    pub types: BTreeMap<String, String>,
    pub samples: Vec<Sample>,
}

/// The metrics of the world's server.
pub async fn scrape(world: &World) -> Scrape {
    scrape_at(world.server.metrics_address().expect("it has a port for metrics")).await
}

/// The metrics at this address.
pub async fn scrape_at(address: SocketAddr) -> Scrape {
    let (head, text) = get(address, "GET", "/metrics").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{head}");
    Scrape::parse(text)
}

/// An answer's head and body.
pub async fn get(address: SocketAddr, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

impl Scrape {
    fn parse(text: String) -> Self {
        let (mut types, mut samples) = (BTreeMap::new(), Vec::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} comes twice");
            } else if !line.starts_with('#') {
                samples.push(sample(line));
            }
        }
        Self { text, types, samples }
    }

    /// The sum of the samples of this name with these labels; they may have other labels too.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let of_name = self.samples.iter().filter(|sample| sample.name == name);
        let fitting = of_name
            .filter(|sample| labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|its| its == value)));
        fitting.map(|sample| sample.value).sum()
    }

    /// Every series: a name and its labels.
    pub fn series(&self) -> BTreeSet<String> {
        self.samples.iter().map(|sample| format!("{}{:?}", sample.name, sample.labels)).collect()
    }

    /// The family of a sample.
    pub fn family(&self, sample: &Sample) -> String {
        let mut parts = ["_bucket", "_sum", "_count"].iter().filter_map(|part| sample.name.strip_suffix(part));
        let histogram = parts.find(|name| self.types.get(*name).is_some_and(|kind| kind == "histogram"));
        histogram.unwrap_or(&sample.name).to_owned()
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap()),
        None => (series, ""),
    };
    let pairs = labels.split("\",").filter(|pair| !pair.is_empty()).map(|pair| pair.trim_end_matches('"'));
    let labels =
        pairs.map(|pair| pair.split_once("=\"").unwrap()).map(|(key, value)| (key.to_owned(), value.to_owned()));
    Sample { name: name.to_owned(), labels: labels.collect(), value: value.parse().unwrap() }
}
