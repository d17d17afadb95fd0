//! Kinds of characters that the rules of texts, keys and searches share.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{CanonicalCombiningClass, Dash, Emoji, GeneralCategory, GeneralCategoryGroup, Ideographic, JoiningType},
};

/// The black flag, which begins the flag of a subdivision, such as England's.
pub(super) const BLACK_FLAG: char = '\u{1F3F4}';

/// Whether it is a joiner: ZERO WIDTH NON-JOINER or ZERO WIDTH JOINER. Persian, many Indic scripts and emoji are written with
/// them.
#[must_use]
pub(in crate::domain) const fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200C}' | '\u{200D}')
}

/// Whether it is a variation selector, which chooses the form of the character before it.
#[must_use]
pub(in crate::domain) const fn is_selector(letter: char) -> bool {
    matches!(
        letter,
        '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' | '\u{180B}'..='\u{180D}' | '\u{180F}'
    )
}

/// Whether people write it as an apostrophe: the typewriter's, the typographic ones, accents and primes in their place, and
/// the letters and marks that stand for a glottal stop, an elision or a soft sign.
#[must_use]
pub(in crate::domain) const fn is_apostrophe(letter: char) -> bool {
    matches!(
        letter,
        '\'' | '`' | '\u{B4}' | '\u{2B9}' | '\u{2BB}'
            ..='\u{2BF}'
                | '\u{2C8}'
                | '\u{2CA}'
                | '\u{2CB}'
                | '\u{384}'
                | '\u{55A}'
                | '\u{5F3}'
                | '\u{7F4}'
                | '\u{7F5}'
                | '\u{1FBD}'
                | '\u{1FBF}'
                | '\u{1FEF}'
                | '\u{1FFD}'
                | '\u{1FFE}'
                | '\u{2018}'
                | '\u{2019}'
                | '\u{201B}'
                | '\u{2032}'
                | '\u{2035}'
                | '\u{A78B}'
                | '\u{A78C}'
                | '\u{FF07}'
                | '\u{FF40}'
    )
}

/// Whether it is a dash: hyphens, dashes and minus signs of every length and script.
#[must_use]
pub(in crate::domain) fn is_dash(letter: char) -> bool {
    letter == '-' || (!letter.is_ascii() && CodePointSetData::new::<Dash>().contains(letter))
}

/// Whether it is a combining mark.
pub(super) fn is_mark(letter: char) -> bool {
    !letter.is_ascii() && GeneralCategoryGroup::Mark.contains(CodePointMapData::<GeneralCategory>::new().get(letter))
}

/// Whether it is the mark by which an Indic script takes the vowel from a consonant.
pub(super) fn is_virama(letter: char) -> bool {
    !letter.is_ascii()
        && CodePointMapData::<CanonicalCombiningClass>::new().get(letter) == CanonicalCombiningClass::Virama
}

/// Whether it is a letter that joins the ones on both of its sides, as most of Arabic do.
pub(super) fn joins_both_sides(letter: char) -> bool {
    CodePointMapData::<JoiningType>::new().get(letter) == JoiningType::DualJoining
}

/// Whether the selector changes this character, which stands right before it. Kinds of bases, not the list of sequences: that
/// list grows.
pub(super) fn varies(selector: char, base: char) -> bool {
    match selector {
        '\u{FE0E}' | '\u{FE0F}' => CodePointSetData::new::<Emoji>().contains(base),
        '\u{E0100}'..='\u{E01EF}' => CodePointSetData::new::<Ideographic>().contains(base),
        '\u{FE00}'..='\u{FE0D}' => {
            let category = CodePointMapData::<GeneralCategory>::new().get(base);
            let bases = GeneralCategoryGroup::Letter.union(GeneralCategoryGroup::Mark);
            bases.union(GeneralCategoryGroup::Number).union(GeneralCategoryGroup::Symbol).contains(category)
        }
        _ => matches!(base, '\u{1820}'..='\u{18AA}'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apostrophes_dashes_joiners_and_selectors_are_of_one_kind_each() {
        for kind in
            ["'’‘‛ʼʻʹ′‵＇`´ˈꞌ՚׳᾽", "-‐‑‒–—―−－﹘﹣־゠〜⸺", "\u{200C}\u{200D}", "\u{FE00}\u{FE0F}\u{E0101}\u{180B}"]
        {
            let of = |letter: char| [is_apostrophe(letter), is_dash(letter), is_joiner(letter), is_selector(letter)];
            let first = kind.chars().next().map(of);
            for letter in kind.chars() {
                assert_eq!(Some(of(letter)), first, "{letter:?}");
            }
        }
        for other in ['"', '“', '‚', '″', ',', '.', '_', '~', '・', 'ー', '一', '\u{200B}', '\u{2060}'] {
            assert!(![is_apostrophe(other), is_dash(other), is_joiner(other), is_selector(other)].contains(&true));
        }
    }
}
