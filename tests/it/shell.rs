//! What the program prints for shells, `man` and tools of the contract; and that help fits a terminal.

use clap::CommandFactory as _;
use clientele::{cli::Arguments, grpc::DESCRIPTORS};

use crate::processes::{clientele, failure, output};

async fn printed(arguments: &[&str]) -> Vec<u8> {
    let done = output(clientele(arguments)).await;
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    done.stdout
}

async fn text(arguments: &[&str]) -> String {
    String::from_utf8(printed(arguments).await).unwrap()
}

#[tokio::test]
async fn the_descriptor_set_is_that_of_reflection() {
    assert_eq!(printed(&["descriptor"]).await, DESCRIPTORS);
}

#[tokio::test]
async fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = text(&["completions", shell]).await;
        for command in Arguments::command().get_subcommands() {
            assert!(completions.contains(command.get_name()), "{shell}: {}", command.get_name());
        }
        assert!(completions.contains("database-url"), "{shell}");
    }
}

#[tokio::test]
async fn there_is_a_manual_page_of_the_program_and_of_each_command() {
    let program = text(&["man"]).await;
    assert!(program.contains(".TH clientele 1") && program.contains("check\\-config"), "{program}");
    for command in Arguments::command().get_subcommands() {
        let page = text(&["man", command.get_name()]).await;
        assert!(page.contains(".SH NAME"), "{page}");
    }
    assert!(failure(clientele(&["man", "nothing"])).await.contains("nothing is no command of clientele"));
}

#[tokio::test]
async fn the_version_is_that_of_the_package_with_the_commit_in_a_release() {
    let version = text(&["--version"]).await;
    let package = format!("clientele {}", env!("CARGO_PKG_VERSION"));
    let commit = version.trim().strip_prefix(&package).unwrap_or_else(|| panic!("{version}"));
    assert!(commit.is_empty() || (commit.starts_with(" (") && commit.ends_with(')')), "{version}");
}

#[tokio::test]
async fn help_has_lines_of_at_most_100_columns_and_a_heading_for_every_setting() {
    let mut all = vec![String::new()];
    all.extend(Arguments::command().get_subcommands().map(|command| command.get_name().to_owned()));
    for command in all {
        let arguments = [command.as_str(), "--help"];
        let help = text(if command.is_empty() { &arguments[1..] } else { &arguments }).await;
        // Lines that we break ourselves have up to 120 columns.
        let long = help.lines().find(|line| line.chars().count() > 120);
        assert_eq!(long, None, "{command}");
    }
    let serve = text(&["serve", "--help"]).await;
    for heading in ["Server:", "Database:", "Tokens, callers and keys:", "Calls and load:", "Connections:", "Logs:"] {
        assert!(serve.lines().any(|line| line == heading), "{heading}");
    }
    let health = text(&["health", "--help"]).await;
    assert!(health.contains("--listen") && !health.contains("--database-url"), "only what it reads: {health}");
    let token = text(&["token", "--help"]).await;
    assert!(!token.contains("--log"), "it writes no log: {token}");
    for subject in clientele::grpc::demo::SUBJECTS.into_iter().chain(["operator", "olga"]) {
        assert!(token.contains(&format!("  {subject} ")), "{subject}");
    }
}
