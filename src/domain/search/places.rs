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
    place_names::{MEANT, OTHER_NAMES, USUAL_NAMES, spellings},
    words::compact,
};

/// Fewer letters than this are no abbreviation of a state's name, only its code is.
const ABBREVIATED: usize = 4;

/// The countries by every folded spelling.
static COUNTRIES: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let usual = USUAL_NAMES.iter().flat_map(|(code, names)| names.iter().map(|name| (letters(name), *code)));
    let official = ALL.iter().flat_map(|country| {
        let codes = [letters(country.alpha2), letters(country.alpha3), format!("{:03}", country.numeric)];
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

/// Returns the ISO 3166-1 code of two letters of a country that is given by a code, also that of digits, or an English name.
pub(in crate::domain) fn country_code(country: &str) -> Option<&'static str> {
    // A code, as it is stored, needs no folding.
    let exact = rust_iso3166::from_alpha2(country).map(|known| known.alpha2);
    exact.or_else(|| COUNTRIES.get(&letters(country)).copied())
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
    let wanted = letters(without_kind(state));
    let named = |state: &&&State| letters(state.name) == wanted;
    match *alike(states, &wanted) {
        [] => None,
        [only] => Some(only.code),
        // One has this name, others are called so for short.
        ref several => match *several.iter().filter(named).collect::<Vec<_>>() {
            [only] => Some(only.code),
            ref namesakes => namesakes.iter().map(|state| state.code).find(|code| MEANT.contains(code)),
        },
    }
}

/// A name without the English word for a state that people write behind or before it.
fn without_kind(state: &str) -> &str {
    const BEHIND: [&str; 5] = [" Prefecture", " Province", " Governorate", "-to", " State"];
    const BEFORE: [&str; 3] = ["County ", "Co. ", "State of "];
    let bare = BEHIND.iter().find_map(|kind| state.strip_suffix(kind));
    bare.or_else(|| BEFORE.iter().find_map(|kind| state.strip_prefix(kind))).unwrap_or(state)
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
mod tests;
