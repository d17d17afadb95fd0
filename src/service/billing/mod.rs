//! Use cases on what customers are billed for, and how they pay.

mod payment_methods;
mod report;

pub use self::{
    payment_methods::{NewPaymentMethod, PaymentMethods},
    report::{BillingReport, ReportPage},
};
