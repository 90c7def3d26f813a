//! The TypeScript type of a style.

use crate::layer::{FilterOptions, StyleOptions};
use crate::parameters::{Declaration, Kind, ParameterSet};

const HEAD: &str = "// Generated from the declarations of the parameters by `make parameters`.\n\n";

pub(super) fn interface(name: &str, doc: &str, declarations: impl IntoIterator<Item = &'static Declaration>) -> String {
    let properties = declarations.into_iter().map(|declaration| {
        let default = declaration.default.map(|default| format!(" Default: {default}.")).unwrap_or_default();
        let (name, summary, kind) = (declaration.parameter.key(), declaration.summary(), type_of(declaration.kind));
        format!("  /** {summary}{default} */\n  {name}?: {kind};\n")
    });
    format!("/** {doc} */\nexport interface {name} {{\n{}}}\n", properties.collect::<String>())
}

fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Number { .. } | Kind::Integer { .. } => "number",
        Kind::Boolean => "boolean",
        Kind::Length | Kind::Share => "number | string",
        Kind::Time => "Date | string | number",
        Kind::Texts => "string | readonly string[]",
        _ => "string",
    }
}

#[test]
fn the_type_of_a_style_is_generated() {
    let doc = "The style and filter of a layer's pictures. The default style is that of the layer.";
    let declarations = StyleOptions::declarations().chain(FilterOptions::declarations());
    let interface = interface("HeatStyle", doc, declarations);
    super::assert_file("web/kiln-client/src/heat-style.ts", &format!("{HEAD}{interface}"));
}
