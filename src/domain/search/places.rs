//! Countries and states by the ways people write them: ISO 3166-1 and 3166-2.
//!
//! Rule: what is not recognised is no error of a search. A text that is searched is found as it was written in any case.

use std::{
    collections::HashMap,
    sync::{LazyLock, OnceLock},
};

use rust_iso3166::{ALL, CountryCode, iso3166_2::Subdivision};

use super::{
    fold::fold,
    place_names::{OTHER_NAMES, USUAL_NAMES, spellings},
    words::compact,
};

/// Fewer letters than this are no abbreviation of a state's name, only its code is.
const ABBREVIATED: usize = 4;

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
    code: &'static str,
    name: &'static str,
    /// Its code with and without the country, and its names.
    forms: Vec<String>,
    /// The same, folded.
    folded: Vec<String>,
}

/// Returns the ISO 3166-1 code of two letters of a country that is given by a code or an English name.
pub(in crate::domain) fn country_code(country: &str) -> Option<&'static str> {
    COUNTRIES.get(&letters(country)).copied()
}

/// Every country: its ISO 3166-1 code of two letters and its English name in the standard, by code.
pub(in crate::domain) fn countries() -> Vec<(&'static str, &'static str)> {
    let mut all: Vec<_> = ALL.iter().map(|country| (country.alpha2, country.name)).chain([("XK", "Kosovo")]).collect();
    all.sort_unstable();
    all
}

/// The states of a country, which is given by its code: ISO 3166-2 codes and names, by code.
pub(in crate::domain) fn states_of(country: &str) -> Vec<(&'static str, &'static str)> {
    let known = ALL.iter().find(|known| known.alpha2 == country);
    let mut all: Vec<_> =
        known.map(|known| states(known.alpha2)).unwrap_or_default().iter().map(State::named).collect();
    all.sort_unstable();
    all
}

/// Returns the ISO 3166-2 code of a state of this country, which is given by its code: "NL-NB". None if no state, or more than
/// one, is written like this.
pub(in crate::domain) fn state_code(country: &'static str, state: &str) -> Option<&'static str> {
    let states = states(country);
    if let Some(exact) = states.iter().find(|known| known.code == state) {
        return Some(exact.code);
    }
    let wanted = letters(state);
    let named = |state: &&&State| letters(state.name) == wanted;
    match *alike(states, &wanted) {
        [] => None,
        [only] => Some(only.code),
        // One has this name, others are called so for short.
        ref several => match *several.iter().filter(named).collect::<Vec<_>>() {
            [only] => Some(only.code),
            _ => None,
        },
    }
}

/// Returns further spellings of a state of this country: its ISO 3166-2 code with and without the country, and its names. Empty
/// if the country or the state is not recognised. A name may be without accents, punctuation and its end ("Guangdong" is
/// Guangdong Sheng, "Calif." is California), as long as one state alone begins like this.
pub(super) fn state_forms(country: Option<&str>, state: &str) -> Vec<String> {
    let Some(states) = country.and_then(country_code).map(states) else { return Vec::new() };
    let found = alike(states, &letters(state));
    found.iter().flat_map(|found| &found.forms).filter(|form| *form != state).cloned().collect()
}

/// The states that are written like this: by a code or a name, else by the beginning of one name alone.
fn alike<'a>(states: &'a [State], wanted: &str) -> Vec<&'a State> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<&State> = states.iter().filter(|state| state.folded.iter().any(|form| form == wanted)).collect();
    if found.is_empty() && wanted.chars().count() >= ABBREVIATED {
        found = states.iter().filter(|state| state.folded.iter().any(|form| form.starts_with(wanted))).collect();
        found.truncate(if found.len() == 1 { 1 } else { 0 });
    }
    found
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
        let mut forms: Vec<String> = codes.into_iter().chain(spellings(subdivision.name)).collect();
        for name in OTHER_NAMES.get(subdivision.code).into_iter().flatten() {
            if !forms.iter().any(|form| form == name) {
                forms.push((*name).to_owned());
            }
        }
        let (code, name) = (subdivision.code, subdivision.name);
        Self { code, name, folded: forms.iter().map(|form| letters(form)).collect(), forms }
    }

    fn named(&self) -> (&'static str, &'static str) {
        (self.code, self.name)
    }
}

/// A text's letters and digits, folded.
pub(in crate::domain) fn letters(text: &str) -> String {
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
            ("Nederland", "NL"),
            ("DEUTSCHLAND", "DE"),
            ("Kosovo", "XK"),
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
}
