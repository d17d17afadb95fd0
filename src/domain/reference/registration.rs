//! Registration numbers of companies, of the countries whose register publishes their form. Of other countries any text is one.

use super::{
    shape::{compact, fits},
    tax::{
        checksums::{belgium, denmark, finland, norway, switzerland},
        digits::luhn,
    },
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
    register("AT", "Firmenbuch", &["FN"], &["9a", "99a", "999a", "9999a", "99999a", "999999a"], "FN 56247t"),
    checked(
        register(
            "BE",
            "KBO/BCE",
            &["BE", "KBO", "BCE", "RPR", "RPM"],
            &["0999999999", "1999999999", "999999999"],
            "0428.759.497",
        ),
        belgium,
    ),
    checked(register("CH", "UID", &["CHE"], &["999999999"], "CHE-116.281.710"), switzerland),
    register("CZ", "IČO", &["CZ", "IČO", "ICO", "IČ", "IC"], &["99999999"], "00177041"),
    checked(register("DK", "CVR", &["DK", "CVR", "CVRNR", "CVRNUMMER"], &["99999999"], "24256790"), denmark),
    register("EE", "Äriregister", &["EE", "REGISTRIKOOD"], &["99999999"], "10137025"),
    checked(register("FI", "Y-tunnus", &["FI", "Y", "YTUNNUS"], &["99999999"], "0112038-9"), finland),
    checked(
        register("FR", "SIREN/SIRET", &["SIREN", "SIRET", "RCS"], &["999999999", "99999999999999"], "552 032 534"),
        luhn_or_post,
    ),
    register(
        "GB",
        "Companies House",
        &["CRN", "COMPANYNO", "COMPANYNUMBER"],
        &["99999999", "9999999", "aa999999", "aa99999a", "a9999999"],
        "00445790",
    ),
    register("IE", "CRO", &["IE", "CRO"], &["99", "999", "9999", "99999", "999999", "9999999"], "368047"),
    register(
        "LU",
        "RCS",
        &["RCS", "RCSL", "RCSLUXEMBOURG"],
        &["a9", "a99", "a999", "a9999", "a99999", "a999999"],
        "B 82454",
    ),
    register("NL", "KvK", &["KVK", "KVKNR", "KVKNUMMER"], &["99999999", "999999999999"], "17048595"),
    checked(
        register(
            "NO",
            "Brønnøysundregistrene",
            &["NO", "ORG", "ORGNR", "ORGNRNO"],
            &["999999999", "999999999MVA"],
            "974 760 673",
        ),
        norway,
    ),
    register("PL", "KRS", &["KRS", "NIP", "REGON"], &["9999999999", "999999999", "99999999999999"], "0000028860"),
    checked(
        register("SE", "Bolagsverket", &["SE", "ORG", "ORGNR"], &["9999999999", "999999999999"], "556012-5790"),
        |number| luhn(number.get(number.len().saturating_sub(10)..).unwrap_or_default()),
    ),
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
    if register.bare(&compact(number).to_uppercase()).is_some() {
        return Ok(());
    }
    let text = format!("must be a registration number of {country} ({}), such as {}", register.name, register.example);
    Err(Rule::coded_with(RuleCode::RegistrationNumber, text))
}

/// The number without punctuation, and without what people write before a number of this country's register: however it is written,
/// it is the same.
pub(in crate::domain) fn bare(number: &str, country: Option<&str>) -> String {
    let number = compact(number).to_uppercase();
    let register = REGISTERS.iter().find(|register| Some(register.country) == country);
    register.and_then(|register| register.bare(&number)).map_or_else(|| number.clone(), ToOwned::to_owned)
}

impl Register {
    /// The number alone, if it is one of the register.
    fn bare<'a>(&self, number: &'a str) -> Option<&'a str> {
        let is_one = |number: &&str| {
            self.shapes.iter().any(|shape| fits(shape, number)) && self.digits.is_none_or(|digits| digits(number))
        };
        let behind = self.prefixes.iter().filter_map(|prefix| number.strip_prefix(prefix));
        // "RCS Paris 552 032 534", "552 032 534 RCS Paris": the register's town is no part of the number.
        let court = (self.country == "FR" && number.contains("RCS"))
            .then(|| number.trim_matches(|letter: char| letter.is_alphabetic()));
        behind.chain([number]).chain(court).find(is_one)
    }
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
            ("FR", "552 032 534 R.C.S. Paris", "Danone, as in its imprint"),
            ("FR", "RCS Paris B 552 032 534", "Danone"),
            ("FR", "356 000 000 00048", "La Poste"),
            ("GB", "00445790", "Tesco"),
            ("GB", "SC095000", "Bank of Scotland's form"),
            ("DK", "CVR 24256790", "Novo Nordisk"),
            ("FI", "0112038-9", "Nokia"),
            ("NO", "974 760 673", "Brønnøysundregistrene"),
            ("NO", "Org.nr. NO 974 760 673 MVA", "Brønnøysundregistrene"),
            ("NL", "KvK-nummer: 17048595", "portal 3"),
            ("DK", "CVR-nr. 24256790", "Novo Nordisk"),
            ("FI", "Y-tunnus: 0112038-9", "Nokia"),
            ("BE", "RPR 403.170.701", "Electrabel, before 2005"),
            ("IE", "C.R.O. 24173", "Allied Irish Banks"),
            ("LU", "R.C.S. Luxembourg F 199", "an association's form"),
            ("GB", "OC301540", "a partnership's form"),
            ("GB", "IP27981R", "a society's form"),
            ("SE", "16556012-5790", "AB Volvo, as the tax office writes it"),
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
            ("FR", "552 032 535 RCS Paris"),
            ("FR", "Paris 552 032 534"),
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
