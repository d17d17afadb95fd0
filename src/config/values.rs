//! How the values of settings are read: required ones, lists, and secrets in files.

use std::{fs, path::PathBuf};

use super::{problems::Problems, settings::Setting, sources::RawSettings};

/// A file with a secret text.
pub(super) struct SecretFile {
    label: String,
    pub(super) file: PathBuf,
}

impl SecretFile {
    pub(super) fn new(raw: &RawSettings, setting: &Setting, file: &str) -> Self {
        Self { label: raw.label(setting), file: file.into() }
    }

    pub(super) fn name(&self) -> String {
        format!("{} {}", self.label, self.file.display())
    }

    /// Reads the text without the final line break that editors add.
    pub(super) fn read(&self) -> Result<String, String> {
        let text = fs::read_to_string(&self.file).map_err(|error| format!("{}: {error}", self.name()))?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() { Err(format!("{} is empty", self.name())) } else { Ok(text.to_owned()) }
    }
}

/// Parses the value of a setting that must have one.
pub(super) fn required<T>(
    raw: &RawSettings,
    problems: &mut Problems,
    setting: &Setting,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let text = raw.value(setting).ok_or_else(|| "is missing".to_owned());
    problems.value_of(&raw.label(setting), text.and_then(parse))
}

/// Parses the values of a list and adds the problem of each wrong one; none if there is a problem.
pub(super) fn list<T>(
    raw: &RawSettings,
    problems: &mut Problems,
    setting: &Setting,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<T>> {
    let label = raw.label(setting);
    let values: Vec<Option<T>> =
        raw.values(setting).iter().map(|text| problems.value_of(&label, parse(text))).collect();
    values.into_iter().collect()
}
