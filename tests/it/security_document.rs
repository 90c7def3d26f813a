//! The limits in SECURITY.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use crate::kiln::kiln;

/// The rows of the table of limits: the default by key.
fn documented() -> BTreeMap<String, String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SECURITY.md")).unwrap();
    let (_, section) = text.split_once("\n## Limits\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    cells.map(|cells| (cells[0].trim_end_matches('`').to_owned(), cells[1].trim_matches('`').to_owned())).collect()
}

#[test]
fn the_limits_of_the_security_policy_are_those_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = String::from_utf8(kiln(folder.path(), ["config"]).stdout).unwrap();
    let defaults: Table = config.parse().unwrap();
    let documented = documented();
    for (key, default) in &documented {
        let (section, name) = key.split_once('.').unwrap();
        let value = defaults[section].get(name).map(Value::to_string);
        let is_known = value.is_some() || config.contains(&format!("\n# {name} = "));
        assert!(is_known, "SECURITY.md names the unknown key {key}");
        assert_eq!(*default, value.unwrap_or_else(|| "none".to_owned()), "the default of {key} in SECURITY.md");
    }
    let limits = config.split_once("[limits]\n").unwrap().1.split("\n[").next().unwrap();
    let lines = limits.lines().map(|line| line.trim_start_matches("# "));
    let is_name = |name: &&str| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
    for name in lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).filter(is_name) {
        assert!(documented.contains_key(&format!("limits.{name}")), "limits.{name} is missing in SECURITY.md");
    }
}
