//! Compiles the contract: the messages and services, the descriptor set that reflection serves, and the table of RPCs
//! with who may call each, read from the protos' own options. An RPC without an `access` option stops the build.

#![expect(clippy::disallowed_methods, reason = "cargo tells a build script everything by its environment")]

use std::{
    collections::BTreeMap, env, error::Error, fmt::Write as _, fs, io, path::PathBuf, process::Command, time::Duration,
};

use protox::prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value};
use serde_json::Value as Json;

const PACKAGE: &str = "clientele.v1";
/// The packages of annotations of fields and RPCs.
const ANNOTATIONS: [&str; 2] = ["google.api", "buf.validate"];
/// Where imports are looked for.
const INCLUDES: [&str; 2] = ["proto", "third_party"];
/// The folder of the package's files.
const CONTRACT: &str = "proto/clientele/v1";
/// The timeouts and retries of gRPC's clients.
const SERVICE_CONFIG: &str = "proto/clientele/v1/service_config.json";
/// Fields whose messages have memory of their own: in a list, each would have the room of the largest.
const BOXED: [&str; 1] = ["clientele.v1.ImportRow.customer"];
/// In the descriptor set so that grpcurl can decode the details of an error.
const ERROR_DETAILS: &str = "google/rpc/error_details.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=third_party");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    if cfg!(feature = "server") {
        println!("cargo:rerun-if-changed=migrations");
        println!("cargo:rustc-env=PROGRAM_VERSION={}", version()?);
    }

    let mut compiler = protox::Compiler::new(INCLUDES)?;
    compiler.include_source_info(true).include_imports(true).open_files(protos()?)?;
    fs::write(out.join("rpcs.rs"), rpcs(&compiler.descriptor_pool())?)?;
    fs::write(out.join("mutations.rs"), mutations(&compiler.descriptor_pool())?)?;
    fs::write(out.join("request_fields.rs"), request_fields(&compiler.descriptor_pool()))?;
    fs::write(out.join("shapes.rs"), shapes(&compiler.descriptor_pool()))?;
    fs::write(out.join("policies.rs"), policies(&compiler.descriptor_pool())?)?;
    fs::write(out.join("descriptors.bin"), descriptors(&compiler.descriptor_pool())?)?;

    // No message holds the annotations' own types: no code is made of them.
    let mut contract = compiler.file_descriptor_set();
    contract.file.retain(|file| !ANNOTATIONS.contains(&file.package()));
    tonic_prost_build::configure()
        // Maps in key order, so that equal messages have equal bytes: fingerprints and answers depend on it.
        .btree_map(".")
        .build_server(cfg!(feature = "server"))
        .boxed(BOXED[0])
        .extern_path(".google.rpc", "::tonic_types::pb")
        .extern_path(".google.type", "crate::pb::money")
        .compile_fds(contract)?;
    Ok(())
}

/// The program's version, with the commit in a release: that in CLIENTELE_COMMIT, for builds without a repository, else git's. A
/// debug build does not ask, or each commit would compile the program again.
fn version() -> Result<String, Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=CLIENTELE_COMMIT");
    let version = env::var("CARGO_PKG_VERSION")?;
    let named = env::var("CLIENTELE_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = match named {
        Some(commit) => Some(commit),
        None if env::var("PROFILE")? == "release" => {
            println!("cargo:rerun-if-changed=.git/HEAD");
            println!("cargo:rerun-if-changed=.git/logs/HEAD");
            let asked = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
            let answered = asked.ok().filter(|answer| answer.status.success());
            answered.and_then(|answer| String::from_utf8(answer.stdout).ok()).map(|commit| commit.trim().to_owned())
        }
        None => None,
    };
    Ok(commit.map_or_else(|| version.clone(), |commit| format!("{version} ({commit})")))
}

/// Every file of the contract, and the details of errors.
fn protos() -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(CONTRACT)?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "proto"));
    files.push(ERROR_DETAILS.into());
    // A folder lists its files in any order; the generated code must not depend on it.
    files.sort();
    Ok(files)
}

