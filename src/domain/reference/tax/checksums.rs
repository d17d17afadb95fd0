//! Check digits of tax numbers. Each function gets a number without its prefix, in a shape that its scheme has.
//!
//! Sources: the algorithms that the European Commission published for VIES, and those of the tax offices of Norway, Switzerland
//! and the United Kingdom, as python-stdnum 2.x documents them.

mod britain;
mod italy;
mod persons;

pub(super) use {britain::britain, italy::italy};

use super::digits::{Digits, digit_sum, digits, last, luhn, mod_11_10, rest_11, value, weighted};

pub(super) fn austria(number: &str) -> Digits {
    let digits = digits(number);
    let sum: u32 = digits
        .iter()
        .take(7)
        .enumerate()
        .map(|(place, digit)| if place % 2 == 1 { digit_sum(digit * 2) } else { *digit })
        .sum();
    ((10 - (sum + 4) % 10) % 10 == last(&digits)).into()
}

pub(in crate::domain::reference) fn belgium(number: &str) -> bool {
    let digits = digits(number);
    digits.len().checked_sub(2).is_some_and(|body| {
        let (body, check) = digits.split_at(body);
        97 - value(body) % 97 == value(check)
    })
}

pub(super) fn bulgaria(number: &str) -> Digits {
    let digits = digits(number);
    if digits.len() != 9 {
        return persons::bulgaria(number);
    }
    let first = rest_11(&digits, &[1, 2, 3, 4, 5, 6, 7, 8]);
    let check = if first == 10 { rest_11(&digits, &[3, 4, 5, 6, 7, 8, 9, 10]) % 10 } else { first };
    (check == last(&digits)).into()
}

pub(super) fn cyprus(number: &str) -> Digits {
    const ODD: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let mapped = |(place, digit): (usize, &u32)| match place % 2 {
        0 => ODD.get(*digit as usize).copied().unwrap_or_default(),
        _ => *digit,
    };
    let sum: u32 = digits(number).iter().enumerate().map(mapped).sum();
    (!number.starts_with("12") && number.chars().last() == letter('A', sum % 26)).into()
}

/// The letter so many places after the first.
fn letter(first: char, after: u32) -> Option<char> {
    char::from_u32(u32::from(first) + after)
}

pub(super) fn czechia(number: &str) -> Digits {
    let digits = digits(number);
    if digits.len() != 8 {
        return persons::czechia(number);
    }
    let check = (11 - rest_11(&digits, &[8, 7, 6, 5, 4, 3, 2])) % 10;
    (!number.starts_with('9') && check == last(&digits)).into()
}

pub(super) fn germany(number: &str) -> Digits {
    (!number.starts_with('0') && mod_11_10(&digits(number))).into()
}

