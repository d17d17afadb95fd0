//! Postal codes by country, and the parts that an address of each country needs.
//!
//! The table is `addresses.tsv`, from the data of Google's libaddressinput; `.ci/addresses` renews it. It has no Eircodes of Ireland, which
//! are optional there, and no word on which countries have no codes at all; both are here.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{LazyLock, OnceLock},
};

use regex::bytes::{Regex, RegexBuilder};

use super::shape::ascii;
use crate::domain::values::{address::AddressPart, rule_code::RuleCode, violation::Rule};

const TABLE: &str = include_str!("addresses.tsv");

/// Countries whose post uses no codes, by the Universal Postal Union's list of addressing systems. One that has had codes for
/// some years, or is about to, is not among them.
const WITHOUT: &[&str] = &[
    "AE", "AG", "AW", "BF", "BI", "BJ", "BS", "BZ", "CF", "CM", "DJ", "DM", "ER", "FJ", "GM", "GQ", "HK", "KI", "KM",
    "KP", "ML", "MO", "MR", "NR", "QA", "SB", "SC", "SL", "SR", "ST", "TG", "TV", "VU", "YE", "ZW",
];

/// Eircodes: a routing key and four characters. Few people of Ireland know theirs.
const EIRCODE: (&str, &str) = (r"[AC-FHKNPRTV-Y]\d[\dW][ ]?[\dAC-FHKNPRTV-Y]{4}", "A65 F4E2,D02 X285");

/// What people write before a code in place of the country's: the sign on its cars, as post offices once asked for.
const CAR_SIGNS: &[(&str, &str)] = &[
    ("AT", "A"),
    ("BE", "B"),
    ("DE", "D"),
    ("ES", "E"),
    ("FI", "FIN"),
    ("FR", "F"),
    ("HU", "H"),
    ("IT", "I"),
    ("LI", "FL"),
    ("LU", "L"),
    ("NO", "N"),
    ("PT", "P"),
    ("SE", "S"),
];

/// What addresses of a country are like.
struct Country {
    needed: &'static str,
    expression: &'static str,
    examples: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

static COUNTRIES: LazyLock<HashMap<&'static str, Country>> = LazyLock::new(|| {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut cells = line.split('\t');
        let (code, needed) = (cells.next()?, cells.next()?);
        let (expression, examples) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        let (expression, examples) = if code == "IE" { EIRCODE } else { (expression, examples) };
        Some((code, Country { needed, expression, examples, compiled: OnceLock::new() }))
    });
    rows.collect()
});

/// How a country uses postal codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// There are codes.
    Used,
    /// Addresses do without one: few people know theirs, or none are known here.
    Optional,
    /// There are none.
    None,
}

/// How a country uses postal codes.
#[must_use]
pub fn usage(country: &str) -> Usage {
    match COUNTRIES.get(country) {
        _ if WITHOUT.binary_search(&country).is_ok() => Usage::None,
        Some(known) if !known.expression.is_empty() && country != "IE" => Usage::Used,
        _ => Usage::Optional,
    }
}

/// Whether an address of this country needs one of its states.
#[must_use]
pub fn needs_state(country: &str) -> bool {
    COUNTRIES.get(country).is_some_and(|known| known.needed.contains('S'))
}

/// A postal code as an example; none if the table has none.
#[must_use]
pub fn example(country: &str) -> Option<&'static str> {
    let known = COUNTRIES.get(country)?;
    // Some examples of the source are misprints.
    known
        .examples()
        .find(|example| known.expression().is_some_and(|expression| expression.is_match(example.as_bytes())))
}

/// The parts that an address of this country needs.
#[must_use]
pub fn needed(country: &str) -> Vec<AddressPart> {
    let needed = COUNTRIES.get(country).map_or("AC", |known| known.needed);
    let part = |letter| match letter {
        'A' => Some(AddressPart::Line1),
        'C' => Some(AddressPart::City),
        'S' => Some(AddressPart::State),
        'Z' => Some(AddressPart::PostalCode),
        _ => None,
    };
    needed.chars().filter_map(part).chain([AddressPart::Country]).collect()
}

