//! When names are alike: if they have the same essential words, in any order.

use super::legal_forms::{FIRST, LAST, LAST_PHRASES, LINKS, UNSPACED};
use crate::domain::search::{fold, words::tokens};

/// What is essential of a name: two names are alike if this is the same. None of a name without a word.
///
/// The name is folded as searches fold it. Punctuation separates words; letters that stand alone next to each other are one word ("H.L.F."
/// and "H L F" are "hlf"). Legal forms at its ends and words that only link others are left out, unless nothing else is there.
/// `ae`, `oe` and `ue` are `a`, `o` and `u`, as people without umlauts on their keyboard write them. The order of words does not count.
pub(super) fn essence(name: &str) -> Option<String> {
    let mut words = words(&fold(name));
    strip_forms(&mut words);
    if words.iter().any(|word| !LINKS.contains(&word.as_str())) {
        words.retain(|word| !LINKS.contains(&word.as_str()));
    }
    let mut essential: Vec<String> = words.iter().map(|word| plain(word)).collect();
    essential.sort_unstable();
    essential.dedup();
    (!essential.is_empty()).then(|| essential.join(" "))
}

/// The words of a folded name, in order.
fn words(folded: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut after_letter = false;
    for token in tokens(folded) {
        let letters = |part: &String| part.chars().count() == 1 && part.chars().all(char::is_alphabetic);
        if let [only] = token.parts.as_slice()
            && letters(only)
        {
            match words.last_mut().filter(|_| after_letter) {
                Some(word) => word.push_str(only),
                None => words.push(only.clone()),
            }
            after_letter = true;
            continue;
        }
        after_letter = false;
        match token.whole.filter(|_| token.parts.iter().all(letters)) {
            Some(whole) => words.push(whole),
            None => words.extend(token.parts),
        }
    }
    words
}

/// Takes legal forms off both ends. One word stays.
fn strip_forms(words: &mut Vec<String>) {
    loop {
        let phrase = LAST_PHRASES.iter().find(|phrase| phrase.len() < words.len() && words.ends_with_all(phrase));
        let last = words.last().is_some_and(|word| LAST.contains(&word.as_str()));
        let length = match phrase {
            Some(phrase) => phrase.len(),
            None if last || is_link(words.last()) => 1,
            None => break,
        };
        if length >= words.len() {
            break;
        }
        words.truncate(words.len() - length);
    }
    while words.len() > 1 && words.first().is_some_and(|word| FIRST.contains(&word.as_str())) {
        words.remove(0);
    }
    for word in words.iter_mut() {
        for form in UNSPACED {
            let rest = word.strip_prefix(form).or_else(|| word.strip_suffix(form));
            if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
                *word = rest.to_owned();
            }
        }
    }
    // Written with a space.
    let is_form = |word: &String| UNSPACED.contains(&word.as_str());
    if !words.iter().all(is_form) {
        words.retain(|word| !is_form(word));
    }
}

/// Whether a word links others: "GmbH und Co. KG".
fn is_link(word: Option<&String>) -> bool {
    word.is_some_and(|word| LINKS.contains(&word.as_str()))
}

trait EndsWith {
    fn ends_with_all(&self, words: &[&str]) -> bool;
}

impl EndsWith for Vec<String> {
    fn ends_with_all(&self, words: &[&str]) -> bool {
        self.len() >= words.len() && self[self.len() - words.len()..].iter().zip(words).all(|(one, other)| one == other)
    }
}

/// A word as it is written without umlauts.
fn plain(word: &str) -> String {
    word.replace("ae", "a").replace("oe", "o").replace("ue", "u")
}
