//! The environment, read in one place: the variables that begin with `CLIENTELE_`. Unknown ones are problems.

use std::{collections::BTreeMap, env};

use super::{
    problems::Problems,
    settings::{self, OTHER_VARIABLES, PREFIX, Setting, TEST_VARIABLES},
};

/// The variables that begin with `CLIENTELE_`.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads this process's environment.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    #[must_use]
    pub fn read() -> Self {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }

    /// Returns a variable's value. An empty value counts as unset: `VARIABLE= command` unsets it for one command.
    #[must_use]
    pub fn get(&self, variable: &str) -> Option<&str> {
        self.0.get(variable).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Adds a problem for each unknown variable: it is probably misspelt, and would have no effect.
    pub fn verify(&self, problems: &mut Problems) {
        let known: Vec<String> = settings::ALL
            .iter()
            .map(Setting::variable)
            .chain(OTHER_VARIABLES.iter().map(|(name, _)| (*name).to_owned()))
            .chain(TEST_VARIABLES.map(str::to_owned))
            .collect();
        let mut links = Vec::new();
        for (name, value) in self.0.iter().filter(|(name, _)| !known.contains(name)) {
            if is_service_link(name, value) {
                links.push(name.as_str());
            } else {
                problems.0.push(format!("{name}: unknown variable{}", did_you_mean(name, &known)));
            }
        }
        problems.require(links.is_empty(), || {
            format!(
                "{}: set by Kubernetes for a Service named clientele, and easily mistaken for settings: \
                 set `enableServiceLinks: false` in the pod's spec",
                links.join(", ")
            )
        });
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect())
    }
}

/// Whether Kubernetes set the variable: for a Service `clientele` every pod in its namespace has `CLIENTELE_SERVICE_HOST`,
/// `CLIENTELE_PORT` and `CLIENTELE_PORT_50051_TCP_ADDR`; for a Service `clientele-a` the same with `CLIENTELE_A_`.
fn is_service_link(name: &str, value: &str) -> bool {
    let by_transport = |port: &str| {
        let after = port.trim_start_matches(|char: char| char.is_ascii_digit());
        after.len() < port.len() && ["_TCP", "_UDP", "_SCTP"].iter().any(|transport| after.starts_with(transport))
    };
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && value.contains("://"))
        || name.match_indices("_PORT_").any(|(at, found)| name.get(at + found.len()..).is_some_and(by_transport))
}

/// A suggestion, if a known name is similar: `, did you mean …?`
pub(super) fn did_you_mean(unknown: &str, known: &[impl AsRef<str>]) -> String {
    /// The least similarity of two names, from 0 to 1; clap uses 0.7 for flags.
    const MIN_SIMILARITY: f64 = 0.8;
    let bare = |name: &str| name.trim_start_matches(PREFIX).to_ascii_lowercase();
    let similarity = |name: &&str| strsim::jaro_winkler(&bare(unknown), &bare(name));
    let closest = known.iter().map(AsRef::as_ref).max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    match closest.filter(|name| similarity(name) >= MIN_SIMILARITY) {
        Some(name) => format!(", did you mean {name}?"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(variables: &[(&str, &str)]) -> Vec<String> {
        let environment: Environment =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut problems = Problems::default();
        environment.verify(&mut problems);
        problems.0
    }

    #[test]
    fn an_unknown_variable_is_reported_with_a_suggestion() {
        assert_eq!(
            problems(&[("CLIENTELE_DEADLNE", "secret"), ("CLIENTELE_LOG", "info"), ("CLIENTS", "x")]),
            ["CLIENTELE_DEADLNE: unknown variable, did you mean CLIENTELE_DEADLINE?"]
        );
        assert_eq!(problems(&[("CLIENTELE_XYZ", "")]), ["CLIENTELE_XYZ: unknown variable"]);
    }

    #[test]
    fn service_links_of_kubernetes_are_one_problem_that_says_how_to_remove_them() {
        let found = problems(&[
            ("CLIENTELE_SERVICE_HOST", "10.0.0.1"),
            ("CLIENTELE_SERVICE_PORT_GRPC", "50051"),
            ("CLIENTELE_PORT", "tcp://10.0.0.1:50051"),
            ("CLIENTELE_PORT_50051_TCP_ADDR", "10.0.0.1"),
            ("CLIENTELE_CANARY_PORT_50051_TCP", "tcp://10.0.0.1:50051"),
        ]);
        let [problem] = &found[..] else { panic!("{found:?}") };
        assert!(problem.contains("enableServiceLinks: false") && problem.contains("CLIENTELE_CANARY_PORT_50051_TCP"));
        assert_eq!(problems(&[("CLIENTELE_PORT", "50051")]).len(), 1);
        assert!(!problems(&[("CLIENTELE_PORT", "50051")])[0].contains("Kubernetes"));
    }
}
