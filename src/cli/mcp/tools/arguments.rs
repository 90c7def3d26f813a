//! The arguments of a tool.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::layer::FilterOptions;
use crate::parameters::{Kind, ParameterSet};

/// The arguments of a tool, of which those that are not taken are the parameters of a request.
pub(super) struct Arguments<'a> {
    rest: Vec<(&'a str, &'a Value)>,
}

impl<'a> Arguments<'a> {
    /// The arguments of an object. Null is the default of an argument.
    pub(super) fn new(arguments: &'a Map<String, Value>) -> Self {
        let given = arguments.iter().filter(|(_, value)| !value.is_null());
        Self { rest: given.map(|(name, value)| (name.as_str(), value)).collect() }
    }

    /// Removes and returns an argument as text, in the spelling of query strings.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let index = self.rest.iter().position(|(known, _)| *known == name)?;
        let (_, value) = self.rest.remove(index);
        Some(spelled(name, value))
    }

    /// Removes and returns an argument that is required.
    ///
    /// # Errors
    /// If it is missing.
    pub(super) fn take_required(&mut self, name: &str, expected: &str) -> Result<String, String> {
        self.take(name).filter(|text| !text.is_empty()).ok_or_else(|| format!("{name}: missing; expected {expected}"))
    }

    /// Removes and returns the path of a layer.
    ///
    /// # Errors
    /// If it is missing.
    pub(super) fn take_layer(&mut self) -> Result<String, String> {
        let name = self.take_required("layer", "the name of a layer, as the tool `layers` lists it")?;
        Ok(format!("/{}", encoded(&name)))
    }

    /// Whether an argument was given and not taken.
    pub(super) fn has(&self, name: &str) -> bool {
        self.rest.iter().any(|(known, _)| *known == name)
    }

    /// Rejects further arguments.
    ///
    /// # Errors
    /// If there is one.
    pub(super) fn finish(self, expected: &str) -> Result<(), String> {
        match self.rest.first() {
            Some((name, _)) => Err(format!("{name}: unknown argument; expected {expected}")),
            None => Ok(()),
        }
    }

    /// The remaining arguments as a query string, after `pairs`.
    pub(super) fn query(&self, pairs: &[(&str, &str)]) -> String {
        self.query_of(pairs, |_| true)
    }

    /// Those of the remaining arguments that filter points as a query string, after `pairs`.
    pub(super) fn filters(&self, pairs: &[(&str, &str)]) -> String {
        let is_filter =
            |name: &str| FilterOptions::declarations().any(|known| known.names().any(|known| known == name));
        self.query_of(pairs, is_filter)
    }

    fn query_of(&self, pairs: &[(&str, &str)], is_included: impl Fn(&str) -> bool) -> String {
        let pairs = pairs.iter().map(|(name, text)| (*name, (*text).to_owned()));
        let rest = self.rest.iter().filter(|(name, _)| is_included(name));
        let rest = rest.map(|(name, value)| (*name, spelled(name, value)));
        let pairs = pairs.chain(rest).map(|(name, text)| format!("{}={}", encoded(name), encoded(&text)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A value in the spelling of query strings.
fn spelled(name: &str, value: &Value) -> String {
    let is_list_of_names = |name: &str| {
        FilterOptions::declarations().any(|known| known.kind == Kind::Texts && known.names().any(|known| known == name))
    };
    match value {
        Value::String(text) => text.clone(),
        // Names may contain commas.
        Value::Array(items) if !is_list_of_names(name) => {
            items.iter().map(|item| spelled(name, item)).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_have_the_spelling_of_query_strings() {
        let given = json!({
            "layer": "a b/c", "radius": 12.5, "hours": ["7-9", "16"], "category": ["Smith, John", "bus"], "tz": null,
            "bounds": [1, -2.5, 3, 4],
        });
        let mut arguments = Arguments::new(given.as_object().unwrap());
        assert_eq!(arguments.take_layer().unwrap(), "/a%20b%2Fc");
        assert_eq!(arguments.take("bounds").unwrap(), "1,-2.5,3,4");
        let query = arguments.query(&[("size", "10x20")]);
        let mut pairs: Vec<&str> = query.split('&').collect();
        pairs.sort_unstable();
        let category = "category=%5B%22Smith%2C%20John%22%2C%22bus%22%5D";
        assert_eq!(pairs, [category, "hours=7%2D9%2C16", "radius=12%2E5", "size=10x20"]);
        assert_eq!(arguments.filters(&[]).split('&').count(), 2);
        assert!(arguments.take_layer().unwrap_err().starts_with("layer: missing"));
        assert!(arguments.finish("none").unwrap_err().contains("unknown argument"));
    }
}
