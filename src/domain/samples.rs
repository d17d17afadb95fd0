//! Texts that a hostile, careless or merely foreign client sends, for the property tests of every value.

use proptest::prelude::*;

/// Any text, with the characters that matter here far more often than chance would have them.
pub(super) fn raw() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[ -~]{1,12}",
        3 => "[a-z0-9-]{1,8}",
        3 => "[À-žΆ-ώА-я가-힣ぁ-んア-ン一-龥]{1,6}",
        2 => "[\\u0300-\\u036F\\u1100-\\u11FF\\u1E00-\\u1FFF]{1,4}",
        2 => "[\\uFB00-\\uFFEF\\u2100-\\u214F\\u3300-\\u33FF\\u00A0-\\u00BF]{1,4}",
        1 => "[ \\t\\n\\u00A0\\u2000-\\u200A\\u3000]{1,3}",
        1 => "[\\x00-\\x1F\\x7F\\u0085\\u00AD\\u034F\\u200B-\\u200F\\u2028-\\u202E\\u2066-\\u2069\\uFEFF\\uFE0F]",
        1 => any::<char>().prop_map(String::from),
    ];
    prop_oneof![
        40 => prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
        1 => "[a-zé ]{400,9000}",
    ]
}

/// Asserts what every kept text promises.
pub(super) fn assert_kept(text: &str, most: usize) {
    assert!(text.chars().count() <= most, "{text:?} is too long");
    assert_eq!(text.trim(), text);
    for character in text.chars() {
        assert!(!character.is_control(), "{text:?} holds a control character");
        assert!(!character.is_whitespace() || character == ' ', "{text:?} holds unusual white space");
        let invisible =
            ['\u{61C}', '\u{AD}', '\u{34F}', '\u{2028}', '\u{2029}', '\u{2060}', '\u{FEFF}', '\u{3164}', '\u{FE0F}'];
        assert!(!invisible.contains(&character), "{text:?} holds an invisible character");
        assert!(!('\u{200B}'..='\u{200F}').contains(&character), "{text:?} holds a zero-width character");
        assert!(!('\u{202A}'..='\u{202E}').contains(&character), "{text:?} holds a bidi control");
        assert!(!('\u{2066}'..='\u{2069}').contains(&character), "{text:?} holds a bidi isolate");
    }
    assert!(!text.contains("  "), "{text:?} holds two spaces in a row");
}
