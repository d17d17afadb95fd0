//! PostgreSQL's log.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::error::Error;

const TAIL_LINES: usize = 20;
const TAIL_BYTES: u16 = 16 << 10;

/// PostgreSQL's log. This process opens it, because PostgreSQL's user may not be able to write there.
#[derive(Debug)]
pub(super) struct Log(File);

impl Log {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().create(true).append(true).read(true).open(path);
        let log = Self(file.map_err(Error::io("open", path))?);
        log.0.set_len(0).map_err(Error::io("empty", path))?; // otherwise it grows for ever
        Ok(log)
    }

    /// Returns the file for a process to write to.
    pub(super) fn file(&self) -> Result<File, Error> {
        self.0.try_clone().map_err(|source| Error::Io { doing: "cannot share PostgreSQL's log".to_owned(), source })
    }

    /// Returns its last lines, even if its folder has been removed.
    pub(super) fn tail(&self) -> String {
        let mut bytes = vec![0; TAIL_BYTES.into()];
        let from = self.0.metadata().map_or(0, |log| log.len().saturating_sub(TAIL_BYTES.into()));
        let count = self.0.read_at(&mut bytes, from).unwrap_or(0);
        bytes.truncate(count);
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(TAIL_LINES)).copied().collect::<Vec<_>>().join("\n")
    }
}
