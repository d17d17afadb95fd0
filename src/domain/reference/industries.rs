//! Industries: a list of codes and names. What portals call "Non-profit" or "Education" here decides about prices and taxes there,
//! so a customer has a code, and never a free text. A tenant has the default list, or one of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{
    search::places::letters,
    values::{
        rule_code::RuleCode,
        text::Text,
        violation::{Rule, Violations},
    },
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

/// An entry of a tenant's own list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnIndustry {
    /// What is stored and returned.
    #[serde(rename = "code")]
    pub code: String,
    /// What people call it; it is understood too.
    #[serde(rename = "name")]
    pub name: String,
}

/// A tenant's own list, by code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Industries(Vec<OwnIndustry>);

impl Industries {
    /// The most entries.
    pub const MAX: usize = 200;
    /// The most bytes of all codes and names.
    pub const MAX_BYTES: usize = 16 * 1024;
    /// The most characters of a name.
    pub const MAX_NAME: usize = 100;
    /// The most characters of a code.
    const MAX_CODE: usize = 50;

    /// A list, from codes and names.
    ///
    /// # Errors
    /// It is too long, an entry is malformed, or a code or name stands for two.
    pub fn parse(entries: &[(String, String)]) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        if entries.len() > Self::MAX {
            let text = format!("must be at most {} industries; these are {}", Self::MAX, entries.len());
            return Err(Violations::of("industries", Rule::with(text)));
        }
        let (mut list, mut taken) = (Vec::new(), BTreeMap::new());
        for (place, (code, name)) in entries.iter().enumerate() {
            let code = violations.check(format!("industries[{place}].code"), parse_code(code));
            let name = violations.check(format!("industries[{place}].name"), Text::<{ Self::MAX_NAME }>::parse(name));
            let Some((code, name)) = code.zip(name) else { continue };
            let entry = OwnIndustry { code, name: name.as_str().to_owned() };
            let twice = [&entry.code, &entry.name]
                .iter()
                .any(|called| taken.insert(letters(called), place).is_some_and(|other: usize| other != place));
            if twice {
                let rule = Rule::new("must not have the code or name of another industry of the list");
                violations.push(format!("industries[{place}]"), rule);
            }
            list.push(entry);
        }
        let list = Self(list);
        if list.bytes() > Self::MAX_BYTES {
            let text =
                format!("must have at most {} bytes of codes and names; these have {}", Self::MAX_BYTES, list.bytes());
            violations.push("industries", Rule::with(text));
        }
        violations.finish(Some(()))?;
        let Self(mut list) = list;
        list.sort_by(|one, other| one.code.cmp(&other.code));
        Ok(Self(list))
    }

    /// About what it takes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|entry| entry.code.len() + entry.name.len()).sum()
    }

    /// The code of what is called so. Of a code that the default list has too, its other names are understood, unless the list uses
    /// them otherwise.
    fn find(&self, written: &str) -> Option<&str> {
        let wanted = letters(written);
        let own = |entry: &&OwnIndustry| letters(&entry.code) == wanted || letters(&entry.name) == wanted;
        let exact = self.0.iter().find(|entry| entry.code == written);
        let usual = || find_usual(written).and_then(|code| self.0.iter().find(|entry| entry.code == code));
        exact.or_else(|| self.0.iter().find(own)).or_else(usual).map(|entry| entry.code.as_str())
    }
}

fn parse_code(code: &str) -> Result<String, Rule> {
    let is_code = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let ends = code.starts_with('-') || code.ends_with('-');
    if code.is_empty() || code.len() > Industries::MAX_CODE || ends || !code.chars().all(is_code) {
        return Err(Rule::new("must be 1 to 50 small letters, digits and hyphens, as non-profit"));
    }
    Ok(code.to_owned())
}

/// The codes and names of a tenant's list: its own, or the default.
#[must_use]
pub fn all(own: Option<&Industries>) -> Vec<(&str, &str)> {
    match own {
        Some(Industries(list)) => list.iter().map(|entry| (entry.code.as_str(), entry.name.as_str())).collect(),
        None => DEFAULT.iter().map(|industry| (industry.code, industry.name)).collect(),
    }
}

