//! Registration numbers of companies, of the countries whose register publishes their form. Of other countries any text is one.

use super::{
    shape::{compact, fits},
    tax::checksums::{belgium, denmark, finland, luhn, norway, switzerland},
};
use crate::domain::values::{rule_code::RuleCode, violation::Rule};

/// A country's register.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// The country, by its code.
    pub country: &'static str,
    /// What the register is called.
    pub name: &'static str,
    /// What people write before a number.
    pub prefixes: &'static [&'static str],
    /// The shapes of a number without that.
    pub shapes: &'static [&'static str],
    digits: Option<fn(&str) -> bool>,
    /// A valid number.
    pub example: &'static str,
}

const fn register(
    country: &'static str,
    name: &'static str,
    prefixes: &'static [&'static str],
    shapes: &'static [&'static str],
    example: &'static str,
) -> Register {
    Register { country, name, prefixes, shapes, digits: None, example }
}

const fn checked(register: Register, digits: fn(&str) -> bool) -> Register {
    Register { digits: Some(digits), ..register }
}

/// The registers, by country. Forms as the registers themselves publish them.
pub const REGISTERS: &[Register] = &[
    register("AT", "Firmenbuch", &["FN"], &["99999a", "999999a", "9999a"], "FN 56247t"),
    checked(register("BE", "KBO/BCE", &["BE", "KBO", "BCE"], &["0999999999", "1999999999"], "0428.759.497"), belgium),
    checked(register("CH", "UID", &["CHE"], &["999999999"], "CHE-116.281.710"), switzerland),
    register("CZ", "IČO", &["CZ", "IČO", "ICO"], &["99999999"], "00177041"),
    checked(register("DK", "CVR", &["DK", "CVR"], &["99999999"], "24256790"), denmark),
    register("EE", "Äriregister", &[], &["99999999"], "10137025"),
    checked(register("FI", "Y-tunnus", &["FI", "Y"], &["99999999"], "0112038-9"), finland),
    checked(
        register("FR", "SIREN/SIRET", &["SIREN", "SIRET", "RCS"], &["999999999", "99999999999999"], "552 032 534"),
        luhn_or_post,
    ),
    register("GB", "Companies House", &[], &["99999999", "9999999", "aa999999"], "00445790"),
    register("IE", "CRO", &["IE", "CRO"], &["99999", "999999", "9999999"], "368047"),
    register("LU", "RCS", &["RCS", "RCSL", "RCSLUXEMBOURG"], &["B9999", "B99999", "B999999"], "B 82454"),
    register("NL", "KvK", &["KVK", "KVKNR", "KVKNUMMER"], &["99999999", "999999999999"], "17048595"),
    checked(register("NO", "Brønnøysundregistrene", &["NO", "ORG"], &["999999999"], "974 760 673"), norway),
    register("PL", "KRS", &["KRS", "NIP"], &["9999999999", "999999999"], "0000028860"),
    checked(register("SE", "Bolagsverket", &["SE", "ORG"], &["9999999999"], "556012-5790"), luhn),
];

/// The post office of France has more establishments than the algorithm leaves numbers for.
fn luhn_or_post(number: &str) -> bool {
    luhn(number) || number.starts_with("356000000")
}

/// Checks a registration number of a country, which is given by its code, as people write it.
///
/// # Errors
/// The country's register has no such number; the rule shows one.
pub fn check(number: &str, country: &str) -> Result<(), Rule> {
    let Some(register) = REGISTERS.iter().find(|register| register.country == country) else { return Ok(()) };
    let number = compact(number).to_uppercase();
    let bare = register
        .prefixes
        .iter()
        .filter_map(|prefix| number.strip_prefix(prefix))
        .map(|rest| rest.trim_start_matches(':'));
    let is_one = |number: &str| {
        let fits = register.shapes.iter().any(|shape| fits(shape, number));
        fits && register.digits.is_none_or(|digits| digits(number))
    };
    if bare.chain([number.as_str()]).any(is_one) {
        return Ok(());
    }
    let text = format!("must be a registration number of {country} ({}), such as {}", register.name, register.example);
    Err(Rule::coded_with(RuleCode::RegistrationNumber, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_companies_pass_as_people_write_them() {
        for (country, number, source) in [
            ("NL", "17048595", "portal 3"),
            ("NL", "KvK 17048595", "portal 3"),
            ("NL", "000012345678", "an establishment, KvK"),
            ("BE", "0403.170.701", "Electrabel"),
            ("FR", "552 032 534", "Danone"),
            ("FR", "RCS 552032534", "Danone"),
            ("FR", "356 000 000 00048", "La Poste"),
            ("GB", "00445790", "Tesco"),
            ("GB", "SC095000", "Bank of Scotland's form"),
            ("DK", "CVR 24256790", "Novo Nordisk"),
            ("FI", "0112038-9", "Nokia"),
            ("NO", "974 760 673", "Brønnøysundregistrene"),
            ("SE", "556012-5790", "AB Volvo"),
            ("CH", "CHE-116.281.710", "Swiss Federal Statistical Office"),
            ("AT", "FN 56247 t", "Red Bull"),
            ("IE", "368047", "Google Ireland"),
            ("LU", "RCS Luxembourg B 82454", "ArcelorMittal"),
            ("CZ", "00177041", "Škoda Auto"),
            ("DE", "Amtsgericht München HRB 42243", "any text"),
            ("US", "what ever", "any text"),
        ] {
            assert_eq!(check(number, country), Ok(()), "{country} {number} ({source})");
        }
    }

    #[test]
    fn other_numbers_are_refused_with_an_example() {
        for (country, number) in [
            ("NL", "1704859"),
            ("NL", "HRB 12345"),
            ("BE", "0403.170.702"),
            ("FR", "552 032 535"),
            ("GB", "445790"),
            ("DK", "24256791"),
            ("FI", "0112038-8"),
            ("NO", "974760674"),
            ("SE", "556012-5791"),
            ("CH", "CHE-116.281.711"),
        ] {
            let refused = check(number, country).unwrap_err();
            assert_eq!(refused.code(), RuleCode::RegistrationNumber, "{country} {number}");
        }
    }

    #[test]
    fn every_example_is_a_number_and_countries_are_in_order() {
        assert!(REGISTERS.is_sorted_by_key(|register| register.country));
        for register in REGISTERS {
            assert_eq!(check(register.example, register.country), Ok(()), "{}", register.country);
        }
    }
}
