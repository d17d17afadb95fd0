//! Folding: the one form in which text is stored for searching and in which a query is compared with it.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use crate::domain::values::{
    characters::is_apostrophe,
    key::Key,
    text::{collapse, settled},
};

/// Folds a text for searching, as DESIGN 3.3 "Folding" says: NFKC, case, accents, width; ligatures and letters with strokes as
/// people type them on another keyboard; variants of Arabic letters; joiners, variation selectors, tatweel and apostrophes
/// vanish; each run of white space and control characters is one space. Folding a folded text changes nothing.
///
/// Accents are the combining marks of Latin, Greek and Cyrillic, the points of Hebrew and the vowel signs of Arabic. Marks that
/// make another letter (Japanese voicing, the vowels of Indic scripts) stay.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return fold_ascii(text);
    }
    settled(text, round)
}

fn fold_ascii(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !vanishes(*letter)) {
        let blank = letter.is_ascii_control() || letter == ' ';
        if blank && !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        } else if !blank {
            folded.push(letter.to_ascii_lowercase());
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

fn round(text: &str) -> String {
    // First what NFKC would turn into something else: an acute accent that stands alone becomes a space with an accent.
    let visible = text.chars().filter(|letter| !vanishes(*letter));
    let spaced: String = visible.map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let apart =
        DecomposingNormalizerBorrowed::new_nfd().normalize(Key::fold(&spaced).as_str()).chars().collect::<Vec<_>>();
    let bare: String = apart.into_iter().filter(|letter| !is_accent(*letter) && !vanishes(*letter)).collect();
    let mut whole = String::with_capacity(bare.len());
    for letter in ComposingNormalizerBorrowed::new_nfc().normalize(&bare).chars() {
        match other_keyboard(letter) {
            Some(typed) => whole.push_str(typed),
            None => whole.push(letter),
        }
    }
    // An accent that stood alone stood on a space.
    collapse(&whole)
}

fn is_accent(letter: char) -> bool {
    matches!(letter,
        '\u{300}'..='\u{36F}'
        | '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}' | '\u{5C2}' | '\u{5C4}' | '\u{5C5}' | '\u{5C7}'
        | '\u{610}'..='\u{61A}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{6D6}'..='\u{6DC}' | '\u{6DF}'..='\u{6E4}'
        | '\u{6E7}' | '\u{6E8}' | '\u{6EA}'..='\u{6ED}')
}

/// Characters that are part of a spelling and not of the word: apostrophes, joiners, selectors, tatweel, and what is invisible.
fn vanishes(letter: char) -> bool {
    is_apostrophe(letter)
        || matches!(letter,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{640}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// How a letter is typed where the keyboard does not have it.
fn other_keyboard(letter: char) -> Option<&'static str> {
    Some(match letter {
        'œ' => "oe",
        'æ' => "ae",
        'ß' => "ss",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ħ' => "h",
        'ŧ' => "t",
        'ı' => "i",
        // Arabic yeh, kaf and alef in the codings of other languages and keyboards.
        '\u{649}' | '\u{6CC}' | '\u{6D0}' => "\u{64A}",
        '\u{6A9}' | '\u{6AA}' => "\u{643}",
        '\u{671}' | '\u{672}' | '\u{673}' | '\u{675}' => "\u{627}",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    #[test]
    fn case_accents_and_width_do_not_matter() {
        for (text, folded) in [
            ("München", "munchen"),
            ("ＭＵ\u{308}ＮＣＨＥＮ", "munchen"),
            ("Łódź", "lodz"),
            ("Straße", "strasse"),
            ("STRAẞE", "strasse"),
            ("İstanbul ısı", "istanbul isi"),
            ("Ｃａｆé", "cafe"),
            ("ΆΘΉΝΑ", "αθηνα"),
            ("Йод", "иод"),
            ("한국", "한국"),
            ("ガス", "ガス"),
            ("中国电信", "中国电信"),
            ("שָׁלוֹם", "שלום"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn letters_are_folded_as_people_type_them_on_another_keyboard() {
        for (text, folded) in [
            ("Œuvre", "oeuvre"),
            ("Ærø", "aero"),
            ("Þórður", "thordur"),
            ("Sigurðsson", "sigurdsson"),
            ("Ħamrun", "hamrun"),
            ("Đà Nẵng", "da nang"),
            ("O’Brien O'Brien O`Brien O´Brien OʼBrien", "obrien obrien obrien obrien obrien"),
            ("می‌خواهم", "ميخواهم"),
            ("علی کریمی", "علي كريمي"),
            ("مـحـمـد", "محمد"),
            ("أحمد إبراهيم آل ٱ", "احمد ابراهيم ال ا"),
            ("مُحَمَّد", "محمد"),
            ("❤\u{FE0F}", "❤"),
            ("a\u{200B}b\u{AD}c", "abc"),
            (" a\tb\0c\n", "a b c"),
        ] {
            assert_eq!(fold(text), folded, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(raw in samples::raw()) {
            prop_assert_eq!(fold(&fold(&raw)), fold(&raw));
        }

        #[test]
        fn plain_text_is_folded_as_any_other(raw in "[ -~\t]{0,20}") {
            prop_assert_eq!(fold(&raw), round(&raw));
        }

        #[test]
        fn every_spelling_of_a_word_is_one(word in "[a-zA-ZÀ-ÖØ-öø-ÿА-я]{1,10}") {
            prop_assert_eq!(fold(&word.to_uppercase()), fold(&word));
        }
    }
}
