//! The declaration of a parameter, which all front ends share.

use std::borrow::Cow;

use super::Kind;
use crate::parameter::Parameter;

/// The declaration of a parameter, which all front ends share.
#[allow(clippy::struct_excessive_bools, reason = "each is a property of its own")]
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// The name.
    pub parameter: Parameter,
    /// Other names that requests and configuration files may use.
    pub aliases: &'static [&'static str],
    /// The accepted values.
    pub kind: Kind,
    /// The default value, or a description of it.
    pub default: Option<&'static str>,
    /// An example of a value.
    pub example: Option<&'static str>,
    /// The description, in Markdown.
    pub doc: &'static str,
    /// The placeholder of a value in the help of the command line, if not that of the kind.
    pub value_name: Option<&'static str>,
    /// A parameter that the command line rejects together with this one.
    pub conflict: Option<Parameter>,
    /// Whether the command line has a flag for the parameter.
    pub has_flag: bool,
    /// Whether a repeated parameter of a query string adds to the list, as of [`Kind::Texts`].
    pub is_list: bool,
    /// Whether requests must set the parameter.
    pub is_required: bool,
    /// Whether the parameter is accepted only for clients of earlier versions.
    pub is_deprecated: bool,
}

impl Declaration {
    /// Declares an optional parameter.
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
            is_list: matches!(kind, Kind::Texts),
            is_required: false,
            is_deprecated: false,
        }
    }

    /// Sets other names that requests and configuration files may use.
    #[must_use]
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Sets the default value, or a description of it.
    #[must_use]
    pub const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// Sets an example of a value.
    #[must_use]
    pub const fn example(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }

    /// Sets the description, unless `doc` is empty.
    #[must_use]
    pub const fn doc(self, doc: &'static str) -> Self {
        if doc.is_empty() { self } else { Self { doc, ..self } }
    }

    /// Sets the placeholder of a value in the help of the command line.
    #[must_use]
    pub const fn value_name(self, value_name: &'static str) -> Self {
        Self { value_name: Some(value_name), ..self }
    }

    /// Makes the command line reject the parameter together with `other`.
    #[must_use]
    pub const fn conflicts_with(self, other: Parameter) -> Self {
        Self { conflict: Some(other), ..self }
    }

    /// Removes the flag of the command line.
    #[must_use]
    pub const fn without_flag(self) -> Self {
        Self { has_flag: false, ..self }
    }

    /// Makes the value a list, with commas between its parts: a repeated parameter of a query string adds to it.
    #[must_use]
    pub const fn list(self) -> Self {
        Self { is_list: true, ..self }
    }

    /// Makes the parameter required in requests.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// Marks the parameter as deprecated: its use is reported.
    #[must_use]
    pub const fn deprecated(self) -> Self {
        Self { is_deprecated: true, ..self }
    }

    /// The name, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.parameter.key()).chain(self.aliases.iter().copied())
    }

    /// The description in one line, without the aliases and the default.
    pub fn summary(&self) -> Cow<'static, str> {
        let doc = self.doc.trim();
        if self.is_deprecated { format!("Deprecated. {doc}").into() } else { doc.into() }
    }

    /// A notice that the parameter called `name` is deprecated.
    pub fn deprecation(&self, name: &str) -> String {
        format!("{name} is deprecated, and will be an error in the next version. {}", self.doc.trim())
    }

    /// The description with the aliases and the default.
    pub fn description(&self) -> String {
        let aliases = self.aliases.iter().map(|alias| format!(" Also as `{alias}`."));
        let default = self.default.map(|default| format!(" Default: {default}."));
        std::iter::once(self.summary().into_owned()).chain(aliases).chain(default).collect()
    }
}
