//! The flags of the settings, derived from their table, and `--config`.

use std::{
    marker::PhantomData,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, ArgMatches};
use tracing_subscriber::EnvFilter;

use crate::{
    config::{
        Environment, Flags, Problems, RawSettings,
        settings::{
            ALL, CONFIG_VARIABLE, Commands, Kind, LISTEN, LOG, LOG_FORMAT, Setting, TLS_CERT_FILE, TLS_KEY_FILE,
        },
    },
    telemetry::{self, Format},
};

const CONFIG: &str = "config";

/// Which settings a command reads, besides those of the log.
pub(super) trait Reads: Send + Sync + 'static {
    /// Whether it reads this one.
    fn reads(setting: &Setting) -> bool;
}

/// `serve` and `check-config` read all.
pub(super) struct OfServer;
/// `migrate` reads how to reach the database.
pub(super) struct OfDatabase;
/// `health` reads where a server listens, and with which certificate.
pub(super) struct OfHealth;

impl Reads for OfServer {
    fn reads(setting: &Setting) -> bool {
        setting.commands != Commands::All
    }
}

impl Reads for OfDatabase {
    fn reads(setting: &Setting) -> bool {
        setting.commands == Commands::Database
    }
}

impl Reads for OfHealth {
    fn reads(setting: &Setting) -> bool {
        [LISTEN.key, TLS_CERT_FILE.key, TLS_KEY_FILE.key].contains(&setting.key)
    }
}

/// The settings that a command reads, from its command line.
pub(super) struct Settings<R> {
    flags: Flags,
    file: Option<PathBuf>,
    reads: PhantomData<R>,
}

/// The settings of the log, of every command that writes one.
#[derive(clap::Args)]
#[command(next_help_heading = "Logs")]
pub(super) struct Logging {
    #[arg(long, value_name = "FILTER", help = help_text(&LOG), display_order = 1000)]
    log: Option<String>,
    #[arg(long, value_name = "FORMAT", help = help_text(&LOG_FORMAT), display_order = 1001)]
    log_format: Option<String>,
}

impl Logging {
    /// Gathers the settings of a command that accepts no others.
    pub(super) fn gather(&self, problems: &mut Problems) -> RawSettings {
        gather(&self.flags(), None, problems)
    }

    fn flags(&self) -> Flags {
        let values = [(LOG.key, self.log.clone()), (LOG_FORMAT.key, self.log_format.clone())];
        values.into_iter().filter_map(|(key, text)| Some((key, vec![text?]))).collect()
    }
}

/// Refuses unknown variables, for a command that reads no settings but variables of its own.
pub(super) fn check_environment() -> Result<(), Problems> {
    let mut problems = Problems::default();
    gather(&Flags::default(), None, &mut problems);
    if problems.0.is_empty() { Ok(()) } else { Err(problems) }
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

impl<R: Reads> Settings<R> {
    /// Gathers the settings of the command line and the other sources.
    pub(super) fn gather(self, logging: &Logging, problems: &mut Problems) -> RawSettings {
        let mut flags = self.flags;
        flags.extend(logging.flags());
        gather(&flags, self.file.as_deref(), problems)
    }

    fn accepted() -> impl Iterator<Item = &'static Setting> {
        ALL.iter().filter(|setting| R::reads(setting))
    }
}

impl<R: Reads> clap::Args for Settings<R> {
    fn augment_args(command: clap::Command) -> clap::Command {
        let help = format!("Configuration file, in YAML or JSON [env: {CONFIG_VARIABLE}]");
        let file = Arg::new(CONFIG).long(CONFIG).value_name("FILE").help(help).help_heading("Server");
        command.args(Self::accepted().map(argument)).arg(file.value_parser(clap::value_parser!(PathBuf)))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl<R: Reads> clap::FromArgMatches for Settings<R> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let texts = |setting: &Setting| Some(matches.get_many::<String>(setting.key)?.cloned().collect());
        let flags = Self::accepted().filter_map(|setting| Some((setting.key, texts(setting)?))).collect();
        Ok(Self { flags, file: matches.get_one(CONFIG).cloned(), reads: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn argument(setting: &Setting) -> Arg {
    let argument = Arg::new(setting.key).long(setting.flag()).help(help_text(setting)).help_heading(setting.heading());
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
