//! The violations of a request, field by field, reported together: each says what is wrong and what is accepted.

use std::borrow::Cow;

use super::rule_code::RuleCode;

/// The rule that a value breaks, as a sentence that starts with a verb and ends without a stop: "must be at most 120
/// characters; this has 134". It never repeats the value, which may be personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    code: RuleCode,
    text: Cow<'static, str>,
}

impl Rule {
    /// A rule whose text is fixed, without a code of its own.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self::coded(RuleCode::ValueInvalid, text)
    }

    /// A rule whose text contains numbers or names of ours, without a code of its own.
    #[must_use]
    pub fn with(text: String) -> Self {
        Self::coded_with(RuleCode::ValueInvalid, text)
    }

    /// A rule with a code, whose text is fixed.
    #[must_use]
    pub const fn coded(code: RuleCode, text: &'static str) -> Self {
        Self { code, text: Cow::Borrowed(text) }
    }

    /// A rule with a code, whose text contains numbers or names of ours.
    #[must_use]
    pub fn coded_with(code: RuleCode, text: String) -> Self {
        Self { code, text: Cow::Owned(text) }
    }

    /// That of a field which the account's policy requires and that is empty.
    pub const REQUIRED_BY_POLICY: Self =
        Self::coded(RuleCode::Required, "must be given: the account's policy required_to_create names it");

    /// Which rule it is.
    #[must_use]
    pub const fn code(&self) -> RuleCode {
        self.code
    }

    /// The sentence.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// One field that breaks a rule. `field` is the path as the client wrote it: `customer.tax_ids[1].value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field in the request.
    pub field: String,
    /// The rule.
    pub rule: Rule,
}

/// All violations of one request, in the order in which they were found. Empty: the request is valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// The violation of a single field.
    #[must_use]
    pub fn of(field: impl Into<String>, rule: Rule) -> Self {
        Self(vec![Violation { field: field.into(), rule }])
    }

    /// Adds one violation.
    pub fn push(&mut self, field: impl Into<String>, rule: Rule) {
        self.0.push(Violation { field: field.into(), rule });
    }

    /// Returns the parsed value, or adds the violation.
    pub fn check<T>(&mut self, field: impl Into<String>, parsed: Result<T, Rule>) -> Option<T> {
        parsed.map_err(|rule| self.push(field, rule)).ok()
    }

    /// Returns a nested message's value, or adds its violations with `field` before their paths, unless that is empty.
    pub fn nest<T>(&mut self, field: &str, parsed: Result<T, Violations>) -> Option<T> {
        let below = |path: String| match (field, path.as_str()) {
            ("", _) => path,
            (_, "") => field.to_owned(),
            _ => format!("{field}.{path}"),
        };
        let inner = match parsed {
            Ok(value) => return Some(value),
            Err(inner) => inner.0,
        };
        self.0.extend(inner.into_iter().map(|Violation { field, rule }| Violation { field: below(field), rule }));
        None
    }

    /// The value, if there are no violations. `parts` is `Some` whenever no check failed.
    ///
    /// # Errors
    /// All violations.
    pub fn finish<T>(self, parts: Option<T>) -> Result<T, Self> {
        match parts {
            Some(whole) if self.0.is_empty() => Ok(whole),
            _ => Err(self),
        }
    }

    /// Adds the violations of others, whose paths are complete.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Whether a violation names this field, a part of it or what it is part of.
    #[must_use]
    pub fn concern(&self, field: &str) -> bool {
        let is_within = |part: &str, whole: &str| {
            part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.0.iter().any(|violation| is_within(&violation.field, field) || is_within(field, &violation.field))
    }

    /// Whether there are no violations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every violation, in order.
    #[must_use]
    pub fn all(&self) -> &[Violation] {
        &self.0
    }
}
