//! A process `clientele serve` with the settings that it has by default, and its memory.

use std::{
    fs::{self, File},
    future::ready,
    net::SocketAddr,
    path::PathBuf,
};

use tempfile::TempDir;
use tokio::process::Child;

use crate::{
    processes::{clientele, path},
    world::{AUDIENCE, ISSUER, Keys, OPERATOR, until},
};

/// The most that its resident memory may be, in KiB.
pub const MOST: u64 = 256 * 1024;

pub struct Serve {
    child: Child,
    pub address: SocketAddr,
    log: PathBuf,
    _folder: TempDir,
}

impl Serve {
    /// Starts one on this database and waits until it listens.
    pub async fn start(url: &str, keys: &Keys) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sealing, log) = (folder.path().join("sealing.key"), folder.path().join("log"));
        fs::write(&sealing, std::array::from_fn::<u8, 32, _>(|index| 255 - u8::try_from(index).unwrap())).unwrap();
        let issuer = format!("{ISSUER},{AUDIENCE},{}", path(&keys.jwks()));
        let operator = format!("{ISSUER} {OPERATOR}");
        let mut serve = clientele(&["serve", "--listen=127.0.0.1:0", "--log=warn", "--issuer", &issuer]);
        serve.args(["--database-url", url, "--operator", &operator, "--sealing-key-file", path(&sealing)]);
        let mut child = serve.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut address = None;
        until("it listens", || {
            let text = fs::read_to_string(&log).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "it ended: {text}");
            let line = text.lines().find_map(|line| line.strip_prefix("listening on ")?.parse().ok());
            address = line;
            ready(line.is_some())
        })
        .await;
        Self { child, address: address.unwrap(), log, _folder: folder }
    }

    /// Asserts that it has never had more resident memory than it may.
    pub fn check(&self, after: &str) {
        let [peak, now] = ["VmHWM:", "VmRSS:"].map(|name| self.memory(name));
        eprintln!("after {after}: {} MiB at most, {} MiB now", peak / 1024, now / 1024);
        assert!(peak < MOST, "after {after}: {peak} KiB; its log: {}", fs::read_to_string(&self.log).unwrap());
    }

    /// A line of its status, in KiB.
    fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id().expect("it runs"))).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of memory");
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}
