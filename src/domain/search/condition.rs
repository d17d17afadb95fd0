//! What the index is asked for, and how lexemes are written for PostgreSQL.

use std::collections::BTreeSet;

use serde::Serializer;

/// Stands in the text of a condition for what the keys of an account and a bucket begin with.
pub const IN_BUCKET: char = '\u{1}';
/// The same of keys that are in no bucket: those of lexemes that begin with a capital letter.
pub const IN_NODE: char = '\u{2}';

/// A condition on the lexemes of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It has this lexeme.
    Has(String),
    /// It has one that begins so.
    Begins(String),
    /// All of these hold.
    All(Vec<Self>),
    /// One of these holds.
    Any(Vec<Self>),
}

impl Condition {
    /// That there is a lexeme that begins so, or is this one, if no longer one begins so.
    pub(super) fn begins(lexeme: String, is_open: bool) -> Self {
        if is_open { Self::Begins(lexeme) } else { Self::Has(lexeme) }
    }

    /// That all of these hold, of which there is at least one.
    #[must_use]
    pub fn all(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(conditions, Self::All)
    }

    /// That one of these holds, of which there is at least one.
    #[must_use]
    pub fn any(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(conditions, Self::Any)
    }

    /// Each once; those of the same kind are taken apart.
    fn joined(conditions: impl IntoIterator<Item = Self>, joined: fn(Vec<Self>) -> Self) -> Self {
        let kind = std::mem::discriminant(&joined(Vec::new()));
        let mut distinct: Vec<Self> = Vec::new();
        for condition in conditions {
            let is_same = std::mem::discriminant(&condition) == kind;
            let parts = match condition {
                Self::All(parts) | Self::Any(parts) if is_same => parts,
                other => vec![other],
            };
            for part in parts {
                if !distinct.contains(&part) {
                    distinct.push(part);
                }
            }
        }
        if distinct.len() == 1 { distinct.remove(0) } else { joined(distinct) }
    }

    /// Whether it asks for nothing that is in a bucket.
    #[must_use]
    pub fn is_in_no_bucket(&self) -> bool {
        match self {
            Self::Has(lexeme) | Self::Begins(lexeme) => place(lexeme) == IN_NODE,
            Self::All(conditions) | Self::Any(conditions) => conditions.iter().all(Self::is_in_no_bucket),
        }
    }

    /// As text of a PostgreSQL `tsquery`, with [`IN_BUCKET`] or [`IN_NODE`] before each lexeme.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        let (conditions, between) = match self {
            Self::Has(lexeme) => return quoted(lexeme, text),
            Self::Begins(lexeme) => {
                quoted(lexeme, text);
                return text.push_str(":*");
            }
            Self::All(conditions) => (conditions, '&'),
            Self::Any(conditions) => (conditions, '|'),
        };
        text.push('(');
        for (place, condition) in conditions.iter().enumerate() {
            if place > 0 {
                text.push(between);
            }
            condition.write(text);
        }
        text.push(')');
    }

    #[cfg(test)]
    pub(super) fn holds(&self, lexemes: &BTreeSet<String>) -> bool {
        match self {
            Self::Has(lexeme) => lexemes.contains(lexeme),
            Self::Begins(start) => {
                lexemes.range(start.clone()..).next().is_some_and(|lexeme| lexeme.starts_with(start))
            }
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(lexemes)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(lexemes)),
        }
    }
}

fn place(lexeme: &str) -> char {
    if lexeme.starts_with(|kind: char| kind.is_ascii_uppercase()) { IN_NODE } else { IN_BUCKET }
}

fn quoted(lexeme: &str, text: &mut String) {
    text.push('\'');
    text.push(place(lexeme));
    push_escaped(lexeme, text);
    text.push('\'');
}

/// Adds a lexeme as it stands between quotes in the text of a `tsquery` or a `tsvector`.
fn push_escaped(lexeme: &str, text: &mut String) {
    for letter in lexeme.chars() {
        if matches!(letter, '\'' | '\\') {
            text.push(letter);
        }
        text.push(letter);
    }
}

/// Serializes lexemes as the text of a PostgreSQL `tsvector`.
pub(super) fn as_tsvector<S: Serializer>(lexemes: &BTreeSet<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::new();
    for lexeme in lexemes {
        text.push_str(if text.is_empty() { "'" } else { " '" });
        push_escaped(lexeme, &mut text);
        text.push('\'');
    }
    serializer.serialize_str(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_a_tsquery() {
        let (has, begins) = (Condition::Has("wit's".to_owned()), Condition::Begins(r"w\".to_owned()));
        let both = Condition::any([Condition::all([has.clone(), begins.clone(), has.clone()]), begins.clone()]);
        assert_eq!(both.text(), "(('\u{1}wit''s'&'\u{1}w\\\\':*)|'\u{1}w\\\\':*)");
        assert_eq!(Condition::all([has.clone(), has.clone()]), has);
        let everywhere = Condition::Begins("Nwit".to_owned());
        assert_eq!(everywhere.text(), "'\u{2}Nwit':*");
        assert!(everywhere.is_in_no_bucket() && !Condition::all([everywhere, has]).is_in_no_bucket());
        let three = |place: &str| Condition::Has(place.to_owned());
        let nested = Condition::any([Condition::any([three("a"), three("b")]), three("b"), three("c")]);
        assert_eq!(nested, Condition::Any(vec![three("a"), three("b"), three("c")]));
    }
}
