//! The annotations of the contract that tools read: `google.api.field_behavior` says what the comments say, `buf.validate` what the
//! code checks, and every RPC has its path for JSON. No validator runs in the server.

mod limits;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use clientele::{
    domain::values::{custom_id::System, label::LabelKey},
    grpc::DESCRIPTORS,
};
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    Value,
};
use regex::Regex;

use self::limits::limits;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).unwrap());
const PACKAGE: &str = "clientele.v1";

fn extension(name: &str) -> ExtensionDescriptor {
    POOL.get_extension_by_name(name).unwrap_or_else(|| panic!("no {name}"))
}

fn methods() -> Vec<MethodDescriptor> {
    let services = POOL.services().filter(|service| service.package_name() == PACKAGE);
    services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

fn comment(field: &FieldDescriptor) -> String {
    let file = field.parent_file();
    let places = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
    let place = places.into_iter().find(|place| place.path == field.path());
    place.map(|place| place.leading_comments().replace('\n', "")).unwrap_or_default()
}

/// The name without the package: `Customer.name`.
fn short(field: &FieldDescriptor) -> String {
    field.full_name().trim_start_matches("clientele.v1.").to_owned()
}

/// The messages that a caller sends: requests, and what they hold that is not output only.
fn sent() -> Vec<MessageDescriptor> {
    let mut found: Vec<MessageDescriptor> = methods().iter().map(MethodDescriptor::input).collect();
    let mut next = 0;
    while let Some(message) = found.get(next).cloned() {
        for field in message.fields().filter(|field| !comment(field).contains("Output only.")) {
            if let Kind::Message(inner) = field.kind()
                && inner.package_name() == PACKAGE
                && !inner.is_map_entry()
                && !found.contains(&inner)
            {
                found.push(inner);
            }
        }
        next += 1;
    }
    found
}

/// The behaviors of a field, by name.
fn behaviors(field: &FieldDescriptor) -> BTreeSet<String> {
    let extension = extension("google.api.field_behavior");
    let Kind::Enum(names) = extension.kind() else { panic!("an enum") };
    let options = field.options();
    let values = options.get_extension(&extension);
    let values = values.as_list().unwrap().iter().map(|value| value.as_enum_number().unwrap());
    values.map(|number| names.get_value(number).unwrap().name().to_owned()).collect()
}

/// The rules of a field, each by its path: `string.max_len` is `120`.
fn rules(field: &FieldDescriptor) -> BTreeMap<String, String> {
    fn collect(at: &str, message: &DynamicMessage, into: &mut BTreeMap<String, String>) {
        for (field, value) in message.fields() {
            let at = format!("{at}{}", field.name());
            match value {
                Value::Message(inner) => collect(&format!("{at}."), inner, into),
                Value::String(text) => drop(into.insert(at, text.clone())),
                other => drop(into.insert(at, other.to_string())),
            }
        }
    }
    let (mut found, options) = (BTreeMap::new(), field.options());
    let extension = extension("buf.validate.field");
    if options.has_extension(&extension) {
        collect("", options.get_extension(&extension).as_message().unwrap(), &mut found);
    }
    found
}

#[test]
fn the_behavior_of_every_field_is_what_its_comment_says() {
    let sent = sent();
    let messages = POOL.all_messages().filter(|message| message.package_name() == PACKAGE && !message.is_map_entry());
    let mut annotated = 0;
    for field in messages.flat_map(|message| message.fields().collect::<Vec<_>>()) {
        let (said, text) = (behaviors(&field), comment(&field));
        annotated += said.len();
        let output_only = text.contains("Output only.");
        let required = text.contains("Required.") && !output_only;
        let immutable = !output_only && text.contains("cannot be changed");
        let expected = [("OUTPUT_ONLY", output_only), ("REQUIRED", required), ("IMMUTABLE", immutable)];
        let expected = expected.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name.to_owned()).collect();
        assert_eq!(said, expected, "{}: {text}", field.full_name());
        assert!(!required || sent.contains(field.parent_message()), "{} is not sent", field.full_name());
    }
    assert!(annotated > 80, "{annotated}");
}

#[test]
fn every_limit_that_a_comment_states_is_a_rule() {
    let length = Regex::new(r"(?:[Uu]p to|1 to) ([0-9,]+)(?: printable)? (characters|digits|bytes)").unwrap();
    let count = Regex::new(r"(?:at most|1 to) ([0-9,]+)").unwrap();
    for field in sent().iter().flat_map(|message| message.fields().collect::<Vec<_>>()) {
        let (rules, text, name) = (rules(&field), comment(&field), short(&field));
        // A query is counted after it was folded.
        if text.contains("Output only.") || name == "SearchCustomersRequest.query" {
            continue;
        }
        if field.name() == "page_size" {
            assert_eq!(rules.get("int32.gte").map(String::as_str), Some("0"), "{name}");
        }
        let number = |found: regex::Captures<'_>| found[1].replace(',', "");
        let is_text = field.kind() == Kind::String && !field.is_list();
        if let Some(found) = length.captures(&text).filter(|_| is_text) {
            let rule = if &found[2] == "bytes" { "string.max_bytes" } else { "string.max_len" };
            assert_eq!(rules.get(rule), Some(&number(found)), "{name}: {text}");
        }
        if let Some(found) = count.captures(&text).filter(|_| field.is_list()) {
            assert_eq!(rules.get("repeated.max_items"), Some(&number(found)), "{name}: {text}");
        }
        if field.is_map() {
            assert!(rules.contains_key("map.max_pairs") || name.starts_with("Search"), "{name}");
        }
    }
}

