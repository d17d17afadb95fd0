//! Phone numbers as most people write them, in numbering plans that are simple: digits and what people set between them. The parser of
//! `rlibphonenumber` reads each number by a dozen regular expressions, which takes longer than all other rules on a customer.
//!
//! Rule: what is read here is what the parser reads; a test compares them. Anything else is the parser's.

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber};

/// A numbering plan in which a number is its digits, but for one trunk prefix.
struct Plan {
    region: &'static str,
    code: &'static str,
    /// What is dialled before a national number, and is no part of it.
    trunk: Option<char>,
}

const fn plan(region: &'static str, code: &'static str, trunk: Option<char>) -> Plan {
    Plan { region, code, trunk }
}

const ZERO: Option<char> = Some('0');

/// No code is the beginning of another one. New Zealand is not among them: there a number can begin as an international call does.
const PLANS: [Plan; 27] = [
    plan("AT", "43", ZERO),
    plan("BE", "32", ZERO),
    plan("BG", "359", ZERO),
    plan("CH", "41", ZERO),
    plan("CZ", "420", None),
    plan("DE", "49", ZERO),
    plan("DK", "45", None),
    plan("EE", "372", None),
    plan("ES", "34", None),
    plan("FR", "33", ZERO),
    plan("GB", "44", ZERO),
    plan("GR", "30", None),
    plan("HR", "385", ZERO),
    plan("IE", "353", ZERO),
    plan("IN", "91", ZERO),
    plan("LV", "371", None),
    plan("NL", "31", ZERO),
    plan("NO", "47", None),
    plan("PL", "48", None),
    plan("PT", "351", None),
    plan("RO", "40", ZERO),
    plan("SE", "46", ZERO),
    plan("SG", "65", None),
    plan("SI", "386", ZERO),
    plan("SK", "421", ZERO),
    plan("TR", "90", ZERO),
    plan("ZA", "27", ZERO),
];
/// Digits of a number without code and trunk prefix: fewer and more are for the parser to judge.
const DIGITS: std::ops::RangeInclusive<usize> = 5..=13;

/// Reads a number of a country, which is given by its code, unless it begins with `+`. None: it takes the parser to read it.
pub(in crate::domain) fn read(number: &str, country: Option<&str>) -> Option<PhoneNumber> {
    let number = number.trim();
    let written = number.strip_prefix('+');
    let mut digits = String::with_capacity(number.len());
    for letter in written.unwrap_or(number).chars() {
        match letter {
            '0'..='9' => digits.push(letter),
            ' ' | '-' | '.' | '(' | ')' => {}
            _ => return None,
        }
    }
    let (plan, rest) = match written {
        Some(_) => {
            let plan = PLANS.iter().find(|plan| digits.starts_with(plan.code))?;
            (plan, digits.strip_prefix(plan.code)?)
        }
        None => {
            let plan = PLANS.iter().find(|plan| country == Some(plan.region))?;
            // Without its prefix it can be a number with the country's code, or a local one.
            (plan, digits.strip_prefix(plan.trunk?).map(|_| digits.as_str())?)
        }
    };
    let national = plan.trunk.and_then(|trunk| rest.strip_prefix(trunk)).unwrap_or(rest);
    if national.starts_with('0') || !DIGITS.contains(&national.len()) {
        return None;
    }
    let phone = PhoneNumber {
        country_code: plan.code.parse().ok()?,
        national_number: national.parse().ok()?,
        ..PhoneNumber::default()
    };
    // Of a number that is too short, or that is dialled in its city alone, the parser keeps the prefix.
    let length = PHONE_NUMBER_UTIL.is_possible_number_with_reason(&phone);
    matches!(length, Ok(NumberLengthType::IsPossible)).then_some(phone)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rlibphonenumber::enums::Region;

    use super::*;

    #[test]
    fn numbers_as_people_write_them_are_plain() {
        for (number, country) in [
            ("+31 20 555 0123", None),
            ("+31(0)123456789", None),
            ("020-555 0123", Some("NL")),
            ("(020) 7946 0018", Some("GB")),
            ("+49 (0) 30 901820", None),
            ("+34 912.345.678", Some("NL")),
        ] {
            assert!(read(number, country).is_some(), "{number}");
        }
        for (number, country) in [
            ("020-555 0123", None),
            ("020-555 0123", Some("US")),
            ("+1 202 555 0173", None),
            ("+31 20 555 0123 ext. 4", None),
            ("+31 20 555 0123;ext=4", None),
            ("31205550123", Some("NL")),
            ("0031205550123", Some("NL")),
            ("+3100205550123", None),
            ("112", Some("NL")),
            ("+39 06 698 12345", None),
            ("1-800-FLOWERS", Some("GB")),
        ] {
            assert!(read(number, country).is_none(), "{number}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]
        #[test]
        fn what_is_read_here_is_what_the_parser_reads(
            plan in 0..PLANS.len(),
            digits in "[0-9]{4,14}",
            form in 0..4,
        ) {
            let plan = &PLANS[plan];
            let number = match form {
                0 => format!("+{}{digits}", plan.code),
                1 => format!("+{} (0){digits}", plan.code),
                2 => format!("0{digits}"),
                _ => {
                    let (area, rest) = digits.split_at(2);
                    format!("(0{area}) {rest}")
                }
            };
            let Some(plain) = read(&number, Some(plan.region)) else { return Ok(()) };
            let region = plan.region.parse::<Region>().ok();
            let parsed = PHONE_NUMBER_UTIL.parse(&number, region);
            prop_assert_eq!(parsed.unwrap(), plain, "{}", number);
        }
    }
}
