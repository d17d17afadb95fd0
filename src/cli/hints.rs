//! The hints that `dev` prints when it is ready: commands that work when they are pasted.

use std::{env, fmt::Write as _, net::SocketAddr, path::Path};

use super::token::{ISSUER, OPERATOR};
use crate::{
    embedded::Environment,
    grpc::demo::{Demo, INVITED, Owner, account_name},
    service::mail::Link,
};

/// Returns how to call the service at this address, with its demo data if there is some.
pub(super) fn text(
    address: SocketAddr,
    data_dir: &Path,
    psql: &str,
    demo: Option<&Demo>,
    link: Option<&Link>,
) -> String {
    let hints = Hints {
        address,
        token_command: format!("{} token", program()),
        data_dir: quote(&data_dir.display().to_string()),
    };
    let mut text = format!("\nClientele runs on {address}. Its data is in {}. Ctrl-C stops it.\n", data_dir.display());
    let _ = writeln!(text, "Its database:\n{psql}");
    if !is_installed("grpcurl") {
        let _ = writeln!(
            text,
            "\nThe commands below need grpcurl, which is not installed: brew install grpcurl, or\n\
             go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest"
        );
    }
    match demo {
        Some(demo) => hints.with_demo(&mut text, demo, link),
        None => hints.without_demo(&mut text),
    }
    text
}

/// The request_id of the command that creates a tenant.
const TENANT_REQUEST: &str = "6f1d0c52-8a5e-4f0b-9c37-d2b1f6a4e801";

struct Hints {
    address: SocketAddr,
    /// The command that prints tokens.
    token_command: String,
    data_dir: String,
}

impl Hints {
    fn with_demo(&self, text: &mut String, demo: &Demo, link: Option<&Link>) {
        let _ = writeln!(
            text,
            "\nThe demo tenant is a distributor with resellers below it and 120 customers. Subjects and their roles:\n  \
             {OPERATOR}: creates tenants   admin: ADMIN of the distributor   viewer: VIEWER of the distributor\n  \
             alice: MEMBER of {} (few required fields)   dmitri: MEMBER of {}, a reseller below it\n  \
             bob: ADMIN of {} (manual approval)   carol: SERVICE_MANAGER of {}, a dealer with branches\n  \
             erika: ADMIN of {} (many required fields)",
            account_name(Owner::Cloud),
            account_name(Owner::Market),
            account_name(Owner::Telecom),
            account_name(Owner::Dealer),
            account_name(Owner::Full),
        );
        self.as_a_member(text, demo);
        self.as_an_admin(text, demo);
        self.as_a_dealer(text);
        self.as_the_distributor(text, demo);
        if let Some(link) = link {
            self.as_the_invited(text, link);
        }
    }

