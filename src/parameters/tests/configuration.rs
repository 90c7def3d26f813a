//! `docs/configuration.md`.

use std::fmt::Write;

use crate::config::Config;

const INTRODUCTION: &str = r#"<!-- Generated from the output of `kiln config` by `make parameters`. -->

# Configuration

`kiln serve`, `batch`, `clean` and the commands for stored layers read a configuration. Its values come from four sources; a later source overrides an earlier one:

1. the defaults;
2. `kiln.toml` in the working folder, or the file of `-c FILE`;
3. environment variables: `KILN_`, the section and the key in upper case, such as `KILN_IMAGES_TTL=10m`; `KILN_STORE` is short for
   `KILN_STORE_FOLDER`, and `KILN_TOKEN` for `KILN_SERVER_TOKEN`;
4. flags of the command line, such as `--ttl 10m`.

```toml
# kiln.toml
[server]
listen = "0.0.0.0:3000"

[images]
ttl = "10m"

[layers.cities]
input = "data/cities.parquet"
weight = "population"
title = "Cities by population"
style = { scheme = "fire", radius = "20km" }
```

```sh
kiln config                                        # the default configuration with its documentation
kiln config check                                  # the resulting configuration of file, variables and flags
KILN_IMAGES_TTL=1h kiln config check --max-count 500
kiln config check --save-config all.toml           # write the resulting configuration to a file
kiln config --schema > kiln.schema.json            # the JSON schema, for editors
```

An unknown key or an invalid value is an error with the file, the line and the accepted values. Editors with TOML support complete and check the file by its JSON schema, which
is also [kiln.schema.json](kiln.schema.json). The token, the URL of the database and passwords are never printed or saved.

"#;

/// The documentation of a key.
struct Key<'a> {
    name: &'a str,
    description: &'a str,
    accepted: &'a str,
    default: &'a str,
}

impl<'a> Key<'a> {
    /// A key from its name and its documentation: a description, `Accepts …`, and `Default: …` if it has one.
    fn new(name: &'a str, documentation: &'a str) -> Self {
        let (description, rest) = documentation.split_once("Accepts ").unwrap();
        let (accepted, default) = rest.split_once(". Default: ").unwrap_or((rest, "–."));
        let trimmed = |text: &'a str| text.strip_suffix('.').unwrap_or(text);
        Self { name, description: description.trim(), accepted: trimmed(accepted), default: trimmed(default) }
    }
}

/// A table of keys.
fn table(keys: &[Key<'_>]) -> String {
    let mut text = String::from("| key | value | default | description |\n| --- | --- | --- | --- |\n");
    for Key { name, description, accepted, default } in keys {
        let default = if *default == "–" { "–".to_owned() } else { format!("`{default}`") };
        let cells = [format!("`{name}`"), (*accepted).to_owned(), default, (*description).to_owned()];
        let cells = cells.map(|cell| cell.replace('|', "\\|").replace('<', "&lt;"));
        writeln!(text, "| {} |", cells.join(" | ")).unwrap();
    }
    text
}

/// The page of a printed configuration: a section for each table of it.
fn page(printed: &str) -> String {
    let mut text = INTRODUCTION.to_owned();
    for block in printed.split("\n\n").skip(1) {
        let lines: Vec<&str> = block.trim_end().lines().collect();
        let title = lines[0].trim_start_matches("# ");
        if let Some(section) = lines[1].strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let documentation: Vec<String> = lines[2..]
                .chunks(3)
                .map(|key| format!("{} {}", key[0].trim_start_matches("# "), key[1].trim_start_matches("# ")))
                .collect();
            let names = lines[2..].chunks(3).map(|key| key[2].trim_start_matches("# ").split(" = ").next().unwrap());
            let keys: Vec<Key<'_>> = names.zip(&documentation).map(|(name, text)| Key::new(name, text)).collect();
            write!(text, "## `[{section}]`\n\n{title}\n\n{}\n", table(&keys)).unwrap();
        } else {
            let keys = lines[1..].iter().map(|line| line.trim_start_matches("# ").split_once(": ").unwrap());
            let keys: Vec<Key<'_>> = keys.map(|(name, text)| Key::new(name, text)).collect();
            let heading = if title.contains("[[jobs]]") { "[[jobs]]" } else { "[layers.NAME]" };
            let title = title.replace(" with these keys:", ".");
            write!(text, "## `{heading}`\n\n{title}\n\n{}\n", table(&keys)).unwrap();
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

#[test]
fn the_page_of_the_configuration_is_generated() {
    let text = page(&Config::default().to_toml().unwrap());
    assert!(text.contains(
        "| `ttl` | a time from 1s to 3650d, such as 90s, 30m, 1h or 2d | `\"1h\"` | Lifetime of an image. |\n"
    ));
    super::assert_file("docs/configuration.md", &text);
}
