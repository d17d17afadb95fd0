//! What is wrong with a configuration: collected, so that whoever writes one sees all of it at once.

use std::fmt;

/// All that is wrong with a configuration, a sentence each. They name options and files and never hold a secret.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl Problems {
    /// Notes the problem unless the condition holds.
    pub fn unless(&mut self, fine: bool, problem: impl FnOnce() -> String) {
        if !fine {
            self.0.push(problem());
        }
    }

    /// The value of an option, if it could be read.
    pub fn take<T>(&mut self, option: &str, parsed: Result<T, String>) -> Option<T> {
        parsed.map_err(|problem| self.0.push(format!("{option}: {problem}"))).ok()
    }

    /// What several options describe together, if they could be read; then it is verified too.
    pub fn concern<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Option<T>,
        verify: impl FnOnce(&T, &mut Self),
    ) -> Option<T> {
        let concern = read(self)?;
        verify(&concern, self);
        Some(concern)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the configuration is wrong:")?;
        self.0.iter().try_for_each(|problem| write!(out, "\n  - {problem}"))
    }
}

impl std::error::Error for Problems {}
