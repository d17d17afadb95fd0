//! The flags of the settings, derived from their table, and `--config`.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches};
use tracing_subscriber::EnvFilter;

use crate::{
    config::{
        Environment, Flags, Problems, RawSettings,
        settings::{ALL, CONFIG_VARIABLE, Commands, Kind, LOG, LOG_FORMAT, Setting},
    },
    telemetry::{self, Format},
};

const CONFIG: &str = "config";

/// The command line's settings: all of a server, or only those of its database.
pub(super) struct Settings<const SERVER: bool> {
    flags: Flags,
    file: Option<PathBuf>,
}

/// The settings of the log, which every command accepts.
#[derive(clap::Args)]
pub(super) struct Logging {
    #[arg(long, global = true, value_name = "FILTER", help = help_text(&LOG), display_order = 1000)]
    log: Option<String>,
    #[arg(long, global = true, value_name = "FORMAT", help = help_text(&LOG_FORMAT), display_order = 1001)]
    log_format: Option<String>,
}

impl Logging {
    /// Gathers the settings of a command that accepts no others.
    pub(super) fn gather(self, problems: &mut Problems) -> RawSettings {
        gather(&self.flags(), None, problems)
    }

    fn flags(self) -> Flags {
        let values = [(LOG.key, self.log), (LOG_FORMAT.key, self.log_format)];
        values.into_iter().filter_map(|(key, text)| Some((key, vec![text?]))).collect()
    }
}

/// Gathers the settings and checks those of the log, which every command needs first.
fn gather(flags: &Flags, file: Option<&Path>, problems: &mut Problems) -> RawSettings {
    let settings = RawSettings::gather(flags, &Environment::read(), file, problems);
    log_options(&settings, problems);
    settings
}

/// Parses the log's filter and format.
pub(super) fn log_options(settings: &RawSettings, problems: &mut Problems) -> Option<(EnvFilter, Format)> {
    let filter = telemetry::filter(settings.value(&LOG).unwrap_or_default());
    let filter = problems.value_of(&settings.label(&LOG), filter);
    let format = Format::parse(settings.value(&LOG_FORMAT).unwrap_or_default());
    filter.zip(problems.value_of(&settings.label(&LOG_FORMAT), format))
}

impl<const SERVER: bool> Settings<SERVER> {
    /// Gathers the settings of the command line and the other sources.
    pub(super) fn gather(self, logging: Logging, problems: &mut Problems) -> RawSettings {
        let mut flags = self.flags;
        flags.extend(logging.flags());
        gather(&flags, self.file.as_deref(), problems)
    }

    fn accepted() -> impl Iterator<Item = &'static Setting> {
        ALL.iter().filter(|setting| match setting.commands {
            Commands::All => false, // `Logging` has them
            Commands::Database => true,
            Commands::Serve => SERVER,
        })
    }
}

impl<const SERVER: bool> clap::Args for Settings<SERVER> {
    fn augment_args(command: clap::Command) -> clap::Command {
        let help = format!("Configuration file, in YAML or JSON [env: {CONFIG_VARIABLE}]");
        let file = Arg::new(CONFIG).long(CONFIG).value_name("FILE").help(help);
        command.args(Self::accepted().map(argument)).arg(file.value_parser(clap::value_parser!(PathBuf)))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl<const SERVER: bool> clap::FromArgMatches for Settings<SERVER> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let texts = |setting: &Setting| Some(matches.get_many::<String>(setting.key)?.cloned().collect());
        let flags = Self::accepted().filter_map(|setting| Some((setting.key, texts(setting)?))).collect();
        Ok(Self { flags, file: matches.get_one(CONFIG).cloned() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn argument(setting: &Setting) -> Arg {
    let argument = Arg::new(setting.key).long(setting.flag()).help(help_text(setting));
    match setting.kind {
        // `--reflection` without a value is true.
        Kind::Switch => {
            argument.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("true|false")
        }
        Kind::Number => argument.value_name("NUMBER"),
        Kind::Choice(words) => argument.value_name(words.join("|")),
        Kind::Text(name) | Kind::Secret(name) => argument.value_name(name),
        Kind::List(name) => argument.value_name(name).action(ArgAction::Append),
    }
}

/// The setting's help, in clap's format.
fn help_text(setting: &Setting) -> String {
    let mut text = format!("{} [env: {}]", setting.help.trim(), setting.variable());
    if let Kind::Choice(words) = setting.kind {
        text = format!("{text} [possible values: {}]", words.join(", "));
    }
    if setting.default.is_empty() { text } else { format!("{text} [default: {}]", setting.default) }
}
