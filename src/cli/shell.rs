//! `clientele completions` and `clientele man`: what a shell and `man` want to know of the program.

use std::io::{self, Write as _};

use clap_complete::Shell;
use clap_mangen::Man;

use super::output::Failure;

const PROGRAM: &str = "clientele";

/// Print the completions for a shell
///
///   bash: clientele completions bash > /etc/bash_completion.d/clientele
///   zsh:  clientele completions zsh > ~/.zfunc/_clientele
///   fish: clientele completions fish > ~/.config/fish/completions/clientele.fish
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the completions of this program.
    pub(super) fn run(self, program: clap::Command) -> Result<(), Failure> {
        let mut program = program;
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut program, PROGRAM, &mut text);
        print(&text)
    }
}

/// Print the manual page of the program, or of one command
///
///   clientele man serve | man -l -
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ManualPage {
    /// The command; none: the program
    command: Option<String>,
}

impl ManualPage {
    /// Prints the page of this program, in roff.
    pub(super) fn run(self, program: clap::Command) -> Result<(), Failure> {
        let mut program = program;
        program.build();
        let found = match &self.command {
            None => Some(&program),
            Some(name) => program.get_subcommands().find(|command| command.get_name() == name),
        };
        let Some(found) = found.cloned() else {
            return Err(Failure(format!("{} is no command of {PROGRAM}", self.command.unwrap_or_default())));
        };
        let mut page = Vec::new();
        Man::new(found).render(&mut page)?;
        print(&page)
    }
}

fn print(text: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    Ok(out.flush()?)
}
