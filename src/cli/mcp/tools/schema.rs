//! Schemas of arguments, from the declarations of parameters.

use serde_json::{Map, Value, json};

use crate::layer::{FilterOptions, StyleOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Location, ParameterSet};

/// The schema of arguments.
pub(super) struct Schema {
    properties: Map<String, Value>,
    required: &'static [&'static str],
}

impl Schema {
    pub(super) fn new(required: &'static [&'static str]) -> Self {
        Self { properties: Map::new(), required }
    }

    /// Adds an argument.
    pub(super) fn argument(mut self, name: &str, mut schema: Value, description: &str) -> Self {
        schema["description"] = description.into();
        self.properties.insert(name.to_owned(), schema);
        self
    }

    /// Adds the name of a layer.
    pub(super) fn layer(self) -> Self {
        self.argument("layer", json!({ "type": "string" }), "Name of a layer, as `layers` lists it")
    }

    /// Adds the filters of points.
    pub(super) fn filters(self) -> Self {
        FilterOptions::declarations().fold(self, Self::parameter)
    }

    /// Adds the parameters of a style.
    pub(super) fn style(self) -> Self {
        // Those that are left out repeat others, for clients of other libraries.
        let is_listed = |declaration: &&Declaration| {
            declaration.has_flag && !declaration.is_deprecated && declaration.parameter != Parameter::DOT_SIZE
        };
        StyleOptions::declarations().filter(is_listed).fold(self, Self::parameter)
    }

    fn parameter(self, declaration: &'static Declaration) -> Self {
        let schema = declaration.kind.schema(Location::Query);
        let default = declaration.default.map(|default| format!(" Default: {default}, or that of the layer."));
        let description = format!("{}{}", declaration.summary(), default.unwrap_or_default());
        self.argument(declaration.parameter.key(), schema, &description)
    }

    pub(super) fn build(self) -> Value {
        json!({
            "type": "object",
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
        })
    }
}
