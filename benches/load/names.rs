//! Customers as resellers have them: from ten countries, some with accents. Some words are in many names and most in few;
//! brands are invented, so the number of words is not limited.
//!
//! The same number makes the same customer, so a search does not need a list of what was made.

use super::rng::Rng;

const COUNTRIES: &str = include_str!("names.txt");
const SYLLABLES: &str = "al an bel bri ca cen cor da del dor el fa fin ga gen hy in ka kro la li lu ma mer mi na neo no \
                         nor or pa pre pri qua ra ri ro sa se sil so sol ta te tec ti tra tri ul va vel ver vi vo xe ya zen";

/// The words for names and addresses of a country's customers.
struct Country {
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

impl Country {
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

/// The values that differ from customer to customer.
pub struct Details {
    pub name: String,
    pub legal_name: String,
    pub street: String,
    pub postal_code: String,
    pub city: &'static str,
    pub state: &'static str,
    pub country: &'static str,
    pub phone: String,
    pub tax_id: String,
    /// The first part of the domain of its email address.
    pub host: String,
    /// Its custom ID.
    pub number: String,
}

impl Details {
    /// The email address of its contact.
    pub fn contact_email(&self) -> String {
        format!("{}@{}.example", self.number, self.host)
    }
}

/// Makes the values.
pub struct Names {
    countries: Vec<Country>,
    syllables: Vec<&'static str>,
}

impl Names {
    pub fn new() -> Self {
        let lines = COUNTRIES.lines().filter(|line| !line.starts_with('#'));
        let countries = lines.map(|line| Country::of(line).expect("a line of eight columns")).collect();
        Self { countries, syllables: SYLLABLES.split_whitespace().collect() }
    }

    /// The customer of this number.
    pub fn customer(&self, number: u64) -> Details {
        let mut rng = Rng::seeded(number);
        let country = rng.pick_skewed(&self.countries);
        let (city, state) = *rng.pick_skewed(&country.cities);
        let (name, is_person) = self.name(country, city, &mut rng);
        let legal_name = if is_person { name.clone() } else { format!("{name} {}", country.suffix) };
        let host: String = clientele::domain::search::fold(&name)
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join("-");
        Details {
            street: format!("{} {}", rng.pick_skewed(&country.families), 1 + rng.below(240)),
            postal_code: (10_000 + rng.below(89_999)).to_string(),
            phone: format!("{} {} {:07}", country.dial, 10 + rng.below(80), rng.below(10_000_000)),
            tax_id: format!("{}{:09}", country.tax, rng.below(1_000_000_000)),
            number: format!("C-{}", 100_000 + number),
            country: country.country,
            name,
            legal_name,
            city,
            state,
            host,
        }
    }

    /// A name, and whether it is the name of a person.
    fn name(&self, country: &Country, city: &str, rng: &mut Rng) -> (String, bool) {
        let (family, trade) = (*rng.pick_skewed(&country.families), *rng.pick_skewed(&country.trades));
        let name = match rng.below(10) {
            0..=2 => format!("{family} {trade}"),
            3 => format!("{trade} {family}"),
            4 => format!("{family} & {}", rng.pick_skewed(&country.families)),
            5 | 6 => format!("{} {trade}", self.brand(rng)),
            7 => self.brand(rng),
            8 => format!("{city} {trade}"),
            _ => return (format!("{} {family}", rng.pick_skewed(&country.firsts)), true),
        };
        (name, false)
    }

    /// An invented word.
    fn brand(&self, rng: &mut Rng) -> String {
        let count = 2 + rng.below(2);
        let word: String = (0..count).map(|_| *rng.pick(&self.syllables)).collect();
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
    }
}
