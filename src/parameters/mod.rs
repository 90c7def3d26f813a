//! Parameters, each declared once.
//!
//! `parameter_set!` declares a struct of options: for each parameter its name, type, default and description. All front
//! ends use these declarations: query strings, forms and JSON (`http`), the `style` tables in TOML (`config`), flags
//! (`cli`), the parameters and schemas of `OpenAPI`, the TypeScript type of a style and `docs/parameters.md`. The last
//! two are generated files, which a test compares, and writes if `KILN_BLESS` is set.

mod declaration;
mod kind;
mod set;
#[cfg(all(test, feature = "cli"))]
#[allow(clippy::unwrap_used)]
mod tests;
mod value;

pub use declaration::Declaration;
pub use kind::{Kind, Location};
pub(crate) use set::parameter_set;
pub use set::{Entry, ParameterSet};
pub use value::{RawJson, Value};
pub(crate) use value::{from_str_values, time_text};
