//! The contract as it is written: comments on everything, options for generated code in every file, one grammar for all
//! RPCs, and the service config beside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use clientele::{domain::requests::contract, grpc::DESCRIPTORS};
use prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    ServiceDescriptor,
};
use serde_json::{Value, json};

const PACKAGE: &str = "clientele.v1";

fn pool() -> DescriptorPool {
    DescriptorPool::decode(DESCRIPTORS).unwrap()
}

fn files() -> Vec<FileDescriptor> {
    pool().files().filter(|file| file.package_name() == PACKAGE).collect()
}

/// A file's name without folder and extension.
fn stem(file: &FileDescriptor) -> &str {
    file.name().strip_prefix("clientele/v1/").unwrap().strip_suffix(".proto").unwrap()
}

/// As `CustomerService` for `customer_service`.
fn upper_camel(snake: &str) -> String {
    snake.split('_').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..])).collect()
}

fn services() -> Vec<ServiceDescriptor> {
    pool().services().filter(|service| service.package_name() == PACKAGE).collect()
}

fn methods() -> Vec<MethodDescriptor> {
    services().iter().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

fn enums() -> Vec<EnumDescriptor> {
    pool().all_enums().filter(|found| found.package_name() == PACKAGE).collect()
}

/// All messages but those that stand for a map's entries.
fn messages() -> Vec<MessageDescriptor> {
    pool().all_messages().filter(|found| found.package_name() == PACKAGE && !found.is_map_entry()).collect()
}

/// The comment above each thing of a file, by the thing's path in the file's descriptor.
fn comments() -> HashMap<(String, Vec<i32>), String> {
    let mut comments = HashMap::new();
    for file in files() {
        for place in &file.file_descriptor_proto().source_code_info.as_ref().unwrap().location {
            let comment = place.leading_comments().trim();
            if !comment.is_empty() {
                comments.insert((file.name().to_owned(), place.path.clone()), comment.to_owned());
            }
        }
    }
    comments
}

/// What the proto says of each reason, by its name on the wire.
pub fn reasons() -> BTreeMap<String, String> {
    let comments = comments();
    let reasons = pool().get_enum_by_name("clientele.v1.ErrorReason").unwrap();
    let file = reasons.parent_file().name().to_owned();
    let told = reasons.values().filter(|value| value.number() != 0).map(|value| {
        let name = value.name().strip_prefix("ERROR_REASON_").unwrap().to_owned();
        (name, comments[&(file.clone(), value.path().to_vec())].clone())
    });
    told.collect()
}

#[test]
fn everything_has_a_comment() {
    let comments = comments();
    let mut things = Vec::new();
    for message in messages() {
        let file = message.parent_file().name().to_owned();
        things.push((file.clone(), message.path().to_vec(), message.full_name().to_owned()));
        for field in message.fields() {
            things.push((file.clone(), field.path().to_vec(), field.full_name().to_owned()));
        }
    }
    for found in enums() {
        let file = found.parent_file().name().to_owned();
        things.push((file.clone(), found.path().to_vec(), found.full_name().to_owned()));
        for value in found.values() {
            things.push((file.clone(), value.path().to_vec(), value.full_name().to_owned()));
        }
    }
    for service in services() {
        let file = service.parent_file().name().to_owned();
        things.push((file.clone(), service.path().to_vec(), service.full_name().to_owned()));
        for method in service.methods() {
            things.push((file.clone(), method.path().to_vec(), method.full_name().to_owned()));
        }
    }
    for extension in pool().all_extensions().filter(|extension| extension.package_name() == PACKAGE) {
        let file = extension.parent_file().name().to_owned();
        things.push((file, extension.path().to_vec(), extension.full_name().to_owned()));
    }
    assert!(things.len() > 250, "{}", things.len());
    let bare: Vec<_> =
        things.into_iter().filter(|(file, path, _)| !comments.contains_key(&(file.clone(), path.clone()))).collect();
    assert!(bare.is_empty(), "without a comment: {bare:?}");
}

#[test]
fn every_comment_is_made_of_whole_sentences() {
    for ((file, _), comment) in comments() {
        for paragraph in comment.split("\n\n") {
            let is_whole = paragraph.trim_end().ends_with('.');
            assert!(is_whole, "{file}: a comment does not end with a full stop: {paragraph}");
        }
    }
}

#[test]
fn every_file_has_the_options_of_generated_code() {
    for file in files() {
        let descriptor = file.file_descriptor_proto();
        let options = descriptor.options.as_ref().unwrap();
        assert_eq!(options.csharp_namespace(), "Clientele.V1", "{}", file.name());
        assert_eq!(options.go_package(), "clientele/v1;clientelev1", "{}", file.name());
        assert_eq!(options.java_package(), PACKAGE, "{}", file.name());
        assert!(options.java_multiple_files(), "{}", file.name());
        // Without it a file's class could get the name of one of its messages.
        assert_eq!(options.java_outer_classname(), format!("{}Proto", upper_camel(stem(&file))), "{}", file.name());
    }
}

#[test]
fn every_file_of_the_folder_is_compiled_and_has_at_most_500_lines() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/proto/clientele/v1");
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            let name = path.file_name().unwrap().to_str().unwrap();
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 500, "{name} has {lines} lines");
            names.insert(format!("clientele/v1/{name}"));
        }
    }
    assert_eq!(files().iter().map(|file| file.name().to_owned()).collect::<BTreeSet<_>>(), names);
}

