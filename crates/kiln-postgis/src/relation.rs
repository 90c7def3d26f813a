//! A table, a view or a query, as SQL.

use super::columns::CatalogColumn;
use super::local_time::push_time_parts;
use super::quote::identifier;
use super::sql::{Instant, Sql};
use kiln_core::error::{Error, Result};
use kiln_core::geo::Points;
use kiln_core::parameter::Parameter;
use kiln_core::source::{Columns, Comparison, Description, Operand, Query, parse_time_us};

/// The specification of a live layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableSpec {
    /// The table or view, as `schema.table` or `table`.
    pub table: Option<String>,
    /// Alternatively, an SQL query of the administrator whose rows are the points.
    pub sql: Option<String>,
    /// The geometry column; `none` for rows without positions, which have matrices only. Default: the only one.
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

impl TableSpec {
    /// Whether the rows have positions: not if the geometry column is [`Columns::NO_COLUMN`].
    pub fn has_positions(&self) -> bool {
        self.geometry.as_deref() != Some(Columns::NO_COLUMN)
    }
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
    /// The name of its type in the database.
    pub(super) type_name: String,
}

impl Column {
    pub(super) fn sql(&self) -> String {
        format!("k.{}", identifier(&self.name))
    }

    /// The number, as `float8`; NULL if it is beyond that type.
    pub(super) fn number_sql(&self) -> String {
        let sql = self.sql();
        if self.type_name != "numeric" {
            return format!("{sql}::float8");
        }
        // PostgreSQL rejects a cast that overflows or underflows.
        let (min, max) = (f64::MIN_POSITIVE, f64::MAX);
        format!("(CASE WHEN abs({sql}) < {min:e} THEN 0 WHEN abs({sql}) <= {max:e} THEN {sql}::float8 END)")
    }

    /// The condition that there is a time which has a local time in all zones, and microseconds in an `i64`: not
    /// infinity, and within the years 4713 BC to 293999.
    pub(super) fn has_time(&self) -> String {
        let literal = match (self.kind, self.type_name.as_str()) {
            (ColumnType::TimestampTz, _) => "TIMESTAMPTZ",
            (_, "date") => "DATE",
            _ => "TIMESTAMP",
        };
        let sql = self.sql();
        format!("{sql} >= {literal} '4713-01-01 BC' AND {sql} < {literal} '294000-01-01'")
    }

    /// The time, as a timestamp; NULL unless [`has_time`](Self::has_time).
    pub(super) fn time_sql(&self) -> String {
        // PostgreSQL rejects casts and local times out of its range.
        format!("(CASE WHEN {} THEN {}::{} END)", self.has_time(), self.sql(), self.kind.timestamp_type())
    }

