//! Tests of configurations.

use std::path::{Path, PathBuf};

use super::*;
use crate::error::Result;
use crate::geo::Projection;

fn read(text: &str) -> Result<Config> {
    Config::from_toml(Path::new("kiln.toml"), text)
}

fn load(text: &str, env: &[(&str, &str)]) -> Result<Config> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(Some(&file), env.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
}

/// The error message, which must be one line.
fn rejected(outcome: Result<Config>) -> String {
    let error = outcome.unwrap_err();
    assert!(error.is_usage(), "{error}");
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
    line
}

#[test]
fn without_a_file_and_variables_the_configuration_is_the_default() {
    let config = load("", &[("PATH", "/bin"), ("KILN_BLESS", "1"), ("KILN_SCHEMES", "")]).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(config.images.retention_limits(), crate::images::RetentionLimits::default());
    assert_eq!(config.bridge.projection, Projection::PlateCarree);
    config.check().unwrap();
}

#[test]
fn a_file_overrides_the_defaults_and_the_environment_the_file() {
    let file = "[images]\nttl = \"2h\"\nmax_count = 7\n[server]\nlisten = 8080\nbase_url = \"https://a.example/x/\"\n";
    let env = [("KILN_IMAGES_TTL", "30m"), ("KILN_SCHEMES", "a:b"), ("DATABASE_URL", "postgres://kiln:pw@db/kiln")];
    let config = load(file, &env).unwrap();
    assert_eq!(config.images.ttl, TimeSpan::from_secs(1800));
    assert_eq!(config.images.max_count, 7);
    assert_eq!(config.images.folder, PathBuf::from("imgs"));
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.base_url.as_deref(), Some("https://a.example/x"));
    assert_eq!(config.schemes.folders, [PathBuf::from("a"), PathBuf::from("b")]);
    assert_eq!(config.database(), Some("postgres://kiln:pw@db/kiln"));
    assert!(!format!("{config:?}{}", config.to_toml().unwrap()).contains("pw"));
}

