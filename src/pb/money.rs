//! `google.type.Money`, which no crate of ours generates.

/// An amount of money with its currency, as `google/type/money.proto` has it.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Money {
    /// The code of ISO 4217.
    #[prost(string, tag = "1")]
    pub currency_code: String,
    /// The whole units.
    #[prost(int64, tag = "2")]
    pub units: i64,
    /// Billionths of a unit, of the same sign as the units.
    #[prost(int32, tag = "3")]
    pub nanos: i32,
}