/// Texts for patterns: some that fit, some that do not.
const TEXTS: [&str; 16] =
    ["", "a", "A", "7", "7a", "a7", "a-b", "a_b", "-a", "a-", ".a", "a.b/c", "a..b", "a b", "é", "_"];

#[test]
fn every_rule_is_what_the_code_checks() {
    let mut limits = limits();
    let all = POOL.all_messages().filter(|message| message.package_name() == PACKAGE);
    for field in all.flat_map(|message| message.fields().collect::<Vec<_>>()) {
        let name = short(&field);
        for (rule, value) in rules(&field) {
            let known = limits.keys().find(|(field, of)| *field == name && *of == rule).copied();
            match rule.as_str() {
                "int32.gte" => assert_eq!((field.name(), value.as_str()), ("page_size", "0"), "{name}"),
                "repeated.min_items" => assert_eq!(value, "1", "{name}"),
                // `tests/it/large_batches.rs` and `batch_get_customers.rs` hold these against the server.
                "repeated.max_items" if field.name() == "customer_ids" => {
                    assert!(comment(&field).contains(" 1 to "), "{name}");
                }
                "string.pattern" | "map.keys.string.pattern" => {
                    let pattern = Regex::new(&value).unwrap();
                    let accepts = |text: &str| match name.as_str() {
                        "Customer.labels" => LabelKey::parse(text).is_ok(),
                        _ => (text.is_empty() && rule == "string.pattern") || System::parse(text).is_ok(),
                    };
                    let long = [31, 32, 33, 62, 63, 64].map(|chars| "a".repeat(chars));
                    for text in TEXTS.iter().copied().chain(long.iter().map(String::as_str)) {
                        assert_eq!(pattern.is_match(text), accepts(text), "{name}: {text:?}");
                    }
                }
                _ => {
                    let key = known
                        .unwrap_or_else(|| panic!("{name}: {rule} is {value}: add what the code allows to `limits`"));
                    assert_eq!(Some(value), limits.remove(&key).map(|limit| limit.to_string()), "{name}: {rule}");
                }
            }
        }
    }
    assert!(limits.is_empty(), "without a rule: {limits:?}");
}

#[test]
fn every_unary_rpc_has_a_path_of_its_own() {
    let extension = extension("google.api.http");
    let variable = Regex::new(r"\{([a-z_.]+)\}").unwrap();
    let mut used = BTreeSet::new();
    for method in methods().into_iter().filter(|method| !method.is_client_streaming() && !method.is_server_streaming())
    {
        let (name, options) = (method.full_name().to_owned(), method.options());
        assert!(options.has_extension(&extension), "{name} has no google.api.http");
        let rule = options.get_extension(&extension);
        let rule = rule.as_message().unwrap();
        let more = rule.get_field_by_name("additional_bindings").unwrap();
        let more = more.as_list().unwrap().iter().map(|binding| binding.as_message().unwrap());
        for binding in [rule].into_iter().chain(more) {
            let verbs = ["get", "post", "patch", "delete"];
            let path =
                |verb: &str| binding.get_field_by_name(verb).and_then(|path| path.as_str().map(ToOwned::to_owned));
            let found =
                verbs.iter().find_map(|verb| path(verb).filter(|path| !path.is_empty()).map(|path| (*verb, path)));
            let (verb, path) = found.unwrap_or_else(|| panic!("{name}: no path"));
            assert!(path.starts_with("/v1/"), "{name}: {path}");
            let read = method.method_descriptor_proto().options.as_ref().unwrap().idempotency_level == Some(1);
            assert!(verb != "get" || read, "{name} changes something");
            let body = binding.get_field_by_name("body").unwrap().as_str().unwrap().to_owned();
            assert_eq!(body, if ["post", "patch"].contains(&verb) { "*" } else { "" }, "{name}");
            for found in variable.captures_iter(&path) {
                let mut message = method.input();
                let (parents, last) =
                    found[1].rsplit_once('.').map_or((None, &found[1]), |(head, last)| (Some(head), last));
                if let Some(parent) = parents {
                    let Some(Kind::Message(inner)) = message.get_field_by_name(parent).map(|field| field.kind()) else {
                        panic!("{name}: {path}")
                    };
                    message = inner;
                }
                let field = message.get_field_by_name(last);
                assert!(field.is_some_and(|field| field.kind() == Kind::String), "{name}: {path}");
            }
            assert!(
                used.insert((verb.to_owned(), variable.replace_all(&path, "{}").into_owned())),
                "{name}: {path} is taken"
            );
        }
    }
}
