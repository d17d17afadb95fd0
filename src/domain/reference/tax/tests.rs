//! Tax numbers that companies publish or that public documents of the schemes show, and the same with one digit changed.

use proptest::prelude::*;

use super::*;
use crate::domain::samples;

/// A number, and where it is public: the imprint of a company, or the documentation of python-stdnum or of a tax office.
const VALID: &[(&str, &str, &str)] = &[
    ("AT", "ATU13585627", "python-stdnum"),
    ("AT", "ATU 33864707", "Red Bull GmbH"),
    ("BE", "BE 0428.759.497", "python-stdnum"),
    ("BE", "0403.170.701", "Electrabel"),
    ("BE", "BE403170701", "Electrabel, the form before 2005"),
    ("BG", "BG 175 074 752", "python-stdnum"),
    ("BG", "7523169263", "python-stdnum, of a person"),
    ("BG", "7111042925", "python-stdnum, of a foreigner"),
    ("CH", "CHE-107.787.577 IVA", "python-stdnum"),
    ("CH", "CHE-116.281.710 MWST", "Swiss Federal Statistical Office"),
    ("CH", "CHE116281710", "Swiss Federal Statistical Office"),
    ("CY", "CY-10259033P", "python-stdnum"),
    ("CZ", "CZ 25123891", "python-stdnum"),
    ("CZ", "7103192745", "python-stdnum, of a person"),
    ("CZ", "CZ00177041", "Škoda Auto"),
    ("DE", "DE 136,695 976", "python-stdnum"),
    ("DE", "DE129273398", "BMW AG"),
    ("DK", "DK 13585628", "python-stdnum"),
    ("DK", "DK-24256790", "Novo Nordisk"),
    ("EE", "EE 100 931 558", "python-stdnum"),
    ("ES", "ESA28015865", "Telefónica"),
    ("ES", "ES B-58378431", "python-stdnum"),
    ("ES", "54362315K", "python-stdnum"),
    ("ES", "X-2482300W", "python-stdnum"),
    ("FI", "FI- 2077474-0", "python-stdnum"),
    ("FI", "0112038-9", "Nokia"),
    ("FR", "Fr 40 303 265 045", "python-stdnum"),
    ("FR", "23 334 175 221", "python-stdnum"),
    ("FR", "K7399859412", "python-stdnum"),
    ("FR", "FR 53 0000 04605", "python-stdnum, of Monaco"),
    ("GB", "GB 980 7806 84", "python-stdnum"),
    ("GB", "GD 8888 123 26", "odoo's tests, in full"),
    ("GB", "GB220430231", "Tesco"),
    ("GB", "XI 980 7806 84", "python-stdnum, of Northern Ireland"),
    ("GR", "EL 094259216", "python-stdnum"),
    ("GR", "EL094019245", "OTE"),
    ("HR", "HR 33392005961", "python-stdnum"),
    ("HR", "27759560625", "INA"),
    ("HU", "HU-12892312", "python-stdnum"),
    ("HU", "10625790-4-44", "MOL"),
    ("IE", "IE 6433435F", "python-stdnum"),
    ("IE", "IE 6433435OA", "python-stdnum"),
    ("IE", "IE 8D79739I", "python-stdnum"),
    ("IE", "IE6388047V", "Google Ireland"),
    ("IT", "IT 00743110157", "python-stdnum"),
    ("IT", "RCCMNL83S18D969H", "python-stdnum, of a person"),
    ("IT", "00905811006", "Eni"),
    ("LT", "119511515", "python-stdnum"),
    ("LT", "LT 100001919017", "python-stdnum"),
    ("LU", "LU 150 274 42", "python-stdnum"),
    ("LV", "LV 4000 3521 600", "python-stdnum"),
    ("MT", "MT 1167-9112", "python-stdnum"),
    ("NL", "NL006486253B01", "DESIGN 3.2"),
    ("NL", "NL.0044.95445.B.01", "python-stdnum"),
    ("NL", "NL002455799B11", "python-stdnum"),
    ("NO", "NO 995 525 828 MVA", "python-stdnum"),
    ("NO", "974760673", "Brønnøysundregistrene"),
    ("PL", "PL 8567346215", "python-stdnum"),
    ("PL", "856-734-62-15", "python-stdnum"),
    ("PT", "PT 501 964 843", "python-stdnum"),
    ("RO", "RO 185 472 90", "python-stdnum"),
    ("SE", "SE123456789701", "python-stdnum"),
    ("SE", "SE556012579001", "AB Volvo"),
    ("SI", "SI 5022 3054", "python-stdnum"),
    ("SK", "SK 202 274 96 19", "python-stdnum"),
];

