//! The problems of a configuration, collected so that all of them are reported at once.

use std::fmt;

/// All problems of a configuration, a sentence each. They name options and files and never contain a secret.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl Problems {
    /// Adds the problem unless the condition is true.
    pub fn require(&mut self, condition: bool, problem: impl FnOnce() -> String) {
        if !condition {
            self.0.push(problem());
        }
    }

    /// Returns the option's value, or adds why it could not be parsed.
    pub fn value_of<T>(&mut self, option: &str, parsed: Result<T, String>) -> Option<T> {
        parsed.map_err(|problem| self.0.push(format!("{option}: {problem}"))).ok()
    }

    /// Reads a struct from several options and, if all could be parsed, verifies it.
    pub fn read_and_verify<T>(
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
        out.write_str("the configuration is invalid:")?;
        self.0.iter().try_for_each(|problem| write!(out, "\n  - {problem}"))
    }
}

impl std::error::Error for Problems {}
