//! What `dev` tells once it runs: lines that work when they are pasted.

use std::{env, fmt::Write as _, net::SocketAddr, path::Path};

use super::{dev::OPERATOR, token::ISSUER};
use crate::grpc::demo::{Demo, Owner, name_of};

/// How to call the service at this address, with its demo data if there is some.
pub(super) fn text(address: SocketAddr, data: &Path, demo: Option<&Demo>) -> String {
    let shell = Shell { address, token: format!("{} token", program()), data: quote(&data.display().to_string()) };
    let mut text =
        format!("\nClientele runs on {address} and keeps its data in {}. Ctrl-C stops it.\n", data.display());
    match demo {
        Some(demo) => shell.with_demo(&mut text, demo),
        None => shell.empty(&mut text),
    }
    text
}

/// The request_id of the line that makes a tenant.
const TENANT_REQUEST: &str = "6f1d0c52-8a5e-4f0b-9c37-d2b1f6a4e801";

struct Shell {
    address: SocketAddr,
    /// The command that prints tokens.
    token: String,
    data: String,
}

impl Shell {
    fn with_demo(&self, text: &mut String, demo: &Demo) {
        let _ = writeln!(
            text,
            "\nThe demo tenant is a distributor with resellers below it and 120 customers. Who may call, as what:\n  \
             {OPERATOR}: creates tenants   admin: ADMIN of the distributor   viewer: VIEWER of the distributor\n  \
             alice: MEMBER of {}, which asks for little   dmitri: MEMBER of {}, a reseller of hers\n  \
             bob: ADMIN of {}, which approves by hand   carol: SERVICE_MANAGER of {}, a dealer with branches\n  \
             erika: ADMIN of {}, which asks for everything",
            name_of(Owner::Cloud),
            name_of(Owner::Market),
            name_of(Owner::Telecom),
            name_of(Owner::Dealer),
            name_of(Owner::Full),
        );
        self.as_a_member(text, demo);
        self.as_an_admin(text, demo);
        self.as_a_dealer(text);
        self.as_the_distributor(text, demo);
    }

