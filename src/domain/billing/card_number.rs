//! What looks like a card number or an IBAN in a text. Such numbers are never stored: a payment method is a reference.
//!
//! A card number has 13 to 19 digits and a right check digit (Luhn, ISO/IEC 7812-1). Its digits may be of any script, in
//! groups with spaces, dashes or dots between them. A text is taken apart into groups of digits; one group, or several next
//! to each other, is a number. One in ten numbers has a right check digit: so only fields where nobody needs a long number
//! are looked at.
//!
//! An IBAN begins with a country and two check digits, and is 1 by modulus 97 (ISO 13616). That of a country of the register
//! is found anywhere in a text, by its length; any other only where it begins and ends at a boundary of groups.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};

/// Digits of a card number.
const CARD: std::ops::RangeInclusive<usize> = 13..=19;
/// Characters of an IBAN.
const IBAN: std::ops::RangeInclusive<usize> = 15..=34;

/// The zeros of all scripts' decimal digits; the nine others follow each.
const ZEROS: [char; 75] = [
    '\u{30}',
    '\u{660}',
    '\u{6F0}',
    '\u{7C0}',
    '\u{966}',
    '\u{9E6}',
    '\u{A66}',
    '\u{AE6}',
    '\u{B66}',
    '\u{BE6}',
    '\u{C66}',
    '\u{CE6}',
    '\u{D66}',
    '\u{DE6}',
    '\u{E50}',
    '\u{ED0}',
    '\u{F20}',
    '\u{1040}',
    '\u{1090}',
    '\u{17E0}',
    '\u{1810}',
    '\u{1946}',
    '\u{19D0}',
    '\u{1A80}',
    '\u{1A90}',
    '\u{1B50}',
    '\u{1BB0}',
    '\u{1C40}',
    '\u{1C50}',
    '\u{A620}',
    '\u{A8D0}',
    '\u{A900}',
    '\u{A9D0}',
    '\u{A9F0}',
    '\u{AA50}',
    '\u{ABF0}',
    '\u{FF10}',
    '\u{104A0}',
    '\u{10D30}',
    '\u{10D40}',
    '\u{11066}',
    '\u{110F0}',
    '\u{11136}',
    '\u{111D0}',
    '\u{112F0}',
    '\u{11450}',
    '\u{114D0}',
    '\u{11650}',
    '\u{116C0}',
    '\u{116D0}',
    '\u{116DA}',
    '\u{11730}',
    '\u{118E0}',
    '\u{11950}',
    '\u{11BF0}',
    '\u{11C50}',
    '\u{11D50}',
    '\u{11DA0}',
    '\u{11DE0}',
    '\u{11F50}',
    '\u{16A60}',
    '\u{16AC0}',
    '\u{16B50}',
    '\u{1CCF0}',
    '\u{1D7CE}',
    '\u{1D7D8}',
    '\u{1D7E2}',
    '\u{1D7EC}',
    '\u{1D7F6}',
    '\u{1E140}',
    '\u{1E2F0}',
    '\u{1E4F0}',
    '\u{1E5F1}',
    '\u{1E950}',
    '\u{1FBF0}',
];

/// The countries of the IBAN register with the length of their IBANs.
const COUNTRIES: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HN", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

/// Whether a text holds what looks like a card number or an IBAN.
#[must_use]
pub fn holds_card_number(text: &str) -> bool {
    let text = folded(text);
    holds_card(&text) || holds_iban(&text)
}

/// The text in which numbers are looked for: compatibility forms as usual ones, digits of all scripts as ASCII, letters in
/// upper case, without what cannot be seen, and each separator as a dash.
fn folded(text: &str) -> String {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let plain = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    let shown = plain.chars().filter(|char| !ignorable.contains(*char));
    shown
        .map(|char| match digit(char) {
            Some(digit) => digit,
            None if is_separator(char) => '-',
            None => char.to_ascii_uppercase(),
        })
        .collect()
}

/// The ASCII digit of a decimal digit.
fn digit(char: char) -> Option<char> {
    let zero = ZEROS.partition_point(|zero| *zero <= char).checked_sub(1).and_then(|place| ZEROS.get(place))?;
    char::from_digit(u32::from(char).checked_sub(u32::from(*zero))?, 10)
}

fn is_separator(char: char) -> bool {
    char.is_whitespace()
        || char.is_control()
        || matches!(
            char,
            '-' | '.' | '\u{B7}' | '\u{58A}' | '\u{2010}'
                ..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{2E3A}' | '\u{2E3B}' | '\u{30FB}'
        )
}

fn holds_card(text: &str) -> bool {
    // What is neither a digit nor a separator ends a number.
    text.split(|char: char| !char.is_ascii_digit() && char != '-').any(|part| {
        let groups: Vec<&str> = part.split('-').filter(|group| !group.is_empty()).collect();
        adjoining(&groups, *CARD.end()).any(|number| CARD.contains(&number.len()) && is_luhn(&number))
    })
}

fn holds_iban(text: &str) -> bool {
    text.split(|char: char| !char.is_ascii_alphanumeric() && char != '-').any(|part| {
        let groups: Vec<&str> = part.split('-').filter(|group| !group.is_empty()).collect();
        let whole: String = groups.concat();
        let of_a_country = (0..whole.len()).any(|from| {
            let rest = whole.get(from..).unwrap_or_default();
            let country = rest.get(..2).and_then(|code| COUNTRIES.iter().find(|(country, _)| *country == code));
            country.and_then(|(_, length)| rest.get(..*length)).is_some_and(is_iban)
        });
        of_a_country || adjoining(&groups, *IBAN.end()).any(|text| IBAN.contains(&text.len()) && is_iban(&text))
    })
}

