//! One declaration serves every front end.

mod docs;
mod typescript;

use std::collections::BTreeMap;

use clap::{Args, FromArgMatches};
use serde_json::json;
use utoipa::{IntoParams, PartialSchema};

use super::{Declaration, Kind, Location, ParameterSet, parameter_set};
use crate::cli::flags::Flags;
use crate::config::read_options;
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::{InQuery, request_body};
use crate::parameter::Parameter;

const MADE_UP: Parameter = Parameter::new("made_up_level");

parameter_set! {
    /// Options that only this test declares.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct MadeUpOptions {
        /// A level that
        /// nothing uses.
        level: f64 = Declaration::new(MADE_UP, Kind::Number { least: 0.0, most: 9.0 })
            .aliases(&["madeUpLevel"])
            .default("3")
            .example("4"),
    }
}

request_body! {
    /// A body with the made-up parameter.
    MadeUpRequest(MadeUpOptions),
    example: { "made_up_level": 4 }
}

fn flags(args: &[&str]) -> Result<MadeUpOptions, String> {
    let command = Flags::<MadeUpOptions>::augment_args(clap::Command::new("kiln"));
    let matches = command.try_get_matches_from([&["kiln"], args].concat()).map_err(|error| error.to_string())?;
    Flags::from_arg_matches(&matches).map(|Flags(options)| options).map_err(|error| error.to_string())
}

#[test]
fn a_parameter_that_is_declared_once_is_found_in_every_front_end() {
    let four = MadeUpOptions { level: Some(4.0) };
    // Query strings, forms and JSON, by every name.
    for mut fields in [
        Fields::from_query("made_up_level=4").unwrap(),
        Fields::from_query("madeUpLevel=+4").unwrap(),
        Fields::from_json(br#"{"made_up_level": 4}"#).unwrap(),
        Fields::from_json(br#"{"madeUpLevel": "4"}"#).unwrap(),
    ] {
        assert_eq!(fields.read::<MadeUpOptions>().unwrap(), four);
        fields.finish().unwrap();
    }
    let refused = Fields::from_query("madeUpLevel=12").unwrap().read::<MadeUpOptions>().unwrap_err();
    assert_eq!(refused.detail(), "madeUpLevel: `12` is not a number from 0 to 9");
    let mut misspelled = Fields::from_query("made_up_lavel=4").unwrap();
    misspelled.read::<MadeUpOptions>().unwrap();
    assert!(misspelled.finish().unwrap_err().detail().contains("did you mean made_up_level?"));
    // TOML.
    let read = |toml: &str| {
        let table: BTreeMap<String, String> = toml::from_str(toml).unwrap();
        let table = table.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        read_options::<MadeUpOptions>(table).map_err(|fault| (fault.path, fault.message))
    };
    assert_eq!(read("made_up_level = '4'"), Ok(four.clone()));
    let message = "`much` is not a number from 0 to 9".to_owned();
    assert_eq!(read("made_up_level = 'much'"), Err(("made_up_level".to_owned(), message)));
    // Flags.
    assert_eq!(flags(&["--made-up-level", "4"]).unwrap(), four);
    let refused = flags(&["--made-up-level", "12"]).unwrap_err();
    assert!(refused.contains("'--made-up-level <VALUE>': `12` is not a number from 0 to 9"), "{refused}");
    let help = Flags::<MadeUpOptions>::augment_args(clap::Command::new("kiln")).render_help().to_string();
    assert!(help.contains("--made-up-level <VALUE>  A level that nothing uses [default: 3]"), "{help}");
    // OpenAPI.
    let parameters = InQuery::<MadeUpOptions>::into_params(|| None);
    let description = "A level that nothing uses. Also as `madeUpLevel`. Default: 3.";
    let expected = json!([{
        "name": "made_up_level", "in": "query", "required": false, "description": description, "example": 4,
        "schema": {"type": "number", "minimum": 0, "maximum": 9},
    }]);
    assert_eq!(serde_json::to_value(parameters).unwrap(), expected);
    let schema = serde_json::to_value(MadeUpRequest::schema()).unwrap();
    let expected = json!({
        "type": ["number", "string", "null"], "minimum": 0, "maximum": 9, "description": description,
        "examples": [4],
    });
    assert_eq!(schema["properties"]["made_up_level"], expected);
    // TypeScript.
    let interface = typescript::interface("MadeUpOptions", "Made up.", MadeUpOptions::declarations());
    assert!(
        interface.contains("  /** A level that nothing uses. Default: 3. */\n  made_up_level?: number;\n"),
        "{interface}"
    );
    // The table of the docs.
    let table = docs::table(MadeUpOptions::declarations(), true);
    let row = "| `made_up_level`, `madeUpLevel` | `--made-up-level` | a number from 0 to 9 | 3 | A level that nothing uses. |\n";
    assert!(table.ends_with(row), "{table}");
}

#[test]
fn options_are_written_as_they_are_read() {
    let four = MadeUpOptions { level: Some(4.0) };
    assert_eq!(four.pairs(), [("made_up_level", "4".to_owned())]);
    assert_eq!(MadeUpOptions::default().over(four.clone()), four);
    assert_eq!(four.clone().without(&[MADE_UP]), MadeUpOptions::default());
    assert_eq!((four.first(), MadeUpOptions::default().first()), (Some(MADE_UP), None));
    let error = MadeUpOptions { level: Some(f64::NAN) }.check_ranges().unwrap_err();
    assert_eq!(error.to_string(), "made_up_level: `NaN` is not a number from 0 to 9");
    assert_eq!(Kind::NUMBER.schema(Location::Query), json!({"type": "number"}));
}

/// Compares a generated file with the one in the repository, or writes it where `KILN_BLESS` is set.
fn assert_file(path: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("KILN_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let place = path.display();
    assert!(
        there == text,
        "{place} does not match the declarations: KILN_BLESS=1 cargo test --lib parameters:: writes it"
    );
}