    fn as_a_member(&self, text: &mut String, demo: &Demo) {
        self.say(text, "Who is Alice, and where is she a member?", "alice");
        self.call(text, "", "{}", "AccessService/WhoAmI");
        heading(
            text,
            "She finds customers by words in any field, whatever their accents, and by tags, which are hers alone:",
        );
        self.call(text, "", r#"{"query": "backerei munchen"}"#, "CustomerService/SearchCustomers");
        self.call(text, "", r#"{"tags": {"any_of": ["grosskunde"]}}"#, "CustomerService/SearchCustomers");
        self.call(text, "", "{}", "TagService/ListTags");
        heading(text, "By its number in her ERP system; and one in full, and what became of it:");
        self.call(text, "", r#"{"system": "erp", "custom_id": "123"}"#, "CustomerService/LookupCustomer");
        let customer = &demo.customer;
        let one = format!(r#"{{"customer_id": "{customer}", "view": "CUSTOMER_VIEW_FULL"}}"#);
        self.call(text, "", &one, "CustomerService/GetCustomer");
        self.call(text, "", &format!(r#"{{"customer_id": "{customer}"}}"#), "HistoryService/ListCustomerEvents");
        heading(text, "One customer more:");
        let new = r#"{"customer": {"name": "Ada Lovelace Ltd", "email": "ada@example.com", "labels": {"vip": "yes"}}}"#;
        self.call(text, "", new, "CustomerService/CreateCustomer");
    }

    fn as_an_admin(&self, text: &mut String, demo: &Demo) {
        self.say(text, "Bob approves one of those that wait for it:", "bob");
        let pending = r#"{"statuses": ["CUSTOMER_STATUS_PENDING"]}"#;
        self.call(text, "", pending, "CustomerService/SearchCustomers");
        let one = format!(r#"{{"customer_id": "{}"}}"#, demo.pending);
        self.call(text, "", &one, "CustomerService/ApproveCustomer");
        self.say(text, "Erika's wait too, one of them for much (`missingForApproval`):", "erika");
        let pending = r#"{"statuses": ["CUSTOMER_STATUS_PENDING"], "view": "CUSTOMER_VIEW_FULL"}"#;
        self.call(text, "", pending, "CustomerService/SearchCustomers");
    }

    fn as_a_dealer(&self, text: &mut String) {
        self.say(text, "Carol's branches, one of which works with her dealer management system (DMS):", "carol");
        self.call(text, "", "{}", "AccountService/ListBranches");
        heading(
            text,
            "The distributor's FLEET customers, as she sees and serves them; and those without a number in her DMS:",
        );
        let fleet = r#"{"reach": "REACH_FLEET", "view": "CUSTOMER_VIEW_FULL"}"#;
        self.call(text, "", fleet, "CustomerService/SearchCustomers");
        let unlinked = r#"{"reach": "REACH_FLEET", "lacks_custom_id_system": "dms"}"#;
        self.call(text, "", unlinked, "CustomerService/SearchCustomers");
    }

    fn as_the_distributor(&self, text: &mut String, demo: &Demo) {
        self.say(
            text,
            "The distributor sees its resellers and all their customers, and can act in each of them:",
            "admin",
        );
        self.call(text, "", r#"{"include_descendants": true}"#, "AccountService/ListAccounts");
        let suspended = r#"{"statuses": ["CUSTOMER_STATUS_SUSPENDED"], "include_descendants": true}"#;
        self.call(text, "", suspended, "CustomerService/SearchCustomers");
        let act = format!("-H 'clientele-account: {}' ", demo.cloud);
        self.call(text, &act, "{}", "AccessService/ListMembers");
    }

    fn empty(&self, text: &mut String) {
        self.say(
            text,
            "There is no demo data. The operator makes a tenant, with `admin` as its first ADMIN:",
            OPERATOR,
        );
        // With a request_id, or pasting it again would make another tenant, and `admin` a member of two.
        let tenant = format!(
            r#"{{"tenant": {{"name": "Acme Distribution"}}, "first_admin": {{"issuer": "{ISSUER}", "subject": "admin"}}, "request_id": "{TENANT_REQUEST}"}}"#
        );
        self.call(text, "", &tenant, "AccountService/CreateTenant");
        self.say(text, "The admin creates a customer:", "admin");
        self.call(text, "", r#"{"customer": {"name": "Ada Lovelace Ltd"}}"#, "CustomerService/CreateCustomer");
    }

    /// What comes next, and the token of whoever does it.
    fn say(&self, text: &mut String, what: &str, subject: &str) {
        heading(text, what);
        let _ = writeln!(text, "TOKEN=$({} {subject} --data {})", self.token, self.data);
    }

    fn call(&self, text: &mut String, headers: &str, body: &str, rpc: &str) {
        let authorization = r#"-H "authorization: Bearer $TOKEN""#;
        let body = if body == "{}" { String::new() } else { format!("-d {} ", quote(body)) };
        let _ = writeln!(text, "grpcurl -plaintext {authorization} {headers}{body}{} clientele.v1.{rpc}", self.address);
    }
}

fn heading(text: &mut String, what: &str) {
    let _ = write!(text, "\n{what}\n");
}

/// How to call this program again: by the name it was called by if the shell found it, else by its path.
fn program() -> String {
    let called = env::args().next().unwrap_or_default();
    if !called.is_empty() && !called.contains('/') {
        return quote(&called);
    }
    quote(&env::current_exe().map_or(called, |path| path.display().to_string()))
}

/// One word for a shell.
fn quote(word: &str) -> String {
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
    fn words_survive_a_shell() {
        assert_eq!(quote("/tmp/plain-1.2"), "/tmp/plain-1.2");
        assert_eq!(quote("/tmp/it's here"), r"'/tmp/it'\''s here'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn every_line_that_calls_comes_after_its_token() {
        let demo = Demo {
            edition: 0,
            tenant: "t".to_owned(),
            cloud: "c".to_owned(),
            telecom: "d".to_owned(),
            customer: "e".to_owned(),
            pending: "f".to_owned(),
        };
        for demo in [None, Some(&demo)] {
            let text = text("127.0.0.1:7".parse().unwrap(), Path::new("/tmp/x y"), demo);
            let lines: Vec<&str> =
                text.lines().filter(|line| line.starts_with("TOKEN") || line.starts_with("grpcurl")).collect();
            assert!(lines[0].starts_with("TOKEN=$(") && lines[0].ends_with("--data '/tmp/x y')"), "{text}");
            assert!(
                lines[1..].iter().all(|line| line.contains(" 127.0.0.1:7 ") || line.starts_with("TOKEN")),
                "{text}"
            );
        }
    }
}
