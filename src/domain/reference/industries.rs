//! Industries: a list of codes and names. What portals call "Non-profit" or "Education" here decides about prices and taxes there,
//! so a customer has a code, and never a free text.

use crate::domain::{
    search::places::letters,
    values::{rule_code::RuleCode, violation::Rule},
};

/// An entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Industry {
    /// What is stored and returned.
    pub code: &'static str,
    /// The English name, which is understood too.
    pub name: &'static str,
    /// Other names that are understood.
    pub also: &'static [&'static str],
}

const fn industry(code: &'static str, name: &'static str, also: &'static [&'static str]) -> Industry {
    Industry { code, name, also }
}

/// The list of a tenant that has none of its own, by code. It follows the sections of ISIC (Rev. 4, United Nations) as far as
/// sellers of software tell them apart, and has the three kinds that get other prices: education, government, non-profit.
pub const DEFAULT: &[Industry] = &[
    industry("agriculture", "Agriculture", &["Agriculture, forestry and fishing", "Farming"]),
    industry("automotive", "Automotive", &["Car dealer", "Automotive trade"]),
    industry("commercial", "Commercial", &["Business", "Other business"]),
    industry("construction", "Construction", &["Building"]),
    industry("education", "Education", &["School", "University"]),
    industry("energy", "Energy", &["Energy and utilities", "Utilities", "Oil and gas"]),
    industry("finance", "Finance", &["Financial services", "Banking", "Insurance"]),
    industry("food", "Food and beverage", &["Food"]),
    industry("government", "Government", &["Public sector", "Public administration"]),
    industry("health", "Health", &["Healthcare", "Health care", "Life sciences", "Pharmaceuticals"]),
    industry("hospitality", "Hospitality", &["Hotels and restaurants", "Travel", "Tourism"]),
    industry("legal", "Legal services", &["Legal", "Law firm"]),
    industry("manufacturing", "Manufacturing", &["Industry", "Production"]),
    industry("media", "Media", &["Media and entertainment", "Publishing", "Entertainment"]),
    industry("non-profit", "Non-profit", &["Not for profit", "Charity", "NGO"]),
    industry("other", "Other", &[]),
    industry("professional-services", "Professional services", &["Consulting", "Accounting", "Services"]),
    industry("real-estate", "Real estate", &["Property"]),
    industry("retail", "Retail", &["Shop"]),
    industry("technology", "Technology", &["IT", "Information technology", "Software"]),
    industry("telecommunications", "Telecommunications", &["Telecom"]),
    industry("transport", "Transport", &["Transport and logistics", "Transportation", "Logistics", "Shipping"]),
    industry("wholesale", "Wholesale", &["Trade", "Distribution", "Wholesale trade"]),
];

/// The code of an industry.
///
/// # Errors
/// The list has none of this code or name.
pub fn parse(written: &str) -> Result<&'static str, Rule> {
    if let Some(exact) = DEFAULT.iter().find(|industry| industry.code == written) {
        return Ok(exact.code);
    }
    let wanted = letters(written);
    let called = |industry: &&Industry| {
        [industry.code, industry.name].iter().chain(industry.also).any(|name| letters(name) == wanted)
    };
    DEFAULT.iter().find(called).map(|industry| industry.code).ok_or_else(|| {
        let text =
            "must be one of the industries that ListIndustries returns, by code or name, such as retail or Non-profit";
        Rule::coded(RuleCode::Industry, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_industry_is_known_by_its_code_and_its_names_in_any_case() {
        for (written, code) in [
            ("Non-profit", "non-profit"),
            ("nonprofit", "non-profit"),
            ("NON PROFIT", "non-profit"),
            ("Banking", "finance"),
        ] {
            assert_eq!(parse(written), Ok(code), "{written}");
        }
        assert_eq!(parse("Alchemy").unwrap_err().code(), RuleCode::Industry);
        assert_eq!(parse("").unwrap_err().code(), RuleCode::Industry);
    }

    #[test]
    fn codes_are_in_order_and_no_name_stands_for_two() {
        assert!(DEFAULT.is_sorted_by_key(|industry| industry.code));
        let names = DEFAULT.iter().flat_map(|it| {
            [it.code, it.name].into_iter().chain(it.also.iter().copied()).map(move |name| (name, it.code))
        });
        for (name, code) in names {
            assert_eq!(parse(name), Ok(code), "{name}");
        }
    }
}
