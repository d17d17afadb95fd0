//! Where invisible characters are a part of how people write: joiners in words and emoji, variation selectors after what they
//! vary, the tags of a subdivision's flag.
//!
//! Rule: what is accepted here stays accepted when the text is normalised to NFC, which moves and composes marks only.

use std::str::Chars;

use super::characters::{BLACK_FLAG, is_joiner, is_mark, is_selector, is_virama, joins_both_sides, varies};

/// The tags of a flag: letters and digits of a subdivision's code, 3 to 6 of them, and the tag that ends them.
const TAGS: std::ops::RangeInclusive<usize> = 3..=6;
const LAST_TAG: char = '\u{E007F}';

/// Reads a text character by character, and decides on the invisible ones by what is before and after them.
#[derive(Default)]
pub(super) struct Sequences {
    /// The last visible character that is not a mark on another; none where a word begins.
    base: Option<char>,
    /// The character before this one; none if that is invisible or white space.
    before: Option<char>,
    /// Whether a joiner is the character before this one.
    joined: bool,
    /// Whether a virama is on `base`.
    virama: bool,
    /// How many tags of a flag are still to come.
    tags: usize,
}

impl Sequences {
    /// Takes the next character. `rest` is the text after it. True: it is invisible, and where it belongs.
    ///
    /// # Errors
    /// Why a joiner or a selector must not be here. Other characters are not judged.
    pub(super) fn take(&mut self, next: char, rest: &Chars<'_>) -> Result<bool, &'static str> {
        if next.is_ascii_graphic() {
            *self = Self { base: Some(next), before: Some(next), ..Self::default() };
            Ok(false)
        } else if self.tags > 0 {
            self.tags -= 1;
            Ok(true)
        } else if is_joiner(next) {
            if !self.may_join(rest) {
                return Err("a joiner that is not inside a word or an emoji");
            }
            (self.before, self.joined) = (None, true);
            Ok(true)
        } else if is_selector(next) {
            if !self.before.is_some_and(|base| varies(next, base)) {
                return Err("a variation selector without a character that it varies");
            }
            self.before = None;
            Ok(true)
        } else {
            self.pass(next, rest);
            Ok(false)
        }
    }

    /// A joiner is one of a kind, behind a visible character and before another. At the end of a word it is written after a
    /// virama (Malayalam's chillu letters) and after Arabic letters (a form in the middle of a word, which stands alone).
    fn may_join(&self, rest: &Chars<'_>) -> bool {
        let Some(base) = self.base else { return false };
        let inside =
            rest.clone().next().is_some_and(|after| !(after.is_whitespace() || is_joiner(after) || is_selector(after)));
        !self.joined && (inside || self.virama || joins_both_sides(base))
    }

    fn pass(&mut self, next: char, rest: &Chars<'_>) {
        if next.is_whitespace() {
            *self = Self::default();
        } else if is_mark(next) {
            self.base = self.base.or(Some(next));
            (self.before, self.joined) = (Some(next), false);
            self.virama |= is_virama(next);
        } else {
            let tags = if next == BLACK_FLAG { tags(rest.clone()) } else { 0 };
            *self = Self { base: Some(next), before: Some(next), tags, ..Self::default() };
        }
    }
}

/// How many tags of a flag a text begins with; 0 if they do not end as they must.
fn tags(rest: Chars<'_>) -> usize {
    let mut count = 0;
    for tag in rest {
        match tag {
            '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}' => count += 1,
            LAST_TAG if TAGS.contains(&count) => return count + 1,
            _ => return 0,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::super::text::printable;

    /// The rule that a text breaks; empty if it is kept as it is.
    fn refused(text: &str) -> String {
        match printable(text, 1..=120) {
            Ok(kept) => {
                assert_eq!(kept, text);
                String::new()
            }
            Err(rule) => rule.text().to_owned(),
        }
    }

    #[test]
    fn words_of_every_script_are_kept_with_their_joiners() {
        for word in [
            "می\u{200C}خواهم",  // Persian: "I want"
            "کتاب\u{200C}ها",   // Persian: a plural
            "«کتاب»\u{200C}ها", // the same behind a quotation mark
            "۱۴۰۰ ه\u{200D}.ش", // Persian: a year of the solar calendar
            "ශ්\u{200D}රී ලංකා",   // Sinhala: Sri Lanka
            "അവന്\u{200D}",      // Malayalam: a chillu letter as it was encoded before Unicode 5.1
            "അവന്\u{200D} വന്നു",  // the same before another word
            "র\u{200D}্যাব",      // Bengali: ra with a ya-phalaa
            "क्\u{200D}ष",       // Hindi: a half form
            "ಸಾಫ್ಟ್\u{200C}ವೇರ್",   // Kannada: "software"
            "Auf\u{200C}lage",  // typos: on purpose
            "葛\u{E0100}城市",  // Japanese: a city written with a variant
            "≨\u{FE00}",        // a mathematical variant
            "ᠠ\u{180B}ᠨ",       // Mongolian
        ] {
            assert_eq!(refused(word), "", "{word:?}");
        }
    }

    #[test]
    fn emoji_are_kept_whole() {
        for emoji in [
            "\u{2764}\u{FE0F}",                                                // a red heart
            "\u{2764}\u{FE0F}\u{200D}\u{1F525}",                               // a heart on fire
            "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{200D}\u{1F466}",    // a family
            "\u{1F469}\u{1F3FD}\u{200D}\u{1F680}",                             // an astronaut with a skin tone
            "\u{1F3F3}\u{FE0F}\u{200D}\u{1F308}",                              // a rainbow flag
            "\u{1F1F3}\u{1F1F1}",                                              // the Netherlands
            "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}", // England
            "1\u{FE0F}\u{20E3}",                                               // a keycap
            "#\u{FE0F}\u{20E3}",                                               // another one
            "Shop \u{1F6CD}\u{FE0F} & Co",
            "\u{2714}\u{FE0E}", // a check mark as text
        ] {
            assert_eq!(refused(emoji), "", "{emoji:?}");
        }
    }

    #[test]
    fn leading_lone_and_repeated_joiners_are_refused() {
        let why = "must not hold a joiner that is not inside a word or an emoji; character";
        for (text, place) in [
            ("\u{200D}abc", "1 is U+200D"),
            ("\u{200C}", "1 is U+200C"),
            ("  \u{200C}می", "3 is U+200C"),
            ("abc \u{200D} def", "5 is U+200D"),
            ("abc \u{200D}def", "5 is U+200D"),
            ("abc\u{200D}", "4 is U+200D"),
            ("abc\u{200C} def", "4 is U+200C"),
            ("می\u{200C}\u{200C}خواهم", "4 is U+200C"),
            ("ශ්\u{200D}\u{200D}රී", "4 is U+200D"),
            ("a\u{200D}\u{FE0F}", "2 is U+200D"),
        ] {
            assert_eq!(refused(text), format!("{why} {place}"), "{text:?}");
        }
    }

    #[test]
    fn selectors_without_a_base_and_tags_without_a_flag_are_refused() {
        let why = "must not hold a variation selector without a character that it varies; character";
        for (text, place) in [
            ("\u{FE0F}", "1 is U+FE0F"),
            ("a\u{FE0F}", "2 is U+FE0F"),
            ("a \u{FE0F}", "3 is U+FE0F"),
            ("\u{2764}\u{FE0F}\u{FE0F}", "3 is U+FE0F"),
            ("a\u{E0100}", "2 is U+E0100"),
            ("葛\u{E0100}\u{E0101}", "3 is U+E0101"),
            ("-\u{FE00}", "2 is U+FE00"),
            ("a\u{180B}", "2 is U+180B"),
        ] {
            assert_eq!(refused(text), format!("{why} {place}"), "{text:?}");
        }
        let why = "must not hold invisible or control characters; character";
        for (text, place) in [
            ("a\u{E0067}\u{E007F}", "2 is U+E0067"),
            ("\u{1F3F4}\u{E0067}\u{E007F}", "2 is U+E0067"),
            ("\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}", "2 is U+E0067"),
            ("\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E007F}\u{E0067}", "6 is U+E0067"),
        ] {
            assert_eq!(refused(text), format!("{why} {place}"), "{text:?}");
        }
    }
}
