//! Customers as resellers have them: of ten countries, some with accents. Some words are in many names and most in few;
//! brands are coined, so there is no end to the words.
//!
//! The same number makes the same customer: who searches need not remember what was made.

use super::dice::Dice;

const LANDS: &str = include_str!("names.txt");
const SYLLABLES: &str = "al an bel bri ca cen cor da del dor el fa fin ga gen hy in ka kro la li lu ma mer mi na neo no \
                         nor or pa pre pri qua ra ri ro sa se sil so sol ta te tec ti tra tri ul va vel ver vi vo xe ya zen";

/// What a country's customers are called, and where they are.
struct Land {
    country: &'static str,
    suffix: &'static str,
    dial: &'static str,
    tax: &'static str,
    firsts: Vec<&'static str>,
    families: Vec<&'static str>,
    trades: Vec<&'static str>,
    /// Each with its state.
    cities: Vec<(&'static str, &'static str)>,
}

impl Land {
    fn of(line: &'static str) -> Option<Self> {
        let mut columns = line.split('|');
        let mut next = || columns.next();
        Some(Self {
            country: next()?,
            suffix: next()?,
            dial: next()?,
            tax: next()?,
            firsts: next()?.split(' ').collect(),
            families: next()?.split(';').collect(),
            trades: next()?.split(' ').collect(),
            cities: next()?.split(';').map(|city| city.split_once('=')).collect::<Option<_>>()?,
        })
    }
}

/// What tells one customer from another.
pub struct Named {
    pub name: String,
    pub legal_name: String,
    pub street: String,
    pub postal_code: String,
    pub city: &'static str,
    pub state: &'static str,
    pub country: &'static str,
    pub phone: String,
    pub tax_id: String,
    /// The domain of its addresses for mail.
    pub host: String,
    /// What its account calls it.
    pub number: String,
}

/// Makes them.
pub struct Names {
    lands: Vec<Land>,
    syllables: Vec<&'static str>,
}

impl Names {
    pub fn new() -> Self {
        let lines = LANDS.lines().filter(|line| !line.starts_with('#'));
        let lands = lines.map(|line| Land::of(line).expect("a line of eight columns")).collect();
        Self { lands, syllables: SYLLABLES.split_whitespace().collect() }
    }

    /// The customer of this number.
    pub fn customer(&self, number: u64) -> Named {
        let mut dice = Dice::of(number);
        let land = dice.common(&self.lands);
        let (city, state) = *dice.common(&land.cities);
        let (name, is_person) = self.name(land, city, &mut dice);
        let legal_name = if is_person { name.clone() } else { format!("{name} {}", land.suffix) };
        let host: String = clientele::domain::search::fold(&name)
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join("-");
        Named {
            street: format!("{} {}", dice.common(&land.families), 1 + dice.below(240)),
            postal_code: (10_000 + dice.below(89_999)).to_string(),
            phone: format!("{} {} {:07}", land.dial, 10 + dice.below(80), dice.below(10_000_000)),
            tax_id: format!("{}{:09}", land.tax, dice.below(1_000_000_000)),
            number: format!("C-{}", 100_000 + number),
            country: land.country,
            name,
            legal_name,
            city,
            state,
            host,
        }
    }

    /// A name, and whether it is a person's.
    fn name(&self, land: &Land, city: &str, dice: &mut Dice) -> (String, bool) {
        let (family, trade) = (*dice.common(&land.families), *dice.common(&land.trades));
        let name = match dice.below(10) {
            0..=2 => format!("{family} {trade}"),
            3 => format!("{trade} {family}"),
            4 => format!("{family} & {}", dice.common(&land.families)),
            5 | 6 => format!("{} {trade}", self.brand(dice)),
            7 => self.brand(dice),
            8 => format!("{city} {trade}"),
            _ => return (format!("{} {family}", dice.common(&land.firsts)), true),
        };
        (name, false)
    }

    /// A coined word.
    fn brand(&self, dice: &mut Dice) -> String {
        let count = 2 + dice.below(2);
        let word: String = (0..count).map(|_| *dice.one(&self.syllables)).collect();
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
    }
}