#[test]
fn every_key_can_be_set_by_its_variable() {
    let defaults = Config::default();
    let variables = [
        ("KILN_SERVER_LISTEN", "[::1]:80"),
        ("KILN_SERVER_BASE_URL", "https://a.example"),
        ("KILN_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1,private"),
        ("KILN_SERVER_RENDER_THREADS", "3"),
        ("KILN_SERVER_QUEUE", "0"),
        ("KILN_SERVER_TIMEOUT", "5"),
        ("KILN_SERVER_MAX_CONNECTIONS", "10_000"),
        ("KILN_SERVER_MAX_CLIENT_CONNECTIONS", "100"),
        ("KILN_SERVER_CORS_ORIGINS", "https://a.example, https://b.example"),
        ("KILN_SERVER_HOSTS", "maps.example.org, *.example.org"),
        ("KILN_SERVER_LOCAL_WRITES", "true"),
        ("KILN_SERVER_PRIVATE_INPUTS", "true"),
        ("KILN_SERVER_TLS_CERT", "cert.pem"),
        ("KILN_SERVER_TLS_KEY", "key.pem"),
        ("KILN_SERVER_CACHE_CONTROL", "no-store"),
        ("KILN_SERVER_EMPTY_TILE", "204"),
        ("KILN_SERVER_TOKEN", "s3cret"),
        ("KILN_SERVER_SIGNING_SECRET", "s3cret-s3cret-s3cret"),
        ("KILN_STORE_FOLDER", "kept"),
        ("KILN_STORE_READ_ONLY", "true"),
        ("KILN_STORE_CACHE", "copies"),
        ("KILN_STORE_PUBLISH", "s3://bucket/maps"),
        ("KILN_STORE_REFRESH", "30s"),
        ("KILN_STORE_GRACE", "0"),
        ("KILN_POSTGIS_URL", "postgres://kiln:s3cret@db/maps"),
        ("KILN_POSTGIS_DISCOVER", "false"),
        ("KILN_POSTGIS_CONNECTIONS", "3"),
        ("KILN_POSTGIS_TIMEOUT", "5s"),
        ("KILN_POSTGIS_REFRESH", "1m"),
        ("KILN_IMAGES_FOLDER", "pictures"),
        ("KILN_IMAGES_TTL", "1d"),
        ("KILN_IMAGES_MAX_COUNT", "5"),
        ("KILN_IMAGES_MAX_SIZE", "5GB"),
        ("KILN_IMAGES_SWEEP_EVERY", "5m"),
        ("KILN_CACHE_SIZE", "0"),
        ("KILN_LIMITS_BODY", "1MB"),
        ("KILN_LIMITS_BODIES", "1GiB"),
        ("KILN_LIMITS_BODY_RATE", "0"),
        ("KILN_LIMITS_PRICE", "1000"),
        ("KILN_LIMITS_CLIENT_PRICE", "60000"),
        ("KILN_LIMITS_POINTS", "10"),
        ("KILN_LIMITS_INGEST_BODY", "1GB"),
        ("KILN_LIMITS_INGEST_POINTS", "10"),
        ("KILN_LIMITS_ANSWER_POINTS", "10"),
        ("KILN_LIMITS_CATEGORIES", "10"),
        ("KILN_LIMITS_FILTER_TEXT", "1MB"),
        ("KILN_LIMITS_PIXELS", "65536"),
        ("KILN_LIMITS_RADIUS_PX", "64"),
        ("KILN_LIMITS_CELLS", "1000"),
        ("KILN_LIMITS_EXPORT_TILES", "1000"),
        ("KILN_QUERIES_TTL", "5m"),
        ("KILN_QUERIES_MAX_COUNT", "5"),
        ("KILN_QUERIES_MAX_SIZE", "5MB"),
        ("KILN_LIMITS_MASK_CELLS", "1000"),
        ("KILN_LIMITS_MASK_BODY", "1MB"),
        ("KILN_LIMITS_MASK_LABELS", "10"),
        ("KILN_LIMITS_MASK_VERTICES", "100"),
        ("KILN_LIMITS_MASK_STEPS", "1000"),
        ("KILN_LIMITS_FLOORPLAN_BODY", "1MB"),
        ("KILN_MASKS_FOLDER", "arrays"),
        ("KILN_MASKS_TTL", "1d"),
        ("KILN_MASKS_MAX_COUNT", "5"),
        ("KILN_MASKS_MAX_SIZE", "5GB"),
        ("KILN_MASKS_CACHE_SIZE", "0"),
        ("KILN_MASKS_MAX_SUBSCRIBERS", "0"),
        ("KILN_MASKS_BACKGROUND_FOLDERS", "a,b"),
        ("KILN_MASKS_BACKGROUND_URLS", "https://a.example/photos/, http://127.0.0.1:9000"),
        ("KILN_MASKS_WEBHOOK_URLS", "https://a.example"),
        ("KILN_SCHEMES_FOLDERS", "a,b"),
        ("KILN_BRIDGE_LAYER", "5"),
        ("KILN_PAGE_BASEMAP", "https://tiles.example.org/{z}/{x}/{y}.png"),
        ("KILN_PAGE_ATTRIBUTION", "Somebody"),
        ("KILN_PAGE_DRAW_POINTS_BEYOND", "7"),
        ("KILN_PAGE_FRAME_ANCESTORS", "https://a.example, https://b.example"),
        ("KILN_BRIDGE_PROJECTION", "mercator"),
        ("KILN_LOG_LEVEL", "debug"),
        ("KILN_LOG_FORMAT", "json"),
    ];
    let keys = || Schema::sections().flat_map(|(section, keys)| keys.keys().map(move |(name, _)| (section, name)));
    assert_eq!(variables.len(), keys().count());
    for (variable, text) in variables {
        let config = load("", &[(variable, text)]).unwrap();
        assert_ne!(config, defaults, "{variable}");
        let reread = read(&config.to_toml().unwrap()).unwrap();
        // Secrets are not printed.
        let has_secret =
            config.server.token.is_some() || config.server.signing_secret.is_some() || config.postgis.url.is_some();
        let expected = if has_secret { &defaults } else { &config };
        assert_eq!(&reread, expected, "{variable}");
        let (section, name) = keys().find(|(section, name)| builder::variable_of(section, name) == variable).unwrap();
        let mut flag = ConfigBuilder::default();
        flag.set("--flag", &format!("{section}.{name}"), text).unwrap();
        assert_eq!(flag.build().unwrap(), config, "{variable}");
    }
    let unset = load("[server]\nrender_threads = 3\n", &[("KILN_SERVER_RENDER_THREADS", "")]).unwrap();
    assert_eq!(unset, defaults);
}

