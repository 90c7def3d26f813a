//! The text of the SQL in dialects that no test runs, and quoting in all of them.
#![allow(clippy::unwrap_used)]

use crate::name::Part;
use crate::{BinsQuery, Bucket, Engine};

fn full() -> BinsQuery {
    BinsQuery {
        weight: Some("fare".into()),
        time: Some(("paid_at".into(), Bucket::Seconds(86_400))),
        category: Some("kind".into()),
        condition: Some("fare > 0 OR kind = 'x'".into()),
        at_least: Some(5),
        ..BinsQuery::new("lake.trips", 14)
    }
}

/// The text without quoted names and strings.
fn without_quotes(sql: &str) -> String {
    let mut output = String::new();
    let mut quote = None;
    for char in sql.chars() {
        match quote {
            Some(open) if char == open => quote = None,
            Some(_) => {}
            None if ['\'', '"', '`'].contains(&char) => quote = Some(char),
            None => output.push(char),
        }
    }
    assert_eq!(quote, None, "a quote is open in {sql}");
    output
}

#[test]
fn every_name_of_the_generator_has_its_prefix() {
    for engine in Engine::ALL {
        let sql = without_quotes(&full().select(engine).unwrap());
        let depth = sql.chars().fold(0, |depth: i32, char| depth + i32::from(char == '(') - i32::from(char == ')'));
        assert_eq!(depth, 0, "{sql}");
        for alias in sql.split(" AS ").skip(1).filter_map(|rest| rest.split([',', '\n', ')', ' ']).next()) {
            let is_type =
                ["DOUBLE", "FLOAT64", "REAL", "FLOAT", "INT", "INT64", "BIGINT", "STRING", "VARCHAR", "TIMESTAMP"];
            let is_type = is_type.iter().any(|name| alias == *name || alias.starts_with("TIMESTAMP("));
            assert!(alias.is_empty() || alias.starts_with("kiln_") || is_type, "{engine}: {alias}");
        }
        assert!(
            sql.contains("HAVING COUNT(*) >= 5") && sql.contains("kiln_x, kiln_y, kiln_time, kiln_category"),
            "{sql}"
        );
    }
}

#[test]
fn quotes_and_backslashes_stay_inside_of_names_and_strings() {
    let name = |text: &str| Part { text: text.into(), is_quoted: true };
    for (engine, identifier, string) in [
        (Engine::Spark, "`a\"``\\`", r"'a\'\\'"),
        (Engine::DuckDb, "\"a\"\"`\\\"", r"'a''\'"),
        (Engine::ClickHouse, r#"`a"\`\\`"#, r"'a\'\\'"),
        (Engine::Trino, "\"a\"\"`\\\"", r"'a''\'"),
        (Engine::BigQuery, r#"`a"\`\\`"#, r"'a\'\\'"),
        (Engine::Snowflake, "\"a\"\"`\\\"", r"'a\'\\'"),
    ] {
        let dialect = engine.dialect();
        assert_eq!(dialect.identifier(&name("a\"`\\")), identifier, "{engine}");
        assert_eq!(dialect.string("a'\\"), string, "{engine}");
    }
    let plain = Part { text: "Fare".into(), is_quoted: false };
    assert_eq!(Engine::Snowflake.dialect().identifier(&plain), "\"FARE\"");
    assert_eq!(Engine::Snowflake.dialect().identifier(&name("Fare")), "\"Fare\"");
}

#[test]
fn warehouses_write_parquet_in_their_own_way() {
    let query = BinsQuery::new("lake.trips", 14);
    for (engine, to, start, end) in [
        (Engine::Spark, "s3a://b/x", "INSERT OVERWRITE DIRECTORY 's3a://b/x' USING parquet\nSELECT ", "kiln_y"),
        (
            Engine::DuckDb,
            "s3://b/x/",
            "COPY (\nSELECT ",
            ") TO 's3://b/x' (FORMAT parquet, COMPRESSION zstd, PER_THREAD_OUTPUT true)",
        ),
        (
            Engine::ClickHouse,
            "s3://b/x",
            "INSERT INTO FUNCTION s3('s3://b/x/part-0.parquet', 'Parquet')\nSELECT ",
            "kiln_y",
        ),
        (
            Engine::Trino,
            "hive.lake.bins",
            "CREATE TABLE \"hive\".\"lake\".\"bins\" WITH (format = 'PARQUET') AS\nSELECT ",
            "kiln_y",
        ),
        (
            Engine::Trino,
            "s3://b/x",
            "UNLOAD (\nSELECT ",
            "\n) TO 's3://b/x/' WITH (format = 'PARQUET', compression = 'ZSTD')",
        ),
        (
            Engine::BigQuery,
            "gs://b/x",
            "EXPORT DATA OPTIONS (uri = 'gs://b/x/part-*.parquet', format = 'PARQUET', compression = 'ZSTD') AS\nSELECT ",
            "kiln_y",
        ),
        (
            Engine::Snowflake,
            "gs://b/x",
            "COPY INTO 'gcs://b/x/' FROM (\nSELECT ",
            "\n) FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE",
        ),
        (Engine::Snowflake, "@stage/x", "COPY INTO '@stage/x/' FROM (\nSELECT ", "HEADER = TRUE"),
    ] {
        let sql = query.export(engine, to).unwrap();
        assert!(sql.starts_with(start) && sql.ends_with(end), "{engine} {to}: {sql}");
    }
}

#[test]
fn numbers_are_doubles_in_every_dialect() {
    // A number without an exponent is a decimal in Spark, Trino and Snowflake.
    for engine in Engine::ALL {
        let sql = without_quotes(&BinsQuery::new("t", 0).select(engine).unwrap());
        for number in sql.split(|char: char| !(char.is_ascii_alphanumeric() || ".-_".contains(char))) {
            if number.contains('.') && number.chars().all(|char| char.is_ascii_digit() || ".-".contains(char)) {
                assert!(number.starts_with('.') || number.ends_with('.'), "{engine}: {number}");
            }
        }
        assert_eq!(sql.contains("E-1"), engine != Engine::Snowflake, "{sql}");
    }
    assert!(BinsQuery::new("t", 0).select(Engine::Snowflake).unwrap().contains(" * '6.931471805599453E-1'::DOUBLE"));
}

#[test]
fn a_program_has_the_same_sql_with_escaped_quotes() {
    let query = BinsQuery {
        condition: Some("a = \"\"\"\\n@TOTAL@ {partition}".into()),
        ..BinsQuery::new("la\\ke.\"a\"\"b\"", 3)
    };
    let program = query.pyspark(Some("s3a://b/\"")).unwrap();
    assert!(program.contains("a = \\\"\\\"\\\"\\\\n@TOTAL@ {partition}"), "{program}");
    assert!(
        program.contains(r#"default="s3a://b/\"""#) && program.contains("Bins of la'ke.'a''b' for Kiln"),
        "{program}"
    );
    let lines = program.replace(&query.select(Engine::Spark).unwrap(), "").lines().count();
    assert!(program.matches("COUNT(*) AS n").count() == 1 && lines < 120, "{lines}");
    let minimum = BinsQuery { at_least: Some(2), ..query };
    assert!(minimum.pyspark(None).unwrap().contains("required=True"));
    assert!(minimum.pyspark(None).unwrap().contains("SELECT SUM(n) AS n FROM (\nSELECT 11 AS `level`"));
}
