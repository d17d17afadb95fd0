//! The demo's invitation: a reseller whose first admin has not come in yet.

use super::{
    calls::{DemoCreation, Step, request_id},
    record::Owner,
    wire::into_result,
};
use crate::grpc::pb::{self, account_service_client::AccountServiceClient};

/// The email address of the demo's invitation.
pub const INVITED: &str = "olga@fjord-reiser.example.com";

impl DemoCreation<'_> {
    /// Creates a reseller whose first admin is invited by email, and returns the invitation's id.
    pub(super) async fn invite_reseller(&self) -> Result<String, String> {
        let message = pb::CreateAccountRequest {
            account: Some(pb::Account { name: "Fjord Reiser".to_owned(), ..Default::default() }),
            admin_email: INVITED.to_owned(),
            request_id: request_id(Step::Invite, 0),
            ..Default::default()
        };
        let mut client = AccountServiceClient::new(self.channel.clone());
        let response = client.create_account(self.request(message, "admin", Owner::Distributor)?).await;
        Ok(into_result("CreateAccount", response)?.invitation.unwrap_or_default().invitation_id)
    }
}
