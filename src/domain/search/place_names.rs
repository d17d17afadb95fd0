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
    ("BA", &["Bosnia"]),
    ("BL", &["St. Barthélemy", "Saint Barts"]),
    ("BN", &["Brunei"]),
    ("BO", &["Bolivia"]),
    ("CD", &["DR Congo", "DRC", "Congo-Kinshasa"]),
    ("CG", &["Republic of the Congo", "Congo-Brazzaville"]),
    ("CI", &["Ivory Coast"]),
    ("CV", &["Cape Verde"]),
    ("CZ", &["Czech Republic", "Česko", "Česká republika"]),
    ("FK", &["Falkland Islands"]),
    ("GB", &["United Kingdom", "UK", "Great Britain", "England", "Scotland", "Wales", "Northern Ireland"]),
    ("KP", &["North Korea"]),
    ("KR", &["South Korea", "Korea"]),
    ("KN", &["St. Kitts and Nevis"]),
    ("LA", &["Laos"]),
    ("LC", &["St. Lucia"]),
    ("MF", &["St. Martin"]),
    ("MK", &["Macedonia"]),
    ("MM", &["Burma"]),
    ("MO", &["Macau"]),
    ("NL", &["Holland", "The Netherlands", "Nederland"]),
    ("RU", &["Russia"]),
    ("SH", &["St. Helena"]),
    ("SY", &["Syria"]),
    ("SZ", &["Swaziland"]),
    ("TL", &["East Timor"]),
    ("TR", &["Turkey"]),
    ("US", &["United States"]),
    ("TT", &["Trinidad"]),
    ("VA", &["Vatican", "Vatican City"]),
    ("VC", &["St. Vincent and the Grenadines", "St. Vincent"]),
    ("VG", &["British Virgin Islands", "BVI"]),
    ("VI", &["US Virgin Islands"]),
];

