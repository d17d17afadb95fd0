//! `clientele descriptor`: the contract as a descriptor set.

use std::io::{self, Write as _};

use super::output::Failure;
use crate::grpc;

/// Print the contract as a descriptor set, for tools that need no proto files then
///
/// It is a `google.protobuf.FileDescriptorSet` in binary, with all imports, options and comments, as
/// reflection serves it. grpcurl reads it by `-protoset`:
///
///   clientele descriptor > clientele.binpb
///   grpcurl -protoset clientele.binpb describe clientele.v1.CustomerService
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Descriptor;

impl Descriptor {
    /// Prints the descriptor set.
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self = self;
        let mut out = io::stdout().lock();
        out.write_all(grpc::DESCRIPTORS)?;
        Ok(out.flush()?)
    }
}
