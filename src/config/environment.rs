//! The environment, read in one place: the variables that begin with `CLIENTELE_`, and which of them nobody reads.

use std::{collections::BTreeMap, env};

use super::{
    Problems,
    settings::{self, FOREIGN, OTHERS, PREFIX, Setting},
};

/// The variables that begin with `CLIENTELE_`.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// This process's.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads, for the one table that documents")]
    #[must_use]
    pub fn read() -> Self {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }

    /// A variable's value. One that is set to nothing says nothing: that is how a shell line unsets one for a command.
    #[must_use]
    pub fn get(&self, variable: &str) -> Option<&str> {
        self.0.get(variable).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Notes variables that nothing reads: what was meant by them would not happen.
    pub fn verify(&self, problems: &mut Problems) {
        let known: Vec<String> = settings::ALL
            .iter()
            .map(Setting::variable)
            .chain(OTHERS.iter().map(|(name, _)| (*name).to_owned()))
            .chain(FOREIGN.map(str::to_owned))
            .collect();
        let mut links = Vec::new();
        for (name, value) in self.0.iter().filter(|(name, _)| !known.contains(name)) {
            if is_service_link(name, value) {
                links.push(name.as_str());
            } else {
                problems.0.push(format!("{name}: no setting has this variable{}", meant(name, &known)));
            }
        }
        problems.unless(links.is_empty(), || {
            format!(
                "{}: set by Kubernetes for a Service called clientele, and mistakable for settings: \
                 `enableServiceLinks: false` in the pod's spec leaves them out",
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

/// Whether Kubernetes made it: a Service `clientele` gives every pod beside it `CLIENTELE_SERVICE_HOST`,
/// `CLIENTELE_PORT` and `CLIENTELE_PORT_50051_TCP_ADDR`, a Service `clientele-a` the same with `CLIENTELE_A_`.
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

/// A question back, if some known name is close: `, did you mean …?`
pub(super) fn meant(unknown: &str, known: &[impl AsRef<str>]) -> String {
    /// How alike two names must be, from 0 to 1; what clap takes for flags is 0.7.
    const ALIKE: f64 = 0.8;
    let bare = |name: &str| name.trim_start_matches(PREFIX).to_ascii_lowercase();
    let alike = |name: &&str| strsim::jaro_winkler(&bare(unknown), &bare(name));
    let closest = known.iter().map(AsRef::as_ref).max_by(|one, other| alike(one).total_cmp(&alike(other)));
    match closest.filter(|name| alike(name) >= ALIKE) {
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
    fn a_variable_that_nothing_reads_is_named_with_what_was_meant() {
        assert_eq!(
            problems(&[("CLIENTELE_DEADLNE", "secret"), ("CLIENTELE_LOG", "info"), ("CLIENTS", "x")]),
            ["CLIENTELE_DEADLNE: no setting has this variable, did you mean CLIENTELE_DEADLINE?"]
        );
        assert_eq!(problems(&[("CLIENTELE_XYZ", "")]), ["CLIENTELE_XYZ: no setting has this variable"]);
    }

    #[test]
    fn links_of_a_kubernetes_service_are_one_problem_that_says_how_to_be_rid_of_them() {
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
