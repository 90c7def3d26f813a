//! A table, a view or a query of the database, as SQL.

use super::quote::identifier;
use super::sql::{Instant, Sql};
use kiln_core::error::{Error, Result};
use kiln_core::geo::Points;
use kiln_core::parameter::Parameter;
use kiln_core::source::{Comparison, Description, Operand, Query, parse_time_us};

/// What a live layer is made of, as its owner says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableSpec {
    /// The table or view, as `schema.table` or `table`.
    pub table: Option<String>,
    /// Or a query of the server's owner, whose rows are the points.
    pub sql: Option<String>,
    /// The column of the points; `None`: the only one that there is.
    pub geometry: Option<String>,
    /// The column of the weight; `None`: found by its usual names.
    pub weight: Option<String>,
    /// The column of the time; `None`: found by its usual names, or the only one of such a type.
    pub time: Option<String>,
    /// The column of the category; `None`: found by its usual names.
    pub category: Option<String>,
    /// A condition of the server's owner that rows have to meet, in SQL.
    pub filter: Option<String>,
    /// The coordinate system of points that do not say it themselves.
    pub srid: Option<i32>,
}

/// A table's name, as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// The schema that it is in.
    pub schema: String,
    /// Its own name.
    pub name: String,
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// What a column holds, as far as it is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whole numbers that single precision holds.
    Small,
    /// Other whole numbers.
    Whole,
    /// Numbers in single precision.
    Single,
    /// Other numbers.
    Number,
    /// Instants with a time zone.
    Zoned,
    /// Instants or dates without one: UTC.
    Unzoned,
    /// Anything that is a text, or has one.
    Text,
}

impl Kind {
    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Small | Self::Whole | Self::Single | Self::Number)
    }

    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::Zoned | Self::Unzoned)
    }

    /// What the database calls an instant of this kind.
    fn instant(self) -> &'static str {
        if self == Self::Zoned { "timestamptz" } else { "timestamp" }
    }
}

/// A column that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

impl Column {
    fn sql(&self) -> String {
        format!("k.{}", identifier(&self.name))
    }
}

/// The column of the points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) name: String,
    pub(super) is_geography: bool,
    /// The coordinate system that the values name, and the one that they are in.
    pub(super) stored_srid: i32,
    pub(super) srid: i32,
    /// Whether a row may hold several points, or something else.
    pub(super) is_mixed: bool,
}

/// Degrees of longitude and latitude.
pub(super) const DEGREES: i32 = 4326;

/// Rows of a database that are points: where they come from, and which column is what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// What messages call it.
    pub(super) label: String,
    /// The item of FROM that gives the rows, called `k`.
    pub(super) from: String,
    pub(super) table: Option<TableName>,
    /// Whether other tables hold its rows.
    pub(super) is_view: bool,
    pub(super) geometry: Geometry,
    pub(super) weight: Option<Column>,
    pub(super) time: Option<Column>,
    pub(super) category: Option<Column>,
    /// All columns that may be compared.
    pub(super) columns: Vec<Column>,
    pub(super) filter: Option<String>,
    /// Whether an index finds points by their place; `None` where that is not known.
    pub(super) is_indexed: Option<bool>,
    /// How a layer of the rows is named and drawn.
    pub(super) description: Description,
}

/// A rectangle in degrees: west, south, east, north.
pub(super) type Box4 = [f64; 4];

impl Relation {
    /// What messages call it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Which column is what, for people.
    pub fn described(&self) -> String {
        let mut text = format!("points of {}", self.geometry.name);
        for (word, column) in [("weight", &self.weight), ("time", &self.time), ("category", &self.category)] {
            if let Some(column) = column {
                text.extend([", ", word, " ", &column.name]);
            }
        }
        if self.is_indexed == Some(false) {
            text.push_str("; no index finds them by their place, so every picture reads all rows");
        }
        text
    }

    /// The relation with a description of its layer. Its weight is that of the relation; the columns of weight, time and
    /// category can always be compared.
    #[must_use]
    pub fn with_description(self, description: Description) -> Self {
        Self { description, ..self }
    }