/// Numbers of the right country that nobody can have, and the rule that each breaks.
const INVALID: &[(&str, &str, RuleCode)] = &[
    ("AT", "U13585626", RuleCode::TaxIdChecksum),
    ("AT", "13585627", RuleCode::TaxIdFormat),
    ("BE", "BE0428759498", RuleCode::TaxIdChecksum),
    ("BE", "BE2428759497", RuleCode::TaxIdFormat),
    ("BG", "BG175074751", RuleCode::TaxIdChecksum),
    ("CH", "CHE-107.787.578 IVA", RuleCode::TaxIdChecksum),
    ("CH", "CHE-107.787.57", RuleCode::TaxIdFormat),
    ("CY", "CY-10259033Z", RuleCode::TaxIdChecksum),
    ("CZ", "CZ25123890", RuleCode::TaxIdChecksum),
    ("CZ", "7103192746", RuleCode::TaxIdChecksum),
    ("BG", "7523169264", RuleCode::TaxIdChecksum),
    ("IT", "RCCMNL83S18D969I", RuleCode::TaxIdChecksum),
    ("ES", "O10585693", RuleCode::TaxIdChecksum),
    ("FR", "IA334175221", RuleCode::TaxIdChecksum),
    ("GB", "GD959", RuleCode::TaxIdChecksum),
    ("GB", "GD 8888 123 27", RuleCode::TaxIdChecksum),
    ("LT", "834444850132", RuleCode::TaxIdChecksum),
    ("MT", "04477040", RuleCode::TaxIdChecksum),
    ("NL", "009122746B00", RuleCode::TaxIdChecksum),
    ("DE", "136695978", RuleCode::TaxIdChecksum),
    ("DE", "NL006486253B01", RuleCode::TaxIdFormat),
    ("DK", "DK13585627", RuleCode::TaxIdChecksum),
    ("EE", "EE100594103", RuleCode::TaxIdChecksum),
    ("ES", "B64717839", RuleCode::TaxIdChecksum),
    ("ES", "54362315Z", RuleCode::TaxIdChecksum),
    ("ES", "X2482300A", RuleCode::TaxIdChecksum),
    ("FI", "FI20774741", RuleCode::TaxIdChecksum),
    ("FR", "84 323 140 391", RuleCode::TaxIdChecksum),
    ("GB", "802311781", RuleCode::TaxIdChecksum),
    ("GB", "GB98078068", RuleCode::TaxIdFormat),
    ("GR", "123456781", RuleCode::TaxIdChecksum),
    ("HR", "33392005962", RuleCode::TaxIdChecksum),
    ("HU", "HU12892313", RuleCode::TaxIdChecksum),
    ("IE", "6433435E", RuleCode::TaxIdChecksum),
    ("IE", "IE6433435VH", RuleCode::TaxIdChecksum),
    ("IT", "00743110158", RuleCode::TaxIdChecksum),
    ("LT", "100001919018", RuleCode::TaxIdChecksum),
    ("LU", "15027443", RuleCode::TaxIdChecksum),
    ("LV", "40003521601", RuleCode::TaxIdChecksum),
    ("MT", "11679113", RuleCode::TaxIdChecksum),
    ("NL", "NL006486254B01", RuleCode::TaxIdChecksum),
    ("NL", "123456789B90", RuleCode::TaxIdChecksum),
    ("NL", "006486253", RuleCode::TaxIdFormat),
    ("NO", "988077918", RuleCode::TaxIdChecksum),
    ("PL", "8567346216", RuleCode::TaxIdChecksum),
    ("PT", "501964842", RuleCode::TaxIdChecksum),
    ("RO", "18547291", RuleCode::TaxIdChecksum),
    ("SE", "123456789101", RuleCode::TaxIdChecksum),
    ("SE", "SE123456789702", RuleCode::TaxIdFormat),
    ("SI", "50223055", RuleCode::TaxIdChecksum),
    ("SK", "2022749618", RuleCode::TaxIdChecksum),
    ("GB", "XI 980 7806 85", RuleCode::TaxIdChecksum),
];

