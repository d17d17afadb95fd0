//! How long the rules on a full record take: every field of portal 3's form, two addresses more, two phones. The limit is 20 µs.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use clientele::domain::{
    fields::{customer_fields::CustomerFields, profile::Profile, settle::Tables},
    values::{
        address::{Address, AddressPart},
        enums::Origin,
        name::Name,
        phone::Phone,
        tax_id::{TaxId, TaxIds},
        text::Text,
        violation::Violations,
    },
};

/// Rounds of one measurement.
const ROUNDS: u32 = 20_000;
/// Measurements; the middle one counts.
const MEASURED: usize = 9;
const LIMIT: Duration = Duration::from_micros(20);

fn main() -> Result<(), Violations> {
    let record = record()?;
    measure("the whole record", &record);
    let mut without = record.clone();
    (without.profile.phone, without.profile.fax) = (None, None);
    measure("without its phones", &without);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result is for a terminal")]
fn measure(what: &str, record: &CustomerFields) {
    let before = Profile::default();
    let mut times: Vec<Duration> = (0..MEASURED)
        .map(|_| {
            let began = Instant::now();
            for _ in 0..ROUNDS {
                let mut fields = black_box(record).clone();
                drop(black_box(fields.settle(&before, Tables::default())));
            }
            began.elapsed() / ROUNDS
        })
        .collect();
    times.sort_unstable();
    let middle = times[MEASURED / 2];
    let verdict = if middle <= LIMIT { "within" } else { "ABOVE" };
    println!("{what}: {middle:?}, {verdict} the limit of {LIMIT:?}");
}

fn record() -> Result<CustomerFields, Violations> {
    let of = |path: &'static str| move |rule| Violations::of(path, rule);
    let mut fields = CustomerFields::new(Name::parse("Copaco").map_err(of("name"))?, Origin::Api);
    let profile = &mut fields.profile;
    profile.registration_number = Text::parse_optional("17048595").map_err(of("registration_number"))?;
    profile.tax_ids = TaxIds::try_new(vec![TaxId::parse("NL006486253B01", "Netherlands")?])?;
    profile.currency = Text::parse_optional("Euro").map_err(of("currency"))?;
    profile.industry = Text::parse_optional("Non-profit").map_err(of("industry"))?;
    let address = || {
        let mut address = Address::default();
        for (part, text) in [
            (AddressPart::Country, "Netherlands"),
            (AddressPart::State, "Noord Brabant"),
            (AddressPart::City, "Eindhoven"),
            (AddressPart::Line1, "Hoevenweg 21"),
            (AddressPart::PostalCode, "5652AW"),
        ] {
            address.set(part, text).map_err(of("address"))?;
        }
        Ok::<_, Violations>(address)
    };
    (profile.primary_address, profile.billing_address, profile.shipping_address) = (address()?, address()?, address()?);
    profile.phone = Phone::parse_optional("+31(0)123456789", "")?;
    profile.fax = Phone::parse_optional("+31 40 250 5001", "")?;
    Ok(fields)
}