pub(in crate::domain::reference) fn denmark(number: &str) -> bool {
    !number.starts_with('0') && weighted(&digits(number), &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

pub(super) fn estonia(number: &str) -> Digits {
    weighted(&digits(number), &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10).into()
}

/// The first digit, a zero, was not written until 2000.
pub(super) fn greece(number: &str) -> Digits {
    let digits = digits(&format!("{number:0>9}"));
    (rest_11(&digits, &[256, 128, 64, 32, 16, 8, 4, 2]) % 10 == last(&digits)).into()
}

pub(super) fn spain(number: &str) -> Digits {
    const PERSON: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let check = number.bytes().last();
    let person = |prefix: &str, digits: &[u32]| {
        let number = value(&[self::digits(prefix).as_slice(), digits].concat());
        check == usize::try_from(number % 23).ok().and_then(|place| PERSON.get(place)).copied()
    };
    let all = digits(number);
    let body = all.get(..7).unwrap_or_default();
    let fits = match number.chars().next() {
        Some('0'..='9') => person("", &all),
        Some('X' | 'K' | 'L' | 'M') => person("0", body),
        Some('Y') => person("1", body),
        Some('Z') => person("2", body),
        // No kind of company has these.
        Some('I' | 'O' | 'T') => false,
        _ => {
            let doubled = |(place, digit): (usize, &u32)| if place % 2 == 0 { digit_sum(digit * 2) } else { *digit };
            let sum: u32 = body.iter().enumerate().map(doubled).sum();
            let wanted = (10 - sum % 10) % 10;
            let letter = if wanted == 0 { Some('J') } else { letter('A', wanted - 1) };
            let found = number.chars().last();
            found == letter || found.and_then(|found| found.to_digit(10)) == Some(wanted)
        }
    };
    fits.into()
}

pub(in crate::domain::reference) fn finland(number: &str) -> bool {
    weighted(&digits(number), &[7, 9, 10, 5, 8, 4, 2, 1]).is_multiple_of(11)
}

/// The key is of digits, or with letters but I and O. Numbers of Monaco begin with zeros and are no SIREN.
pub(super) fn france(number: &str) -> Digits {
    const PLACES: &str = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let (key, siren) = number.split_at_checked(2).unwrap_or_default();
    let of_siren = value(&digits(siren));
    let places: Vec<u64> = key.chars().filter_map(|letter| PLACES.find(letter)).map(|place| place as u64).collect();
    let key_fits = match (places.as_slice(), key.parse::<u64>()) {
        (_, Ok(key)) => key == (12 + 3 * (of_siren % 97)) % 97,
        (&[first, second], Err(_)) => {
            let check = if first < 10 { first * 24 + second - 10 } else { first * 34 + second - 100 };
            (of_siren + 1 + check / 11) % 11 == check % 11
        }
        _ => false,
    };
    (key_fits && (siren.starts_with("000") || luhn(siren))).into()
}

pub(super) fn croatia(number: &str) -> Digits {
    mod_11_10(&digits(number)).into()
}

/// The number for value added tax, or the tax number that begins with it.
pub(super) fn hungary(number: &str) -> Digits {
    weighted(&digits(number), &[9, 7, 3, 1, 9, 7, 3, 1]).is_multiple_of(10).into()
}

pub(super) fn ireland(number: &str) -> Digits {
    let all = digits(number);
    let mut letters = number.chars().filter(|letter| !letter.is_ascii_digit());
    let (sum, check) = if all.len() == 7 {
        let check = letters.next();
        let second = letters.next().map_or(0, |second| if second == 'W' { 0 } else { u32::from(second) - 64 });
        (weighted(&all, &[8, 7, 6, 5, 4, 3, 2]) + 9 * second, check)
    } else {
        // The old form: the second character is a letter, and the first digit counts last.
        let (first, rest) = all.split_first().unwrap_or((&0, &[]));
        (weighted(rest, &[7, 6, 5, 4, 3]) + 2 * first, letters.next_back())
    };
    (check == if sum % 23 == 0 { Some('W') } else { letter('A', sum % 23 - 1) }).into()
}

pub(super) fn lithuania(number: &str) -> Digits {
    const CYCLE: [u32; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4];
    let digits = digits(number);
    let body = digits.get(..digits.len().saturating_sub(1)).unwrap_or_default();
    let first = rest_11(body, &CYCLE);
    let check = if first == 10 { rest_11(body, &CYCLE[2..]) % 10 } else { first };
    (body.last() == Some(&1) && check == last(&digits)).into()
}

pub(super) fn luxembourg(number: &str) -> Digits {
    let digits = digits(number);
    let (body, check) = digits.split_at(digits.len().min(6));
    (value(body) % 89 == value(check)).into()
}

pub(super) fn latvia(number: &str) -> Digits {
    let digits = digits(number);
    if digits.first().is_some_and(|first| *first <= 3) {
        return Digits::None; // of a person
    }
    (weighted(&digits, &[9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1]) % 11 == 3).into()
}

pub(super) fn malta(number: &str) -> Digits {
    (!number.starts_with('0') && weighted(&digits(number), &[3, 4, 6, 7, 8, 9, 10, 1]).is_multiple_of(37)).into()
}

/// Of a company, or since 2020 of a sole trader.
pub(super) fn netherlands(number: &str) -> Digits {
    let all = digits(number);
    let company = all.get(..9).unwrap_or_default();
    let is_company = rest_11(company, &[9, 8, 7, 6, 5, 4, 3, 2]) == last(company);
    // ISO 7064, MOD 97-10: letters count from 10, so NL is 2321 and B is 11.
    let places = "NL".chars().chain(number.chars()).filter_map(|place| place.to_digit(36));
    let rest = places.fold(0, |rest, place| (rest * if place > 9 { 100 } else { 10 } + place) % 97);
    (!number.ends_with("00") && (is_company || rest == 1)).into()
}

pub(in crate::domain::reference) fn poland(number: &str) -> bool {
    let digits = digits(number);
    rest_11(&digits, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) == last(&digits)
}

pub(super) fn portugal(number: &str) -> Digits {
    let digits = digits(number);
    let check = (11 - rest_11(&digits, &[9, 8, 7, 6, 5, 4, 3, 2])) % 11 % 10;
    (!number.starts_with('0') && check == last(&digits)).into()
}

pub(super) fn romania(number: &str) -> Digits {
    if number.len() == 13 {
        return Digits::None; // of a person
    }
    let digits = digits(&format!("{number:0>10}"));
    let check = weighted(&digits, &[7, 5, 3, 2, 1, 7, 5, 3, 2]) * 10 % 11 % 10;
    (!number.starts_with('0') && check == last(&digits)).into()
}

pub(super) fn sweden(number: &str) -> Digits {
    luhn(number.get(..10).unwrap_or_default()).into()
}

pub(super) fn slovenia(number: &str) -> Digits {
    let digits = digits(number);
    let check = 11 - rest_11(&digits, &[8, 7, 6, 5, 4, 3, 2]);
    (!number.starts_with('0') && check < 11 && check % 10 == last(&digits)).into()
}

pub(super) fn slovakia(number: &str) -> Digits {
    value(&digits(number)).is_multiple_of(11).into()
}

pub(in crate::domain::reference) fn switzerland(number: &str) -> bool {
    let digits = digits(number);
    (11 - rest_11(&digits, &[5, 4, 3, 2, 7, 6, 5, 4])) % 11 == last(&digits)
}

pub(in crate::domain::reference) fn norway(number: &str) -> bool {
    let digits = digits(number);
    (11 - rest_11(&digits, &[3, 2, 7, 6, 5, 4, 3, 2])) % 11 == last(&digits)
}