#[test]
fn some_keys_also_have_a_short_variable() {
    let config = load("", &[("KILN_STORE", "kept"), ("KILN_TOKEN", "s3cret")]).unwrap();
    assert_eq!(config.store.folder, PathBuf::from("kept"));
    assert!(config.server.token.as_ref().unwrap().is(b"s3cret"));
    let both = load("", &[("KILN_STORE_FOLDER", "long"), ("KILN_STORE", "short")]).unwrap();
    assert_eq!(both.store.folder, PathBuf::from("long"));
    let names = Schema::sections().flat_map(|(section, keys)| keys.keys().map(move |(name, _)| (section, name)));
    let mut names: Vec<_> = names.map(|(section, name)| builder::variable_of(section, name)).collect();
    names.extend(builder::SHORT_VARIABLES.map(|(variable, _)| variable.to_owned()));
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "no two variables have the same name");
}

#[test]
fn the_command_line_precedes_the_configured_database_and_that_precedes_database_url() {
    let file = "[postgis]\nurl = \"postgres://file\"\n";
    let (own, other) = (("KILN_POSTGIS_URL", "postgres://own"), ("DATABASE_URL", "postgres://other with/pass word"));
    for (file, env, expected) in [
        ("", &[][..], None),
        ("", &[other], Some("postgres://other with/pass word")),
        ("", &[other, own], Some("postgres://own")),
        (file, &[other], Some("postgres://file")),
        (file, &[other, own], Some("postgres://own")),
        ("", &[other, ("KILN_POSTGIS_URL", "")], Some("postgres://other with/pass word")),
        ("", &[("DATABASE_URL", "")], None),
    ] {
        let mut config = load(file, env).unwrap();
        assert_eq!(config.database(), expected);
        config.check().unwrap();
        config.add_inputs(&["postgres://input".into()]).unwrap();
        assert_eq!(config.database(), Some("postgres://input"));
    }
}

#[test]
fn variables_and_flags_do_not_change_passwords_of_jobs() {
    let url = "postgres://ann:s3cret@h/d?table=stops";
    let file = format!("[[jobs]]\nname = \"a\"\ninput = \"{url}\"\noutput = \"a.png\"\n");
    let config = load(&file, &[("KILN_IMAGES_TTL", "30m")]).unwrap();
    assert_eq!(config.jobs[0].inputs[0], url);
    assert!(!format!("{config:?}{}", config.to_toml().unwrap()).contains("s3cret"));
}

#[test]
fn rules_over_several_keys_are_reported_at_the_origin_of_the_value() {
    let file = "[bridge]\nlayer = \"a\"\n[layers.b]\ninput = \"b.csv\"\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kiln.toml");
    std::fs::write(&path, file).unwrap();
    let load = |env: &[(&str, &str)]| {
        ConfigBuilder::load(Some(&path), env.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    };
    let line = load(&[]).unwrap().build().unwrap().check().unwrap_err().to_string();
    assert!(line.starts_with(&format!("{}:2:9: bridge.layer: there is no layer `a`", path.display())), "{line}");
    let line = load(&[("KILN_BRIDGE_LAYER", "c")]).unwrap().build().unwrap().check().unwrap_err().to_string();
    assert!(line.starts_with("KILN_BRIDGE_LAYER: bridge.layer: there is no layer `c`"), "{line}");
    let mut builder = load(&[("KILN_BRIDGE_LAYER", "c")]).unwrap();
    builder.set("--bridge", "bridge.layer", "d").unwrap();
    let config = builder.build().unwrap();
    let line = config.check().unwrap_err().to_string();
    assert!(line.starts_with("--bridge: bridge.layer: there is no layer `d`"), "{line}");
    let error = |key: &str| config.error(key, "invalid").to_string();
    assert_eq!(error("layers.b.input"), format!("{}:4:9: layers.b.input: invalid", path.display()));
    assert_eq!(error("layers.b.style"), format!("{}:3:9: layers.b.style: invalid", path.display()));
    assert_eq!(error("images.ttl"), "images.ttl: invalid");
}

