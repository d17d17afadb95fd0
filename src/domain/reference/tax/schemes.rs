//! The schemes of tax numbers: what a number of each country looks like, and how its check digits are computed.

use super::{checksums as check, digits::Digits};

/// The tax numbers of one country.
#[derive(Clone, Copy, Debug)]
pub struct Scheme {
    /// The country, by its ISO 3166-1 code.
    pub country: &'static str,
    /// What a number may begin with; the first is the usual one.
    pub prefixes: &'static [&'static str],
    /// The shapes of a number without its prefix.
    pub shapes: &'static [&'static str],
    /// What may follow a number.
    pub suffixes: &'static [&'static str],
    pub(super) digits: fn(&str) -> Digits,
    /// A valid number, for messages and forms.
    pub example: &'static str,
}

const fn scheme(
    country: &'static str,
    prefixes: &'static [&'static str],
    shapes: &'static [&'static str],
    digits: fn(&str) -> Digits,
    example: &'static str,
) -> Scheme {
    Scheme { country, prefixes, shapes, suffixes: &[], digits, example }
}

/// The schemes, by country. The numbers of Northern Ireland are those of Great Britain with another prefix.
pub const SCHEMES: &[Scheme] = &[
    scheme("AT", &["AT"], &["U99999999"], check::austria, "ATU13585627"),
    scheme("BE", &["BE"], &["0999999999", "1999999999", "999999999"], |it| check::belgium(it).into(), "BE0428759497"),
    scheme("BG", &["BG"], &["999999999", "9999999999"], check::bulgaria, "BG175074752"),
    Scheme {
        suffixes: &["MWST", "TVA", "IVA", "TPV"],
        ..scheme("CH", &["CHE"], &["999999999"], |it| check::switzerland(it).into(), "CHE-107.787.577 IVA")
    },
    scheme("CY", &["CY"], &["99999999a"], check::cyprus, "CY10259033P"),
    scheme("CZ", &["CZ"], &["99999999", "999999999", "9999999999"], check::czechia, "CZ25123891"),
    scheme("DE", &["DE"], &["999999999"], check::germany, "DE136695976"),
    scheme("DK", &["DK"], &["99999999"], |it| check::denmark(it).into(), "DK13585628"),
    scheme("EE", &["EE"], &["999999999"], check::estonia, "EE100931558"),
    scheme("ES", &["ES"], &["99999999a", "a9999999x"], check::spain, "ESB58378431"),
    scheme("FI", &["FI"], &["99999999"], |it| check::finland(it).into(), "FI20774740"),
    scheme("FR", &["FR"], &["xx999999999"], check::france, "FR40303265045"),
    scheme(
        "GB",
        &["GB", "XI"],
        &["999999999", "999999999999", "GD999", "HA999", "GD888899999", "HA888899999"],
        check::britain,
        "GB980780684",
    ),
    scheme("GR", &["EL", "GR"], &["999999999", "99999999"], check::greece, "EL094259216"),
    scheme("HR", &["HR"], &["99999999999"], check::croatia, "HR33392005961"),
    scheme("HU", &["HU"], &["99999999", "99999999999"], check::hungary, "HU12892312"),
    scheme("IE", &["IE"], &["9999999a", "9999999aa", "9a99999a", "9+99999a", "9*99999a"], check::ireland, "IE6433435F"),
    scheme("IT", &["IT"], &["99999999999", "aaaaaaxxaxxaxxxa"], check::italy, "IT00743110157"),
    scheme("LT", &["LT"], &["999999999", "999999999999"], check::lithuania, "LT119511515"),
    scheme("LU", &["LU"], &["99999999"], check::luxembourg, "LU15027442"),
    scheme("LV", &["LV"], &["99999999999"], check::latvia, "LV40003521600"),
    scheme("MT", &["MT"], &["99999999"], check::malta, "MT11679112"),
    scheme("NL", &["NL"], &["999999999B99"], check::netherlands, "NL004495445B01"),
    Scheme {
        suffixes: &["MVA"],
        ..scheme("NO", &["NO"], &["999999999"], |it| check::norway(it).into(), "NO995525828MVA")
    },
    scheme("PL", &["PL"], &["9999999999"], |it| check::poland(it).into(), "PL8567346215"),
    scheme("PT", &["PT"], &["999999999"], check::portugal, "PT501964843"),
    scheme(
        "RO",
        &["RO"],
        &["99", "999", "9999", "99999", "999999", "9999999", "99999999", "999999999", "9999999999", "9999999999999"],
        check::romania,
        "RO18547290",
    ),
    scheme("SE", &["SE"], &["999999999901", "9999999999"], check::sweden, "SE123456789701"),
    scheme("SI", &["SI"], &["99999999"], check::slovenia, "SI50223054"),
    scheme("SK", &["SK"], &["9999999999"], check::slovakia, "SK2022749619"),
];
