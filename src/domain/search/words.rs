//! The words of a folded text, by the rules of DESIGN 3.3, "Tokens".

use icu_properties::{
    CodePointMapData,
    props::{GeneralCategory, Script},
};

/// A piece of text between white space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::domain) struct Token {
    /// What punctuation separates, and each symbol by itself. Never empty.
    pub(in crate::domain) parts: Vec<String>,
    /// All letters and digits as one word, if punctuation and no symbol stands between them.
    pub(in crate::domain) whole: Option<String>,
}

impl Token {
    /// All its words: the whole first.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.whole.iter().chain(&self.parts).map(String::as_str)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Symbol,
    Separator,
}

/// The tokens of a folded text that have a word.
pub(in crate::domain) fn tokens(folded: &str) -> impl Iterator<Item = Token> {
    folded.split(' ').filter_map(token)
}

fn token(text: &str) -> Option<Token> {
    let (mut parts, mut part, mut whole) = (Vec::new(), String::new(), String::new());
    let (mut separated, mut after_symbol, mut divided, mut count) = (false, false, false, 0);
    for letter in text.chars() {
        let kind = kind(letter);
        if kind == Kind::Word {
            divided |= after_symbol;
            part.push(letter);
            whole.push(letter);
            continue;
        }
        separated |= kind == Kind::Separator;
        after_symbol |= kind == Kind::Symbol && !whole.is_empty();
        if !part.is_empty() {
            count += 1;
            parts.push(std::mem::take(&mut part));
        }
        if kind == Kind::Symbol {
            parts.push(letter.to_string());
        }
    }
    if !part.is_empty() {
        count += 1;
        parts.push(part);
    }
    if parts.is_empty() {
        return None;
    }
    let whole = (separated && !divided && count > 1).then_some(whole);
    Some(Token { parts, whole })
}

/// Letters, marks and digits alone: a number without its punctuation.
pub(super) fn compact(folded: &str) -> String {
    folded.chars().filter(|letter| kind(*letter) == Kind::Word).collect()
}

fn kind(letter: char) -> Kind {
    use GeneralCategory as Is;
    if letter.is_ascii_alphanumeric() {
        return Kind::Word;
    }
    match CodePointMapData::<GeneralCategory>::new().get(letter) {
        Is::UppercaseLetter
        | Is::LowercaseLetter
        | Is::TitlecaseLetter
        | Is::ModifierLetter
        | Is::OtherLetter
        | Is::NonspacingMark
        | Is::SpacingMark
        | Is::EnclosingMark
        | Is::DecimalNumber
        | Is::LetterNumber
        | Is::OtherNumber => Kind::Word,
        Is::MathSymbol | Is::CurrencySymbol | Is::ModifierSymbol | Is::OtherSymbol => Kind::Symbol,
        _ => Kind::Separator,
    }
}

/// Whether a character belongs to a script that writes no spaces between words.
pub(super) fn is_unspaced(letter: char) -> bool {
    !letter.is_ascii()
        && matches!(
            CodePointMapData::<Script>::new().get(letter),
            Script::Han
                | Script::Hiragana
                | Script::Katakana
                | Script::Hangul
                | Script::Thai
                | Script::Lao
                | Script::Khmer
                | Script::Myanmar
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(folded: &str) -> Vec<String> {
        tokens(folded).flat_map(|token| token.words().map(ToOwned::to_owned).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn punctuation_separates_and_the_token_is_one_word_too() {
        for (folded, all) in [
            ("h.l.f.", &["hlf", "h", "l", "f"][..]),
            ("t-systems", &["tsystems", "t", "systems"]),
            ("first.last@firm.example", &["firstlastfirmexample", "first", "last", "firm", "example"]),
            ("lindqvist, petra", &["lindqvist", "petra"]),
            ("(0)", &["0"]),
            ("col\u{B7}legi", &["collegi", "col", "legi"]),
            ("a—b", &["ab", "a", "b"]),
            ("jan de vries", &["jan", "de", "vries"]),
        ] {
            assert_eq!(words(folded), all, "{folded}");
        }
    }

    #[test]
    fn symbols_and_emoji_are_words() {
        assert_eq!(words("+31 c++ i❤ny 5€"), ["+", "31", "c", "+", "+", "i", "❤", "ny", "5", "€"]);
        assert_eq!(words("+31(0)20"), ["31020", "+", "31", "0", "20"]);
        assert_eq!(words("(a|b)* (c+)"), ["a", "|", "b", "c", "+"]);
    }

    #[test]
    fn separators_alone_are_nothing() {
        assert!(words("— - ... ( )").is_empty());
        assert_eq!(words("finch & sparrow"), ["finch", "sparrow"]);
    }

    #[test]
    fn some_scripts_write_no_spaces() {
        for letter in "田のカ한ไລខမ".chars() {
            assert!(is_unspaced(letter), "{letter}");
        }
        for letter in "aéяعא1❤".chars() {
            assert!(!is_unspaced(letter), "{letter}");
        }
    }
}
