//! Card numbers and IBANs as people write them, and what only looks similar.

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
        "tok_1NXWPnKMo3Ii8Qv2Zq", // typos: on purpose
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
    assert!(ZEROS.chars().is_sorted());
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
