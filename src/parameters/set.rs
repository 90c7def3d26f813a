//! Sets of parameters.

use super::{Declaration, Kind};
use crate::error::{Error, Result};
use crate::parameter::{Message, Parameter};

/// Options that are read from parameters. The macro `parameter_set!` implements this trait.
pub trait ParameterSet: Default + 'static {
    /// The parameters, in the order in which they are listed and read.
    const ENTRIES: &'static [Entry<Self>];

    /// Returns these options, with those of `base` where they are `None`.
    #[must_use]
    fn over(self, base: Self) -> Self;

    /// The declarations of the parameters.
    fn declarations() -> impl Iterator<Item = &'static Declaration> {
        Self::ENTRIES.iter().map(|entry| &entry.declaration)
    }

    /// The names of the parameters, without aliases.
    fn names() -> impl Iterator<Item = &'static str> {
        Self::declarations().map(|declaration| declaration.parameter.key())
    }

    /// Sets the parameter with the name or alias `name` from text. Returns whether there is such a parameter.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the text is not a valid value.
    fn set(&mut self, name: &str, text: &str) -> Result<bool> {
        let entry = Self::ENTRIES.iter().find(|entry| entry.declaration.names().any(|known| known == name));
        entry.map_or(Ok(false), |entry| entry.set(self, text).map(|()| true))
    }

    /// The parameters that are set, as names and texts for [`set`](Self::set).
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let pair = |entry: &Entry<Self>| Some((entry.declaration.parameter.key(), entry.get(self)?));
        Self::ENTRIES.iter().filter_map(pair).collect()
    }

    /// The first parameter that is set.
    fn first(&self) -> Option<Parameter> {
        Self::ENTRIES.iter().find(|entry| entry.get(self).is_some()).map(|entry| entry.declaration.parameter)
    }

    /// The first of `parameters` that is set.
    fn first_of(&self, parameters: &[Parameter]) -> Option<Parameter> {
        let mut entries = Self::ENTRIES.iter().filter(|entry| parameters.contains(&entry.declaration.parameter));
        entries.find(|entry| entry.get(self).is_some()).map(|entry| entry.declaration.parameter)
    }

    /// The options without `parameters`.
    #[must_use]
    fn without(mut self, parameters: &[Parameter]) -> Self {
        let entries = Self::ENTRIES.iter().filter(|entry| parameters.contains(&entry.declaration.parameter));
        entries.for_each(|entry| (entry.clear)(&mut self));
        self
    }

    /// Checks values that were not read from text.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a number is out of range.
    fn check_ranges(&self) -> Result<()> {
        Self::ENTRIES.iter().try_for_each(|entry| {
            let Declaration { parameter, kind, .. } = entry.declaration;
            (entry.check)(self, kind).map_err(|message| Error::invalid(parameter, message))
        })
    }
}

/// A parameter of the options `S`.
#[derive(Debug)]
pub struct Entry<S> {
    /// The declaration.
    pub declaration: Declaration,
    pub(crate) set: fn(&mut S, &str, Kind) -> Result<(), Message>,
    pub(crate) get: fn(&S) -> Option<String>,
    pub(crate) clear: fn(&mut S),
    pub(crate) check: fn(&S, Kind) -> Result<(), Message>,
}

impl<S> Entry<S> {
    /// Sets the parameter from text.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the text is not a valid value.
    pub fn set(&self, options: &mut S, text: &str) -> Result<()> {
        let Declaration { parameter, kind, .. } = self.declaration;
        (self.set)(options, text, kind).map_err(|message| Error::invalid(parameter, message))
    }

    /// The value as text, if it is set.
    pub fn get(&self, options: &S) -> Option<String> {
        (self.get)(options)
    }
}

/// Declares a struct whose fields are parameters, each an `Option`, and implements [`ParameterSet`] for it.
///
/// ```text
/// parameter_set! {
///     /// The description of the options.
///     #[derive(Clone, Debug, Default)]
///     pub struct Options {
///         /// The description of the parameter.
///         pub radius: Radius = Declaration::new(Parameter::RADIUS, Kind::Length).default("20px"),
///     }
///     // Parameters that set the fields of other parameters.
///     also {
///         /// The description of the parameter.
///         dot_size = Declaration::new(Parameter::DOT_SIZE, Kind::NUMBER) => {
///             set: |options, text| …, get: |options| …, clear: |options| …
///         },
///     }
/// }
/// ```
macro_rules! parameter_set {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $options:ident {
            $(
                $(#[doc = $doc:literal])*
                $field_visibility:vis $field:ident: $type:ty = $declaration:expr,
            )*
        }
        $(also {
            $(
                $(#[doc = $also_doc:literal])*
                $also_name:ident = $also:expr => { set: $set:expr, get: $get:expr, clear: $clear:expr $(,)? },
            )*
        })?
    ) => {
        $(#[$meta])*
        $visibility struct $options {
            $(
                $(#[doc = $doc])*
                $field_visibility $field: Option<$type>,
            )*
        }

        impl $crate::parameters::ParameterSet for $options {
            const ENTRIES: &'static [$crate::parameters::Entry<Self>] = &[
                $($crate::parameters::Entry {
                    declaration: $declaration.doc(concat!($($doc),*)),
                    set: |options, text, kind| {
                        options.$field = Some($crate::parameters::Value::read(text, kind)?);
                        Ok(())
                    },
                    get: |options| options.$field.as_ref().and_then($crate::parameters::Value::write),
                    clear: |options| options.$field = None,
                    check: |options, kind| {
                        options.$field.as_ref().map_or(Ok(()), |value| $crate::parameters::Value::check(value, kind))
                    },
                },)*
                $($($crate::parameters::Entry {
                    declaration: $also.doc(concat!($($also_doc),*)),
                    set: $set,
                    get: $get,
                    clear: $clear,
                    check: |_, _| Ok(()),
                },)*)?
            ];

            fn over(self, base: Self) -> Self {
                Self { $($field: self.$field.or(base.$field),)* }
            }
        }
    };
}
pub(crate) use parameter_set;