#[test]
fn the_token_is_never_printed() {
    let config = load("[server]\ntoken = \"s3cret\"\nqueue = 5\n", &[("KILN_IMAGES_TTL", "30m")]).unwrap();
    assert!(config.server.token.as_ref().unwrap().is(b"s3cret"));
    assert!(!format!("{config:?}{}", config.to_toml().unwrap()).contains("s3cret"));
    // A printed configuration has whether a secret is set.
    let config = load("[server]\nsigning_secret = \"s3cret-of-signatures\"", &[]).unwrap();
    let printed = config.to_toml().unwrap();
    assert!(printed.contains("\n# signing_secret = … (set, and not printed)\n"), "{printed}");
    assert!(!printed.contains("s3cret") && !printed.contains("# token = …"), "{printed}");
    for outcome in [
        load("[server]\ntoken = \"s3cret with spaces\"", &[]),
        load("[server]\ntoken = \"s3cret\ntoken = 5", &[]),
        load("[server]\ntoken = [\"s3cret\"]", &[]),
        load("server = \"s3cret\"", &[]),
        load("[[jobs]]\nname = \"a\"\ninput = [\"postgres://ann:s3cret@h/d\", 5]", &[]),
        load("", &[("KILN_TOKEN", "s3cret with spaces")]),
    ] {
        let line = rejected(outcome);
        assert!(!line.contains("s3cret"), "{line}");
    }
    assert_eq!(load("[server]\ntoken = \"s3cret\"", &[("KILN_TOKEN", "")]).unwrap(), Config::default());
}

#[test]
fn unknown_keys_are_reported_with_their_position_and_similar_keys() {
    for (text, place, words) in [
        (
            "[images]\n\n  tttl = \"1h\"",
            "kiln.toml:3:3: images.tttl: ",
            "did you mean ttl? images has folder, ttl, max_count, max_size, sweep_every",
        ),
        ("[imagess]\n", "kiln.toml:1:2: imagess: ", "did you mean images?"),
        ("listen = 80", "kiln.toml:1:1: listen: ", "did you mean server.listen?"),
        ("[server]\nttl = 1", "kiln.toml:2:1: server.ttl: ", "did you mean images.ttl or queries.ttl or masks.ttl?"),
        ("images.max_cuont = 5", "kiln.toml:1:8: images.max_cuont: ", "did you mean max_count?"),
        ("[layers.a]\ninput = \"a\"\nweigth = \"w\"", "kiln.toml:3:1: layers.a.weigth: ", "did you mean weight?"),
        (
            "[layers.a]\ninput = \"a\"\nstyle = { \"ä\" = 1, radios = 5 }",
            "kiln.toml:3:20: layers.a.style.radios: ",
            "did you mean radius?",
        ),
        ("database_url = \"x\"", "kiln.toml:1:1: database_url: ", "no such section"),
    ] {
        let line = rejected(read(text));
        assert!(line.starts_with(place) && line.contains(words), "{text}: {line}");
    }
}

