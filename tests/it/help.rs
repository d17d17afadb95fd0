//! `--help` of every command, as golden files: a review sees every word that changes. CONTRIBUTING says how to accept a
//! change.

use std::{collections::BTreeSet, fs, path::Path};

use clap::CommandFactory as _;
use clientele::cli::Arguments;

use crate::processes::{clientele, output};

/// The program's commands; the empty one is the program itself.
fn commands() -> Vec<String> {
    let subcommands = Arguments::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    [vec![String::new()], subcommands].concat()
}

fn golden(command: &str) -> String {
    if command.is_empty() { "help".to_owned() } else { format!("help_{command}") }
}

#[tokio::test]
async fn the_help_of_every_command_is_as_in_its_golden_file() {
    for command in commands() {
        let arguments = [command.as_str(), "--help"];
        let printed = output(clientele(if command.is_empty() { &arguments[1..] } else { &arguments })).await;
        assert!(printed.status.success() && printed.stderr.is_empty(), "{printed:?}");
        // clap breaks the lines for the terminal; there is none here. Its blank lines have spaces.
        let text = String::from_utf8(printed.stdout).unwrap();
        let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(golden(&command), text);
        });
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|file| file.starts_with("help") && file.ends_with(".snap")).collect();
    let expected: BTreeSet<String> = commands().iter().map(|command| format!("{}.snap", golden(command))).collect();
    assert_eq!(files, expected, "a command that is gone leaves no golden file behind");
}
