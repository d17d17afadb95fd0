//! Currencies: names and codes come in, codes of ISO 4217 go out. The table is that of the crate `iso_currency`.
//!
//! Rule: a new value is money that bills are paid in today. A currency that was withdrawn stays readable where it is stored.

use std::{collections::HashMap, sync::LazyLock};

use iso_currency::{Currency, IntoEnumIterator as _};

use crate::domain::{
    search::places::letters,
    values::{rule_code::RuleCode, violation::Rule},
};

/// Names that stand for one currency, and that the table does not have.
const USUAL_NAMES: &[(&str, &[&str])] = &[
    ("AUD", &["Australian dollars"]),
    ("CAD", &["Canadian dollars"]),
    ("CHF", &["Swiss francs", "Franken", "Schweizer Franken"]),
    ("CNY", &["Yuan", "Renminbi", "Chinese yuan"]),
    ("CZK", &["Koruna", "Czech crown"]),
    ("DKK", &["Danish crown"]),
    ("EUR", &["Euros"]),
    ("GBP", &["British pound", "British pound sterling", "Pounds sterling", "Sterling"]),
    ("JPY", &["Yen"]),
    ("NOK", &["Norwegian crown"]),
    ("PLN", &["Zloty"]),
    ("SEK", &["Swedish krona", "Swedish crown"]),
    ("TRY", &["Lira", "Türk Lirası"]),
    ("USD", &["US dollar", "U.S. dollars", "American dollar"]),
    ("XCG", &["Caribbean guilder"]),
];

/// Signs that stand for one currency alone. Of a name only letters and digits are compared, of a sign all of it.
const SIGNS: &[(&str, &str)] = &[
    ("€", "EUR"),
    ("A$", "AUD"),
    ("C$", "CAD"),
    ("HK$", "HKD"),
    ("NT$", "TWD"),
    ("NZ$", "NZD"),
    ("R$", "BRL"),
    ("S$", "SGD"),
    ("US$", "USD"),
    ("฿", "THB"),
    ("₦", "NGN"),
    ("₪", "ILS"),
    ("₫", "VND"),
    ("₴", "UAH"),
    ("₸", "KZT"),
    ("₹", "INR"),
    ("₺", "TRY"),
    ("₼", "AZN"),
    ("₽", "RUB"),
    ("₾", "GEL"),
];

static ALL: LazyLock<Vec<Currency>> = LazyLock::new(|| Currency::iter().collect());

static BY_NAME: LazyLock<HashMap<String, Currency>> = LazyLock::new(|| {
    let all = || ALL.iter().copied();
    let usual = USUAL_NAMES.iter().flat_map(|(code, names)| {
        let currency = Currency::from_code(code);
        names.iter().filter_map(move |name| Some((letters(name), currency?)))
    });
    // The codes come last: none yields to a name. Those in use come after the others, so that they keep a shared name.
    let names = |in_use: bool| {
        all().filter(move |it| is_in_use(*it) == in_use).map(|currency| (letters(currency.name()), currency))
    };
    names(false)
        .chain(names(true))
        .chain(usual)
        .chain(all().map(|currency| (letters(currency.code()), currency)))
        .collect()
});

/// Whether bills are paid in it: no metal, no unit of account, no fund, nothing withdrawn. The table takes the bolívar, which the
/// standard still lists, for withdrawn.
fn is_in_use(currency: Currency) -> bool {
    let withdrawn = currency.is_superseded().is_some() && currency != Currency::VES;
    !(currency.is_special() || currency.is_fund() || withdrawn)
}

/// The currencies in use: code, English name, and how many digits of money come after the point; by code.
#[must_use]
pub fn in_use() -> Vec<(&'static str, &'static str, u16)> {
    let all = ALL.iter().filter(|currency| is_in_use(**currency));
    let mut all: Vec<_> = all.map(|it| (it.code(), it.name(), it.exponent().unwrap_or_default())).collect();
    all.sort_unstable();
    all
}

/// The code of a currency.
///
/// # Errors
/// There is no such currency, or it is not in use.
pub fn parse(written: &str) -> Result<&'static str, Rule> {
    // A code, as it is stored, needs no folding.
    if let Some(exact) = Currency::from_code(written).filter(|currency| is_in_use(*currency)) {
        return Ok(exact.code());
    }
    let sign = written.trim().to_ascii_uppercase();
    if let Some((_, code)) = SIGNS.iter().find(|(known, _)| *known == sign) {
        return Ok(code);
    }
    match BY_NAME.get(&letters(written)) {
        Some(currency) if is_in_use(*currency) => Ok(currency.code()),
        Some(currency) => {
            let instead = currency.is_superseded();
            let instead = instead.as_ref().map_or("EUR or USD", |newer| newer.code());
            let text = format!("must be a currency in use, such as {instead}: {} is not", currency.code());
            Err(Rule::coded_with(RuleCode::CurrencyNotInUse, text))
        }
        None => {
            let text = "must be a currency: a code of ISO 4217 such as EUR, or an English name such as Euro";
            Err(Rule::coded(RuleCode::Currency, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_understood_in_any_case() {
        for (written, code) in [
            ("Euro", "EUR"),
            ("eur", "EUR"),
            ("€", "EUR"),
            ("US$", "USD"),
            ("a$", "AUD"),
            ("₹", "INR"),
            ("US dollar", "USD"),
            ("United States Dollar", "USD"),
            ("Swiss franc", "CHF"),
            ("pound sterling", "GBP"),
            ("Polish zloty", "PLN"),
            ("Icelandic krona", "ISK"),
            ("VES", "VES"),
            ("ZWG", "ZWG"),
            ("SLE", "SLE"),
            ("Sierra Leonean leone", "SLE"),
        ] {
            assert_eq!(parse(written), Ok(code), "{written}");
        }
    }

    #[test]
    fn what_is_no_currency_in_use_is_refused() {
        for (written, code, instead) in [
            ("HRK", RuleCode::CurrencyNotInUse, "EUR"),
            ("Bulgarian lev", RuleCode::CurrencyNotInUse, "EUR"),
            ("XAU", RuleCode::CurrencyNotInUse, "EUR"),
            ("XTS", RuleCode::CurrencyNotInUse, "EUR"),
            ("CHE", RuleCode::CurrencyNotInUse, "EUR"),
            ("Dollar", RuleCode::Currency, "EUR"),
            ("DEM", RuleCode::Currency, "EUR"),
            // A letter of a sign is none, and these signs are several currencies'.
            ("A", RuleCode::Currency, "EUR"),
            ("c", RuleCode::Currency, "EUR"),
            ("US", RuleCode::Currency, "EUR"),
            ("$", RuleCode::Currency, "EUR"),
            ("£", RuleCode::Currency, "EUR"),
            ("", RuleCode::Currency, "EUR"),
        ] {
            let refused = parse(written).unwrap_err();
            assert_eq!((refused.code(), refused.text().contains(instead)), (code, true), "{written}: {refused:?}");
        }
    }

    #[test]
    fn every_currency_in_use_is_known_by_its_code_and_by_its_name() {
        assert!((140..170).contains(&in_use().len()), "{}", in_use().len());
        assert!(in_use().contains(&("JPY", "Japanese yen", 0)) && in_use().contains(&("EUR", "Euro", 2)));
        for (code, name, _) in in_use() {
            assert_eq!((parse(code), parse(&code.to_lowercase())), (Ok(code), Ok(code)));
            assert!(parse(name).is_ok(), "{name}");
        }
    }
}