#[test]
fn every_service_is_alone_in_the_file_of_its_name() {
    let declared: Vec<_> = files()
        .iter()
        .flat_map(|file| {
            file.services().map(|service| (upper_camel(stem(file)), service.name().to_owned())).collect::<Vec<_>>()
        })
        .collect();
    assert!(declared.len() >= 5, "{declared:?}");
    for (file, service) in &declared {
        assert_eq!(file, service);
    }
}

#[test]
fn every_rpc_states_its_errors_by_reasons_that_exist() {
    let (comments, reasons) = (comments(), reasons());
    let mut stated: Vec<(String, String)> = Vec::new();
    for method in methods() {
        let comment = &comments[&(method.parent_file().name().to_owned(), method.path().to_vec())];
        let (_, errors) =
            comment.split_once("Errors:").unwrap_or_else(|| panic!("{} has no Errors:", method.full_name()));
        stated.push((method.full_name().to_owned(), errors.to_owned()));
    }
    let service = pool().get_service_by_name("clientele.v1.CustomerService").unwrap();
    let comment = &comments[&(service.parent_file().name().to_owned(), service.path().to_vec())];
    stated.push((service.full_name().to_owned(), comment.split_once("Common errors").unwrap().1.to_owned()));
    for (name, errors) in stated {
        // Reasons are the words in capitals with an underscore; codes are followed by their reasons.
        let words = errors.split(|char: char| !(char.is_ascii_uppercase() || char == '_'));
        for word in words.filter(|word| word.contains('_') && !word.starts_with('_') && !CODES.contains(word)) {
            assert!(reasons.contains_key(word), "{name} names {word}");
        }
    }
}

const CODES: [&str; 7] = [
    "ALREADY_EXISTS",
    "DEADLINE_EXCEEDED",
    "FAILED_PRECONDITION",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
];

/// How the names of those begin that change nothing; DESIGN 3 has some that are still to come.
const READS: [&str; 11] =
    ["BatchGet", "Check", "Export", "Find", "Get", "List", "Lookup", "Search", "Stream", "Watch", "Who"];

#[test]
fn every_rpc_says_how_idempotent_it_is() {
    for method in methods() {
        let options = method.method_descriptor_proto().options.as_ref().unwrap();
        let level = options.idempotency_level;
        assert!(level.is_some(), "{} has no idempotency_level", method.full_name());
        let reads = READS.iter().any(|verb| method.name().starts_with(verb));
        assert_eq!(reads, level == Some(1), "{} reads if and only if it is NO_SIDE_EFFECTS", method.full_name());
    }
}

#[test]
fn every_rpc_has_a_request_and_a_response_of_its_own() {
    let mut used = BTreeSet::new();
    for method in methods() {
        for (message, suffix) in [(method.input(), "Request"), (method.output(), "Response")] {
            assert_eq!(message.full_name(), format!("{PACKAGE}.{}{suffix}", method.name()));
            assert!(used.insert(message.full_name().to_owned()), "{} is used twice", message.full_name());
        }
    }
    let made: BTreeSet<_> = messages()
        .iter()
        .map(|message| message.full_name().to_owned())
        .filter(|name| name.ends_with("Request") || name.ends_with("Response"))
        .collect();
    assert_eq!(made, used, "no request and no response is left over");
}

fn field(message: &MessageDescriptor, name: &str) -> Option<Kind> {
    message.get_field_by_name(name).filter(|field| !field.is_list()).map(|field| field.kind())
}

