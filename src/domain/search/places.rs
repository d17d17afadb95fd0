//! Countries and states by the ways people write them: ISO 3166-1 and 3166-2, for searching alone.
//!
//! Rule: what is not recognised is no error. A text that is searched is found as it was written in any case.

use std::{
    collections::HashMap,
    sync::{LazyLock, OnceLock},
};

use rust_iso3166::{ALL, CountryCode, iso3166_2::Subdivision};

use super::{fold::fold, words::compact};

/// Fewer letters than this are no abbreviation of a state's name, only its code is.
const ABBREVIATED: usize = 4;

/// Names in daily use that ISO 3166-1 does not have, by the country's code.
const USUAL_NAMES: [(&str, &[&str]); 24] = [
    ("AE", &["UAE"]),
    ("BN", &["Brunei"]),
    ("BO", &["Bolivia"]),
    ("CD", &["DR Congo", "Congo-Kinshasa"]),
    ("CI", &["Ivory Coast"]),
    ("CV", &["Cape Verde"]),
    ("CZ", &["Czech Republic"]),
    ("FK", &["Falkland Islands"]),
    ("GB", &["United Kingdom", "UK", "Great Britain", "England", "Scotland", "Wales", "Northern Ireland"]),
    ("KP", &["North Korea"]),
    ("KR", &["South Korea", "Korea"]),
    ("LA", &["Laos"]),
    ("MK", &["Macedonia"]),
    ("MM", &["Burma"]),
    ("MO", &["Macau"]),
    ("NL", &["Holland", "The Netherlands"]),
    ("RU", &["Russia"]),
    ("SY", &["Syria"]),
    ("SZ", &["Swaziland"]),
    ("TL", &["East Timor"]),
    ("TR", &["Turkey"]),
    ("US", &["United States"]),
    ("VA", &["Vatican", "Vatican City"]),
    ("VI", &["US Virgin Islands"]),
];

/// The countries by every folded spelling.
static COUNTRIES: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let usual = USUAL_NAMES.iter().flat_map(|(code, names)| names.iter().map(|name| (letters(name), *code)));
    let official = ALL.iter().flat_map(|country| {
        let codes = [country.alpha2, country.alpha3].map(letters);
        let names = spellings(country.name).into_iter().map(|name| letters(&name));
        codes.into_iter().chain(names).map(|name| (name, country.alpha2))
    });
    let exact = ALL.iter().map(|country| (letters(country.name), country.alpha2));
    // Of two countries with a spelling the last one has it: a name without its qualifier yields to a whole name.
    official.chain(usual).chain(exact).collect()
});

/// The states of each country, made when the country is first asked for.
static STATES: LazyLock<HashMap<&'static str, OnceLock<Vec<State>>>> =
    LazyLock::new(|| ALL.iter().map(|country| (country.alpha2, OnceLock::new())).collect());

/// A state, province, region or district.
struct State {
    /// Its code with and without the country, and its names.
    forms: Vec<String>,
    /// The same, folded.
    folded: Vec<String>,
}

/// Returns the ISO 3166-1 code of two letters of a country that is given by a code or an English name.
pub(super) fn country_code(country: &str) -> Option<&'static str> {
    COUNTRIES.get(&letters(country)).copied()
}

/// Returns further spellings of a state of this country: its ISO 3166-2 code with and without the country, and its names. Empty
/// if the country or the state is not recognised. A name may be without accents, punctuation and its end ("Guangdong" is
/// Guangdong Sheng, "Calif." is California), as long as one state alone begins like this.
pub(super) fn state_forms(country: Option<&str>, state: &str) -> Vec<String> {
    let wanted = letters(state);
    let Some(states) = country.and_then(country_code).map(states) else { return Vec::new() };
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<&State> = states.iter().filter(|state| state.folded.contains(&wanted)).collect();
    if found.is_empty() && wanted.chars().count() >= ABBREVIATED {
        found = states.iter().filter(|state| state.folded.iter().any(|form| form.starts_with(&wanted))).collect();
        found.truncate(if found.len() == 1 { 1 } else { 0 });
    }
    found.iter().flat_map(|found| &found.forms).filter(|form| *form != state).cloned().collect()
}

fn states(country: &'static str) -> &'static [State] {
    let Some(states) = STATES.get(country) else { return &[] };
    states.get_or_init(|| {
        let country = rust_iso3166::from_alpha2(country);
        let subdivisions = country.as_ref().and_then(CountryCode::subdivisions).unwrap_or_default();
        subdivisions.iter().map(State::of).collect()
    })
}

impl State {
    fn of(subdivision: &Subdivision) -> Self {
        let codes = [subdivision.code, subdivision.region_code].map(str::to_owned);
        let forms: Vec<String> = codes.into_iter().chain(spellings(subdivision.name)).collect();
        Self { folded: forms.iter().map(|form| letters(form)).collect(), forms }
    }
}

/// The spellings of a name in the standard: itself; without a qualifier in parentheses ("Sofia (stolitsa)") and behind one
/// ("Korea (Republic of)"); the right way round ("Navarra, Comunidad Foral de") and without what was turned around; each of
/// two names ("Taita/Taveta").
fn spellings(name: &str) -> Vec<String> {
    let mut spellings = vec![name.to_owned()];
    let (plain, qualifier) = name.split_once(" (").unwrap_or((name, ""));
    if let Some(before) =
        qualifier.strip_suffix(')').filter(|before| before.ends_with(" of") || before.ends_with(" the"))
    {
        spellings.push(format!("{before} {plain}"));
    }
    if let Some((last, first)) = plain.split_once(", ") {
        spellings.extend([format!("{first} {last}"), last.to_owned()]);
    }
    spellings.extend(plain.split('/').map(|part| part.trim().to_owned()));
    let mut kept = Vec::new();
    for spelling in spellings {
        if !spelling.is_empty() && !kept.contains(&spelling) {
            kept.push(spelling);
        }
    }
    kept
}

/// A text's letters and digits, folded.
fn letters(text: &str) -> String {
    compact(&fold(text))
}

#[cfg(test)]
mod tests {
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
        ] {
            assert_eq!(country_code(country), Some(code), "{country}");
        }
        for other in ["", "Atlantis", "EU", "-"] {
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
            assert!(
                ["NL-NB", "NB", "Noord-Brabant"].iter().all(|form| *form == state || forms.iter().any(|f| f == form))
            );
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
}
