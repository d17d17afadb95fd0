//! The flags of the settings, made of their table; and the file that says the rest.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches};
use tracing_subscriber::EnvFilter;

use crate::{
    config::{
        Environment, Flags, Problems, RawSettings,
        settings::{ALL, CONFIG_VARIABLE, Kind, LOG, LOG_FORMAT, Of, Setting},
    },
    telemetry::{self, Format},
};

const CONFIG: &str = "config";

/// What the command line says of settings: all that a server takes, or those of its database alone.
pub(super) struct Settings<const SERVER: bool> {
    flags: Flags,
    file: Option<PathBuf>,
}

/// How to log: what every command is told.
#[derive(clap::Args)]
pub(super) struct Logging {
    #[arg(long, global = true, value_name = "FILTER", help = described(&LOG), display_order = 1000)]
    log: Option<String>,
    #[arg(long, global = true, value_name = "FORMAT", help = described(&LOG_FORMAT), display_order = 1001)]
    log_format: Option<String>,
}

impl Logging {
    /// What is said, for a command that takes no other setting.
    pub(super) fn gather(self, problems: &mut Problems) -> RawSettings {
        gather(&self.flags(), None, problems)
    }

    fn flags(self) -> Flags {
        let said = [(LOG.key, self.log), (LOG_FORMAT.key, self.log_format)];
        said.into_iter().filter_map(|(key, text)| Some((key, vec![text?]))).collect()
    }
}

/// What is said, and what is wrong with what is said of logs: every command begins by logging.
fn gather(flags: &Flags, file: Option<&Path>, problems: &mut Problems) -> RawSettings {
    let said = RawSettings::gather(flags, &Environment::read(), file, problems);
    log(&said, problems);
    said
}

/// How to log.
pub(super) fn log(said: &RawSettings, problems: &mut Problems) -> Option<(EnvFilter, Format)> {
    let filter = problems.take(&said.label(&LOG), telemetry::filter(said.one(&LOG).unwrap_or_default()));
    let format = said.one(&LOG_FORMAT).unwrap_or_default();
    filter.zip(problems.take(&said.label(&LOG_FORMAT), Format::parse(format)))
}

impl<const SERVER: bool> Settings<SERVER> {
    /// What is said, on the command line and elsewhere.
    pub(super) fn gather(self, logging: Logging, problems: &mut Problems) -> RawSettings {
        let mut flags = self.flags;
        flags.extend(logging.flags());
        gather(&flags, self.file.as_deref(), problems)
    }

    fn taken() -> impl Iterator<Item = &'static Setting> {
        ALL.iter().filter(|setting| match setting.of {
            Of::Every => false, // `Logging`
            Of::Database => true,
            Of::Serve => SERVER,
        })
    }
}

impl<const SERVER: bool> clap::Args for Settings<SERVER> {
    fn augment_args(command: clap::Command) -> clap::Command {
        let help = format!("A file with settings, in YAML or JSON [env: {CONFIG_VARIABLE}]");
        let file = Arg::new(CONFIG).long(CONFIG).value_name("FILE").help(help);
        command.args(Self::taken().map(argument)).arg(file.value_parser(clap::value_parser!(PathBuf)))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl<const SERVER: bool> clap::FromArgMatches for Settings<SERVER> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let texts = |setting: &Setting| Some(matches.get_many::<String>(setting.key)?.cloned().collect());
        let flags = Self::taken().filter_map(|setting| Some((setting.key, texts(setting)?))).collect();
        Ok(Self { flags, file: matches.get_one(CONFIG).cloned() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn argument(setting: &Setting) -> Arg {
    let argument = Arg::new(setting.key).long(setting.flag()).help(described(setting));
    match setting.kind {
        // `--reflection` alone says yes.
        Kind::Switch => {
            argument.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("true|false")
        }
        Kind::Number => argument.value_name("NUMBER"),
        Kind::Choice(words) => argument.value_name(words.join("|")),
        Kind::Text(name) | Kind::Secret(name) => argument.value_name(name),
        Kind::List(name) => argument.value_name(name).action(ArgAction::Append),
    }
}

/// The setting's help, as clap would put it together.
fn described(setting: &Setting) -> String {
    let mut text = format!("{} [env: {}]", setting.help.trim(), setting.variable());
    if let Kind::Choice(words) = setting.kind {
        text = format!("{text} [possible values: {}]", words.join(", "));
    }
    if setting.default.is_empty() { text } else { format!("{text} [default: {}]", setting.default) }
}