/// Every row of groups next to each other, as one text, up to a length.
fn adjoining<'a>(groups: &'a [&'a str], longest: usize) -> impl Iterator<Item = String> + 'a {
    (0..groups.len()).flat_map(move |from| {
        let rows = groups.get(from..).unwrap_or_default().iter().scan(String::new(), |row, group| {
            row.push_str(group);
            Some(row.clone())
        });
        rows.take_while(move |row| row.len() <= longest)
    })
}

/// Whether the last digit is the check digit of the others.
fn is_luhn(digits: &str) -> bool {
    let mut sum = 0;
    for (place, digit) in digits.bytes().rev().enumerate() {
        let digit = u32::from(digit - b'0');
        sum += match (place % 2, digit * 2) {
            (0, _) => digit,
            (_, doubled) if doubled > 9 => doubled - 9,
            (_, doubled) => doubled,
        };
    }
    // A row of zeros has a right check digit too, and is no number of a card.
    sum > 0 && sum % 10 == 0
}

/// Whether a text of ASCII letters and digits has the form and the check digits of an IBAN.
fn is_iban(text: &str) -> bool {
    let bytes = text.as_bytes();
    let [a, b, c, d, ..] = bytes else { return false };
    if !(a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit()) {
        return false;
    }
    let (head, tail) = bytes.split_at(4);
    let remainder = tail.iter().chain(head).try_fold(0_u32, |sum, byte| {
        let value = char::from(*byte).to_digit(36)?;
        Some((sum * if value > 9 { 100 } else { 10 } + value) % 97)
    });
    remainder == Some(1)
}

#[cfg(test)]
mod tests {
    use icu_properties::{CodePointMapData, props::GeneralCategory};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_of_cards_are_found_however_they_are_written() {
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111.1111.1111.1111",
            " 4111  1111 \u{2013} 1111\u{a0}1111 ",
            "4111\u{200b}1111\u{ad}11111111",
            "378282246310005",
            "3782 822463 10005",
            "4222222222222",
            "6304000000000000000",
            "４１１１１１１１１１１１１１１１",
            "٤١١١١١١١١١١١١١١١",
            "४१११ ११११ ११११ ११११",
            "𝟒𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 1111 ①①①①",
            "card:4111111111111111;exp=12/29",
            "pay 12 4111 1111 1111 1111 please",
            "x4111111111111111y",
        ] {
            assert!(holds_card_number(number), "{number}");
        }
    }

    #[test]
    fn ibans_are_found_however_they_are_written() {
        for iban in [
            "NL91ABNA0417164300",
            "nl91 abna 0417 1643 00",
            "IBAN: GB29 NWBK 6016 1331 9268 19.",
            "IBANDE89370400440532013000EUR",
            "NO93-8601-1117-947",
            "ＮＬ９１ＡＢＮＡ０４１７１６４３００",
            "MT84MALT011000012345MTLCAST001S",
            "Please use FR14 2004 1010 0505 0001 3M02 606 today",
        ] {
            assert!(holds_card_number(iban), "{iban}");
        }
    }

    #[test]
    fn usual_references_are_none() {
        for text in [
            "",
            "adyen",
            "tok_1NXWPnKMo3Ii8Qv2Zq",
            "pm_1234567890123",
            "8315 3245 0012 3",
            "4111111111111112",
            "411111111111",
            "41111111111111111111111",
            "0000 0000 0000 0000",
            "01890a5d-ac96-774b-bcce-b302099a8057",
            "NL91ABNA0417164301",
            "Visa ending in 1111",
            "12/2029",
            "+31 20 555 0123",
        ] {
            assert!(!holds_card_number(text), "{text}");
        }
    }

    #[test]
    fn every_decimal_digit_has_a_value() {
        let categories = CodePointMapData::<GeneralCategory>::new();
        for char in '\0'..=char::MAX {
            let decimal = categories.get(char) == GeneralCategory::DecimalNumber;
            assert!(!decimal || digit(char).is_some(), "U+{:04X}", u32::from(char));
        }
        assert!(ZEROS.is_sorted());
        assert_eq!(digit('a'), None);
    }

    proptest! {
        #[test]
        fn any_number_with_its_check_digit_is_found_in_any_grouping_and_text(
            digits in proptest::collection::vec(0_u32..10, 12..=18),
            cuts in proptest::collection::vec(prop_oneof![Just(""), Just(" "), Just("-"), Just(" - "), Just("\u{2011}")], 19),
            (before, after) in ("[a-zA-Z:;,/ ]{0,9}", "[a-zA-Z:;,/ ]{0,9}"),
        ) {
            let number: String = digits.iter().filter_map(|digit| char::from_digit(*digit, 10)).collect();
            let check = (0..10).map(|check| format!("{number}{check}")).find(|number| is_luhn(number));
            prop_assume!(check.is_some());
            let number = check.unwrap();
            let written: String = number.chars().zip(&cuts).map(|(digit, cut)| format!("{digit}{cut}")).collect();
            let text = format!("{before}{written}{after}");
            prop_assert!(holds_card_number(&text), "{}", text);
        }

        #[test]
        fn any_text_is_looked_at(text in ".*") {
            let found = holds_card_number(&text);
            prop_assert!(!found || text.chars().count() >= 13);
        }
    }
}
