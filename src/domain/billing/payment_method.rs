//! The payment methods of a customer: references to what payment providers keep.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::{
    customers::customer::{Change, Customer, Stamp},
    history::event_type::EventType,
    refusal::Refusal,
    values::{
        enums::closed_sets,
        ids::PaymentMethodId,
        text::Text,
        unknown_fields::UnknownFields,
        violation::{Rule, Violations},
    },
};

closed_sets! {
    /// What a payment method is.
    PaymentMethodType {
        /// The customer transfers the money of an invoice itself.
        Invoice = "INVOICE",
        /// A card.
        Card = "CARD",
        /// A debit from a bank account.
        DirectDebit = "DIRECT_DEBIT",
        /// An account with a wallet.
        Wallet = "WALLET",
    }

    /// Where a customer gave a payment method.
    #[derive(Default)]
    PaymentChannel {
        /// On a page of the provider.
        #[default]
        Web = "WEB",
        /// By telephone.
        Telephone = "TELEPHONE",
    }
}

/// The last four characters of a number: ASCII letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LastFour(String);

impl LastFour {
    /// Parses what a client sent: empty is none.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse_optional(raw: &str) -> Result<Option<Self>, Rule> {
        match raw.trim() {
            "" => Ok(None),
            four if four.len() == 4 && four.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                Ok(Some(Self(four.to_owned())))
            }
            _ => Err(Rule::new("must be exactly 4 ASCII letters or digits, or empty")),
        }
    }

    /// Stored ones.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The month in which a payment method expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// From 1 to 12.
    #[serde(rename = "month")]
    pub month: i16,
    /// From 2000 to 2199.
    #[serde(rename = "year")]
    pub year: i16,
}

impl Expiry {
    /// Parses month and year; two zeros are none.
    ///
    /// # Errors
    /// The violations.
    pub fn parse(month: i32, year: i32) -> Result<Option<Self>, Violations> {
        if (month, year) == (0, 0) {
            return Ok(None);
        }
        let mut violations = Violations::default();
        let of = |value: i32, range: std::ops::RangeInclusive<i16>, rule: &'static str| {
            i16::try_from(value).ok().filter(|value| range.contains(value)).ok_or(Rule::new(rule))
        };
        let month = of(month, 1..=12, "must be 1 to 12, or 0 with expiry_year 0: it does not expire");
        let year = of(year, 2000..=2199, "must be 2000 to 2199, or 0 with expiry_month 0: it does not expire");
        let parts = violations.check("expiry_month", month).zip(violations.check("expiry_year", year));
        violations.finish(parts.map(|(month, year)| Some(Self { month, year })))
    }
}

/// One payment method. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentMethod {
    /// Its id.
    #[serde(rename = "id")]
    pub id: PaymentMethodId,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: PaymentMethodType,
    /// The payment provider.
    #[serde(rename = "provider")]
    pub provider: Option<Text<63>>,
    /// The provider's reference.
    #[serde(rename = "token")]
    pub token: Option<Text<255>>,
    /// The brand, for people.
    #[serde(rename = "brand")]
    pub brand: Option<Text<40>>,
    /// The end of the number, for people.
    #[serde(rename = "last_four")]
    pub last_four: Option<LastFour>,
    /// When it expires.
    #[serde(rename = "expiry")]
    pub expiry: Option<Expiry>,
    /// Where the customer gave it.
    #[serde(rename = "channel")]
    pub channel: PaymentChannel,
    /// When it was added, and by whom.
    #[serde(rename = "created")]
    pub created: Stamp,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl PaymentMethod {
    /// Most payment methods of one customer.
    pub const MAX: usize = 20;

    /// The value that events have: what people know it by. The token is left out: who audits asks which card it was, and the
    /// token is only for those who charge it.
    #[must_use]
    pub fn image(&self) -> Value {
        let mut image = json!({"type": self.kind.as_str(), "channel": self.channel.as_str()});
        let text = |text: Option<&str>| text.map(Value::from);
        let expiry = self.expiry.map(|expiry| format!("{:04}-{:02}", expiry.year, expiry.month));
        let parts = [
            ("provider", text(self.provider.as_ref().map(Text::as_str))),
            ("brand", text(self.brand.as_ref().map(Text::as_str))),
            ("last_four", text(self.last_four.as_ref().map(LastFour::as_str))),
            ("expiry", text(expiry.as_deref())),
        ];
        for (name, value) in parts {
            if let Some(value) = value {
                image[name] = value;
            }
        }
        image
    }

    /// Refuses to act on one with a word of a newer release.
    ///
    /// # Errors
    /// `ValueOfNewerRelease`.
    pub fn must_be_known(&self) -> Result<(), Refusal> {
        match (self.kind, self.channel) {
            (PaymentMethodType::Unknown, _) => Err(Refusal::ValueOfNewerRelease("the payment method's type")),
            (_, PaymentChannel::Unknown) => Err(Refusal::ValueOfNewerRelease("the payment method's channel")),
            _ => Ok(()),
        }
    }
}

/// A command on the payment methods of one customer.
#[derive(Clone, Debug)]
pub enum PaymentCommand {
    /// Adds one; as the default, if that is asked for or it is the first.
    Add(PaymentMethod, bool),
    /// Makes one the default.
    SetDefault(PaymentMethodId),
    /// Removes one.
    Remove(PaymentMethodId),
}

impl PaymentCommand {
    /// The id of the payment method that it names and the customer must have.
    #[must_use]
    pub fn names(&self) -> Option<PaymentMethodId> {
        if let Self::SetDefault(id) = self { Some(*id) } else { None }
    }

    /// The id of the payment method that it acts on.
    #[must_use]
    pub fn target(&self) -> PaymentMethodId {
        match self {
            Self::Add(method, _) => method.id,
            Self::SetDefault(id) | Self::Remove(id) => *id,
        }
    }

    /// Changes the customer in memory. `found` is the payment method that the command names, if the customer has it.
    ///
    /// # Errors
    /// `LimitReached`; `ValueOfNewerRelease`.
    pub fn decide(&self, customer: &mut Customer, found: Option<&PaymentMethod>) -> Result<Change, Refusal> {
        let payment = &mut customer.payment;
        match (self, found) {
            (Self::Add(method, as_default), _) => {
                if payment.count >= PaymentMethod::MAX {
                    return Err(Refusal::LimitReached("a customer has at most 20 payment methods"));
                }
                if *as_default || payment.count == 0 {
                    payment.default = Some(method.id);
                }
                payment.count += 1;
                Ok(Change::Made(EventType::PaymentMethodAdded))
            }
            (Self::SetDefault(_) | Self::Remove(_), None) => Ok(Change::AlreadyMade),
            (Self::SetDefault(id), Some(method)) => {
                if payment.default == Some(*id) {
                    return Ok(Change::AlreadyMade);
                }
                method.must_be_known()?;
                payment.default = Some(*id);
                Ok(Change::Made(EventType::DefaultPaymentMethodChanged))
            }
            (Self::Remove(id), Some(method)) => {
                method.must_be_known()?;
                payment.default = payment.default.filter(|default| default != id);
                payment.count = payment.count.saturating_sub(1);
                Ok(Change::Made(EventType::PaymentMethodRemoved))
            }
        }
    }
}