#[test]
fn invalid_values_are_reported_with_what_would_be_accepted() {
    let layer = |rest: &str| format!("[layers.a]\ninput = \"a.csv\"\n{rest}");
    for (text, place, words) in [
        (
            "[images]\nttl = \"soon\"",
            "kiln.toml:2:7: images.ttl: ",
            "\"soon\" is not a time from 1s to 3650d, such as 90s",
        ),
        ("[images]\nttl = 0", "kiln.toml:2:7: images.ttl: ", "0 is not a time"),
        ("[images]\nmax_count = \"many\"", "kiln.toml:2:13: images.max_count: ", "whole number from 1 to 100_000_000"),
        ("[limits]\npixels = 100000001", "kiln.toml:2:10: limits.pixels: ", "100_000_000"),
        ("[limits]\nradius_px = nan", "kiln.toml:2:13: limits.radius_px: ", "from 1 to 1024"),
        ("[server]\nlisten = true", "kiln.toml:2:10: server.listen: ", "127.0.0.1:3000"),
        (
            "[server]\ntrusted_proxies = [\"private\", \"10.0.0.0/99\"]",
            "kiln.toml:2:19: server.trusted_proxies: ",
            "ranges such as \"10.0.0.0/8\"",
        ),
        ("[server]\nempty_tile = 500", "kiln.toml:2:14: server.empty_tile: ", "one of 200, 204, 404"),
        ("[log]\nlevel = \"loud\"", "kiln.toml:2:9: log.level: ", "error, warn, info, debug, trace"),
        ("images = 5", "kiln.toml:1:10: images: ", "write [images]"),
        ("[[layers]]\ninput = \"a\"", "kiln.toml:1:", "write [layers.NAME]"),
        ("[layers.tiles]\ninput = \"a\"", "kiln.toml:1:9: layers.tiles: ", "server's own"),
        ("[layers.\"a b\"]\ninput = \"a\"", "kiln.toml:1:9: layers.a b: ", "letters"),
        ("[layers.a]\ntitle = \"A\"", "kiln.toml:1:9: layers.a.input: ", "missing"),
        ("[layers.a]\ninput = []", "kiln.toml:2:9: layers.a.input: ", "a list of them"),
        (&layer("style.radius = \"wide\""), "kiln.toml:3:16: layers.a.style.radius: ", "wide"),
        (
            &layer("style = { radius = 5, vmin = 9, vmax = 3 }"),
            "kiln.toml:3:30: layers.a.style.vmin: ",
            "not below vmax",
        ),
        (&layer("style.radius = [5]"), "kiln.toml:3:16: layers.a.style.radius: ", "[5] is not a string or a number"),
        (&layer("style = 5"), "kiln.toml:3:9: layers.a.style: ", "write [layers.a.style]"),
        ("layers.a = 5", "kiln.toml:1:12: layers.a: ", "write [layers.a]"),
        (&layer("projection = \"mercator\""), "kiln.toml:3:14: layers.a.projection: ", "globe, plane"),
        (&layer("order = \"xy\""), "kiln.toml:3:9: layers.a.order: ", "one of lon-lat, lat-lon"),
        (&layer("day_first = \"yes\""), "kiln.toml:3:13: layers.a.day_first: ", "true or false"),
        ("[layers.a]\ntable = \"t\"\ncrs = \"EPSG:3857\"", "kiln.toml:3:1: layers.a.crs: ", "only an input"),
        ("[images]\nttl = ", "kiln.toml:2:7: ", "not TOML"),
        ("[images]\nttl = 1\nttl = 2", "kiln.toml:3:1: ", "not TOML"),
        ("[limits]\npoints = 99999999999999999999", "kiln.toml:2:10: ", ""),
    ] {
        let line = rejected(read(text));
        assert!(line.starts_with(place) && line.contains(words), "{text}: {line}");
    }
}

#[test]
fn invalid_variables_are_reported_by_name() {
    for (variable, text, words) in [
        ("KILN_IMAGES_TTL", "soon", "KILN_IMAGES_TTL: images.ttl: \"soon\" is not a time"),
        ("KILN_SERVER_LITSEN", "80", "did you mean KILN_SERVER_LISTEN? server has KILN_SERVER_LISTEN, "),
        ("KILN_SEVER_LISTEN", "80", "did you mean KILN_SERVER_LISTEN"),
        ("KILN_LISTEN", "80", "KILN_SECTION_KEY sets a key of server, store"),
        ("KILN_LAYERS_A_INPUT", "a.csv", "in the file or on the command line"),
        ("KILN_SERVER_QUEUE", "", "KILN_SERVER_QUEUE: server.queue: \"\" is not a whole number"),
        ("KILN_LIMITS_POINTS", "-1", "-1 is not a whole number from 1 to"),
    ] {
        let line = rejected(load("", &[(variable, text)]));
        assert!(line.starts_with(variable) && line.contains(words), "{variable}={text}: {line}");
    }
}

