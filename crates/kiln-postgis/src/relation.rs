//! A table, a view or a query, as SQL.

use super::quote::identifier;
use super::sql::{Instant, Sql};
use kiln_core::error::{Error, Result};
use kiln_core::geo::Points;
use kiln_core::parameter::Parameter;
use kiln_core::source::{Comparison, Description, Operand, Query, parse_time_us};

/// The specification of a live layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableSpec {
    /// The table or view, as `schema.table` or `table`.
    pub table: Option<String>,
    /// Alternatively, an SQL query of the administrator whose rows are the points.
    pub sql: Option<String>,
    /// The geometry column. Default: the only one.
    pub geometry: Option<String>,
    /// The weight column. Default: detected by its usual names. For this and the next two, `none` means no column.
    pub weight: Option<String>,
    /// The time column. Default: detected by its usual names, or the only one of a suitable type.
    pub time: Option<String>,
    /// The category column. Default: detected by its usual names.
    pub category: Option<String>,
    /// A condition of the administrator, in SQL.
    pub filter: Option<String>,
    /// The SRID of geometries without one.
    pub srid: Option<i32>,
}

/// A table's name in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// The schema.
    pub schema: String,
    /// The name within the schema.
    pub name: String,
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// The type of the values of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// Integers that `float4` represents exactly.
    SmallInteger,
    /// Other integers.
    Integer,
    /// `float4`.
    Float4,
    /// Other numbers.
    Numeric,
    /// Timestamps with a time zone.
    TimestampTz,
    /// Timestamps or dates without a time zone, read as UTC.
    Timestamp,
    /// Text, or a type that casts to text.
    Text,
}

impl ColumnType {
    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::SmallInteger | Self::Integer | Self::Float4 | Self::Numeric)
    }

    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::TimestampTz | Self::Timestamp)
    }

    /// The SQL timestamp type of this type.
    fn timestamp_type(self) -> &'static str {
        if self == Self::TimestampTz { "timestamptz" } else { "timestamp" }
    }
}

/// A column that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: ColumnType,
}

impl Column {
    fn sql(&self) -> String {
        format!("k.{}", identifier(&self.name))
    }
}

/// The geometry column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) name: String,
    pub(super) is_geography: bool,
    /// The declared SRID, and the actual one.
    pub(super) stored_srid: i32,
    pub(super) srid: i32,
    /// Whether a row may contain several points, or other geometries.
    pub(super) is_mixed: bool,
}

/// The SRID of longitude and latitude in degrees.
pub(super) const WGS84: i32 = 4326;

/// A table, view or query of points: its FROM item and the roles of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The name in messages.
    pub(super) label: String,
    /// The FROM item, with the alias `k`.
    pub(super) from: String,
    pub(super) table: Option<TableName>,
    /// Whether it is a view.
    pub(super) is_view: bool,
    pub(super) geometry: Geometry,
    pub(super) weight: Option<Column>,
    pub(super) time: Option<Column>,
    pub(super) category: Option<Column>,
    /// All columns that comparisons may use.
    pub(super) columns: Vec<Column>,
    pub(super) filter: Option<String>,
    /// Whether there is a spatial index; `None` if unknown.
    pub(super) is_indexed: Option<bool>,
    /// Title, attribution, weight, comparable columns and default style of the layer.
    pub(super) description: Description,
}

/// A rectangle in degrees: west, south, east, north.
pub(super) type Box4 = [f64; 4];

impl Relation {
    /// The name in messages.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// A description of the columns' roles.
    pub fn describe_columns(&self) -> String {
        let mut text = format!("points of {}", self.geometry.name);
        for (word, column) in [("weight", &self.weight), ("time", &self.time), ("category", &self.category)] {
            if let Some(column) = column {
                text.extend([", ", word, " ", &column.name]);
            }
        }
        if self.is_indexed == Some(false) {
            text.push_str("; there is no spatial index on the geometry, so each picture reads all rows");
        }
        text
    }

    /// Sets the description of the layer. Its weight is ignored in favor of that of the relation; the weight, time and
    /// category columns are always comparable.
    #[must_use]
    pub fn with_description(self, description: Description) -> Self {
        Self { description, ..self }
    }

    /// Title, attribution, weight, comparable columns and default style of the layer.
    pub fn description(&self) -> Description {
        let mut description = self.description.clone();
        description.weight = self.weight().map(str::to_owned);
        description.comparable.splice(0..0, self.roles().map(str::to_owned));
        description
    }