#[test]
fn every_mutation_takes_a_request_id_and_can_be_only_validated() {
    let mutations: Vec<_> = methods().into_iter().filter(|method| !is_read(method)).collect();
    assert!(!mutations.is_empty());
    for method in mutations {
        let (asked, name) = (method.input(), method.full_name().to_owned());
        assert_eq!(field(&asked, "request_id"), Some(Kind::String), "{name}");
        assert_eq!(field(&asked, "validate_only"), Some(Kind::Bool), "{name}");
        // The rows of an import are written one by one.
        let answers = match method.output().get_field_by_name("results").map(|results| results.kind()) {
            Some(Kind::Message(result)) => result,
            _ => method.output(),
        };
        assert_eq!(field(&answers, "replayed"), Some(Kind::Bool), "{name}");
        let mask = asked.get_field_by_name("update_mask").is_some();
        // A custom ID is one field, and goes as a whole.
        let updates = ["Update", "Upsert", "Import"].iter().any(|verb| method.name().starts_with(verb));
        assert_eq!(mask, updates && method.name() != "UpdateCustomId", "{name}: an update has a mask");
    }
}

/// Lists of tables of the program, which are short and the same for long, and of at most 200 entries of one customer: a form asks
/// for all of them at once.
const WHOLE: [&str; 4] = ["ListActiveFeatures", "ListIndustries", "ListPaymentMethods", "ListReferenceData"];

#[test]
fn every_list_comes_in_pages() {
    let lists = methods().into_iter().filter(|method| method.name().starts_with("List"));
    let lists: Vec<_> = lists.filter(|method| !WHOLE.contains(&method.name())).collect();
    assert!(!lists.is_empty());
    for method in lists {
        let name = method.full_name().to_owned();
        assert_eq!(field(&method.input(), "page_size"), Some(Kind::Int32), "{name}");
        assert_eq!(field(&method.input(), "page_token"), Some(Kind::String), "{name}");
        assert_eq!(field(&method.output(), "next_page_token"), Some(Kind::String), "{name}");
        assert_eq!(method.output().fields().filter(FieldDescriptor::is_list).count(), 1, "{name}");
    }
}

#[test]
fn the_zero_of_every_enum_is_unspecified_and_every_value_has_its_enums_prefix() {
    assert!(enums().len() > 8);
    for found in enums() {
        let prefix = found.name().chars().fold(String::new(), |prefix, char| {
            let word = if char.is_ascii_uppercase() && !prefix.is_empty() { "_" } else { "" };
            format!("{prefix}{word}{}", char.to_ascii_uppercase())
        });
        assert_eq!(found.get_value(0).unwrap().name(), format!("{prefix}_UNSPECIFIED"));
        for value in found.values() {
            assert!(value.name().starts_with(&format!("{prefix}_")), "{}", value.full_name());
        }
    }
}

fn is_read(method: &MethodDescriptor) -> bool {
    method.method_descriptor_proto().options.as_ref().unwrap().idempotency_level == Some(1)
}

fn service_config() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/proto/clientele/v1/service_config.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_service_config_names_every_rpc_once_and_retries_reads_alone() {
    let config = service_config();
    let mut named = Vec::new();
    for entry in config["methodConfig"].as_array().unwrap() {
        let retried = match entry.get("retryPolicy") {
            None => false,
            Some(policy) => {
                let wanted = json!({
                    "maxAttempts": 3, "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"]
                });
                assert_eq!(policy, &wanted);
                true
            }
        };
        for name in entry["name"].as_array().unwrap() {
            // A name without a method would speak of a whole service.
            let (service, method) = (name["service"].as_str().unwrap(), name["method"].as_str().unwrap());
            let rpc = contract::rpc(&format!("/{service}/{method}")).unwrap();
            let timeout = match (retried, rpc.longest.as_secs()) {
                // A stream runs for as long as the server lets it.
                (true, _) if rpc.streams => "3600s".to_owned(),
                (true, _) => "5s".to_owned(),
                (false, 0) => "10s".to_owned(),
                // As long as the server gives it.
                (false, longest) => format!("{longest}s"),
            };
            assert_eq!(entry["timeout"], timeout, "{method}");
            named.push((format!("{service}.{method}"), retried));
        }
    }
    named.sort();
    let mut wanted: Vec<_> = methods().iter().map(|method| (method.full_name().to_owned(), is_read(method))).collect();
    wanted.sort();
    assert_eq!(named, wanted, "(RPC, whether it is retried)");
    assert_eq!(config["retryThrottling"], json!({"maxTokens": 10, "tokenRatio": 0.1}));
    assert_eq!(config.as_object().unwrap().len(), 2);
}
