//! Postal codes by country, and the parts that an address of each country needs.
//!
//! The table is `addresses.tsv`, from the data of Google's libaddressinput; `.ci/addresses` renews it. It has no Eircodes of Ireland, which
//! are optional there, and no word on which countries have no codes at all; both are here.

use std::{
    collections::HashMap,
    sync::{LazyLock, OnceLock},
};

use regex_lite::Regex;

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
        _ if WITHOUT.contains(&country) => Usage::None,
        Some(known) if !known.expression.is_empty() && country != "IE" => Usage::Used,
        _ => Usage::Optional,
    }
}

/// A postal code as an example; none if the table has none.
#[must_use]
pub fn example(country: &str) -> Option<&'static str> {
    let known = COUNTRIES.get(country)?;
    // Some examples of the source are misprints.
    known.examples().find(|example| known.expression().is_some_and(|expression| expression.is_match(example)))
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
pub fn parse(country: &str, written: &str) -> Result<String, Rule> {
    if WITHOUT.contains(&country) {
        let text = format!("must be empty: {country} has no postal codes");
        return Err(Rule::coded_with(RuleCode::PostalCodeUnused, text));
    }
    let Some((known, expression)) = COUNTRIES.get(country).and_then(|known| Some((known, known.expression()?))) else {
        return Ok(written.to_owned());
    };
    let written: String = written.chars().map(|letter| ascii(letter).to_ascii_uppercase()).collect();
    let bare: String = written.chars().filter(char::is_ascii_alphanumeric).collect();
    // As in "NL-5652 AW" and "D-80331".
    let sign = CAR_SIGNS.iter().find(|(code, _)| *code == country).map_or(country, |(_, sign)| sign);
    let without = |sign| bare.strip_prefix(sign).unwrap_or(&bare);
    let candidates = [bare.as_str(), without(country), without(sign)].into_iter().flat_map(|bare| {
        let spelled = known.examples().filter_map(move |example| laid_out(bare, example));
        spelled.chain([bare.to_owned()])
    });
    let spelled = candidates.chain([written.clone()]).find(|code| expression.is_match(code));
    spelled.ok_or_else(|| {
        let example = example(country).unwrap_or_default();
        Rule::coded_with(RuleCode::PostalCode, format!("must be a postal code of {country}, such as {example}"))
    })
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
            expression => Regex::new(&format!("^(?:{expression})$")).ok(),
        });
        compiled.as_ref()
    }

    fn examples(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.examples.split(',').filter(|example| !example.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{reference::places::countries, samples};

    #[test]
    fn a_code_is_returned_in_its_usual_spelling() {
        for (country, written, spelled) in [
            ("NL", "5652AW", "5652 AW"),
            ("NL", "5652 aw", "5652 AW"),
            ("NL", "NL-5652 AW", "5652 AW"),
            ("GB", "sw1a1aa", "SW1A 1AA"),
            ("GB", "M2 5BQ", "M2 5BQ"),
            ("GB", "ec1a-1hq", "EC1A 1HQ"),
            ("CA", "h3z2y7", "H3Z 2Y7"),
            ("US", "95014", "95014"),
            ("US", "221621010", "22162-1010"),
            ("US", "22162 1010", "22162-1010"),
            ("PT", "2725079", "2725-079"),
            ("JP", "1540023", "154-0023"),
            ("BR", "40301110", "40301-110"),
            ("LV", "1073", "LV-1073"),
            ("LV", "LV1073", "LV-1073"),
            ("DE", "DE-80331", "80331"),
            ("DE", "D-80331", "80331"),
            ("AT", "A - 1010", "1010"),
            ("FI", "FIN-00550", "00550"),
            ("SE", "S-114 55", "11455"),
            ("FR", "F-33380", "33380"),
            ("JP", "〒１５４－００２３", "154-0023"),
            ("EG", "١٢٤١١", "12411"),
            ("IR", "۱۱۹۳۶-۱۲۳۴۵", "11936-12345"),
            ("SE", "114 55", "11455"),
            ("IE", "d02x285", "D02 X285"),
            ("AD", "AD100", "AD100"),
            ("KY", "ky11100", "KY1-1100"),
            // Not in the table: as it was written.
            ("GH", "GA-183-8164", "GA-183-8164"),
            ("ZZ", "what ever", "what ever"),
        ] {
            assert_eq!(parse(country, written).as_deref(), Ok(spelled), "{country} {written}");
        }
    }

    #[test]
    fn a_code_of_another_country_is_refused_with_an_example() {
        for (country, written) in [
            ("NL", "12345"),
            ("NL", "5652 A1"),
            // The post gives no code with these letters.
            ("NL", "5652 SS"),
            ("NL", "0652 AW"),
            ("SE", "D-114 55"),
            ("US", "5652 AW"),
            ("GB", "SW1"),
            ("DE", "8033"),
            ("IE", "D02"),
            ("CA", "D1A 1A1"),
        ] {
            let refused = parse(country, written).unwrap_err();
            assert_eq!(refused.code(), RuleCode::PostalCode);
            assert!(refused.text().contains(example(country).unwrap()), "{refused:?}");
        }
    }

    #[test]
    fn some_countries_have_none_and_some_do_not_need_them() {
        for country in ["HK", "AE"] {
            assert_eq!(usage(country), Usage::None);
            assert_eq!(parse(country, "00000").unwrap_err().code(), RuleCode::PostalCodeUnused);
            assert!(!needed(country).contains(&AddressPart::PostalCode));
        }
        assert_eq!((usage("IE"), usage("NL"), usage("QQ")), (Usage::Optional, Usage::Used, Usage::Optional));
        assert!(needed("US").contains(&AddressPart::State) && !needed("NL").contains(&AddressPart::State));
    }

    #[test]
    fn the_table_has_countries_of_the_standard_alone_and_its_expressions_are_valid() {
        let known = countries();
        for (code, row) in COUNTRIES.iter() {
            assert!(known.iter().any(|(country, _)| country == code), "{code}");
            assert!(row.expression.is_empty() || row.expression().is_some(), "{code}: {}", row.expression);
            assert!(!WITHOUT.contains(code) || row.expression.is_empty(), "{code}");
        }
        assert!(COUNTRIES.len() > 200);
    }

    #[test]
    fn examples_are_codes_and_stay_as_they_are() {
        // Misprints of the source.
        const MISPRINTS: [(&str, &str); 4] = [("GB", "RH6 OHP"), ("EC", "090105"), ("EE", "1001"), ("BY", "20050")];
        let examples = COUNTRIES.iter().flat_map(|(code, row)| row.examples().map(|example| (*code, example)));
        let failed: Vec<_> = examples
            .filter(|example| !MISPRINTS.contains(example))
            .filter(|(code, example)| parse(code, example).as_deref() != Ok(example))
            .collect();
        assert_eq!(failed, []);
    }

    proptest! {
        #[test]
        fn a_code_that_is_accepted_is_accepted_again_unchanged(
            country in prop::sample::select(vec!["NL", "GB", "US", "CA", "PT", "LV", "IE", "KY", "MT", "PL"]),
            written in prop_oneof![samples::raw(), "[A-Za-z0-9 -]{3,10}", "[0-9]{4} ?[A-Z]{2}", "[0-9]{2}-?[0-9]{3}"],
        ) {
            if let Ok(code) = parse(country, &written) {
                prop_assert_eq!(parse(country, &code), Ok(code));
            }
        }
    }
}