/// The descriptor set that reflection serves: the contract's files with their comments, and without comments what they import, which
/// would be most of it.
fn descriptors(commented: &DescriptorPool) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compiler = protox::Compiler::new(INCLUDES)?;
    compiler.include_imports(true).open_files(protos()?)?;
    let mut set = Vec::new();
    for file in compiler.descriptor_pool().files() {
        let ours = commented.get_file_by_name(file.name()).filter(|file| file.package_name() == PACKAGE);
        let bytes = ours.unwrap_or(file).encode_to_vec();
        // An entry of the field 1: its key, its length in groups of seven bits, and the file.
        set.push(0x0a);
        let mut length = bytes.len();
        while length >= 0x80 {
            set.push(u8::try_from(length & 0x7f)? | 0x80);
            length >>= 7;
        }
        set.push(u8::try_from(length)?);
        set.extend(bytes);
    }
    Ok(set)
}

/// One `match` from an RPC's path to what the contract says of it.
fn rpcs(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut find = String::new();
    let mut all = String::new();
    for service in pool.services().filter(|service| service.package_name() == PACKAGE) {
        for method in service.methods() {
            let path = format!("/{}/{}", service.full_name(), method.name());
            let rpc = format!(
                "Rpc {{ path: {path:?}, access: Access::{}, mutates: {}, streams: {}, longest: Duration::from_secs({}) }}",
                access(pool, &method)?,
                mutates(&method),
                method.is_server_streaming(),
                max_seconds(pool, &method)?
            );
            writeln!(find, "        {path:?} => Some({rpc}),")?;
            writeln!(all, "    {rpc},")?;
        }
    }
    Ok(format!(
        "/// Every RPC of the contract.\npub const RPCS: &[Rpc] = &[\n{all}];\n\n\
         /// What the contract says of the RPC at this path; nothing if it is none of the contract's.\n\
         #[must_use]\npub fn rpc(path: &str) -> Option<Rpc> {{\n    match path {{\n{find}        _ => None,\n    }}\n}}\n"
    ))
}

/// What all requests of mutations have in common, so that handlers read it in one way; and how each is normalized for its
/// fingerprint.
fn mutations(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let services = pool.services().filter(|service| service.package_name() == PACKAGE);
    let methods: Vec<_> = services.flat_map(|service| service.methods().collect::<Vec<_>>()).filter(mutates).collect();
    let (mut code, mut parts) = (String::new(), BTreeMap::new());
    for method in &methods {
        let message = method.input();
        let name = message.name();
        let etag = if message.get_field_by_name("etag").is_some() { "&self.etag" } else { "\"\"" };
        let fields: Vec<_> = message.fields().map(|field| (field.number(), field.name().to_owned())).collect();
        let creates = method.name().starts_with("Create");
        let normalized = normalized(&message, &creates.to_string(), &mut parts)?;
        writeln!(
            code,
            "impl Mutation for pb::{name} {{\n    const FIELDS: &'static [(usize, &'static str)] = &{fields:?};\n    \
             fn request_id(&self) -> &str {{ &self.request_id }}\n    fn etag(&self) -> &str {{ {etag} }}\n    \
             fn validate_only(&self) -> bool {{ self.validate_only }}\n    \
             fn normalize(&mut self) {{\n{normalized}    }}\n}}"
        )?;
    }
    for (name, normalized) in parts {
        let creates = if normalized.contains("creates") { "creates" } else { "_" };
        writeln!(
            code,
            "impl Part for pb::{name} {{\n    fn normalize(&mut self, {creates}: bool) {{\n{normalized}    }}\n}}"
        )?;
    }
    Ok(code)
}

/// The statements that normalize a message's fields. Messages within it are added to `parts`.
fn normalized(
    message: &MessageDescriptor,
    creates: &str,
    parts: &mut BTreeMap<String, String>,
) -> Result<String, Box<dyn Error>> {
    let mut code = String::new();
    for field in message.fields() {
        let name = field.name();
        let comment = comment(&field).replace("\n ", " ");
        if field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic()) {
            return Err(format!("{}: build.rs does not know how to normalize a oneof", field.full_name()).into());
        }
        if comment.contains("Output only, except in") {
            writeln!(code, "        if {creates} {{ self.{name}.clear(); }}")?;
        } else if comment.contains("Output only.") {
            writeln!(code, "        self.{name} = Default::default();")?;
            continue;
        }
        let is_id = (name == "id" || name.ends_with("_id") || name.ends_with("_ids")) && !name.starts_with("custom_id");
        match field.kind() {
            Kind::String if is_id && field.is_list() => {
                writeln!(code, "        self.{name}.iter_mut().for_each(normalize_id);")?;
            }
            Kind::String if is_id => writeln!(code, "        normalize_id(&mut self.{name});")?,
            Kind::Message(part) if !field.is_map() && part.package_name() == PACKAGE => {
                writeln!(code, "        self.{name}.iter_mut().for_each(|part| Part::normalize(part, {creates}));")?;
                if !parts.contains_key(part.name()) {
                    parts.insert(part.name().to_owned(), String::new());
                    let part_code = normalized(&part, "creates", parts)?;
                    parts.insert(part.name().to_owned(), part_code);
                }
            }
            _ => {}
        }
    }
    Ok(code)
}