    /// How a layer of the rows is named and drawn.
    pub fn description(&self) -> Description {
        let mut description = self.description.clone();
        description.weight = self.weight().map(str::to_owned);
        description.comparable.splice(0..0, self.roles().map(str::to_owned));
        description
    }

    /// The names of the columns of weight, time and category, as far as there are such.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        [&self.weight, &self.time, &self.category].into_iter().flatten().map(|column| column.name.as_str())
    }

    /// The table's own name; `None` for a query.
    pub fn table_name(&self) -> Option<&str> {
        self.table.as_ref().map(|table| table.name.as_str())
    }

    /// The table's name with its schema, as SQL reads it; `None` for a query.
    pub fn quoted_name(&self) -> Option<String> {
        let is_plain = |name: &str| {
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        let part = |name: &String| if is_plain(name) { name.clone() } else { identifier(name) };
        self.table.as_ref().map(|table| format!("{}.{}", part(&table.schema), part(&table.name)))
    }

    /// Which places of which table it is; `None` for a query.
    pub fn source_key(&self) -> Option<String> {
        self.table.as_ref().map(|table| format!("{table}.{}", self.geometry.name))
    }

    /// The name of the weight's column.
    pub fn weight(&self) -> Option<&str> {
        self.weight.as_ref().map(|column| column.name.as_str())
    }

    fn transforms(&self) -> bool {
        self.geometry.srid != DEGREES
    }

    /// The items of FROM.
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
            let transformed =
                format!(" CROSS JOIN LATERAL (SELECT ST_Transform({point}, {DEGREES}) AS p OFFSET 0) AS q");
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

    /// The weight as the database keeps it, in double precision.
    pub(super) fn weight_sql(&self) -> Option<String> {
        self.weight.as_ref().map(|column| format!("{}::float8", column.sql()))
    }

    /// The weight rounded to single precision, as points have it, in double precision.
    pub(super) fn rounded_weight(&self) -> Option<String> {
        let column = self.weight.as_ref()?;
        let sql = column.sql();
        Some(match column.kind {
            Kind::Small | Kind::Single => format!("{sql}::float8"),
            Kind::Whole => format!("{sql}::float4::float8"),
            // What single precision takes for 0 is an error to the database.
            _ => format!("(CASE WHEN abs({sql}) < 1e-37 THEN 0 ELSE {sql}::float4 END)::float8"),
        })
    }

    /// The condition that a row has a weight that points may have.
    pub(super) fn has_weight(&self) -> Option<String> {
        let column = self.weight.as_ref()?;
        let most = f64::from(Points::MAX_WEIGHT);
        Some(match column.kind {
            Kind::Small => format!("{} IS NOT NULL", column.sql()),
            // The planner takes BETWEEN for something that hardly any row meets.
            _ => format!("abs({}::float8) <= {most}", column.sql()),
        })
    }

    /// The time as the database's own type of an instant.
    pub(super) fn time_sql(&self) -> Option<String> {
        self.time.as_ref().map(|column| format!("{}::{}", column.sql(), column.kind.instant()))
    }

    pub(super) fn category_sql(&self) -> Option<String> {
        self.category.as_ref().map(|column| format!("NULLIF({}::text, '')", column.sql()))
    }

    /// Adds the conditions of a query: which rows, which times, which categories, which places. A polygon is not among them.
    pub(super) fn push_conditions(&self, sql: &mut Sql, query: &Query<'_>, boxes: Option<&[Box4]>) {
        let mut word = " WHERE ";
        let mut next = |sql: &mut Sql| {
            sql.push(word);
            word = " AND ";
        };
        if let Some(filter) = &self.filter {
            next(sql);
            // What follows a comment is on a line of its own.
            sql.push(&format!("({filter}\n)"));
        }
        if self.geometry.is_mixed {
            next(sql);
            sql.push(&format!("ST_Dimension({}) = 0", self.geometry_sql()));
        }
        if let Some(time) = &self.time {
            let kind = time.kind.instant();
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
        if let Some(boxes) = boxes.filter(|boxes| self.finds(boxes)) {
            next(sql);
            sql.push("(");
            for (place, bounds) in boxes.iter().enumerate() {
                sql.push(if place > 0 { " OR " } else { "" });
                self.push_box(sql, *bounds);
            }
            sql.push(")");
        }
    }

    /// Makes sure that the rows have the column that a comparison names, and that it can be compared like that.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `where` if not.
    pub fn check_comparison(&self, comparison: &Comparison) -> Result<()> {
        let Comparison { column: name, operand, .. } = comparison;
        let refused = |why: String| Err(Error::invalid(Parameter::WHERE, why));
        let Some(column) = self.columns.iter().find(|column| column.name == *name) else {
            return refused(format!("the layer's table has no column `{name}` that can be compared"));
        };
        match operand {
            Operand::Number(_) if column.kind.is_number() => Ok(()),
            Operand::Text(text) if column.kind.is_time() => match parse_time_us(text) {
                Some(_) => Ok(()),
                None => refused(format!("the column `{name}` holds times, and `{text}` is none")),
            },
            Operand::Text(text) if column.kind == Kind::Text => {
                // The database cannot hold it.
                if text.contains('\0') { refused(format!("the column `{name}` holds no such text")) } else { Ok(()) }
            }
            Operand::Number(_) => refused(format!("the column `{name}` holds no numbers: give a text")),
            Operand::Text(_) => refused(format!("the column `{name}` holds numbers: give one")),
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
                let kind = found.kind.instant();
                let instant = Instant(parse_time_us(text).unwrap_or(Points::NO_TIME));
                sql.push(&format!("{}::{kind} {operator} ", found.sql())).value(instant, kind);
            }
            (Some(found), Operand::Text(text)) if found.kind == Kind::Text => {
                sql.push(&format!("{}::text {operator} ", found.sql())).value(text.clone(), "text");
            }
            // Whoever made the query has checked it.
            _ => {
                sql.push("false");
            }
        }
    }

    /// Whether the database can look for points in such boxes.
    fn finds(&self, boxes: &[Box4]) -> bool {
        /// On the sphere, wider boxes are no boxes any more.
        const WIDEST_DEG: f64 = 60.0;
        !self.geometry.is_geography || boxes.iter().all(|[west, _, east, _]| east - west <= WIDEST_DEG)
    }

    /// The condition that a row's box meets a box, in the coordinates of the table, so that its index is of use.
    fn push_box(&self, sql: &mut Sql, [west, south, east, north]: Box4) {
        /// Edges become curves: each is cut into so many parts, and some of its length is added.
        const PARTS: f64 = 16.0;
        const MORE: f64 = 1.0 / 64.0;
        const LEAST_DEG: f64 = 1e-7;
        let Geometry { name, is_geography, stored_srid, srid, .. } = &self.geometry;
        let is_plain = *srid == DEGREES && !is_geography;
        let size = (east - west).max(north - south);
        let more = if is_plain { LEAST_DEG } else { (size * MORE).max(LEAST_DEG) };
        let south = (south - more).max(-90.0);
        let north = (north + more).min(90.0);
        sql.push(&format!("k.{} && ", identifier(name)));
        let envelope = |sql: &mut Sql, srid: i32| {
            sql.push("ST_MakeEnvelope(");
            for edge in [west - more, south, east + more, north] {
                sql.value(edge, "float8").push(", ");
            }
            sql.push(&format!("{srid})"));
        };
        if is_plain {
            envelope(sql, *stored_srid);
            return;
        }
        sql.push(if *is_geography { "ST_Segmentize(" } else { "ST_SetSRID(ST_Transform(ST_Segmentize(" });
        envelope(sql, DEGREES);
        sql.push(", ").value((size + 2.0 * more) / PARTS, "float8");
        if *is_geography {
            sql.push(")::geography");
        } else {
            sql.push(&format!("), {srid}), {stored_srid})"));
        }
    }
}
