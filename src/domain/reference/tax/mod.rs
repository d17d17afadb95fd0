//! Tax numbers: the form and the check digits of the EU's, those of Great Britain and Northern Ireland, Switzerland and Norway.
//! No register is asked whether a number was given to anybody.

pub(in crate::domain::reference) mod checksums;
pub(in crate::domain::reference) mod digits;
mod schemes;
#[cfg(test)]
mod tests;

use self::digits::Digits;
pub use self::schemes::{SCHEMES, Scheme};
use super::shape::{compact, fits};
use crate::domain::{
    search::places::country_code,
    values::{rule_code::RuleCode, violation::Rule},
};

/// Northern Ireland, of whose tax numbers traders speak as of a country's: they have its prefix.
pub const NORTHERN_IRELAND: &str = "XI";
/// Numbers that begin with so many zeros were given to nobody, also where the check digits fit.
const ZEROS: usize = 7;

/// How far a tax number could be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaxCheck {
    /// There are no rules for the country, or no country is known.
    UnknownCountry,
    /// The form is the country's. Numbers of its kind have no published check digits.
    FormatOnly,
    /// Form and check digits are right.
    ChecksumOk,
}

/// The code of the country of a tax number, which is given as in an address, or as XI.
#[must_use]
pub fn country(written: &str) -> Option<&'static str> {
    if written.eq_ignore_ascii_case(NORTHERN_IRELAND) { Some(NORTHERN_IRELAND) } else { country_code(written) }
}

/// Checks a tax number as people write it: with or without the country's prefix, with spaces, dots, dashes and slashes.
/// `country` is a code. Without one the prefix tells the country, if the rest has the form of its numbers.
///
/// # Errors
/// The number is none of the country; the rule shows one that is.
pub fn check(number: &str, country: Option<&str>) -> Result<TaxCheck, Rule> {
    let number = compact(number);
    let Some((scheme, body)) = find(&number, country) else { return Ok(TaxCheck::UnknownCountry) };
    let Some(body) = body else {
        let text = format!("must be a tax number of {}, such as {}", scheme.country, scheme.example);
        return Err(Rule::coded_with(RuleCode::TaxIdFormat, text));
    };
    let first = body.bytes().filter(u8::is_ascii_digit).take(ZEROS);
    let is_null = first.clone().count() == ZEROS && first.clone().all(|digit| digit == b'0');
    match if is_null { Digits::Wrong } else { (scheme.digits)(body) } {
        Digits::Fit => Ok(TaxCheck::ChecksumOk),
        Digits::None => Ok(TaxCheck::FormatOnly),
        Digits::Wrong => {
            let text = format!(
                "must have the right check digits of a tax number of {}, as {} has; a digit is mistyped",
                scheme.country, scheme.example
            );
            Err(Rule::coded_with(RuleCode::TaxIdChecksum, text))
        }
    }
}

/// The country of a tax number, if it is given or the number tells it, and the number without prefix and suffix: however it is
/// written, it is the same.
pub(in crate::domain) fn parts(number: &str, country: Option<&'static str>) -> (Option<&'static str>, String) {
    let number = compact(number);
    match find(&number, country) {
        Some((scheme, Some(body))) => (Some(scheme.country), body.to_owned()),
        _ => {
            let rest = country.and_then(|code| number.strip_prefix(code)).filter(|rest| !rest.is_empty());
            (country, rest.unwrap_or(&number).to_owned())
        }
    }
}

/// The scheme of a number, and the number without prefix and suffix if it has the scheme's form.
fn find<'a>(number: &'a str, country: Option<&str>) -> Option<(&'static Scheme, Option<&'a str>)> {
    match country {
        Some(country) => SCHEMES.iter().find(|scheme| scheme.is_of(country)).map(|it| (it, it.body(number))),
        None => SCHEMES.iter().find_map(|scheme| {
            let body = scheme.after_prefix(number)?;
            scheme.has_shape(body).then_some((scheme, Some(body)))
        }),
    }
}

/// A valid tax number of a country, if its numbers have rules here.
#[must_use]
pub fn example(country: &str) -> Option<&'static str> {
    SCHEMES.iter().find(|scheme| scheme.is_of(country)).map(|scheme| scheme.example)
}

impl Scheme {
    /// Whether companies of this country have such numbers: those of Monaco have French ones, those of Man British ones.
    fn is_of(&self, country: &str) -> bool {
        self.country == country || matches!((self.country, country), ("FR", "MC") | ("GB", "IM" | NORTHERN_IRELAND))
    }

    /// The number without prefix and suffix, if it has the form.
    fn body<'a>(&self, number: &'a str) -> Option<&'a str> {
        let with_prefix = self.after_prefix(number).filter(|body| self.has_shape(body));
        with_prefix.or_else(|| Some(self.before_suffix(number)).filter(|body| self.has_shape(body)))
    }

    fn after_prefix<'a>(&self, number: &'a str) -> Option<&'a str> {
        let rest = self.prefixes.iter().find_map(|prefix| number.strip_prefix(prefix))?;
        Some(self.before_suffix(rest))
    }

    fn before_suffix<'a>(&self, number: &'a str) -> &'a str {
        self.suffixes.iter().find_map(|suffix| number.strip_suffix(suffix)).unwrap_or(number)
    }

    fn has_shape(&self, body: &str) -> bool {
        self.shapes.iter().any(|shape| fits(shape, body))
    }
}
