use super::*;

#[test]
fn a_country_is_recognised_by_its_codes_and_english_names() {
    for (country, code) in [
        ("US", "US"),
        ("usa", "US"),
        ("United States", "US"),
        ("United States of America", "US"),
        ("U.S.A.", "US"),
        ("NLD", "NL"),
        ("528", "NL"),
        ("004", "AF"),
        ("St. Lucia", "LC"),
        ("Bosnia", "BA"),
        ("British Virgin Islands", "VG"),
        ("Palestine", "PS"),
        ("Iran", "IR"),
        ("Hong Kong", "HK"),
        ("Netherlands", "NL"),
        ("the netherlands", "NL"),
        ("Kingdom of the Netherlands", "NL"),
        ("UK", "GB"),
        ("Türkiye", "TR"),
        ("Turkey", "TR"),
        ("Cote d’Ivoire", "CI"),
        ("Curacao", "CW"),
        ("South Korea", "KR"),
        ("Republic of Korea", "KR"),
        ("Congo", "CG"),
        ("Democratic Republic of the Congo", "CD"),
        ("Taiwan", "TW"),
        ("Vietnam", "VN"),
        ("Nederland", "NL"),
        ("DEUTSCHLAND", "DE"),
        ("Kosovo", "XK"),
    ] {
        assert_eq!(country_code(country), Some(code), "{country}");
    }
    for other in ["", "Atlantis", "EU", "-", "4", "999"] {
        assert_eq!(country_code(other), None, "{other}");
    }
}

#[test]
fn a_state_is_recognised_by_its_code_and_its_name() {
    for state in ["TX", "tx", "US-TX", "us tx", "Texas", "texas"] {
        let forms = state_forms(Some("USA"), state);
        for form in ["US-TX", "TX", "Texas"].into_iter().filter(|form| *form != state) {
            assert!(forms.iter().any(|other| other == form), "{state}: {forms:?}");
        }
        assert!(!forms.iter().any(|form| form == state), "{forms:?}");
    }
    for state in ["Noord-Brabant", "Noord Brabant", "noordbrabant", "NL-NB", "NB"] {
        let forms = state_forms(Some("Netherlands"), state);
        assert!(["NL-NB", "NB", "Noord-Brabant"].iter().all(|form| *form == state || forms.iter().any(|f| f == form)));
    }
    for (country, state, code) in [
        ("Germany", "Baden-Wurttemberg", "DE-BW"),
        ("PL", "Lodzkie", "PL-10"),
        ("NO", "More og Romsdal", "NO-15"),
        ("BR", "Sao Paulo", "BR-SP"),
        ("TR", "ADIYAMAN", "TR-02"),
        ("ES", "Principado de Asturias", "ES-AS"),
        ("ES", "Asturias", "ES-AS"),
        ("BE", "Région wallonne", "BE-WAL"),
        ("BG", "Sofia", "BG-22"),
        ("KE", "Taita Taveta", "KE-39"),
        ("GB", "Bristol", "GB-BST"),
        ("CN", "Guangdong", "CN-GD"),
        ("SE", "Stockholm", "SE-AB"),
        ("US", "Calif.", "US-CA"),
    ] {
        let forms = state_forms(Some(country), state);
        assert!(forms.iter().any(|form| form == code), "{state}: {forms:?}");
    }
}

#[test]
fn a_state_has_one_code_however_it_is_written() {
    for (country, state, code) in [
        ("NL", "Noord Brabant", Some("NL-NB")),
        ("NL", "NL-NB", Some("NL-NB")),
        ("NL", "nb", Some("NL-NB")),
        ("US", "Texas", Some("US-TX")),
        ("US", "Calif.", Some("US-CA")),
        ("DE", "Baden-Wurttemberg", Some("DE-BW")),
        ("JP", "東京都", Some("JP-13")),
        ("KR", "서울특별시", Some("KR-11")),
        ("CN", "上海市", Some("CN-SH")),
        ("NL", "Friesland", Some("NL-FR")),
        ("ES", "Cantabria", Some("ES-S")),
        ("ES", "La Rioja", Some("ES-LO")),
        ("ES", "Illes Balears", Some("ES-PM")),
        ("ES", "Vizcaya", Some("ES-BI")),
        ("ES", "Madrid", Some("ES-M")),
        ("ID", "Papua", Some("ID-PA")),
        ("IT", "Rome", Some("IT-RM")),
        ("IT", "Roma", Some("IT-RM")),
        ("US", "Washington, D.C.", Some("US-DC")),
        ("US", "Washington", Some("US-WA")),
        ("US", "Fla.", Some("US-FL")),
        ("CA", "P.E.I.", Some("CA-PE")),
        ("AU", "Vic.", Some("AU-VIC")),
        ("MX", "D.F.", Some("MX-CMX")),
        ("IN", "Orissa", Some("IN-OD")),
        ("JP", "Tokyo", Some("JP-13")),
        ("JP", "Tokyo-to", Some("JP-13")),
        ("JP", "Kanagawa Prefecture", Some("JP-14")),
        ("CN", "Sichuan Province", Some("CN-SC")),
        ("RU", "Moscow", Some("RU-MOW")),
        ("AE", "دبي", Some("AE-DU")),
        ("IE", "County Dublin", Some("IE-D")),
        ("IE", "Co. Cork", Some("IE-CO")),
        // A city and the county around it.
        ("TW", "Hsinchu", None),
        ("TW", "Hsinchu City", Some("TW-HSZ")),
        ("US", "New", None),
        ("NL", "", None),
        ("XK", "Pristina", None),
    ] {
        assert_eq!(state_code(country, state), code, "{country} {state}");
    }
}

#[test]
fn every_country_and_state_is_listed_by_its_code() {
    assert!(countries().len() >= 250 && countries().is_sorted() && states_of("XK").is_empty());
    for (country, name) in countries() {
        assert_eq!(country_code(country), Some(country));
        assert_eq!(country_code(name), Some(country), "{name}");
        for (code, _) in states_of(country) {
            assert_eq!(state_code(country, code), Some(code));
        }
    }
}

#[test]
fn what_is_not_recognised_has_no_further_forms() {
    for (country, state) in [
        (None, "TX"),
        (Some(""), "TX"),
        (Some("Atlantis"), "TX"),
        (Some("NL"), "TX"),
        (Some("NL"), ""),
        (Some("NL"), "-"),
        (Some("US"), "New"),
        (Some("US"), "North"),
        (Some("US"), "Cal"),
        (Some("VA"), "Rome"),
    ] {
        assert_eq!(state_forms(country, state), Vec::<String>::new(), "{country:?} {state:?}");
    }
}

#[test]
fn every_state_is_recognised_by_each_of_its_forms() {
    for country in ALL {
        for state in states(country.alpha2) {
            let code = &state.forms[0];
            for form in &state.forms {
                let forms = state_forms(Some(country.name), form);
                assert!(form == code || forms.contains(code), "{code}: {form} has {forms:?}");
            }
        }
    }
}
