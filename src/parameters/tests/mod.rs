//! Tests that all front ends use the same declaration.

mod configuration;
mod docs;
mod http_api;
mod typescript;

use std::collections::BTreeMap;
use std::path::Path;

use clap::{Args, FromArgMatches};
use serde_json::json;
use utoipa::{IntoParams, PartialSchema};

use super::{Declaration, Kind, Location, ParameterSet, parameter_set};
use crate::cli::flags::Flags;
use crate::config::{Config, read_options};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::{InQuery, request_body};
use crate::jobs::Subject;
use crate::layer::InputOptions;
use crate::parameter::Parameter;
use crate::source::{AxisOrder, Quote};

const MADE_UP: Parameter = Parameter::new("made_up_level");

parameter_set! {
    /// Options for this test.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct MadeUpOptions {
        /// A level that
        /// nothing uses.
        level: f64 = Declaration::new(MADE_UP, Kind::Number { min: 0.0, max: 9.0 })
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

fn flags<S: ParameterSet>(args: &[&str]) -> Result<S, String> {
    let command = Flags::<S>::augment_args(clap::Command::new("kiln"));
    let matches = command.try_get_matches_from([&["kiln"], args].concat()).map_err(|error| error.to_string())?;
    Flags::from_arg_matches(&matches).map(|Flags(options)| options).map_err(|error| error.to_string())
}

#[test]
fn a_declared_parameter_is_available_in_every_front_end() {
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
    let problem = Fields::from_query("madeUpLevel=12").unwrap().read::<MadeUpOptions>().unwrap_err();
    assert_eq!(problem.detail(), "madeUpLevel: `12` is not a number from 0 to 9");
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
    assert_eq!(flags::<MadeUpOptions>(&["--made-up-level", "4"]).unwrap(), four);
    let message = flags::<MadeUpOptions>(&["--made-up-level", "12"]).unwrap_err();
    assert!(message.contains("'--made-up-level <VALUE>': `12` is not a number from 0 to 9"), "{message}");
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
fn all_front_ends_read_the_same_input_options() {
    let given = InputOptions {
        crs: Some("EPSG:25832".into()),
        order: Some(AxisOrder::LatLon),
        time_format: Some("%d.%m.%Y %H:%M".parse().unwrap()),
        day_first: Some(true),
        encoding: Some("windows-1252".into()),
        quote: Some(Quote::None),
        records: Some("data.items".into()),
    };
    let args = "--crs EPSG:25832 --order lat-lon --day-first --encoding windows-1252 --quote none --records data.items";
    let args: Vec<&str> = args.split(' ').chain(["--time-format", "%d.%m.%Y %H:%M"]).collect();
    assert_eq!(flags::<InputOptions>(&args).unwrap(), given);
    let query = "crs=EPSG:25832&order=Lat-Lon&day_first=true&encoding=windows-1252&quote=none&records=data.items\
                 &time_format=%25d.%25m.%25Y+%25H:%25M";
    let mut fields = Fields::from_query(query).unwrap();
    assert_eq!(fields.read::<InputOptions>().unwrap(), given);
    fields.finish().unwrap();
    let keys = "crs = 'EPSG:25832'\norder = 'lat-lon'\nday_first = true\nencoding = 'windows-1252'\nquote = 'none'\n\
                records = 'data.items'\ntime_format = '%d.%m.%Y %H:%M'\ngeometry = 'place'\n";
    let text =
        format!("[layers.a]\ninput = 'a.csv'\n{keys}[[jobs]]\nname = 'a'\ninput = 'a.csv'\noutput = 'a.png'\n{keys}");
    let config = Config::from_toml(Path::new("kiln.toml"), &text).unwrap();
    let of_layer = config.layers["a"].spec("a").unwrap();
    let Subject::Inputs(of_job) = config.jobs[0].job().unwrap().subject else { unreachable!() };
    for spec in [of_layer, *of_job] {
        assert_eq!((spec.read, spec.columns.geometry.as_deref()), (given.read_options(), Some("place")));
    }
    let printed = config.to_toml().unwrap();
    assert_eq!(Config::from_toml(Path::new("kiln.toml"), &printed).unwrap(), config, "{printed}");
}

#[test]
fn a_boolean_flag_without_a_value_means_true() {
    let day_first = |args: &[&str]| flags::<InputOptions>(args).map(|options| options.day_first);
    assert_eq!(day_first(&[]), Ok(None));
    assert_eq!(day_first(&["--day-first"]), Ok(Some(true)));
    assert_eq!(day_first(&["--day-first", "false"]), Ok(Some(false)));
    assert!(day_first(&["--day-first", "maybe"]).unwrap_err().contains("`maybe` is neither true nor false"));
}

#[test]
fn written_options_read_back() {
    let four = MadeUpOptions { level: Some(4.0) };
    assert_eq!(four.pairs(), [("made_up_level", "4".to_owned())]);
    assert_eq!(MadeUpOptions::default().over(four.clone()), four);
    assert_eq!(four.clone().without(&[MADE_UP]), MadeUpOptions::default());
    assert_eq!((four.first(), MadeUpOptions::default().first()), (Some(MADE_UP), None));
    let error = MadeUpOptions { level: Some(f64::NAN) }.check_ranges().unwrap_err();
    assert_eq!(error.to_string(), "made_up_level: `NaN` is not a number from 0 to 9");
    assert_eq!(Kind::NUMBER.schema(Location::Query), json!({"type": "number"}));
}

/// Compares a generated file with the one in the repository, or writes it if `KILN_BLESS` is set.
fn assert_file(path: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("KILN_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let path = path.display();
    assert!(
        committed == text,
        "{path} does not match the declarations: KILN_BLESS=1 cargo test --lib parameters:: writes it"
    );
}