#[test]
fn numbers_that_were_given_pass() {
    let failed: Vec<_> =
        VALID.iter().filter(|(country, number, _)| check(number, Some(country)) != Ok(TaxCheck::ChecksumOk)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn numbers_as_companies_publish_them_get_the_verdict_of_another_implementation() {
    let rows = include_str!("numbers.tsv").lines().filter(|line| !line.starts_with('#'));
    let failed: Vec<_> = rows
        .filter(|row| {
            let [country, verdict, number] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
            let found = match check(number, Some(country)) {
                Ok(TaxCheck::ChecksumOk) => "CHECKSUM_OK",
                Ok(TaxCheck::FormatOnly) => "FORMAT_ONLY",
                Ok(TaxCheck::UnknownCountry) => "UNKNOWN_COUNTRY",
                Err(rule) => rule.code().as_str(),
            };
            found != verdict
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Whatever the scheme, digits that are all zero are nobody's number, though the sums of many of them fit.
#[test]
fn nobody_has_a_number_of_zeros() {
    for scheme in SCHEMES {
        for shape in scheme.shapes.iter().filter(|shape| !shape.contains(['a', '+', '*', 'G', 'H'])) {
            for last in ['0', '1', '7'] {
                let number: String = shape
                    .replace(['9', 'x'], "0")
                    .chars()
                    .rev()
                    .enumerate()
                    .map(|(place, digit)| if place == 0 && digit == '0' { last } else { digit })
                    .collect::<Vec<char>>()
                    .into_iter()
                    .rev()
                    .collect();
                let found = check(&number, Some(scheme.country));
                assert!(found.is_err() || found == Ok(TaxCheck::FormatOnly), "{} {number}: {found:?}", scheme.country);
            }
        }
    }
}

#[test]
fn numbers_that_nobody_can_have_are_refused_by_the_rule_that_they_break() {
    let wrong = |(country, number, rule): &&(&str, &str, RuleCode)| {
        check(number, Some(country)).map_err(|refused| refused.code()) != Err(*rule)
    };
    let failed: Vec<_> = INVALID.iter().filter(wrong).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_country_of_the_union_and_four_others_have_a_scheme_with_numbers_of_each_kind_tested() {
    const EU: &str = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK";
    let countries: Vec<&str> = SCHEMES.iter().map(|scheme| scheme.country).collect();
    assert!(countries.is_sorted());
    for country in EU.split(' ').chain(["GB", "CH", "NO"]) {
        assert!(countries.contains(&country), "{country}");
        assert!(VALID.iter().any(|(of, ..)| *of == country), "{country}");
        assert!(INVALID.iter().any(|(of, ..)| *of == country), "{country}");
    }
    assert_eq!(countries.len(), 30);
}

#[test]
fn every_example_is_a_valid_number() {
    for scheme in SCHEMES {
        assert_eq!(check(scheme.example, Some(scheme.country)), Ok(TaxCheck::ChecksumOk), "{}", scheme.example);
        assert_eq!(check(scheme.example, None), Ok(TaxCheck::ChecksumOk), "{}", scheme.example);
    }
}

#[test]
fn numbers_without_published_check_digits_are_checked_by_their_form_alone() {
    for (country, number) in
        [("GB", "GD001"), ("GB", "XIHA599"), ("CZ", "682127228"), ("LV", "16117519997"), ("RO", "1630615123457")]
    {
        assert_eq!(check(number, Some(country)), Ok(TaxCheck::FormatOnly), "{country} {number}");
    }
}

#[test]
fn the_prefix_tells_the_country_where_none_is_given() {
    assert_eq!(check("NL006486253B01", None), Ok(TaxCheck::ChecksumOk));
    assert_eq!(check("XI 980 7806 84", None), Ok(TaxCheck::ChecksumOk));
    assert_eq!(check("980 7806 84", Some("XI")), Ok(TaxCheck::ChecksumOk));
    assert_eq!((country("xi"), country("Greece"), country("EL")), (Some("XI"), Some("GR"), Some("GR")));
    assert_eq!(check("NL006486254B01", None).unwrap_err().code(), RuleCode::TaxIdChecksum);
    // Neither of these has the form of the country whose code it begins with.
    for other in ["17048595", "NL1", "12-3456789", "DEPOT 7", ""] {
        assert_eq!(check(other, None), Ok(TaxCheck::UnknownCountry), "{other}");
    }
    assert_eq!(check("12-3456789", Some("US")), Ok(TaxCheck::UnknownCountry));
}

#[test]
fn companies_of_monaco_and_man_have_the_numbers_of_their_neighbours() {
    assert_eq!(check("FR40303265045", Some("MC")), Ok(TaxCheck::ChecksumOk));
    assert_eq!(check("GB980780684", Some("IM")), Ok(TaxCheck::ChecksumOk));
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(number in samples::raw(), place in 0..SCHEMES.len()) {
        let _: Result<TaxCheck, Rule> = check(&number, Some(SCHEMES[place].country));
    }

    /// No sum of the checks goes out of bounds, whatever the digits are.
    #[test]
    fn any_number_of_a_shape_gets_an_answer(digits in "[0-9]{14}", letters in "[A-Z]{14}", place in 0..SCHEMES.len()) {
        let (mut digits, mut letters) = (digits.chars(), letters.chars());
        for shape in SCHEMES[place].shapes {
            let number: String = shape.chars().map(|kind| match kind {
                '9' | 'x' => digits.next().unwrap_or('7'),
                'a' => letters.next().unwrap_or('Q'),
                other => other,
            }).collect();
            let found = check(&number, Some(SCHEMES[place].country));
            prop_assert!(found.map_err(|rule| rule.code()) != Err(RuleCode::TaxIdFormat), "{}", number);
        }
    }
}
