//! Values for tests.

use crate::domain::{
    billing::payment_method::{Expiry, LastFour, PaymentChannel, PaymentMethod, PaymentMethodType},
    customers::customer::Stamp,
    samples::{at, id, principal},
    values::{ids::PaymentMethodId, text::Text, unknown_fields::UnknownFields},
};

pub(in crate::domain) fn payment_method() -> PaymentMethod {
    PaymentMethod {
        id: PaymentMethodId::from_uuid(id(12)),
        kind: PaymentMethodType::Card,
        provider: Some(Text::parse("adyen").unwrap()),
        token: Some(Text::parse("tok_7").unwrap()),
        brand: Some(Text::parse("Visa").unwrap()),
        last_four: LastFour::parse_optional("1111").unwrap(),
        expiry: Some(Expiry { month: 7, year: 2031 }),
        channel: PaymentChannel::Telephone,
        created: Stamp { at: at(5), by: principal("ada") },
        unknown: UnknownFields::default(),
    }
}
