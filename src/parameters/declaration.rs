//! What is known about a parameter, whatever its front end.

use super::Kind;
use crate::parameter::Parameter;

/// What is known about a parameter, whatever its front end.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// Its name.
    pub parameter: Parameter,
    /// Other names that requests and configuration files may use.
    pub aliases: &'static [&'static str],
    /// Its values.
    pub kind: Kind,
    /// The value where none is given, or in words where that depends.
    pub default: Option<&'static str>,
    /// A value as an example.
    pub example: Option<&'static str>,
    /// The description, in Markdown.
    pub doc: &'static str,
    /// What the help of the command line calls a value, where the kind's own name says too little.
    pub value_name: Option<&'static str>,
    /// A parameter that the command line rejects together with this one.
    pub conflict: Option<Parameter>,
    /// Whether the command line has a flag for it.
    pub has_flag: bool,
    /// Whether a request has to give it.
    pub is_required: bool,
}

impl Declaration {
    /// A parameter that may be left out.
    pub const fn new(parameter: Parameter, kind: Kind) -> Self {
        Self {
            parameter,
            aliases: &[],
            kind,
            default: None,
            example: None,
            doc: "",
            value_name: None,
            conflict: None,
            has_flag: true,
            is_required: false,
        }
    }

    /// With other names that requests and configuration files may use.
    #[must_use]
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// With the value where none is given.
    #[must_use]
    pub const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// With a value as an example.
    #[must_use]
    pub const fn example(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }

    /// With a description; an empty one changes nothing.
    #[must_use]
    pub const fn doc(self, doc: &'static str) -> Self {
        if doc.is_empty() { self } else { Self { doc, ..self } }
    }

    /// With what the help of the command line calls a value.
    #[must_use]
    pub const fn value_name(self, value_name: &'static str) -> Self {
        Self { value_name: Some(value_name), ..self }
    }

    /// Rejected together with `other` by the command line.
    #[must_use]
    pub const fn conflicts_with(self, other: Parameter) -> Self {
        Self { conflict: Some(other), ..self }
    }

    /// Without a flag of the command line.
    #[must_use]
    pub const fn without_flag(self) -> Self {
        Self { has_flag: false, ..self }
    }

    /// Required in requests.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// Its name, then its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.parameter.key()).chain(self.aliases.iter().copied())
    }

    /// The description in one line, without the aliases and the default.
    pub fn summary(&self) -> &'static str {
        self.doc.trim()
    }

    /// The description with the aliases and the default.
    pub fn description(&self) -> String {
        let aliases = self.aliases.iter().map(|alias| format!(" Also as `{alias}`."));
        let default = self.default.map(|default| format!(" Default: {default}."));
        std::iter::once(self.summary().to_owned()).chain(aliases).chain(default).collect()
    }
}
