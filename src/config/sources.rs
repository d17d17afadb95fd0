//! The texts of all settings and their sources. The first of flag, environment, file and default that has a value wins.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::{
    environment::Environment,
    file,
    problems::Problems,
    settings::{ALL, CONFIG_VARIABLE, Kind, Setting},
};

/// The command line's values, by the settings' keys.
pub type Flags = BTreeMap<&'static str, Vec<String>>;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag,
    /// The environment.
    Environment,
    /// The configuration file.
    File,
    /// The setting's default.
    Default,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

/// The texts of all settings, not parsed yet.
#[derive(Clone, Debug)]
pub struct RawSettings {
    values: BTreeMap<&'static str, (Vec<String>, Source)>,
    file: Option<PathBuf>,
}

impl RawSettings {
    /// Gathers the values. `file` is the command line's configuration file; without it the environment may name one.
    ///
    /// Unknown keys and variables are problems for every command: they are probably misspelt.
    #[must_use]
    pub fn gather(flags: &Flags, environment: &Environment, file: Option<&Path>, problems: &mut Problems) -> Self {
        environment.verify(problems);
        let file = file.map(Path::to_owned).or_else(|| environment.get(CONFIG_VARIABLE).map(PathBuf::from));
        let in_file = file.as_deref().map(|file| file::read(file, problems)).unwrap_or_default();
        let value_of = |setting: &Setting| {
            let split = |texts: Vec<&str>| -> Vec<String> {
                let parts = texts.into_iter().flat_map(|text| match setting.kind {
                    Kind::List(_) => text.split(';').collect(),
                    _ => vec![text],
                });
                parts.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
            };
            let flag = flags.get(setting.key).map(|texts| split(texts.iter().map(String::as_str).collect()));
            let variable = environment.get(&setting.variable()).map(|text| split(vec![text]));
            let default = (!setting.default.is_empty()).then(|| split(vec![setting.default]));
            [
                (flag, Source::Flag),
                (variable, Source::Environment),
                (in_file.get(setting.key).cloned(), Source::File),
                (default, Source::Default),
            ]
            .into_iter()
            .find_map(|(texts, source)| Some((texts.filter(|texts| !texts.is_empty())?, source)))
        };
        let values = ALL.iter().filter_map(|setting| Some((setting.key, value_of(setting)?))).collect();
        Self { values, file }
    }

    /// Returns a setting's value; none if no source has one and there is no default.
    #[must_use]
    pub fn value(&self, setting: &Setting) -> Option<&str> {
        self.values(setting).first().map(String::as_str)
    }

    /// Returns a list's values.
    #[must_use]
    pub fn values(&self, setting: &Setting) -> &[String] {
        self.values.get(setting.key).map(|(texts, _)| texts.as_slice()).unwrap_or_default()
    }

    /// Names the setting in a problem: its flag, and the source of its value if that is another.
    #[must_use]
    pub fn label(&self, setting: &Setting) -> String {
        let flag = format!("--{}", setting.flag());
        match (self.values.get(setting.key).map(|(_, source)| *source), &self.file) {
            (Some(Source::Environment), _) => format!("{flag} ({})", setting.variable()),
            (Some(Source::File), Some(file)) => format!("{flag} ({} in {})", setting.key, file.display()),
            _ => flag,
        }
    }

    /// Prints the effective settings in the file's format, each with its source, without secrets.
    #[must_use]
    pub fn effective(&self) -> String {
        let mut text = String::new();
        for setting in ALL {
            let Some((texts, source)) = self.values.get(setting.key) else { continue };
            let value = match (setting.kind, &texts[..]) {
                (Kind::Secret(_), _) => "(hidden)".to_owned(),
                (Kind::List(_), texts) => serde_json::json!(texts).to_string(),
                (Kind::Switch | Kind::Number, [text, ..]) => text.clone(),
                (_, texts) => serde_json::json!(texts.concat()).to_string(),
            };
            let _ = writeln!(text, "{}: {value}  # {}", setting.key, source.name());
        }
        text.truncate(text.trim_end().len());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{DATABASE_URL, DEADLINE, DRAIN_TIMEOUT, LISTEN, OPERATORS, POOL_SIZE};

    fn gather(flags: &[(&'static str, &str)], environment: &[(&str, &str)], file: &str) -> (RawSettings, Vec<String>) {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), file).unwrap();
        let flags = flags.iter().map(|(key, value)| (*key, vec![(*value).to_owned()])).collect();
        let named = [("CLIENTELE_CONFIG", path.path().to_str().unwrap())];
        let environment =
            environment.iter().chain(&named).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut problems = Problems::default();
        let raw = RawSettings::gather(&flags, &environment.collect(), None, &mut problems);
        (raw, problems.0)
    }

    #[test]
    fn a_flag_overrides_the_environment_which_overrides_the_file_which_overrides_the_default() {
        let file = "listen: d:1\ndeadline: 3s\ndrain_timeout: 4s\n";
        let variables = [("CLIENTELE_LISTEN", "b:1"), ("CLIENTELE_DEADLINE", "2s"), ("CLIENTELE_DRAIN_TIMEOUT", "")];
        let (raw, problems) = gather(&[("listen", "a:1")], &variables, file);
        assert!(problems.is_empty(), "{problems:?}");
        let values =
            [LISTEN, DEADLINE, DRAIN_TIMEOUT, POOL_SIZE].map(|setting| raw.value(&setting).unwrap().to_owned());
        assert_eq!(values, ["a:1", "2s", "4s", "16"]);
        assert_eq!(raw.label(&LISTEN), "--listen");
        assert_eq!(raw.label(&DEADLINE), "--deadline (CLIENTELE_DEADLINE)");
        assert!(raw.label(&DRAIN_TIMEOUT).starts_with("--drain-timeout (drain_timeout in /"));
    }

    #[test]
    fn a_list_comes_from_one_source_as_a_whole() {
        let file = "operators: ['i one;two', 'i three']\n";
        assert_eq!(gather(&[], &[], file).0.values(&OPERATORS), ["i one;two", "i three"]);
        assert_eq!(gather(&[], &[("CLIENTELE_OPERATORS", "i a; i b ;")], file).0.values(&OPERATORS), ["i a", "i b"]);
    }

    #[test]
    fn the_effective_settings_can_be_read_again_and_contain_no_secret() {
        let file = "database_url: postgres://me:hunter2@db/x\noperators: ['i \"one\"']\npool_size: 3\n";
        let (raw, _) = gather(&[("listen", "a:1")], &[], file);
        let printed = raw.effective();
        assert!(printed.contains("database_url: (hidden)  # file") && !printed.contains("hunter2"), "{printed}");
        assert!(printed.contains("pool_size: 3  # file") && printed.contains("listen: \"a:1\"  # flag"), "{printed}");
        let (again, problems) = gather(&[], &[], &printed);
        assert!(problems.is_empty(), "{problems:?}");
        for setting in ALL.iter().filter(|setting| setting.key != DATABASE_URL.key) {
            assert_eq!(raw.values(setting), again.values(setting), "{}", setting.key);
        }
    }
}