    /// The names of the weight, time and category columns.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        [&self.weight, &self.time, &self.category].into_iter().flatten().map(|column| column.name.as_str())
    }

    /// The table's own name; `None` for a query.
    pub fn table_name(&self) -> Option<&str> {
        self.table.as_ref().map(|table| table.name.as_str())
    }

    /// The table's name with its schema, quoted for SQL; `None` for a query.
    pub fn quoted_name(&self) -> Option<String> {
        let is_plain = |name: &str| {
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        let part = |name: &String| if is_plain(name) { name.clone() } else { identifier(name) };
        self.table.as_ref().map(|table| format!("{}.{}", part(&table.schema), part(&table.name)))
    }

    /// A key of the table and the geometry column; `None` for a query.
    pub fn source_key(&self) -> Option<String> {
        self.table.as_ref().map(|table| format!("{table}.{}", self.geometry.name))
    }

    /// The name of the weight column.
    pub fn weight(&self) -> Option<&str> {
        self.weight.as_ref().map(|column| column.name.as_str())
    }

    fn transforms(&self) -> bool {
        self.geometry.srid != WGS84
    }

    /// The FROM items.
    pub(super) fn items(&self) -> String {
        let Geometry { is_mixed, stored_srid, srid, .. } = self.geometry;
        let column = self.geometry_sql();
        let mut items = self.from.clone();
        let mut point = column.clone();
        if is_mixed {
            items.extend([" CROSS JOIN LATERAL ST_DumpPoints(", &column, ") AS d"]);
            point = "d.geom".into();
        }
        if self.transforms() {
            let point = if stored_srid == srid { point } else { format!("ST_SetSRID({point}, {srid})") };
            let transformed = format!(" CROSS JOIN LATERAL (SELECT ST_Transform({point}, {WGS84}) AS p OFFSET 0) AS q");
            items.push_str(&transformed);
        }
        items
    }

    fn geometry_sql(&self) -> String {
        let column = format!("k.{}", identifier(&self.geometry.name));
        if self.geometry.is_geography { format!("{column}::geometry") } else { column }
    }

    fn point_sql(&self) -> String {
        match (self.transforms(), self.geometry.is_mixed) {
            (true, _) => "q.p".into(),
            (false, true) => "d.geom".into(),
            (false, false) => self.geometry_sql(),
        }
    }

    pub(super) fn lon(&self) -> String {
        format!("ST_X({})", self.point_sql())
    }

    pub(super) fn lat(&self) -> String {
        format!("ST_Y({})", self.point_sql())
    }

    /// The stored weight, as `float8`.
    pub(super) fn weight_sql(&self) -> Option<String> {
        self.weight.as_ref().map(|column| format!("{}::float8", column.sql()))
    }

    /// The weight rounded to single precision, as `float8`.
    pub(super) fn rounded_weight(&self) -> Option<String> {
        let column = self.weight.as_ref()?;
        let sql = column.sql();
        Some(match column.kind {
            ColumnType::SmallInteger | ColumnType::Float4 => format!("{sql}::float8"),
            ColumnType::Integer => format!("{sql}::float4::float8"),
            // PostgreSQL rejects a cast that underflows.
            _ => format!("(CASE WHEN abs({sql}) < 1e-37 THEN 0 ELSE {sql}::float4 END)::float8"),
        })
    }

    /// The condition that the weight is valid.
    pub(super) fn has_weight(&self) -> Option<String> {
        let column = self.weight.as_ref()?;
        let max = f64::from(Points::MAX_WEIGHT);
        Some(match column.kind {
            ColumnType::SmallInteger => format!("{} IS NOT NULL", column.sql()),
            // The planner underestimates the rows that match BETWEEN.
            _ => format!("abs({}::float8) <= {max}", column.sql()),
        })
    }

    /// The time, as a timestamp.
    pub(super) fn time_sql(&self) -> Option<String> {
        self.time.as_ref().map(|column| format!("{}::{}", column.sql(), column.kind.timestamp_type()))
    }

    pub(super) fn category_sql(&self) -> Option<String> {
        self.category.as_ref().map(|column| format!("NULLIF({}::text, '')", column.sql()))
    }

    /// Appends the WHERE clause of a query, without its polygon.
    pub(super) fn push_conditions(&self, sql: &mut Sql, query: &Query<'_>, boxes: Option<&[Box4]>) {
        let mut keyword = " WHERE ";
        let mut next = |sql: &mut Sql| {
            sql.push(keyword);
            keyword = " AND ";
        };
        if let Some(filter) = &self.filter {
            next(sql);
            // The newline ends a trailing comment of the filter.
            sql.push(&format!("({filter}\n)"));
        }
        if self.geometry.is_mixed {
            next(sql);
            sql.push(&format!("ST_Dimension({}) = 0", self.geometry_sql()));
        }
        if let Some(time) = &self.time {
            let kind = time.kind.timestamp_type();
            for (sign, bound) in [(">=", query.filter.start_us), ("<", query.filter.end_us)] {
                if let Some(bound) = bound {
                    next(sql);
                    sql.push(&format!("{} {sign} ", time.sql())).value(Instant(bound), kind);
                }
            }
            if query.filter.start_us.is_some() || query.filter.end_us.is_some() {
                next(sql);
                sql.push(&format!("isfinite({})", time.sql()));
            }
        }
        if let (Some(category), false) = (&self.category, query.filter.categories.is_empty()) {
            next(sql);
            sql.push(&format!("{}::text = ANY(", category.sql()))
                .value(query.filter.categories.clone(), "text[]")
                .push(")");
        }
        for comparison in &query.filter.comparisons {
            next(sql);
            self.push_comparison(sql, comparison);
        }
        if let Some(boxes) = boxes.filter(|boxes| self.supports(boxes)) {
            next(sql);
            sql.push("(");
            for (index, bounds) in boxes.iter().enumerate() {
                sql.push(if index > 0 { " OR " } else { "" });
                self.push_box(sql, *bounds);
            }
            sql.push(")");
        }
    }

    /// Checks the column and the operand of a comparison.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `where` if the column is unknown or the operand does not match its type.
    pub fn check_comparison(&self, comparison: &Comparison) -> Result<()> {
        let Comparison { column: name, operand, .. } = comparison;
        let invalid = |reason: String| Err(Error::invalid(Parameter::WHERE, reason));
        let Some(column) = self.columns.iter().find(|column| column.name == *name) else {
            return invalid(format!("there is no column `{name}` of a comparable type"));
        };
        match operand {
            Operand::Number(_) if column.kind.is_number() => Ok(()),
            Operand::Text(text) if column.kind.is_time() => match parse_time_us(text) {
                Some(_) => Ok(()),
                None => invalid(format!("column `{name}` has times, but `{text}` is not a valid time")),
            },
            Operand::Text(text) if column.kind == ColumnType::Text => {
                // Texts of PostgreSQL contain no NUL.
                if text.contains('\0') {
                    invalid(format!("column `{name}` cannot contain a text with a NUL character"))
                } else {
                    Ok(())
                }
            }
            Operand::Number(_) => invalid(format!("column `{name}` is not numeric; give a text")),
            Operand::Text(_) => invalid(format!("column `{name}` is numeric; give a number")),
        }
    }

    fn push_comparison(&self, sql: &mut Sql, comparison: &Comparison) {
        let Comparison { column, operator, operand } = comparison;
        let operator = match operator.to_string().as_str() {
            "!=" => "<>".to_owned(),
            other => other.to_owned(),
        };
        let found = self.columns.iter().find(|known| known.name == *column);
        match (found, operand) {
            (Some(found), Operand::Number(number)) if found.kind.is_number() => {
                sql.push(&format!("{}::float8 {operator} ", found.sql())).value(*number, "float8");
            }
            (Some(found), Operand::Text(text)) if found.kind.is_time() => {
                let kind = found.kind.timestamp_type();
                let instant = Instant(parse_time_us(text).unwrap_or(Points::NO_TIME));
                sql.push(&format!("{}::{kind} {operator} ", found.sql())).value(instant, kind);
            }
            (Some(found), Operand::Text(text)) if found.kind == ColumnType::Text => {
                sql.push(&format!("{}::text {operator} ", found.sql())).value(text.clone(), "text");
            }
            // Unreachable: `check_comparison` has rejected other comparisons.
            _ => {
                sql.push("false");
            }
        }
    }

    /// Whether the boxes can be used as a condition.
    fn supports(&self, boxes: &[Box4]) -> bool {
        /// On the sphere, the edges of wider boxes deviate too much from parallels.
        const MAX_WIDTH_DEG: f64 = 60.0;
        !self.geometry.is_geography || boxes.iter().all(|[west, _, east, _]| east - west <= MAX_WIDTH_DEG)
    }

    /// Appends the condition that the bounding box of a geometry overlaps a box, in the reference system of the table
    /// so that the spatial index applies.
    fn push_box(&self, sql: &mut Sql, [west, south, east, north]: Box4) {
        /// Transformed edges are curves: each is divided into segments, and the box is enlarged by a margin.
        const SEGMENTS: f64 = 16.0;
        const MARGIN: f64 = 1.0 / 64.0;
        const MIN_MARGIN_DEG: f64 = 1e-7;
        let Geometry { name, is_geography, stored_srid, srid, .. } = &self.geometry;
        let is_plain = *srid == WGS84 && !is_geography;
        let size = (east - west).max(north - south);
        let margin = if is_plain { MIN_MARGIN_DEG } else { (size * MARGIN).max(MIN_MARGIN_DEG) };
        let south = (south - margin).max(-90.0);
        let north = (north + margin).min(90.0);
        sql.push(&format!("k.{} && ", identifier(name)));
        let envelope = |sql: &mut Sql, srid: i32| {
            sql.push("ST_MakeEnvelope(");
            for edge in [west - margin, south, east + margin, north] {
                sql.value(edge, "float8").push(", ");
            }
            sql.push(&format!("{srid})"));
        };
        if is_plain {
            envelope(sql, *stored_srid);
            return;
        }
        sql.push(if *is_geography { "ST_Segmentize(" } else { "ST_SetSRID(ST_Transform(ST_Segmentize(" });
        envelope(sql, WGS84);
        sql.push(", ").value((size + 2.0 * margin) / SEGMENTS, "float8");
        if *is_geography {
            sql.push(")::geography");
        } else {
            sql.push(&format!("), {srid}), {stored_srid})"));
        }
    }
}