/// The paths of each request's fields, one level deep, by which an error finds the field that it is about.
fn request_fields(pool: &DescriptorPool) -> String {
    let services = pool.services().filter(|service| service.package_name() == PACKAGE);
    let requests: BTreeMap<_, _> = services
        .flat_map(|service| service.methods().map(|method| method.input()).collect::<Vec<_>>())
        .map(|message| (message.name().to_owned(), message))
        .collect();
    let implementation = |(name, message): (String, MessageDescriptor)| {
        let mut paths = Vec::new();
        for field in message.fields() {
            paths.push(field.name().to_owned());
            if let Kind::Message(part) = field.kind()
                && part.package_name() == PACKAGE
                && !field.is_list()
                && !field.is_map()
            {
                paths.extend(part.fields().map(|inner| format!("{}.{}", field.name(), inner.name())));
            }
        }
        format!(
            "impl RequestFields for crate::grpc::pb::{name} {{\n    const PATHS: &'static [&'static str] = &{paths:?};\n}}\n"
        )
    };
    requests.into_iter().map(implementation).collect()
}

/// The comment above a field.
fn comment(field: &FieldDescriptor) -> String {
    let file = field.parent_file();
    let places = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
    let place = places.into_iter().find(|place| place.path == field.path());
    place.map(|place| place.leading_comments().to_owned()).unwrap_or_default()
}

/// The shapes of all requests: how large each message is in memory, and which of its fields take memory of their own. So what decoding
/// a request costs is known before.
fn shapes(pool: &DescriptorPool) -> String {
    let mut messages: Vec<MessageDescriptor> = Vec::new();
    let place = |message: MessageDescriptor, messages: &mut Vec<MessageDescriptor>| {
        messages.iter().position(|known| *known == message).unwrap_or_else(|| {
            messages.push(message);
            messages.len() - 1
        })
    };
    let services = pool.services().filter(|service| service.package_name() == PACKAGE);
    let requests: String = services
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|method| {
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            format!("        {path:?} => Some({}),\n", place(method.input(), &mut messages))
        })
        .collect();
    let mut all = String::new();
    // Messages inside messages are added on the way.
    let mut next = 0;
    while let Some(message) = messages.get(next).cloned() {
        let fields = message.fields().filter_map(|field| {
            let number = field.number();
            match field.kind() {
                Kind::Message(inner) => {
                    let holds = if field.is_map() {
                        "Entry"
                    } else if field.is_list() {
                        "Many"
                    } else if BOXED.contains(&field.full_name()) {
                        "Boxed"
                    } else {
                        "One"
                    };
                    Some(format!("({number}, Holds::{holds}({}))", place(inner, &mut messages)))
                }
                Kind::String | Kind::Bytes => field.is_list().then(|| format!("({number}, Holds::Texts)")),
                _ => field.is_list().then(|| format!("({number}, Holds::Numbers)")),
            }
        });
        let fields = fields.collect::<Vec<_>>().join(", ");
        let size = if message.package_name() == PACKAGE && message.parent_message().is_none() {
            format!("size_of::<crate::pb::{}>()", message.name())
        } else {
            "SMALL".to_owned()
        };
        all += &format!("    Shape {{ size: {size}, fields: &[{fields}] }}, // {}\n", message.full_name());
        next += 1;
    }
    format!(
        "static SHAPES: &[Shape] = &[\n{all}];\n\n\
         fn request(path: &str) -> Option<usize> {{\n    match path {{\n{requests}        _ => None,\n    }}\n}}\n"
    )
}

