//! Phone numbers by the numbering plans of their countries, as the crate `rlibphonenumber` has them.
//!
//! Rule: a number that can be one is accepted, and flagged if it is in no known range. Ranges are opened faster than tables are
//! renewed. A number in national form of a customer whose country is not known is accepted as it is.

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumberFormat, enums::Region};

use super::plain_phones;
use crate::domain::values::{phone::Dialled, rule_code::RuleCode, violation::Rule};

const IMPOSSIBLE: &str = "must be a phone number that can be dialled, such as +31 20 555 0123";

/// Reads a number as one of this country, which is given by its code, unless it begins with `+`. None: it is in national form and
/// no country is known.
///
/// # Errors
/// The number is none of the country, or too long or too short for one.
pub fn read(number: &str, country: Option<&str>) -> Result<Option<Dialled>, Rule> {
    if let Some(phone) = plain_phones::read(number, country) {
        let valid = PHONE_NUMBER_UTIL.is_valid_number(&phone);
        return Ok(Some(Dialled { e164: format!("+{}{}", phone.country_code, phone.national_number), valid }));
    }
    let impossible = || Rule::coded(RuleCode::Phone, IMPOSSIBLE);
    let region = country.and_then(|code| code.parse::<Region>().ok());
    // "tel:+31…" and "(+31) …" are international, too.
    let first = number.chars().find(|letter| letter.is_numeric() || matches!(letter, '+' | '\u{FF0B}'));
    let is_national = first.is_none_or(char::is_numeric);
    if region.is_none() && is_national {
        return Ok(None);
    }
    let phone = match PHONE_NUMBER_UTIL.parse(number, region) {
        Ok(phone) => phone,
        // A country without a plan of its own.
        Err(ParseError::InvalidCountryCode) if is_national => return Ok(None),
        Err(_) => return Err(impossible()),
    };
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(&phone) {
        Ok(NumberLengthType::IsPossible) => {}
        // Without its area code it is dialled in its town alone: there is no international form of it.
        Ok(NumberLengthType::IsPossibleLocalOnly) => return Ok(None),
        _ => return Err(impossible()),
    }
    let valid = PHONE_NUMBER_UTIL.is_valid_number(&phone);
    let phone = rlibphonenumber::PhoneNumber { extension: None, ..phone };
    Ok(Some(Dialled { e164: PHONE_NUMBER_UTIL.format(&phone, PhoneNumberFormat::E164).into_owned(), valid }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    #[test]
    fn a_possible_number_is_read_and_a_valid_one_flagged() {
        for (number, country, e164, valid) in [
            ("+31 20 555 0123", None, "+31205550123", true),
            ("020-555 0123", Some("NL"), "+31205550123", true),
            // Portal 3's: possible, and in no range.
            ("+31(0)123456789", None, "+31123456789", false),
            ("+31(0)123456789", Some("US"), "+31123456789", false),
            ("(202) 555-0173", Some("US"), "+12025550173", true),
            ("(+31) 20 555 0123", None, "+31205550123", true),
            ("tel:+31-20-555-0123", None, "+31205550123", true),
            ("＋３１２０５５５０１２３", None, "+31205550123", true),
            ("0031 20 555 0123", Some("NL"), "+31205550123", true),
            ("011 31 20 555 0123", Some("US"), "+31205550123", true),
            ("٠٢٠٥٥٥٠١٢٣", Some("NL"), "+31205550123", true),
            ("1-800-FLOWERS", Some("US"), "+18003569377", true),
            ("+39 06 698 12345", None, "+390669812345", true),
        ] {
            let dialled = read(number, country).unwrap().unwrap();
            assert_eq!((dialled.e164.as_str(), dialled.valid), (e164, valid), "{number}");
        }
    }

    #[test]
    fn an_extension_is_no_part_of_the_number() {
        for number in ["020 5550123 ext. 12", "+31 20 5550123 x12", "+31 20 555 0123;ext=12", "+31205550123 #12"] {
            assert_eq!(read(number, Some("NL")).unwrap().unwrap().e164, "+31205550123", "{number}");
        }
    }

    #[test]
    fn a_national_number_of_no_country_is_not_read_and_an_impossible_one_refused() {
        assert_eq!(read("020-555 0123", None), Ok(None));
        assert_eq!(read("020-555 0123", Some("QQ")), Ok(None));
        // Nor is one that is dialled in its town alone.
        assert_eq!(read("555-0173", Some("US")), Ok(None));
        for (number, country) in
            [("+31 1", None), ("+999 123 456 789", None), ("12345678901234567890", Some("NL")), ("1", Some("NL"))]
        {
            assert_eq!(read(number, country).unwrap_err().code(), RuleCode::Phone, "{number}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gets_an_answer(number in samples::raw(), country in prop::sample::select(vec!["NL", "US", "JP", "IT"])) {
            if let Ok(Some(dialled)) = read(&number, Some(country)) {
                prop_assert!(dialled.e164.starts_with('+'));
            }
        }
    }
}
