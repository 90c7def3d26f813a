//! Flags from parameter declarations.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use clap::builder::{ArgAction, ValueParser};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::console::print_notes;
use crate::error::Error;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Entry, Kind, ParameterSet};

/// A flag for each parameter of a set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags<S>(pub(crate) S);

impl<S: ParameterSet> Args for Flags<S> {
    fn augment_args(command: Command) -> Command {
        let entries = S::ENTRIES.iter().filter(|entry| entry.declaration.has_flag);
        entries.fold(command, |command, entry| command.arg(flag(entry)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: ParameterSet> FromArgMatches for Flags<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self(S::default());
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for entry in S::ENTRIES.iter().filter(|entry| entry.declaration.has_flag) {
            let Declaration { parameter, kind, .. } = entry.declaration;
            let Some(texts) = matches.get_many::<String>(parameter.name()) else { continue };
            let texts: Vec<&str> = texts.map(String::as_str).collect();
            let text = match (kind, &texts[..]) {
                (Kind::Texts, texts) => serde_json::Value::from(texts).to_string(),
                (_, [.., last]) => (*last).to_owned(),
                (_, []) => continue,
            };
            if entry.declaration.is_deprecated {
                print_notes(&[entry.declaration.deprecation(&parameter.flag())]);
            }
            let set = entry.set(&mut self.0, &text);
            set.map_err(|error| clap::Error::raw(clap::error::ErrorKind::ValueValidation, described(error)))?;
        }
        Ok(())
    }
}

fn flag<S: ParameterSet>(entry: &'static Entry<S>) -> Arg {
    let Declaration { parameter, kind, default, value_name, conflict, .. } = entry.declaration;
    let summary = entry.declaration.summary();
    let summary = summary.trim_end_matches('.');
    let help = default.map_or_else(|| summary.to_owned(), |default| format!("{summary} [default: {default}]"));
    // The value is parsed again with the other flags; checked here, clap reports its error with the flag and the value.
    let check = |text: &str| entry.set(&mut S::default(), text).map(|()| text.to_owned()).map_err(described);
    let arg = Arg::new(parameter.name())
        .long(parameter.option())
        .value_name(value_name.map_or_else(|| kind.value_name(), str::to_owned))
        .help(help)
        .allow_hyphen_values(kind.allows_hyphen())
        .action(if kind == Kind::Texts { ArgAction::Append } else { ArgAction::Set });
    let arg = if kind == Kind::Texts { arg } else { arg.value_parser(ValueParser::new(check)) };
    let arg = if kind == Kind::Boolean { arg.num_args(0..=1).default_missing_value("true") } else { arg };
    match conflict {
        Some(other) => arg.conflicts_with(other.name()),
        None => arg,
    }
}

/// Describes the error of a value; clap names the flag.
fn described(error: Error) -> String {
    error.into_message().spelled(Parameter::flag)
}

/// The parser of a whole number in a range, whose message has the range.
pub(super) fn whole_number<N: FromStr + PartialOrd + Display + Copy>(
    range: RangeInclusive<N>,
) -> impl Fn(&str) -> Result<N, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("expected a whole number from {} to {}", range.start(), range.end()))
    }
}