    fn as_a_member(&self, text: &mut String, demo: &Demo) {
        self.token(text, "Show Alice's identity and memberships:", "alice");
        self.call(text, "", "{}", "AccessService/WhoAmI", "her principal, and one membership with the role MEMBER");
        heading(text, "Search by words in any field (accents do not matter), or by tags, which only her account sees:");
        self.call(
            text,
            "",
            r#"{"query": "backerei munchen"}"#,
            "CustomerService/SearchCustomers",
            "one customer, with its umlauts; `matchedFields` says where it was found",
        );
        self.call(
            text,
            "",
            r#"{"tags": {"any_of": ["grosskunde"]}}"#,
            "CustomerService/SearchCustomers",
            "the customers with this tag",
        );
        self.call(text, "", "{}", "TagService/ListTags", "her account's tags, by name");
        heading(text, "Look one up by its ERP number, read it in full, and list its history:");
        self.call(
            text,
            "",
            r#"{"system": "erp", "custom_id": "123"}"#,
            "CustomerService/LookupCustomer",
            "the customer with `customIds.erp` 123, and `resolvedBy` CURRENT",
        );
        let customer = &demo.customer;
        let get = format!(r#"{{"customer_id": "{customer}", "view": "CUSTOMER_VIEW_FULL"}}"#);
        self.call(
            text,
            "",
            &get,
            "CustomerService/GetCustomer",
            "everything, also `allowedActions`: what she may do with it",
        );
        self.call(
            text,
            "",
            &format!(r#"{{"customer_id": "{customer}"}}"#),
            "HistoryService/ListCustomerEvents",
            "who changed what and when; the newest event is first",
        );
        heading(text, "Create a customer:");
        let new = r#"{"customer": {"name": "Ada Lovelace Ltd", "email": "ada@example.com", "labels": {"vip": "yes"}}}"#;
        self.call(
            text,
            "",
            new,
            "CustomerService/CreateCustomer",
            "`status` ACTIVE at once: her account approves automatically",
        );
    }

    fn as_an_admin(&self, text: &mut String, demo: &Demo) {
        self.token(text, "Bob approves a pending customer:", "bob");
        let pending = r#"{"statuses": ["CUSTOMER_STATUS_PENDING"]}"#;
        self.call(text, "", pending, "CustomerService/SearchCustomers", "the customers that wait for approval");
        let approve = format!(r#"{{"customer_id": "{}"}}"#, demo.pending);
        self.call(text, "", &approve, "CustomerService/ApproveCustomer", "`status` ACTIVE, and another `etag`");
        self.token(text, "Erika's are pending as well; `missingForApproval` says what each lacks:", "erika");
        let pending = r#"{"statuses": ["CUSTOMER_STATUS_PENDING"], "view": "CUSTOMER_VIEW_FULL"}"#;
        self.call(text, "", pending, "CustomerService/SearchCustomers", "`missingForApproval` of each");
    }

    fn as_a_dealer(&self, text: &mut String) {
        self.token(text, "List Carol's branches; one uses her dealer management system (DMS):", "carol");
        self.call(text, "", "{}", "AccountService/ListBranches", "`dmsIntegrated` true of one branch");
        heading(
            text,
            "Search the distributor's FLEET customers, which every reseller serves; then those without a DMS number:",
        );
        let fleet = r#"{"reach": "REACH_FLEET", "view": "CUSTOMER_VIEW_FULL"}"#;
        self.call(text, "", fleet, "CustomerService/SearchCustomers", "`accountId` is the distributor for all of them");
        let unlinked = r#"{"reach": "REACH_FLEET", "lacks_custom_id_system": "dms"}"#;
        self.call(
            text,
            "",
            unlinked,
            "CustomerService/SearchCustomers",
            "only those for which Carol has no number in the system dms",
        );
    }

    fn as_the_distributor(&self, text: &mut String, demo: &Demo) {
        self.token(
            text,
            "The distributor's admin sees all resellers and their customers, and can act in each account:",
            "admin",
        );
        self.call(
            text,
            "",
            r#"{"include_descendants": true}"#,
            "AccountService/ListAccounts",
            "six accounts, each with its `parentId`",
        );
        let suspended = r#"{"statuses": ["CUSTOMER_STATUS_SUSPENDED"], "include_descendants": true}"#;
        self.call(text, "", suspended, "CustomerService/SearchCustomers", "`statusReason` says why");
        let act = format!("-H 'clientele-account: {}' ", demo.cloud);
        self.call(text, &act, "{}", "AccessService/ListMembers", "the cloud reseller's members, Alice among them");
    }

    fn as_the_invited(&self, text: &mut String, link: &Link) {
        let what = format!(
            "Olga is invited as ADMIN of a new reseller. dev sends no mail; this would be its link:\n{}\n\nAccept the \
             invitation as its page would, with a token that proves her email address, and work in the new account:",
            link.url
        );
        self.token(text, &what, &format!("olga --email {INVITED}"));
        let accept = format!(r#"{{"token": "{}"}}"#, link.token);
        self.call(text, "", &accept, "AccessService/AcceptInvitation", "`membership`: ADMIN of the new account");
        self.call(
            text,
            "",
            r#"{"customer": {"name": "Bergen Cruise"}}"#,
            "CustomerService/CreateCustomer",
            "`accountId` is the new account",
        );
    }

    fn without_demo(&self, text: &mut String) {
        self.token(
            text,
            "There is no demo data. As the operator, create a tenant with `admin` as its first ADMIN:",
            OPERATOR,
        );
        // With a request_id: without it a repeat would create another tenant, and `admin` would be a member of both.
        let tenant = format!(
            r#"{{"tenant": {{"name": "Acme Distribution"}}, "first_admin": {{"issuer": "{ISSUER}", "subject": "admin"}}, "request_id": "{TENANT_REQUEST}"}}"#
        );
        self.call(text, "", &tenant, "AccountService/CreateTenant", "`tenant.id`, which is also the id of its account");
        self.token(text, "As the admin, create a customer:", "admin");
        self.call(
            text,
            "",
            r#"{"customer": {"name": "Ada Lovelace Ltd"}}"#,
            "CustomerService/CreateCustomer",
            "`customer.status` ACTIVE",
        );
    }

    /// Adds a heading and the command that sets the caller's token.
    fn token(&self, text: &mut String, what: &str, subject: &str) {
        heading(text, what);
        let _ = writeln!(text, "TOKEN=$({} {subject} --data-dir {})", self.token_command, self.data_dir);
    }

    /// Adds a command, and below it what to look for in its output.
    fn call(&self, text: &mut String, headers: &str, body: &str, rpc: &str, look_for: &str) {
        let authorization = r#"-H "authorization: Bearer $TOKEN""#;
        let body = if body == "{}" { String::new() } else { format!("-d {} ", quote(body)) };
        let _ = writeln!(text, "grpcurl -plaintext {authorization} {headers}{body}{} clientele.v1.{rpc}", self.address);
        let _ = writeln!(text, "  # {look_for}");
    }
}

fn heading(text: &mut String, what: &str) {
    let _ = write!(text, "\n{what}\n");
}

/// Returns this program's command: its name if the shell found it in PATH, else its path.
fn program() -> String {
    let name = env::args().next().unwrap_or_default();
    if !name.is_empty() && !name.contains('/') {
        return quote(&name);
    }
    quote(&env::current_exe().map_or(name, |path| path.display().to_string()))
}

/// Whether a program is in one of the folders of PATH.
fn is_installed(program: &str) -> bool {
    let folders = Environment::read().path.unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// Quotes a word for a shell.
pub(super) fn quote(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+=:,@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quote("/tmp/plain-1.2"), "/tmp/plain-1.2");
        assert_eq!(quote("/tmp/it's here"), r"'/tmp/it'\''s here'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn every_call_follows_its_token() {
        let demo = Demo {
            edition: 0,
            tenant: "t".to_owned(),
            cloud: "c".to_owned(),
            telecom: "d".to_owned(),
            customer: "e".to_owned(),
            pending: "f".to_owned(),
            invitation: "g".to_owned(),
        };
        let link = Link { url: "https://portal.example.com/join#h".to_owned(), token: "h".to_owned() };
        for (demo, link) in [(None, None), (Some(&demo), None), (Some(&demo), Some(&link))] {
            let text = text("127.0.0.1:7".parse().unwrap(), Path::new("/tmp/x y"), "psql url", demo, link);
            let lines: Vec<&str> =
                text.lines().filter(|line| line.starts_with("TOKEN") || line.starts_with("grpcurl")).collect();
            assert!(lines[0].starts_with("TOKEN=$(") && lines[0].ends_with("--data-dir '/tmp/x y')"), "{text}");
            assert!(
                lines[1..].iter().all(|line| line.contains(" 127.0.0.1:7 ") || line.starts_with("TOKEN")),
                "{text}"
            );
        }
    }
}
