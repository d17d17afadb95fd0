//! Tables of public standards: Unicode's decimal digits, and the IBAN register of SWIFT.

/// The zeros of all scripts' decimal digits, in order; the nine others follow each.
pub(super) const ZEROS: &str = "\u{30}\u{660}\u{6F0}\u{7C0}\u{966}\u{9E6}\u{A66}\u{AE6}\u{B66}\u{BE6}\u{C66}\u{CE6}\
    \u{D66}\u{DE6}\u{E50}\u{ED0}\u{F20}\u{1040}\u{1090}\u{17E0}\u{1810}\u{1946}\u{19D0}\u{1A80}\
    \u{1A90}\u{1B50}\u{1BB0}\u{1C40}\u{1C50}\u{A620}\u{A8D0}\u{A900}\u{A9D0}\u{A9F0}\u{AA50}\u{ABF0}\
    \u{FF10}\u{104A0}\u{10D30}\u{10D40}\u{11066}\u{110F0}\u{11136}\u{111D0}\u{112F0}\u{11450}\u{114D0}\u{11650}\
    \u{116C0}\u{116D0}\u{116DA}\u{11730}\u{118E0}\u{11950}\u{11BF0}\u{11C50}\u{11D50}\u{11DA0}\u{11DE0}\u{11F50}\
    \u{16130}\u{16A60}\u{16AC0}\u{16B50}\u{16D70}\u{1CCF0}\u{1D7CE}\u{1D7D8}\u{1D7E2}\u{1D7EC}\u{1D7F6}\u{1E140}\u{1E2F0}\
    \u{1E4F0}\u{1E5F1}\u{1E950}\u{1FBF0}";

/// The countries of the IBAN register, each with the length of its IBANs.
const COUNTRIES: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 \
     DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 \
     IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 \
     MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 \
     SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

/// The length of a country's IBANs.
pub(super) fn iban_length(country: &str) -> Option<usize> {
    COUNTRIES.split_whitespace().find_map(|row| row.strip_prefix(country)?.parse().ok())
}
