//! A real mail server: aiosmtpd, installed by pip into the cache of the tools.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::OnceCell,
};

const AIOSMTPD: &str = "aiosmtpd==1.4.6";
static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();

/// Where it is installed. The first test that needs it installs it, and needs the network for that; a folder is complete or
/// not there.
async fn installed() -> &'static Path {
    INSTALLED
        .get_or_init(|| async {
            let cache = std::env::var("XDG_CACHE_HOME").map(PathBuf::from);
            let cache = cache.unwrap_or_else(|_| PathBuf::from(std::env::var("HOME").unwrap()).join(".cache"));
            let tools = cache.join("clientele-tools");
            let folder = tools.join(AIOSMTPD.replace("==", "-"));
            if !folder.exists() {
                std::fs::create_dir_all(&tools).unwrap();
                let fresh = tempfile::tempdir_in(&tools).unwrap();
                let target = fresh.path().join("it");
                let pip = Command::new("python3")
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
                    .arg(&target)
                    .arg(AIOSMTPD)
                    .status();
                assert!(pip.await.unwrap().success(), "pip cannot install {AIOSMTPD}");
                // Another process may have been faster.
                if std::fs::rename(&target, &folder).is_err() {
                    assert!(folder.exists());
                }
            }
            folder
        })
        .await
}

/// A mail that the server has taken.
#[derive(Debug, Deserialize)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    pub data: String,
    pub tls: bool,
    pub user: Option<String>,
}

/// The server. It ends with the test.
pub struct MailServer {
    pub port: u16,
    mails: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl MailServer {
    /// Starts it; `security` as in the setting. The certificate is for TLS alone.
    pub async fn start(security: &str, certificate: &Path, key: &Path) -> Self {
        let mut process = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/mail/server.py"))
            .args([security.as_ref(), certificate.as_os_str(), key.as_os_str()])
            .env("PYTHONPATH", installed().await)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut mails = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = mails.next_line().await.unwrap().expect("it starts").parse().unwrap();
        Self { port, mails, _process: process }
    }

    /// The next mail.
    pub async fn next(&mut self) -> Mail {
        let line = tokio::time::timeout(std::time::Duration::from_secs(20), self.mails.next_line()).await;
        serde_json::from_str(&line.expect("a mail within 20 seconds").unwrap().expect("it runs")).unwrap()
    }
}

impl Mail {
    /// The header of this name.
    pub fn header(&self, name: &str) -> String {
        let lines = self.data.lines().take_while(|line| !line.is_empty());
        let wanted = format!("{}: ", name.to_lowercase());
        let found = lines.into_iter().find(|line| line.to_lowercase().starts_with(&wanted));
        found.unwrap_or_else(|| panic!("no {name} in {}", self.data))[wanted.len()..].to_owned()
    }

    /// The decoded text of the mail's parts, read by Python's own parser: text, then HTML.
    pub async fn parts(&self) -> [String; 2] {
        let read = "import email, email.policy, json, sys
mail = email.message_from_string(sys.stdin.read(), policy=email.policy.default)
print(json.dumps([mail.get_body((kind,)).get_content() for kind in ('plain', 'html')] + [str(mail['subject'])]))";
        let mut python =
            Command::new("python3").args(["-c", read]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = python.stdin.take().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut input, self.data.as_bytes()).await.unwrap();
        drop(input);
        let output = python.wait_with_output().await.unwrap();
        let [text, html, _]: [String; 3] = serde_json::from_slice(&output.stdout).unwrap();
        [text, html]
    }
}
