//! Phone numbers in the forms in which people dial them, for searching alone.
//!
//! Rule: a number that is not understood is no error. It is found as it was written in any case.
//!
//! The parser is built with `regex-lite`: a number then takes some 20 µs, not 2, but the expressions of all countries together
//! 5 MB of memory, not 100 to 160, and the first number of a country 0.2 ms, not 3.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, enums::Region};

use super::places::country_code;
use crate::domain::reference::plain_phones;

/// Returns a phone number in national and in international form, digits alone: `0205550123` and `31205550123`. A number
/// without `+` is read as one of this country. Empty if the parser does not understand it, or if no number of its country has
/// so many digits. A number that is possible but not valid has its forms, too.
pub(in crate::domain) fn phone_forms(number: &str, country: Option<&str>) -> Vec<String> {
    let code = country.and_then(country_code);
    let phone = match plain_phones::read(number, code) {
        Some(plain) => plain,
        None => {
            let region = code.and_then(|code| code.parse::<Region>().ok());
            match PHONE_NUMBER_UTIL.parse(number, region) {
                Ok(phone) if PHONE_NUMBER_UTIL.is_possible_number(&phone) => phone,
                _ => return Vec::new(),
            }
        }
    };
    // An extension is no part of the forms.
    let phone = rlibphonenumber::PhoneNumber { extension: None, ..phone };
    let forms = [PhoneNumberFormat::National, PhoneNumberFormat::E164];
    forms.map(|form| digits(&PHONE_NUMBER_UTIL.format(&phone, form))).into()
}

fn digits(formatted: &str) -> String {
    formatted.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    #[test]
    fn a_number_has_a_national_and_an_international_form() {
        for (number, country, forms) in [
            ("+31 20 555 0123", None, ["0205550123", "31205550123"]),
            ("+31 20 555 0123", Some("US"), ["0205550123", "31205550123"]),
            ("020-555 0123", Some("NL"), ["0205550123", "31205550123"]),
            ("020 5550123 ext. 12", Some("Netherlands"), ["0205550123", "31205550123"]),
            ("0031 20 555 0123", Some("NL"), ["0205550123", "31205550123"]),
            ("020 555 01 23", Some("nld"), ["0205550123", "31205550123"]),
            // Possible, but not valid.
            ("+31(0)123456789", None, ["0123456789", "31123456789"]),
            ("(202) 555-0173", Some("United States"), ["2025550173", "12025550173"]),
            ("1-202-555-0173", Some("US"), ["2025550173", "12025550173"]),
            ("020 7946 0018", Some("UK"), ["02079460018", "442079460018"]),
            ("+39 06 698 12345", None, ["0669812345", "390669812345"]),
            ("+49 30 901820", None, ["030901820", "4930901820"]),
            ("٠٢٠٥٥٥٠١٢٣", Some("NL"), ["0205550123", "31205550123"]),
        ] {
            assert_eq!(phone_forms(number, country), forms, "{number} {country:?}");
        }
    }

    #[test]
    fn what_is_not_understood_has_no_forms() {
        for (number, country) in [
            ("020-555 0123", None),
            ("020-555 0123", Some("Atlantis")),
            ("112", Some("NL")),
            ("", Some("NL")),
            ("+", None),
            ("+999 123 456 789", None),
            ("12345678901234567890", Some("NL")),
            ("call me", Some("US")),
        ] {
            assert_eq!(phone_forms(number, country), Vec::<String>::new(), "{number} {country:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_no_forms_or_two_of_digits(number in samples::raw(), country in prop::sample::select(vec!["NL", "US", "JP", "IT"])) {
            let forms = phone_forms(&number, Some(country));
            prop_assert!(forms.is_empty() || forms.len() == 2);
            prop_assert!(forms.iter().flat_map(|form| form.bytes()).all(|byte| byte.is_ascii_digit()));
        }
    }
}
