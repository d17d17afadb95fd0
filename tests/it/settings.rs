//! The settings: one table in the code, which docs/settings.md repeats and the commands use; and the program's errors about settings.

use std::{collections::BTreeSet, fs};

use clap::CommandFactory as _;
use clientele::{
    cli::Arguments,
    config::settings::{ALL, Commands, Kind, OTHER_VARIABLES, Setting},
};

use crate::{
    processes::{clientele, failure, output, path, temp_dir},
    world::Keys,
};

/// A setting's row in docs/settings.md.
fn row(setting: &Setting) -> String {
    let value = match setting.kind {
        Kind::Switch => String::new(),
        Kind::Number => " NUMBER".to_owned(),
        Kind::Choice(words) => format!(" {}", words.join("\\|")),
        Kind::Text(name) | Kind::Secret(name) | Kind::List(name) => format!(" {name}"),
    };
    let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
    format!(
        "| `--{}{value}` | `{}` | `{}` | {default} | {} |\n",
        setting.flag(),
        setting.variable(),
        setting.key,
        setting.help.trim(),
    )
}

fn table() -> String {
    let settings: String = ALL.iter().map(row).collect();
    let others: String = OTHER_VARIABLES.iter().map(|(name, what)| format!("| | `{name}` | | | {what} |\n")).collect();
    format!("| flag | environment | file | default | meaning |\n|---|---|---|---|---|\n{settings}{others}")
}

#[test]
fn the_document_has_the_table_of_all_settings() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
    let document = fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once("<!-- settings -->\n").expect("the start of the table");
    let (written, after) = rest.split_once("<!-- /settings -->").expect("the end of the table");
    if std::env::var_os("WRITE_DOCS").is_some() {
        let text = format!("{before}<!-- settings -->\n{}<!-- /settings -->{after}", table());
        fs::write(path, text).unwrap();
        return;
    }
    assert!(written == table(), "docs/settings.md is not current: WRITE_DOCS=1 cargo test --test it settings");
}

#[test]
fn the_commands_accept_the_settings_and_no_other_variables() {
    let arguments = Arguments::command();
    let logging = ["log", "log-format", "help", "version"].map(str::to_owned);
    for command in arguments.get_subcommands() {
        let flags = command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned));
        let flags: BTreeSet<String> = flags.filter(|flag| !logging.contains(flag)).collect();
        let settings = |taken: fn(&Setting) -> bool| -> BTreeSet<String> {
            let settings = ALL.iter().filter(|setting| taken(setting)).map(Setting::flag);
            settings.chain(["config".to_owned()]).filter(|flag| !logging.contains(flag)).collect()
        };
        match command.get_name() {
            "serve" | "check-config" => assert_eq!(flags, settings(|_| true)),
            "health" => {
                let read = ["listen", "tls_cert_file", "tls_key_file"];
                let expected: BTreeSet<String> = ALL
                    .iter()
                    .filter(|setting| read.contains(&setting.key))
                    .map(Setting::flag)
                    .chain(["address", "config"].map(str::to_owned))
                    .collect();
                assert_eq!(flags, expected);
            }
            "migrate" => assert_eq!(flags, settings(|setting| setting.commands == Commands::Database)),
            "dev" | "token" | "descriptor" | "completions" | "man" => {}
            other => panic!("{other}: which settings does it take?"),
        }
        for variable in command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()) {
            let known = OTHER_VARIABLES.iter().any(|(name, _)| *name == variable);
            assert!(known || ALL.iter().any(|setting| setting.variable() == variable), "{variable}");
        }
    }
}

