//! Countries and their states: names and codes come in, ISO 3166 codes go out. How they are recognised, a search shares.

use crate::domain::{
    search::places,
    values::{rule_code::RuleCode, violation::Rule},
};

/// Every country: its code of two letters and its English name, by code.
#[must_use]
pub fn countries() -> Vec<(&'static str, &'static str)> {
    places::countries()
}

/// The states of a country, which is given by its code: codes and names, by code.
#[must_use]
pub fn states(country: &str) -> Vec<(&'static str, &'static str)> {
    places::states_of(country)
}

/// The code of a country.
///
/// # Errors
/// No country has this code or name.
pub fn country(written: &str) -> Result<&'static str, Rule> {
    places::country_code(written).ok_or_else(|| {
        let text = "must be a country: a code of ISO 3166-1 such as NL, or an English name such as Netherlands";
        Rule::coded(RuleCode::Country, text)
    })
}

/// What stands in the place of a state in addresses of the armed forces of the United States, and is no state of the standard.
const ARMED_FORCES: [&str; 3] = ["AA", "AE", "AP"];

/// The code of a state of this country, or none if the country has no such state and needs none in an address: then it is kept as
/// it was written.
///
/// # Errors
/// Addresses of the country need one of its states, and this is none.
pub fn state(country: &'static str, written: &str, is_needed: bool) -> Result<Option<&'static str>, Rule> {
    let code = places::state_code(country, written);
    if country == "US" && ARMED_FORCES.contains(&written) {
        return Ok(None);
    }
    if code.is_some() || !(is_needed || is_elsewhere(country, written)) {
        return Ok(code);
    }
    match places::states_of(country).first() {
        None => Ok(None),
        Some((example, name)) => {
            let text =
                format!("must be a state of {country}: a code of ISO 3166-2 or its name, such as {example} or {name}");
            Err(Rule::coded_with(RuleCode::State, text))
        }
    }
}

/// Whether this is the code of another country's state.
fn is_elsewhere(country: &str, written: &str) -> bool {
    let other = written.split_once('-').and_then(|(other, _)| places::country_code(other));
    other.is_some_and(|other| other != country && places::state_code(other, written) == Some(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_refused_only_where_addresses_need_one() {
        assert_eq!(state("NL", "Noord Brabant", false), Ok(Some("NL-NB")));
        assert_eq!(state("GB", "Greater London", false), Ok(None));
        assert_eq!(state("US", "Texas", true), Ok(Some("US-TX")));
        assert_eq!(state("US", "AE", true), Ok(None));
        let refused = state("US", "Noord Brabant", true).unwrap_err();
        assert_eq!(
            (refused.code(), refused.text().contains("US-AK or Alaska")),
            (RuleCode::State, true),
            "{refused:?}"
        );
        assert_eq!(state("BE", "NL-NB", false).unwrap_err().code(), RuleCode::State, "a state of another country");
        // The table has no states of it.
        assert_eq!(state("HK", "Kowloon", true), Ok(None));
    }

    #[test]
    fn a_code_is_the_country_that_its_letters_are_in_any_case() {
        for (code, _) in countries() {
            assert_eq!((country(code), country(&code.to_lowercase())), (Ok(code), Ok(code)));
        }
    }

    #[test]
    fn an_unknown_country_is_refused_with_examples() {
        assert_eq!(country("Netherlands"), Ok("NL"));
        let refused = country("Atlantis").unwrap_err();
        assert_eq!((refused.code(), refused.text().contains("NL")), (RuleCode::Country, true));
    }
}