/// The variant of `domain::contract::Access` that the RPC's `access` option names.
fn access(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<String, Box<dyn Error>> {
    let extension = pool.get_extension_by_name("clientele.v1.access").ok_or("options.proto has no access option")?;
    let options = method.options();
    let number = match options.get_extension(&extension).as_ref() {
        Value::EnumNumber(number) if options.has_extension(&extension) && *number != 0 => *number,
        _ => return Err(format!("{}: say who may call it: option (clientele.v1.access)", method.full_name()).into()),
    };
    let access = pool.get_enum_by_name("clientele.v1.Access").ok_or("options.proto has no enum Access")?;
    let name = access.get_value(number).ok_or("an access that the enum does not have")?.name().to_owned();
    Ok(match name.trim_start_matches("ACCESS_") {
        "AUTHENTICATED" => "Authenticated".to_owned(),
        "PLATFORM" => "Platform".to_owned(),
        "VIEWER" => "Least(Role::Viewer)".to_owned(),
        "MEMBER" => "Least(Role::Member)".to_owned(),
        "SERVICE_MANAGER" => "Least(Role::ServiceManager)".to_owned(),
        "ADMIN" => "Least(Role::Admin)".to_owned(),
        other => return Err(format!("build.rs does not know the access {other}").into()),
    })
}

/// What the client does for each RPC: the timeout and the retries of the service config, and which field of the request gets a
/// `request_id`.
fn policies(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let config: Json = serde_json::from_str(&fs::read_to_string(SERVICE_CONFIG)?)?;
    let entries = config["methodConfig"].as_array().ok_or("the service config has no methodConfig")?;
    let retries: Vec<_> = entries.iter().map(|entry| &entry["retryPolicy"]).filter(|retry| !retry.is_null()).collect();
    let retry = retries.first().ok_or("the service config has no retryPolicy")?;
    if retries.iter().any(|other| other != retry) {
        return Err("the client knows one retryPolicy for all RPCs".into());
    }
    if retry["backoffMultiplier"] != 2 || retry["retryableStatusCodes"] != Json::from(vec!["UNAVAILABLE"]) {
        return Err("the client knows a backoffMultiplier of 2 and the code UNAVAILABLE alone".into());
    }
    let throttling = &config["retryThrottling"];
    let ratio = throttling["tokenRatio"].as_f64().ok_or("the service config has no tokenRatio")?;
    let mut code = format!(
        "/// The service config's retries.\n\
         pub(super) const RETRIES: Retries = Retries {{ attempts: {}, first: {}, longest: {} }};\n\
         /// The service config's throttling.\n\
         pub(super) const THROTTLING: Throttling = Throttling {{ tokens: {}, ratio: {:.0} }};\n\n\
         /// The policy of the RPC at this path; nothing if it is none of the contract's.\n\
         pub(super) fn policy(path: &str) -> Option<Policy> {{\n    match path {{\n",
        retry["maxAttempts"],
        duration(&retry["initialBackoff"])?,
        duration(&retry["maxBackoff"])?,
        throttling["maxTokens"],
        ratio * 1000.0,
    );
    for service in pool.services().filter(|service| service.package_name() == PACKAGE) {
        for method in service.methods() {
            let named = |name: &Json| name["service"] == service.full_name() && name["method"] == method.name();
            let lists = |entry: &&Json| entry["name"].as_array().is_some_and(|names| names.iter().any(named));
            let path = format!("/{}/{}", service.full_name(), method.name());
            let entry = entries.iter().find(lists).ok_or_else(|| format!("the service config does not have {path}"))?;
            let request_id = method.input().get_field_by_name("request_id").map(|field| field.number());
            writeln!(
                code,
                "        {path:?} => Some(Policy {{ timeout: {}, retries: {}, request_id: {request_id:?} }}),",
                duration(&entry["timeout"])?,
                !entry["retryPolicy"].is_null(),
            )?;
        }
    }
    code += "        _ => None,\n    }\n}\n";
    Ok(code)
}

/// Rust for a duration of the service config, as `0.05s`.
fn duration(written: &Json) -> Result<String, Box<dyn Error>> {
    let seconds = written.as_str().and_then(|text| text.strip_suffix('s')).ok_or("a duration is like 0.05s")?;
    Ok(format!("Duration::from_millis({})", Duration::from_secs_f64(seconds.parse()?).as_millis()))
}

/// How long the RPC may take at most, if that is longer than the server's own limit; else 0.
fn max_seconds(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<u32, Box<dyn Error>> {
    let extension = pool.get_extension_by_name("clientele.v1.max_seconds").ok_or("options.proto has no max_seconds")?;
    let seconds = method.options().get_extension(&extension).as_i32().ok_or("max_seconds is no int32")?;
    Ok(u32::try_from(seconds)?)
}

/// Whether the RPC may change something: all do but those that say NO_SIDE_EFFECTS.
fn mutates(method: &MethodDescriptor) -> bool {
    let level = method.options().get_field_by_name("idempotency_level").and_then(|level| level.as_enum_number());
    level != Some(1)
}