#[tokio::test]
async fn check_config_prints_the_effective_settings_and_their_sources_but_no_secret() {
    let temp_dir = temp_dir();
    let [file, key, jwks] = ["config.yaml", "key", "jwks.json"].map(|name| temp_dir.path().join(name));
    fs::write(&key, std::array::from_fn::<u8, 32, _>(|index| 255 - u8::try_from(index).unwrap())).unwrap();
    fs::copy(Keys::new().jwks(), &jwks).unwrap();
    let settings = format!(
        "database_url: postgres://me:hunter2@db/clientele\nissuers: ['https://id.example,clientele,{}']\n\
         sealing_key_files: ['{}']\ndeadline: 5s\n",
        path(&jwks),
        path(&key)
    );
    fs::write(&file, settings).unwrap();
    let mut check = clientele(&["check-config", "--listen=127.0.0.1:0", "--config", path(&file)]);
    check.env("CLIENTELE_DRAIN_TIMEOUT", "30s").env("CLIENTELE_DEADLINE", "10s");
    let checked = output(check).await;
    let (printed, stderr) = (String::from_utf8(checked.stdout).unwrap(), String::from_utf8(checked.stderr).unwrap());
    assert!(checked.status.success(), "{stderr}");
    assert_eq!(stderr, "the configuration is valid\n");
    for line in [
        "listen: \"127.0.0.1:0\"  # flag",
        "drain_timeout: \"30s\"  # environment",
        "deadline: \"10s\"  # environment",
        "database_url: (hidden)  # file",
        "pool_size: 16  # default",
        "token_types: [\"at+jwt\",\"JWT\",\"none\"]  # default",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is not in:\n{printed}");
    }
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[tokio::test]
async fn check_config_and_serve_refuse_the_same_keys_for_the_same_reason() {
    let temp_dir = temp_dir();
    let [jwks, key] = ["jwks.json", "key"].map(|name| temp_dir.path().join(name));
    fs::write(&key, std::array::from_fn::<u8, 32, _>(|index| 255 - u8::try_from(index).unwrap())).unwrap();
    let flags = |command: &'static str| {
        let mut flags = clientele(&[command, "--database-url=postgres://me@db/clientele"]);
        flags.arg(format!("--issuer=https://id.example,clientele,{}", path(&jwks)));
        // Another problem is reported beside it.
        flags.arg(format!("--sealing-key-file={}", path(&key))).arg("--pool-size=many");
        flags
    };
    for (keys, cause) in [
        (r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#, "keys[0] is a symmetric key: it can sign tokens too"),
        (r#"{"keys": [{"kty": "EC", "crv": "P-384"}]}"#, "keys[0] is EC P-384; this server accepts"),
        (r#"{"keys": []}"#, "contains no key that verifies signatures"),
        ("{}", "not a JSON Web Key Set"),
    ] {
        fs::write(&jwks, keys).unwrap();
        let [checked, served] = [failure(flags("check-config")).await, failure(flags("serve")).await];
        assert_eq!(checked, served);
        assert!(checked.contains("- --issuer https://id.example: JWKS file ") && checked.contains(cause), "{checked}");
        assert!(checked.contains("- --pool-size: "), "all at once: {checked}");
    }
}

#[tokio::test]
async fn check_config_reports_every_problem_of_every_source() {
    let temp_dir = temp_dir();
    let file = temp_dir.path().join("config.yaml");
    fs::write(&file, "database_url: hunter2\ndatabse_url: hunter2\ndrain_timeout: soon\npool_size: many\n").unwrap();
    let mut check =
        clientele(&["check-config", "--config", path(&file), "--listen", "nowhere", "--log=clientele=loud"]);
    check.args(["--tls-key-file=/nowhere/tls.key", "--trust-mesh-identity=any", "--issuer=a,b,http://c/jwks"]);
    check.args(["--token-type=a b c", "--token-type=JWT"]);
    check.args(["--log-format=xml", "--otlp-endpoint=collector:4317", "--otlp-ca-file=/nowhere/ca.crt"]);
    check.env("CLIENTELE_DEADLINE", "5").env("CLIENTELE_LISTN", "x").env("CLIENTELE_PORT", "tcp://10.0.0.1:50051");
    let stderr = failure(check).await;
    for problem in [
        "- CLIENTELE_LISTN: unknown variable, did you mean CLIENTELE_LISTEN?".to_owned(),
        "- CLIENTELE_PORT: set by Kubernetes".to_owned(),
        format!("- databse_url in {}: unknown setting, did you mean database_url?", path(&file)), // typos: on purpose
        format!("- pool_size in {}: must be a number", path(&file)),
        format!("- --database-url (database_url in {}): it must be postgres://", path(&file)),
        format!("- --drain-timeout (drain_timeout in {}): soon is not a duration", path(&file)),
        "- --deadline (CLIENTELE_DEADLINE): 5 is not a duration".to_owned(),
        "- --listen: nowhere is not an address".to_owned(),
        "- --log: ".to_owned(),
        "- --issuer: a: its keys must be in a file or at an https URL".to_owned(),
        "- --tls-key-file needs --tls-cert-file".to_owned(),
        "- --token-type: a b c is not of the form 'TYPE' or 'ISSUER TYPE'".to_owned(),
        "- --trust-mesh-identity: any is not one of none, xfcc, linkerd".to_owned(),
        "- --log-format: xml is neither text nor json".to_owned(),
        "- --sealing-key-file is missing".to_owned(),
        "- --otlp-endpoint collector:4317: it must be http://HOST:4317 or https://HOST:4317".to_owned(),
        "- --otlp-ca-file needs an --otlp-endpoint that begins with https://".to_owned(),
        "- --otlp-ca-file /nowhere/ca.crt: ".to_owned(),
    ] {
        assert!(stderr.contains(&problem), "{problem} is not in:\n{stderr}");
    }
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[tokio::test]
async fn every_command_refuses_an_unknown_variable() {
    let temp_dir = temp_dir();
    for command in [&["token", "ada"][..], &["dev"], &["migrate"], &["serve"]] {
        let mut command = clientele(command);
        let stderr = failure(command.current_dir(temp_dir.path()).env("CLIENTELE_LOGS", "info")).await;
        assert!(stderr.contains("CLIENTELE_LOGS: unknown variable, did you mean CLIENTELE_LOG?"), "{stderr}");
    }
    assert_eq!(fs::read_dir(temp_dir.path()).unwrap().count(), 0, "no file was made");
}