/// A postal code of a country in its usual spelling: "5652aw" is "5652 AW" in the Netherlands. A code of a country that is not in
/// the table stays as it is.
///
/// # Errors
/// The country has no codes, or none like this.
pub fn parse<'a>(country: &str, written: &'a str) -> Result<Cow<'a, str>, Rule> {
    if WITHOUT.binary_search(&country).is_ok() {
        let text = format!("must be empty: {country} has no postal codes");
        return Err(Rule::coded_with(RuleCode::PostalCodeUnused, text));
    }
    let Some((known, expression)) = COUNTRIES.get(country).and_then(|known| Some((known, known.expression()?))) else {
        return Ok(written.into());
    };
    if known.has_usual_spelling(written) && expression.is_match(written.as_bytes()) {
        return Ok(written.into());
    }
    let spelled = known.spell(expression, country, written);
    spelled.map(Cow::Owned).ok_or_else(|| {
        let example = example(country).unwrap_or_default();
        Rule::coded_with(RuleCode::PostalCode, format!("must be a postal code of {country}, such as {example}"))
    })
}

/// Whether digits and capital letters are in the places of the example's, and the same separators between them.
fn is_laid_out(code: &str, example: &str) -> bool {
    let fits = |(letter, place): (u8, u8)| {
        if place.is_ascii_alphanumeric() {
            letter.is_ascii_digit() || letter.is_ascii_uppercase()
        } else {
            letter == place
        }
    };
    code.len() == example.len() && code.bytes().zip(example.bytes()).all(fits)
}

/// The letters and digits with the separators of an example of as many, and with what the example begins with.
fn laid_out(bare: &str, example: &str) -> Option<String> {
    let of_example = example.chars().filter(char::is_ascii_alphanumeric).count();
    let prefix: String = example.chars().take_while(char::is_ascii_alphabetic).collect();
    let bare = match of_example.checked_sub(bare.len())? {
        0 => bare.to_owned(),
        missing if missing == prefix.len() && bare.starts_with(|first: char| first.is_ascii_digit()) => prefix + bare,
        _ => return None,
    };
    let mut letters = bare.chars();
    let laid = example.chars().map(|place| if place.is_ascii_alphanumeric() { letters.next() } else { Some(place) });
    laid.collect()
}

impl Country {
    fn expression(&self) -> Option<&Regex> {
        let compiled = self.compiled.get_or_init(|| match self.expression {
            "" => None,
            // A code has no letters beyond ASCII.
            expression => RegexBuilder::new(&format!("^(?:{expression})$")).unicode(false).build().ok(),
        });
        compiled.as_ref()
    }

    /// A code as its letters and digits are spelled; none if the country has no such code.
    fn spell(&self, expression: &Regex, country: &str, written: &str) -> Option<String> {
        let written: String = written.chars().map(|letter| ascii(letter).to_ascii_uppercase()).collect();
        let bare: String = written.chars().filter(char::is_ascii_alphanumeric).collect();
        // As in "NL-5652 AW" and "D-80331".
        let sign = CAR_SIGNS.iter().find(|(code, _)| *code == country).map_or(country, |(_, sign)| sign);
        let without = |sign| bare.strip_prefix(sign).unwrap_or(&bare);
        let candidates = [bare.as_str(), without(country), without(sign)].into_iter().flat_map(|bare| {
            let spelled = self.examples().filter_map(move |example| laid_out(bare, example));
            spelled.chain([bare.to_owned()])
        });
        candidates.chain([written.clone()]).find(|code| expression.is_match(code.as_bytes()))
    }

    /// Whether a code that the country has is spelled as [`Country::spell`] would spell it: as all examples of as many letters and
    /// digits are, and none could lend it letters that it begins with.
    fn has_usual_spelling(&self, code: &str) -> bool {
        let count = |text: &str| text.bytes().filter(u8::is_ascii_alphanumeric).count();
        let begins_with_digit = code.starts_with(|first: char| first.is_ascii_digit());
        let mut is_known = false;
        for example in self.examples() {
            if begins_with_digit && example.starts_with(|first: char| first.is_ascii_alphabetic()) {
                return false;
            }
            if count(example) == count(code) {
                if !is_laid_out(code, example) {
                    return false;
                }
                is_known = true;
            }
        }
        is_known
    }

    fn examples(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.examples.split(',').filter(|example| !example.is_empty())
    }
}

#[cfg(test)]
mod tests;
