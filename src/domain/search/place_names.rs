//! Names of countries and states beside those of the standard, and the spellings of those.

use std::{collections::HashMap, sync::LazyLock};

/// Names in daily use that ISO 3166-1 does not have, by the country's code: short English ones, and those that the forms of
/// European portals show in the country's own language. Kosovo has no code of the standard; XK is the one of CLDR.
pub(super) const USUAL_NAMES: &[(&str, &[&str])] = &[
    ("AE", &["UAE"]),
    ("AT", &["Österreich"]),
    ("BE", &["België", "Belgique", "Belgien"]),
    ("BG", &["България"]),
    ("CH", &["Schweiz", "Suisse", "Svizzera"]),
    ("DE", &["Deutschland"]),
    ("DK", &["Danmark"]),
    ("EE", &["Eesti"]),
    ("ES", &["España"]),
    ("FI", &["Suomi"]),
    ("GR", &["Ελλάδα", "EL"]),
    ("HR", &["Hrvatska"]),
    ("HU", &["Magyarország"]),
    ("IE", &["Éire"]),
    ("IT", &["Italia"]),
    ("JP", &["日本"]),
    ("LT", &["Lietuva"]),
    ("LV", &["Latvija"]),
    ("NO", &["Norge", "Noreg"]),
    ("PL", &["Polska"]),
    ("RO", &["România"]),
    ("SE", &["Sverige"]),
    ("SI", &["Slovenija"]),
    ("SK", &["Slovensko"]),
    ("XK", &["XK", "XKX", "Kosovo"]),
    ("BN", &["Brunei"]),
    ("BO", &["Bolivia"]),
    ("CD", &["DR Congo", "Congo-Kinshasa"]),
    ("CI", &["Ivory Coast"]),
    ("CV", &["Cape Verde"]),
    ("CZ", &["Czech Republic", "Česko", "Česká republika"]),
    ("FK", &["Falkland Islands"]),
    ("GB", &["United Kingdom", "UK", "Great Britain", "England", "Scotland", "Wales", "Northern Ireland"]),
    ("KP", &["North Korea"]),
    ("KR", &["South Korea", "Korea"]),
    ("LA", &["Laos"]),
    ("MK", &["Macedonia"]),
    ("MM", &["Burma"]),
    ("MO", &["Macau"]),
    ("NL", &["Holland", "The Netherlands", "Nederland"]),
    ("RU", &["Russia"]),
    ("SY", &["Syria"]),
    ("SZ", &["Swaziland"]),
    ("TL", &["East Timor"]),
    ("TR", &["Turkey"]),
    ("US", &["United States"]),
    ("VA", &["Vatican", "Vatican City"]),
    ("VI", &["US Virgin Islands"]),
];

/// Names of states that neither table has.
const USUAL_STATES: &[(&str, &str)] = &[("BE-BRU", "Brussels"), ("NL-FR", "Friesland")];

/// Further names of states: in their own languages and scripts, and short ones. `.ci/addresses` renews the table.
pub(super) static OTHER_NAMES: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let rows = include_str!("../reference/states.tsv").lines().filter(|line| !line.starts_with('#'));
    let mut names: HashMap<&'static str, Vec<&'static str>> = HashMap::new();
    for (code, others) in rows.filter_map(|row| row.split_once('\t')) {
        names.entry(code).or_default().extend(others.split('\t'));
    }
    for (code, name) in USUAL_STATES {
        names.entry(code).or_default().push(name);
    }
    names
});

/// The spellings of a name in the standard: itself; without a qualifier in parentheses ("Sofia (stolitsa)") and behind one
/// ("Korea (Republic of)"); the right way round ("Navarra, Comunidad Foral de") and without what was turned around; each of
/// two names ("Taita/Taveta").
pub(super) fn spellings(name: &str) -> Vec<String> {
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