#[test]
fn a_missing_file_is_an_error() {
    let error = Config::load(Some(Path::new("/nowhere/kiln.toml")), []).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/kiln.toml: cannot read"), "{error}");
}

#[test]
fn a_printed_configuration_reads_back_the_same() {
    let text = r#"
        [server]
        base_url = "https://maps.example.org/heat"
        render_threads = 2
        cors_origins = ["https://a.example", "https://b.example"]
        [limits]
        radius_px = 12.5
        [schemes]
        folders = ["my \"own\"", 'C:\schemes']
        [bridge]
        layer = "b"
        [layers.b]
        input = ["a.csv", "b.csv"]
        title = "Line\nbreak, \"quotes\" and ünicode"
        projection = "plane"
        weight = "mag"
        style = { radius = 5, opacity = 0.5, scheme = "fire" }
        [layers.a]
        input = "-"
    "#;
    let config = read(text).unwrap();
    config.check().unwrap();
    assert_eq!(config.layers["b"].style_options().unwrap().radius, Some(crate::layer::Radius::Pixels(5.0)));
    assert_eq!(config.bridge_layer(), Some("b"));
    let printed = config.to_toml().unwrap();
    assert_eq!(read(&printed).unwrap(), config, "{printed}");
    assert_eq!(read(&printed).unwrap().to_toml().unwrap(), printed);
    for config in [Config::default(), config] {
        let printed = config.to_toml().unwrap();
        for (section, keys) in Schema::sections() {
            for (name, key) in keys.keys() {
                let is_key = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{name} = "));
                assert!(printed.lines().any(is_key), "{section}.{name} is missing:\n{printed}");
                assert!(printed.contains(&format!("# {}\n# Accepts", key.description().replace('\n', " "))), "{name}");
            }
        }
    }
}

#[test]
fn the_examples_of_the_printed_defaults_are_valid() {
    let printed = Config::default().to_toml().unwrap();
    let examples: String = printed
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ") && !line.contains(". ")).unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    let config = read(&examples).unwrap();
    assert_eq!(config.server.render_threads, Some(4), "{examples}");
    assert!(config.server.token.is_some() && config.page.attribution.is_some());
}

#[test]
fn the_committed_schema_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/kiln.schema.json");
    let committed: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(committed == Config::schema(), "outdated; run: kiln config --schema > docs/kiln.schema.json");
}

#[test]
fn the_layer_of_the_bridge_must_exist() {
    let config = read("[bridge]\nlayer = \"citys\"\n[layers.cities]\ninput = \"a.csv\"").unwrap();
    let line = config.check().unwrap_err().to_string();
    assert!(line.starts_with("kiln.toml:2:9: bridge.layer: ") && line.contains("did you mean cities?"), "{line}");
    assert_eq!(read("[layers.b]\ninput = \"b\"\n[layers.a]\ninput = \"a\"").unwrap().bridge_layer(), Some("a"));
}

#[test]
fn unknown_keys_cannot_be_set() {
    let mut builder = ConfigBuilder::default();
    for (path, words) in
        [("images.tttl", "did you mean ttl?"), ("ttl", "did you mean images.ttl or queries.ttl or masks.ttl?")]
    {
        let line = builder.set("--flag", path, "1h").unwrap_err().to_string();
        assert!(line.starts_with(&format!("--flag: {path}: ")) && line.contains(words), "{line}");
    }
    let line = builder.set("--ttl", "images.ttl", "soon").unwrap_err().to_string();
    assert!(line.starts_with("--ttl: images.ttl: \"soon\" is not a time from 1s to 3650d"), "{line}");
    assert_eq!(builder.build().unwrap(), Config::default());
}
