use proptest::prelude::*;

use super::*;
use crate::domain::samples;

#[test]
fn ordinary_addresses_are_kept_with_their_domain_in_lower_case() {
    for (raw, kept) in [
        ("Jan.Janssen@company.nl", "Jan.Janssen@company.nl"),
        (" Jan.Janssen@Company.NL ", "Jan.Janssen@company.nl"),
        ("o'brien+tag@mail.example.co.uk", "o'brien+tag@mail.example.co.uk"),
        ("info@MÜNCHEN.de", "info@münchen.de"),
        ("a@xn--mnchen-3ya.de", "a@xn--mnchen-3ya.de"),
        ("пользователь@пример.рф", "пользователь@пример.рф"),
        ("अजय@डाटा.भारत", "अजय@डाटा.भारत"),
        ("ผู้ใช้@ตัวอย่าง.ไทย", "ผู้ใช้@ตัวอย่าง.ไทย"),
        ("用户@例子.广告", "用户@例子.广告"),
        ("مستخدم@مثال.إختبار", "مستخدم@مثال.إختبار"),
        ("Δοκιμή+x@παράδειγμα.δοκιμή", "Δοκιμή+x@παράδειγμα.δοκιμή"),
        ("josé@company.nl", "josé@company.nl"),
        ("user@例子。广告", "user@例子.广告"),
        ("jan@ab--cd.example", "jan@ab--cd.example"),
        // Words that are written with a joiner: Sinhala, Persian.
        ("ශ්\u{200D}රී@example.lk", "ශ්\u{200D}රී@example.lk"),
        ("کتاب\u{200C}ها@example.ir", "کتاب\u{200C}ها@example.ir"),
    ] {
        assert_eq!(Email::parse(raw).unwrap().as_str(), kept);
    }
}

#[test]
fn what_is_not_a_plain_address_is_refused_with_an_example() {
    for raw in [
        "jan",
        "jan@",
        "@company.nl",
        "jan@localhost",
        "jan@@company.nl",
        "jan @company.nl",
        "jan@company..nl",
        "jan@[192.0.2.1]",
        "jan@192.0.2.1",
        ".jan@company.nl",
        "jan@-company.nl",
        "jan@company.nl.",
        "jan@company.nl, piet@company.nl",
        "mailto:jan@company.nl",
        "ja\u{200D}n@company.nl",
        "jan@com\u{200C}pany.nl",
        "\u{2764}\u{FE0F}@company.nl",
        "jan@exa_mple.nl",
        "jan@exa!mple.nl",
        "jan@com#pany.nl",
        "jan@münchen_.de",
        // No name is encoded like this.
        "jan@xn--zzzzzzzzzzz.nl",
        "ش\u{200C}x@example.ir",
    ] {
        assert_eq!(Email::parse(raw), Err(MALFORMED), "{raw:?}");
    }
    assert!(Email::parse("jan\r\nbcc:x@company.nl").unwrap_err().text().starts_with("must not hold"));
}

#[test]
fn a_part_in_quotes_is_refused_with_the_reason() {
    for raw in ["\"jan janssen\"@company.nl", "\"jan@home\"@company.nl", "\"\"@company.nl", "jan.\"x y\"@company.nl"] {
        assert_eq!(Email::parse(raw), Err(QUOTED), "{raw:?}");
    }
    for raw in ["Jan <jan@company.nl>", "<jan@company.nl>", "\"Jan Janssen\" <jan@company.nl>"] {
        assert_eq!(Email::parse(raw), Err(NAMED), "{raw:?}");
    }
}

#[test]
fn addresses_are_compared_without_case_in_the_form_of_dns() {
    for (one, other) in [
        ("Info@MÜNCHEN.de", "info@xn--mnchen-3ya.de"),
        ("کتاب\u{200C}ها@example.ir", "کتابها@EXAMPLE.ir"),
        ("пользователь@ПРИМЕР.рф", "Пользователь@пример.рф"),
    ] {
        let compared = |raw| Email::parse(raw).unwrap().compared();
        assert_eq!(compared(one), compared(other));
    }
}

#[test]
fn an_address_has_at_most_254_bytes_64_of_them_before_the_at() {
    let longest = format!("{}@{}.nl", "a".repeat(64), ["b".repeat(62), "c".repeat(62), "d".repeat(60)].join("."));
    assert!(Email::parse(&longest).is_ok(), "{}", longest.len());
    assert!(Email::parse(&format!("{}@company.nl", "a".repeat(65))).unwrap_err().text().contains("this has 65"));
    let long = format!("a@{}nl", "bcdefgh.".repeat(32));
    assert_eq!(Email::parse(&long).unwrap_err().text(), "must be 1 to 254 characters; this has 260");
    let wide = format!("a@{}nl", "éééééé.".repeat(32));
    assert_eq!(Email::parse(&wide).unwrap_err().text(), "must be at most 254 bytes; this has 420");
}

fn near() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => samples::raw(),
        2 => (samples::raw(), samples::raw()).prop_map(|(local, domain)| format!("{local}@{domain}")),
        4 => "[a-zA-Z.+'\"ÀéßΣσςİıẞ]{1,12}@[a-zA-ZÀéßΣσςİıẞ\u{307}-]{1,8}\\.[a-zA-ZÀéßΣςİ]{1,6}",
    ]
}

proptest! {
    #[test]
    fn an_address_that_needs_no_parser_is_one_for_it(
        local in "[a-zA-Z0-9_+.-]{1,8}|[a-z.]{60,66}",
        domain in "[a-z0-9.-]{1,12}|(xn--|[a-z0-9-]{1,3}\\.){1,3}[a-z0-9-]{1,3}|[a-z]{61,65}\\.[a-z]{2}",
    ) {
        if is_ordinary(&local, &domain) {
            let text = format!("{local}@{domain}");
            prop_assert!(Email::check_by_parser(&local, &text).is_ok(), "{text}");
        }
    }

    #[test]
    fn any_input_is_refused_or_kept_in_its_final_form(raw in near()) {
        if let Ok(email) = Email::parse(&raw) {
            samples::assert_kept(email.as_str(), Email::MAX_CHARS);
            prop_assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
        }
    }
}
