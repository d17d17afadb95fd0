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
    assert!(WITHOUT.is_sorted());
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
            let again = parse(country, &code);
            prop_assert_eq!(again, Ok(code.as_ref().into()));
        }
    }

    /// What is taken as it is would be spelled so.
    #[test]
    fn a_usual_spelling_is_the_one_that_a_code_gets(
        country in prop::sample::select(COUNTRIES.keys().copied().collect::<Vec<_>>()),
        example in any::<prop::sample::Index>(),
        changed in prop::collection::vec((any::<prop::sample::Index>(), "[0-9A-Z -]"), 0..3),
        cut in 0_usize..3,
    ) {
        let row = &COUNTRIES[country];
        let examples: Vec<_> = row.examples().collect();
        if let Some(expression) = row.expression() && !examples.is_empty() {
            let mut code = (*example.get(&examples)).to_owned();
            for (place, letter) in changed {
                let place = place.index(code.len());
                code.replace_range(place..=place, &letter);
            }
            let code: String = code.chars().skip(cut).collect();
            if row.has_usual_spelling(&code) && expression.is_match(code.as_bytes()) {
                let spelled = row.spell(expression, country, &code);
                prop_assert_eq!(spelled.as_deref(), Some(code.as_str()));
            }
        }
    }
}
