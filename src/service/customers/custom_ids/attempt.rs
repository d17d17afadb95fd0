//! One command on custom IDs, as its tries and its decision read it.

use crate::{
    domain::{
        access::caller::Caller,
        customers::{command::Command, custom_id_change::CustomIdChange},
        requests::options::Options,
        values::{
            custom_id::{CustomId, CustomIds, System},
            ids::CustomerId,
        },
    },
    service::seal::Revisions,
};

/// The command on the custom IDs.
#[derive(Clone, Copy, Debug)]
pub(in crate::service::customers) enum CustomIdEdit<'a> {
    /// Makes this change.
    Change(&'a CustomIdChange),
    /// Sets those that the customer does not have yet. `found_by` is the one by which it was found: it keeps its
    /// spelling, and the customer must still have it.
    Put { ids: &'a CustomIds, found_by: Option<(&'a System, &'a CustomId)> },
}

/// One command, with what its tries share.
pub(in crate::service::customers) struct Attempt<'a> {
    pub(in crate::service::customers) caller: &'a Caller,
    pub(in crate::service::customers) id: CustomerId,
    pub(in crate::service::customers) ids: CustomIdEdit<'a>,
    /// The update of fields that belongs to it.
    pub(in crate::service::customers) fields: Option<&'a Command>,
    pub(in crate::service::customers) options: &'a Options,
    pub(in crate::service::customers) etag: Option<Revisions>,
    /// The field of the request with the system's custom ID, which an error names if it is taken.
    pub(in crate::service::customers) field: fn(&System) -> String,
}
