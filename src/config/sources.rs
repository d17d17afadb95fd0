//! What was said of each setting, and where: the first of flag, environment, file and default that says anything.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::{
    Environment, Problems, file,
    settings::{ALL, CONFIG_VARIABLE, Kind, Setting},
};

/// What the command line says, by the settings' keys.
pub type Flags = BTreeMap<&'static str, Vec<String>>;

/// Where a value was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// On the command line.
    Flag,
    /// In the environment.
    Environment,
    /// In the file.
    File,
    /// Nowhere.
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

/// What was said, still as texts.
#[derive(Clone, Debug)]
pub struct RawSettings {
    values: BTreeMap<&'static str, (Vec<String>, Source)>,
    file: Option<PathBuf>,
}

impl RawSettings {
    /// Gathers what is said. `file` is the one that the command line names; else the environment may name one.
    ///
    /// Unknown keys and variables are problems, whichever command is run: a name that is spelt wrong is spelt wrong.
    #[must_use]
    pub fn gather(flags: &Flags, environment: &Environment, file: Option<&Path>, problems: &mut Problems) -> Self {
        environment.verify(problems);
        let file = file.map(Path::to_owned).or_else(|| environment.get(CONFIG_VARIABLE).map(PathBuf::from));
        let filed = file.as_deref().map(|file| file::read(file, problems)).unwrap_or_default();
        let said = |setting: &Setting| {
            let written = |texts: Vec<&str>| -> Vec<String> {
                let apart = texts.into_iter().flat_map(|text| match setting.kind {
                    Kind::List(_) => text.split(';').collect(),
                    _ => vec![text],
                });
                apart.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
            };
            let on_line = flags.get(setting.key).map(|texts| written(texts.iter().map(String::as_str).collect()));
            let around = environment.get(&setting.variable()).map(|text| written(vec![text]));
            let by_default = (!setting.default.is_empty()).then(|| vec![setting.default.to_owned()]);
            [
                (on_line, Source::Flag),
                (around, Source::Environment),
                (filed.get(setting.key).cloned(), Source::File),
                (by_default, Source::Default),
            ]
            .into_iter()
            .find_map(|(texts, source)| Some((texts.filter(|texts| !texts.is_empty())?, source)))
        };
        let values = ALL.iter().filter_map(|setting| Some((setting.key, said(setting)?))).collect();
        Self { values, file }
    }

    /// A setting's value; none if nobody says anything and there is no default.
    #[must_use]
    pub fn one(&self, setting: &Setting) -> Option<&str> {
        self.all(setting).first().map(String::as_str)
    }

    /// A list's values.
    #[must_use]
    pub fn all(&self, setting: &Setting) -> &[String] {
        self.values.get(setting.key).map(|(texts, _)| texts.as_slice()).unwrap_or_default()
    }

    /// What a problem with the setting is to be called by: its flag, and where its value was said if not there.
    #[must_use]
    pub fn label(&self, setting: &Setting) -> String {
        let flag = format!("--{}", setting.flag());
        match (self.values.get(setting.key).map(|(_, source)| *source), &self.file) {
            (Some(Source::Environment), _) => format!("{flag} ({})", setting.variable()),
            (Some(Source::File), Some(file)) => format!("{flag} ({} in {})", setting.key, file.display()),
            _ => flag,
        }
    }

    /// All that holds, as a file that says it would, with the source of each and without secrets.
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
    use crate::config::settings::{CONNECTIONS, DATABASE_URL, DEADLINE, DRAIN, LISTEN, OPERATORS};

    fn gather(flags: &[(&'static str, &str)], environment: &[(&str, &str)], file: &str) -> (RawSettings, Vec<String>) {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), file).unwrap();
        let flags = flags.iter().map(|(key, value)| (*key, vec![(*value).to_owned()])).collect();
        let named = [("CLIENTELE_CONFIG", path.path().to_str().unwrap())];
        let environment =
            environment.iter().chain(&named).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut problems = Problems::default();
        let said = RawSettings::gather(&flags, &environment.collect(), None, &mut problems);
        (said, problems.0)
    }

    #[test]
    fn a_flag_goes_before_the_environment_before_the_file_before_the_default() {
        let file = "listen: d:1\ndeadline: 3s\ndrain: 4s\n";
        let around = [("CLIENTELE_LISTEN", "b:1"), ("CLIENTELE_DEADLINE", "2s"), ("CLIENTELE_DRAIN", "")];
        let (said, problems) = gather(&[("listen", "a:1")], &around, file);
        assert!(problems.is_empty(), "{problems:?}");
        let told = [LISTEN, DEADLINE, DRAIN, CONNECTIONS].map(|setting| said.one(&setting).unwrap().to_owned());
        assert_eq!(told, ["a:1", "2s", "4s", "16"]);
        assert_eq!(said.label(&LISTEN), "--listen");
        assert_eq!(said.label(&DEADLINE), "--deadline (CLIENTELE_DEADLINE)");
        assert!(said.label(&DRAIN).starts_with("--drain (drain in /"));
    }

    #[test]
    fn a_list_is_said_as_a_whole_by_the_first_who_says_it() {
        let file = "operators: ['i one;two', 'i three']\n";
        assert_eq!(gather(&[], &[], file).0.all(&OPERATORS), ["i one;two", "i three"]);
        assert_eq!(gather(&[], &[("CLIENTELE_OPERATORS", "i a; i b ;")], file).0.all(&OPERATORS), ["i a", "i b"]);
    }

    #[test]
    fn what_holds_can_be_read_again_and_holds_no_secret() {
        let file = "database_url: postgres://me:hunter2@db/x\noperators: ['i \"one\"']\nconnections: 3\n";
        let (said, _) = gather(&[("listen", "a:1")], &[], file);
        let told = said.effective();
        assert!(told.contains("database_url: (hidden)  # file") && !told.contains("hunter2"), "{told}");
        assert!(told.contains("connections: 3  # file") && told.contains("listen: \"a:1\"  # flag"), "{told}");
        let (again, problems) = gather(&[], &[], &told);
        assert!(problems.is_empty(), "{problems:?}");
        for setting in ALL.iter().filter(|setting| setting.key != DATABASE_URL.key) {
            assert_eq!(said.all(setting), again.all(setting), "{}", setting.key);
        }
    }
}