/// Names in daily use that neither table has: English and former ones, of neighbours' languages, and short ones.
const USUAL_STATES: &[(&str, &[&str])] = &[
    ("AE-RK", &["RAK"]),
    ("AR-C", &["CABA"]),
    ("AT-2", &["Carinthia"]),
    ("AT-3", &["Lower Austria"]),
    ("AT-4", &["Upper Austria"]),
    ("AT-6", &["Styria"]),
    ("AT-7", &["Tyrol"]),
    ("AT-9", &["Vienna"]),
    ("BE-BRU", &["Brussels"]),
    ("BE-VBR", &["Flemish Brabant"]),
    ("BE-VLG", &["Vlaanderen", "Flanders"]),
    ("BE-VOV", &["East Flanders"]),
    ("BE-VWV", &["West Flanders"]),
    ("BE-WHT", &["Henegouwen"]),
    ("BE-WLG", &["Luik"]),
    ("BE-WNA", &["Namen"]),
    ("BR-DF", &["Brasília"]),
    ("CA-BC", &["Colombie-Britannique"]),
    ("CA-NT", &["NWT"]),
    ("CA-ON", &["Ont."]),
    ("CA-PE", &["PEI"]),
    ("CA-QC", &["PQ"]),
    ("CA-YT", &["Yukon Territory"]),
    ("CH-GE", &["Geneva", "Genf"]),
    ("CH-LU", &["Lucerne"]),
    ("CH-TI", &["Tessin"]),
    ("CH-VD", &["Waadt"]),
    ("CH-VS", &["Wallis"]),
    ("CN-NM", &["Inner Mongolia"]),
    ("CN-XZ", &["Tibet"]),
    ("CO-DC", &["Bogotá D.C."]),
    ("CZ-10", &["Prague"]),
    ("DE-BY", &["Bavaria"]),
    ("DE-NI", &["Lower Saxony"]),
    ("DE-NW", &["NRW", "North Rhine-Westphalia"]),
    ("DE-RP", &["Rhineland-Palatinate"]),
    ("DE-SN", &["Saxony"]),
    ("DE-TH", &["Thuringia"]),
    ("ES-BI", &["Vizcaya"]),
    ("ES-C", &["La Coruña", "Coruña"]),
    ("ES-CT", &["Cataluña", "Catalonia"]),
    ("ES-GI", &["Gerona"]),
    ("ES-L", &["Lérida"]),
    ("ES-OR", &["Orense"]),
    ("ES-PM", &["Baleares", "Islas Baleares", "Mallorca"]),
    ("ES-SE", &["Seville"]),
    ("ES-SS", &["Guipúzcoa"]),
    ("ES-TF", &["Tenerife"]),
    ("ES-VI", &["Araba"]),
    ("FR-75C", &["75"]),
    ("FR-BRE", &["Brittany"]),
    ("FR-PAC", &["PACA"]),
    ("GR-I", &["Attica", "Αττική"]),
    ("ID-YO", &["DI Yogyakarta"]),
    ("IN-DL", &["New Delhi", "NCT of Delhi", "National Capital Territory of Delhi"]),
    ("IN-OD", &["Orissa"]),
    ("IN-PY", &["Pondicherry"]),
    ("IN-TS", &["TG"]),
    ("IN-UK", &["Uttaranchal"]),
    ("IQ-AR", &["Erbil"]),
    ("IQ-BA", &["Basra"]),
    ("IT-23", &["Aosta"]),
    ("IT-BZ", &["Südtirol", "South Tyrol"]),
    ("IT-FI", &["Florence"]),
    ("IT-GE", &["Genoa"]),
    ("IT-MN", &["Mantua"]),
    ("IT-NA", &["Naples"]),
    ("IT-PD", &["Padua"]),
    ("IT-RC", &["Reggio di Calabria"]),
    ("IT-RE", &["Reggio nell'Emilia"]),
    ("IT-RM", &["Rome"]),
    ("IT-SR", &["Syracuse"]),
    ("IT-TO", &["Turin"]),
    ("IT-VB", &["Verbania"]),
    ("IT-VE", &["Venice"]),
    ("JM-01", &["Kingston and St. Andrew"]),
    ("KR-42", &["강원특별자치도"]),
    ("KR-45", &["전북특별자치도", "North Jeolla"]),
    ("MX-CMX", &["Mexico City", "Distrito Federal", "DF"]),
    ("MX-MEX", &["Edomex", "Edo. de México"]),
    ("MY-07", &["Penang"]),
    ("MY-14", &["KL"]),
    ("NG-FC", &["FCT"]),
    ("NL-FR", &["Friesland"]),
    ("NL-NB", &["Brabant", "North Brabant"]),
    ("NL-NH", &["North Holland"]),
    ("NL-ZH", &["South Holland"]),
    ("PG-NCD", &["Port Moresby"]),
    ("PH-00", &["NCR", "Metro Manila"]),
    ("PL-14", &["Masovia"]),
    ("PL-24", &["Silesia"]),
    ("PT-11", &["Lisbon"]),
    ("RO-B", &["Bucharest"]),
    ("RU-KDA", &["Krasnodar"]),
    ("RU-MOS", &["Moscow Oblast", "Moscow Region"]),
    ("RU-MOW", &["Moscow"]),
    ("RU-SPE", &["Saint Petersburg", "St. Petersburg"]),
    ("RU-TA", &["Татарстан"]),
    ("SA-01", &["Riyadh", "الرياض"]),
    ("SA-02", &["Mecca"]),
    ("TW-TPE", &["臺北市"]),
    ("TW-TXG", &["臺中市"]),
    ("UA-51", &["Odesa"]),
    ("US-DC", &["Washington DC", "Washington, D.C."]),
    ("US-FL", &["Fla."]),
    ("US-IL", &["Ill."]),
    ("US-TX", &["Tex."]),
    ("VE-A", &["Caracas"]),
];

/// Of two states of one name the one that people mean in an address: a province rather than the region that it is alone, and the
/// code that the standard kept when a state was divided.
pub(super) const MEANT: &[&str] = &["ES-LO", "ES-PM", "ES-S", "ID-PA"];

/// Further names of states: in their own languages and scripts, and short ones. `.ci/addresses` renews the table.
pub(super) static OTHER_NAMES: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let rows = include_str!("../reference/states.tsv").lines().filter(|line| !line.starts_with('#'));
    let mut names: HashMap<&'static str, Vec<&'static str>> = HashMap::new();
    for (code, others) in rows.filter_map(|row| row.split_once('\t')) {
        names.entry(code).or_default().extend(others.split('\t'));
    }
    for (code, others) in USUAL_STATES {
        names.entry(code).or_default().extend(*others);
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