    /// The condition that there is a number, and it is a valid weight.
    pub(super) fn has_number(&self) -> String {
        let max = f64::from(Points::MAX_WEIGHT);
        match self.kind {
            ColumnType::SmallInteger => format!("{} IS NOT NULL", self.sql()),
            // The planner underestimates the rows that match BETWEEN.
            _ => format!("abs({}) <= {max}", self.number_sql()),
        }
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
    /// The object identifier of the table: another one if the table was dropped and created again.
    pub(super) oid: Option<u32>,
    /// Whether it is a view.
    pub(super) is_view: bool,
    /// `None` if the rows have no positions.
    pub(super) geometry: Option<Geometry>,
    pub(super) weight: Option<Column>,
    pub(super) time: Option<Column>,
    pub(super) category: Option<Column>,
    /// All columns of a supported type.
    pub(super) columns: Vec<Column>,
    /// The other columns, except those of geometries.
    pub(super) unsupported: Vec<CatalogColumn>,
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

    /// Allows all columns of a supported type in comparisons, and as axes and values of matrices: for callers who may
    /// read the whole table.
    #[must_use]
    pub fn with_all_columns(mut self) -> Self {
        self.description.comparable = self.columns.iter().map(|column| column.name.clone()).collect();
        self
    }

    /// Whether requests may use the column `name`.
    fn allows(&self, name: &str) -> bool {
        self.roles().any(|role| role == name) || self.description.comparable.iter().any(|column| column == name)
    }

    /// The columns of a supported type that requests may use: those of roles, then the others.
    pub(super) fn allowed_columns(&self) -> Vec<&Column> {
        let mut allowed: Vec<&Column> = [&self.weight, &self.time, &self.category].into_iter().flatten().collect();
        for name in &self.description.comparable {
            if let Some(column) = self.columns.iter().find(|column| column.name == *name)
                && !allowed.iter().any(|known| known.name == *name)
            {
                allowed.push(column);
            }
        }
        allowed
    }

    /// The column `name`, for the axis or the value of a matrix that `parameter` selects.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no column of that name that requests may use, or its type is unsupported.
    pub(super) fn allowed_column(&self, parameter: Parameter, name: &str) -> Result<&Column> {
        if self.allows(name) {
            if let Some(column) = self.columns.iter().find(|column| column.name == name) {
                return Ok(column);
            }
            if let Some(column) = self.unsupported.iter().find(|column| column.name == name) {
                let message = format!(
                    "column `{name}` has the type {}; expected numbers, times, text or another type of single values",
                    column.type_name
                );
                return Err(Error::invalid(parameter, message));
            }
        }
        let names: Vec<&str> = self.allowed_columns().into_iter().map(|column| column.name.as_str()).collect();
        let known = if names.is_empty() {
            "the table has no columns that requests may use".to_owned()
        } else {
            format!("the columns of the table that requests may use are {}", names.join(", "))
        };
        Err(Error::invalid(parameter, format!("`{name}` is unknown; {known}")))
    }

    /// As [`allowed_column`](Self::allowed_column), for numbers.
    ///
    /// # Errors
    /// [`Error::Invalid`], also if the column is not numeric.
    pub(super) fn numeric_column(&self, parameter: Parameter, name: &str) -> Result<&Column> {
        let column = self.allowed_column(parameter, name)?;
        if column.kind.is_number() {
            return Ok(column);
        }
        let message = format!("column `{name}` has the type {}; expected a numeric column", column.type_name);
        Err(Error::invalid(parameter, message))
    }

    /// Rejects a request for positions of rows that have none.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `layer`.
    pub(super) fn require_positions(&self) -> Result<()> {
        if self.geometry.is_some() {
            return Ok(());
        }
        let message = format!("the table of `{}` has no geometry, so it has matrices only", self.label);
        Err(Error::invalid(Parameter::LAYER, message))
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
        let geometry = self.geometry.as_ref().map_or("", |geometry| &geometry.name);
        self.table.as_ref().map(|table| format!("{table}.{geometry}"))
    }

    /// The name of the weight column.
    pub fn weight(&self) -> Option<&str> {
        self.weight.as_ref().map(|column| column.name.as_str())
    }

    /// Whether points are transformed to degrees.
    pub(super) fn transforms(&self) -> bool {
        self.geometry.as_ref().is_some_and(|geometry| geometry.srid != WGS84)
    }

    /// The FROM items.
    pub(super) fn items(&self) -> String {
        let mut items = self.stored_items();
        if let Some(Geometry { stored_srid, srid, .. }) = self.geometry.as_ref().filter(|_| self.transforms()) {
            let point = self.stored_point_sql();
            let point = if stored_srid == srid { point } else { format!("ST_SetSRID({point}, {srid})") };
            let transformed = format!(" CROSS JOIN LATERAL (SELECT ST_Transform({point}, {WGS84}) AS p OFFSET 0) AS q");
            items.push_str(&transformed);
        }
        items
    }

    /// The FROM items without the transformation of points.
    pub(super) fn stored_items(&self) -> String {
        let mut items = self.from.clone();
        if self.is_mixed() {
            items.extend([" CROSS JOIN LATERAL ST_DumpPoints(", &self.geometry_sql(), ") AS d"]);
        }
        items
    }

    fn is_mixed(&self) -> bool {
        self.geometry.as_ref().is_some_and(|geometry| geometry.is_mixed)
    }

    fn geometry_sql(&self) -> String {
        let Some(Geometry { name, is_geography, .. }) = &self.geometry else { return "NULL".into() };
        let column = format!("k.{}", identifier(name));
        if *is_geography { format!("{column}::geometry") } else { column }
    }

    /// The point in the reference system of the table.
    fn stored_point_sql(&self) -> String {
        if self.is_mixed() { "d.geom".into() } else { self.geometry_sql() }
    }

    fn point_sql(&self) -> String {
        if self.transforms() { "q.p".into() } else { self.stored_point_sql() }
    }

    /// The longitude, of [`items`](Self::items); 0 if the rows have no positions.
    pub(super) fn lon(&self) -> String {
        if self.geometry.is_none() { "0::float8".into() } else { format!("ST_X({})", self.point_sql()) }
    }

    /// The latitude, of [`items`](Self::items); 0 if the rows have no positions.
    pub(super) fn lat(&self) -> String {
        if self.geometry.is_none() { "0::float8".into() } else { format!("ST_Y({})", self.point_sql()) }
    }

    /// The condition that a row of [`stored_items`](Self::stored_items) has a point.
    pub(super) fn has_stored_point(&self) -> Option<String> {
        self.geometry.as_ref().map(|_| format!("ST_X({}) IS NOT NULL", self.stored_point_sql()))
    }

    /// The stored weight, as `float8`.
    pub(super) fn weight_sql(&self) -> Option<String> {
        self.weight.as_ref().map(Column::number_sql)
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

    /// The column of the weight.
    pub(super) fn weight_column(&self) -> Option<&Column> {
        self.weight.as_ref()
    }

    /// The condition that the weight is valid.
    pub(super) fn has_weight(&self) -> Option<String> {
        self.weight.as_ref().map(Column::has_number)
    }

    /// The time, as a timestamp; NULL for rows that count as having no time.
    pub(super) fn time_sql(&self) -> Option<String> {
        self.time.as_ref().map(Column::time_sql)
    }

    pub(super) fn category_sql(&self) -> Option<String> {
        self.category.as_ref().map(|column| format!("NULLIF({}::text, '')", column.sql()))
    }

    /// Appends the WHERE clause of a query, without its polygon. Returns the keyword of a further condition.
    pub(super) fn push_conditions(&self, sql: &mut Sql, query: &Query<'_>, boxes: Option<&[Box4]>) -> &'static str {
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
        if self.is_mixed() {
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
            if query.filter.filters_time() {
                next(sql);
                sql.push(&time.has_time());
            }
            for filter in &query.filter.time_parts {
                next(sql);
                push_time_parts(sql, self, filter);
            }
        }
        if let (Some(category), false) = (&self.category, query.filter.categories.is_empty()) {
            next(sql);
            sql.push(&format!("{}::text = ANY(", category.sql()))
                .value(query.filter.categories.to_strings(), "text[]")
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
        keyword
    }

    /// Checks the column and the operand of a comparison.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `where` if the column is unknown or the operand does not match its type.
    pub fn check_comparison(&self, comparison: &Comparison) -> Result<()> {
        let Comparison { column: name, operand, .. } = comparison;
        let invalid = |reason: String| Err(Error::invalid(Parameter::WHERE, reason));
        let Some(column) = self.columns.iter().find(|column| column.name == *name && self.allows(name)) else {
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
                sql.push(&format!("{} {operator} ", found.number_sql())).value(*number, "float8");
            }
            (Some(found), Operand::Text(text)) if found.kind.is_time() => {
                let kind = found.kind.timestamp_type();
                let instant = Instant(parse_time_us(text).unwrap_or(Points::NO_TIME));
                // A cast of a date may be out of range; a comparison is not.
                sql.push(&format!("{} {operator} ", found.sql())).value(instant, kind);
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
        let is_geography = self.geometry.as_ref().is_some_and(|geometry| geometry.is_geography);
        self.geometry.is_some()
            && (!is_geography || boxes.iter().all(|[west, _, east, _]| east - west <= MAX_WIDTH_DEG))
    }

    /// Appends the condition that the bounding box of a geometry overlaps a box, in the reference system of the table
    /// so that the spatial index applies.
    fn push_box(&self, sql: &mut Sql, [west, south, east, north]: Box4) {
        /// Transformed edges are curves: each is divided into segments, and the box is enlarged by a margin.
        const SEGMENTS: f64 = 16.0;
        const MARGIN: f64 = 1.0 / 64.0;
        const MIN_MARGIN_DEG: f64 = 1e-7;
        let Some(Geometry { name, is_geography, stored_srid, srid, .. }) = &self.geometry else {
            sql.push("true");
            return;
        };
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
