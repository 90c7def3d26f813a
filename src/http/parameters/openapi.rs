//! `OpenAPI` parameters and schemas from parameter declarations.

use std::marker::PhantomData;

use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::{Deprecated, RefOr, Required};

use crate::parameters::{Declaration, Kind, Location, ParameterSet};

/// The query parameters of a set, for the `params` of an operation.
#[derive(Debug)]
pub(crate) struct InQuery<S>(PhantomData<S>);

impl<S: ParameterSet> IntoParams for InQuery<S> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = |declaration: &Declaration| {
            ParameterBuilder::new()
                .name(declaration.parameter.key())
                .parameter_in(ParameterIn::Query)
                .required(if declaration.is_required { Required::True } else { Required::False })
                .description(Some(declaration.description()))
                .deprecated(declaration.is_deprecated.then_some(Deprecated::True))
                .schema(Some(as_schema(declaration.kind.schema(Location::Query))))
                .example(example_of(declaration))
                .build()
        };
        S::declarations().map(parameter).collect()
    }
}

/// Creates the schema of a JSON body with the declared parameters.
pub(crate) fn body(
    description: &str,
    example: Value,
    declarations: impl IntoIterator<Item = &'static Declaration>,
) -> RefOr<Schema> {
    let empty = ObjectBuilder::new().description(Some(description)).examples([example]);
    let object = declarations.into_iter().fold(empty, |object, declaration| {
        let mut schema = declaration.kind.schema(Location::Body);
        schema["description"] = declaration.description().into();
        if declaration.is_deprecated {
            schema["deprecated"] = true.into();
        }
        if let Some(example) = example_of(declaration) {
            schema["examples"] = json!([example]);
        }
        let name = declaration.parameter.key();
        let object = object.property(name, as_schema(schema));
        if declaration.is_required { object.required(name) } else { object }
    });
    object.into()
}

/// Declares the schema of a request body with the parameters of several sets.
macro_rules! request_body {
    ($(#[doc = $doc:literal])* $name:ident($($set:ty),+ $(,)?), example: $example:tt) => {
        $(#[doc = $doc])*
        pub(crate) struct $name;

        impl utoipa::ToSchema for $name {}

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                let declarations = [$(<$set as $crate::parameters::ParameterSet>::declarations().collect::<Vec<_>>()),+];
                let example = serde_json::json!($example);
                $crate::http::parameters::openapi::body(concat!($($doc),*).trim(), example, declarations.concat())
            }
        }
    };
}
pub(crate) use request_body;

/// The example of a parameter, as a number for numeric kinds.
fn example_of(declaration: &Declaration) -> Option<Value> {
    let number = |text| serde_json::from_str(text).ok();
    let is_number = matches!(declaration.kind, Kind::Number { .. } | Kind::Integer { .. });
    let is_list = declaration.kind == Kind::Texts;
    let example = |text| if is_list { json!([text]) } else { Value::from(text) };
    declaration.example.map(|text| number(text).filter(|_| is_number).unwrap_or_else(|| example(text)))
}

/// Converts a JSON schema to utoipa's type.
fn as_schema(schema: Value) -> RefOr<Schema> {
    // A test checks that the schemas of all kinds are converted without loss.
    serde_json::from_value(schema).map_or_else(|_| ObjectBuilder::new().into(), RefOr::T)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn schemas_of_all_kinds_are_converted_without_loss() {
        let bounded = Kind::Number { min: -85.0, max: 85.0 };
        let zoom = Kind::Integer { min: 0, max: 24 };
        for kind in [
            Kind::Text,
            Kind::Label,
            Kind::Choice(&["add", "classic"]),
            Kind::NUMBER,
            bounded,
            zoom,
            Kind::COUNT,
            Kind::Boolean,
            Kind::Share,
            Kind::Texts,
            Kind::Bounds,
            Kind::Size,
            Kind::Pair,
            Kind::Json,
        ] {
            for location in [Location::Query, Location::Body] {
                let schema = kind.schema(location);
                let read = serde_json::to_value(as_schema(schema.clone())).unwrap();
                assert_eq!(read, schema, "{kind:?}");
            }
        }
    }
}