/// The code of an industry in a tenant's list: its own, or the default.
///
/// # Errors
/// The list has none of this code or name.
pub fn parse(own: Option<&Industries>, written: &str) -> Result<String, Rule> {
    let found = match own {
        Some(list) => list.find(written),
        None => find_usual(written),
    };
    found.map(ToOwned::to_owned).ok_or_else(|| {
        let text =
            "must be one of the industries that ListIndustries returns, by code or name, such as retail or Non-profit";
        Rule::coded(RuleCode::Industry, text)
    })
}

/// The code in the default list of what is called so.
fn find_usual(written: &str) -> Option<&'static str> {
    if let Some(exact) = DEFAULT.iter().find(|industry| industry.code == written) {
        return Some(exact.code);
    }
    let wanted = letters(written);
    let called = |industry: &&Industry| {
        [industry.code, industry.name].iter().chain(industry.also).any(|name| letters(name) == wanted)
    };
    DEFAULT.iter().find(called).map(|industry| industry.code)
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
            assert_eq!(parse(None, written).as_deref(), Ok(code), "{written}");
        }
        assert_eq!(parse(None, "Alchemy").unwrap_err().code(), RuleCode::Industry);
        assert_eq!(parse(None, "").unwrap_err().code(), RuleCode::Industry);
    }

    #[test]
    fn codes_are_in_order_and_no_name_stands_for_two() {
        assert!(DEFAULT.is_sorted_by_key(|industry| industry.code));
        let names = DEFAULT.iter().flat_map(|it| {
            [it.code, it.name].into_iter().chain(it.also.iter().copied()).map(move |name| (name, it.code))
        });
        for (name, code) in names {
            assert_eq!(parse(None, name).as_deref(), Ok(code), "{name}");
        }
    }

    fn own(entries: &[(&str, &str)]) -> Result<Industries, Violations> {
        let entries: Vec<_> = entries.iter().map(|(code, name)| ((*code).to_owned(), (*name).to_owned())).collect();
        Industries::parse(&entries)
    }

    #[test]
    fn a_list_of_its_own_knows_its_codes_and_names_and_the_usual_names_of_its_codes() {
        let list = own(&[("it", "IT-Dienstleister"), ("finance", "Finanzen"), ("banking", "Banken")]).unwrap();
        for (written, code) in [
            ("it", Some("it")),
            ("it dienstleister", Some("it")),
            ("Finanzen", Some("finance")),
            ("Insurance", Some("finance")),
            ("Banking", Some("banking")),
            ("retail", None),
            ("IT", Some("it")),
            ("Software", None),
        ] {
            assert_eq!(parse(Some(&list), written).ok().as_deref(), code, "{written}");
        }
        let codes: Vec<_> = all(Some(&list)).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, ["banking", "finance", "it"], "by code");
        assert_eq!(all(None).len(), DEFAULT.len());
    }

    #[test]
    fn a_list_is_bounded_and_no_code_or_name_stands_for_two() {
        let fields = |refused: Result<Industries, Violations>| -> Vec<String> {
            refused.unwrap_err().all().iter().map(|violation| violation.field.clone()).collect()
        };
        assert_eq!(
            fields(own(&[("A", "x"), ("", "y"), ("-a", "z"), ("ok", " ")])),
            ["industries[0].code", "industries[1].code", "industries[2].code", "industries[3].name"]
        );
        assert_eq!(fields(own(&[("a", "One"), ("b", "one"), ("one", "c")])), ["industries[1]", "industries[2]"]);
        let many = |count: usize, name: &str| -> Vec<(String, String)> {
            (0..count).map(|number| (format!("c{number}"), format!("{number} {name}"))).collect()
        };
        Industries::parse(&many(Industries::MAX, "x")).unwrap();
        assert_eq!(fields(Industries::parse(&many(Industries::MAX + 1, "x"))), ["industries"]);
        assert_eq!(fields(Industries::parse(&many(Industries::MAX, &"x".repeat(90)))), ["industries"]);
    }
}
