//! Which columns are read, and how.

use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field};

use super::find::{self, Finder};
use super::places::{AxisColumn, GeometryColumn, Place, PlaceColumns};
use super::sample::{Sample, read_texts};
use super::times::TimeColumn;
use super::values::{is_number, is_text};
use super::{DECIMAL_COMMA, EXTENSION_METADATA, EXTENSION_NAME};
use crate::source::batch::RowFields;
use crate::source::geometry::coordinate::{self, Axis};
use crate::source::geometry::crs::Crs;
use crate::source::geometry::decode::{self, Encoding, TextEncoding};
use crate::source::role::{Need, Role, shown};
use crate::source::table::{Request, Requested, Table, TimeRange};
use crate::source::{AxisOrder, Columns, CoordinateSpace, Query, ReadOptions, ScanReport};
use kiln_core::error::{Error, Result};
use kiln_core::message;
use kiln_core::parameter::{Message, Parameter};
use kiln_core::source::Notice;
use kiln_core::source::time::{DateOrder, TimeFormat, TimeReader, TimeSample, is_time_of_day};

/// Which columns are read, and how.
pub(super) struct Plan {
    name: String,
    /// What is requested of the table: the columns of a batch.
    columns: Vec<Requested>,
    pub(super) place: Place,
    pub(super) weight: Option<WeightColumn>,
    pub(super) time: Option<TimeColumn>,
    pub(super) category: Option<usize>,
    /// Whether numbers in texts may have a decimal comma.
    decimal_comma: bool,
    notices: Vec<Message>,
    /// Columns that the table does not list, each with whether a row had a value for it.
    unlisted: Vec<(usize, AtomicBool)>,
    /// What the table calls rows and columns, and its columns, for messages.
    nouns: crate::source::table::Nouns,
    listed: Vec<String>,
}

/// The column of the weights.
#[derive(Debug)]
pub(super) struct WeightColumn {
    /// Its place among the columns of a batch.
    pub(super) column: usize,
    pub(super) name: String,
    /// Whether the user names it: a row whose weight cannot be read is then rejected.
    pub(super) is_named: bool,
}

impl Plan {
    /// Finds the columns of `table` that `query` needs.
    ///
    /// # Errors
    /// If a column is not found or cannot hold what is needed, if the coordinate reference system is not known, or if the
    /// table cannot be read.
    pub(super) fn of(table: &dyn Table, options: &ReadOptions, query: &Query<'_>) -> Result<Self> {
        Planner { table, options, query, finder: Finder::new(table, query), notices: table.notices() }.plan()
    }

    /// The request for the columns.
    pub(super) fn request<'q>(&'q self, query: &'q Query<'_>, workers: usize) -> Request<'q> {
        let time_range = self.time.as_ref().filter(|_| query.filter.filters_time()).map(|time| {
            let (start, end) = (query.filter.start_us, query.filter.end_us);
            let may_hold = Box::new(move |first: &_, last: &_| time.may_hold(first, last, start, end));
            TimeRange { column: time.column, may_hold }
        });
        Request { columns: self.columns.clone(), workers, time_range }
    }

    /// What every row has.
    pub(super) fn has(&self) -> RowFields {
        RowFields { weight: self.weight.is_some(), time: self.time.is_some(), category: self.category.is_some() }
    }

    /// The number that a text writes.
    pub(super) fn number(&self, text: &str) -> Option<f64> {
        let text = text.trim();
        if let Ok(number) = fast_float2::parse(text) {
            return Some(number);
        }
        if self.decimal_comma && text.matches(',').count() == 1 && !text.contains('.') {
            return fast_float2::parse(text.replace(',', ".")).ok();
        }
        None
    }

    /// Notes which of the columns that the table does not list have a value in a batch.
    pub(super) fn note_met(&self, batch: &RecordBatch) {
        for (column, met) in &self.unlisted {
            if !met.load(Ordering::Relaxed) && batch.column(*column).null_count() < batch.num_rows() {
                met.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Makes sure that columns that the table does not list were there, once it is read.
    ///
    /// # Errors
    /// [`Error::Input`] if no row had one of them.
    pub(super) fn check(&self, report: &ScanReport) -> Result<()> {
        for (column, met) in &self.unlisted {
            if report.read > 0 && !met.load(Ordering::Relaxed) {
                let names = kiln_core::spelling::nearest_first(
                    &self.columns[*column].name,
                    self.listed.iter().map(String::as_str),
                );
                let (nouns, name) = (self.nouns, shown(&self.columns[*column].name));
                let names = kiln_core::source::role::listing(names);
                let has = if names.is_empty() { "; none has any".to_owned() } else { format!("; there are {names}") };
                return Err(Error::input(&self.name, format!("no {} has a {} {name}{has}", nouns.row, nouns.column)));
            }
        }
        Ok(())
    }

    /// How the table was read where that is not evident.
    pub(super) fn notices(&self) -> Vec<Notice> {
        self.notices.iter().map(|message| Notice { input: self.name.clone(), message: message.clone() }).collect()
    }
}

struct Planner<'t> {
    table: &'t dyn Table,
    options: &'t ReadOptions,
    query: &'t Query<'t>,
    finder: Finder<'t>,
    notices: Vec<Message>,
}

/// Columns that may be read, before the first rows were looked at.
struct Candidates {
    place: find::Place,
    hemispheres: Option<[Requested; 2]>,
    weight: Vec<Requested>,
    time: Vec<Requested>,
    /// Columns of dates that times of day may belong to.
    dates: Vec<Requested>,
    category: Option<Requested>,
}

impl Planner<'_> {
    fn plan(mut self) -> Result<Plan> {
        let candidates = self.candidates().map_err(|message| Error::input(self.table.name(), message))?;
        let sample = Sample::of(self.table, self.undecided(&candidates))?;
        let (mut columns, finish) = (Vec::new(), |message| Error::input(self.table.name(), message));
        let place = self.place(&candidates, &sample, &mut columns).map_err(finish)?;
        let weight = self.weight(&candidates, &sample, &mut columns);
        let time = self.time(&candidates, &sample, &mut columns)?;
        let category = candidates.category.map(|column| add(&mut columns, column));
        let unlisted = columns.iter().enumerate().filter(|(_, column)| column.index.is_none());
        let unlisted = unlisted.map(|(place, _)| (place, AtomicBool::new(false))).collect();
        let schema = self.table.schema();
        Ok(Plan {
            name: self.table.name().to_owned(),
            place,
            weight,
            time,
            category,
            decimal_comma: schema.metadata().contains_key(DECIMAL_COMMA),
            notices: self.notices,
            unlisted,
            nouns: self.table.nouns(),
            listed: schema.fields().iter().map(|field| field.name().clone()).collect(),
            columns,
        })
    }

    fn candidates(&self) -> Result<Candidates, Message> {
        let finder = &self.finder;
        let place = finder.place()?;
        let hemispheres = match &place {
            find::Place::Columns { .. } => finder.hemispheres(),
            _ => None,
        };
        let of = |role: Role| {
            let need = role.need(self.query);
            let found = match need {
                Need::No => return Ok(Vec::new()),
                _ => match finder.named(role)? {
                    Some(column) => vec![column],
                    None => finder.usual(role)?,
                },
            };
            if need == Need::Must && found.is_empty() { Err(finder.missing(role)) } else { Ok(found) }
        };
        let filter = &self.query.filter;
        for (role, filters) in [(Role::Time, filter.filters_time()), (Role::Category, filter.filters_category())] {
            if filters && role.named(&self.query.columns.names) == Some(Columns::NO_COLUMN) {
                let text = format!("points cannot be filtered by their {}, which is set to none by ", role.word());
                return Err(message!(text, role.parameter()));
            }
        }
        let (time, dates) = match self.date_and_time()? {
            Some([date, time]) => (vec![time], vec![date]),
            None => (of(Role::Time)?, finder.usual_dates()),
        };
        Ok(Candidates {
            place,
            hemispheres,
            weight: of(Role::Weight)?,
            time,
            dates,
            category: of(Role::Category)?.into_iter().next(),
        })
    }

    /// The columns of a date and of a time of day that the user names together, as in `day+hour`.
    fn date_and_time(&self) -> Result<Option<[Requested; 2]>, Message> {
        let names = self.query.columns.names.time.as_deref().filter(|_| Role::Time.need(self.query) != Need::No);
        let Some((date, time)) = names.and_then(|names| names.split_once('+')) else { return Ok(None) };
        if self.finder.has(names.unwrap_or_default()) {
            return Ok(None);
        }
        Ok(Some([self.finder.by_name(Role::Time, date)?, self.finder.by_name(Role::Time, time)?]))
    }

    /// The columns whose first values have to be looked at.
    fn undecided(&self, candidates: &Candidates) -> Vec<Requested> {
        let has_texts = |column: &&Requested| self.finder.field(column).is_none_or(|field| is_text(field.data_type()));
        let Candidates { place, hemispheres, weight, time, dates, .. } = candidates;
        let places = match place {
            find::Place::Candidates(columns) => columns.iter().filter(has_texts).cloned().collect(),
            find::Place::Geometry(column) if has_texts(&column) => vec![column.clone()],
            _ => Vec::new(),
        };
        let weights = weight.iter().filter(|_| !self.is_named(Role::Weight)).filter(has_texts).cloned();
        let needs_look = |column: &&Requested| {
            has_texts(column) || self.finder.field(column).is_some_and(|field| is_number(field.data_type()))
        };
        let times: Vec<_> = time.iter().filter(needs_look).cloned().collect();
        let dates = if times.is_empty() { &[][..] } else { &dates[..] };
        let all = places.into_iter().chain(hemispheres.iter().flatten().cloned()).chain(weights).chain(times);
        let mut columns: Vec<Requested> = Vec::new();
        for column in all.chain(dates.iter().cloned()) {
            if !columns.iter().any(|known| (known.index, &known.name) == (column.index, &column.name)) {
                columns.push(column);
            }
        }
        columns
    }

    /// Whether a column has times of day by its type.
    fn is_clock(&self, column: &Requested) -> bool {
        self.finder.field(column).is_some_and(|field| find::is_of_day(field.data_type()))
    }

    fn is_named(&self, role: Role) -> bool {
        role.named(&self.query.columns.names).is_some()
    }

    fn place(
        &mut self,
        candidates: &Candidates,
        sample: &Sample,
        columns: &mut Vec<Requested>,
    ) -> Result<Place, Message> {
        let geometry = match &candidates.place {
            find::Place::Columns { lon, lat } => {
                let swaps = self.options.order == Some(AxisOrder::LatLon) && self.table.is_positional();
                let is_assumed = self.options.order.is_none() && self.query.columns.space == CoordinateSpace::Globe;
                if is_assumed && self.table.is_positional() {
                    let text = "rows without names are taken as longitude, latitude and weight; set ";
                    self.notices.push(message!(text, Parameter::ORDER, " to lat-lon if the latitude comes first"));
                }
                let (lon, lat) = if swaps { (lat, lon) } else { (lon, lat) };
                let hemispheres = candidates.hemispheres.as_ref().filter(|[ns, ew]| {
                    let has_letters = |column, axis| {
                        let mut letters = sample.values(column);
                        letters.any(|letter| coordinate::hemisphere(letter).is_some_and(|(of, _)| of == axis))
                    };
                    has_letters(ns, Axis::Latitude) && has_letters(ew, Axis::Longitude)
                });
                let is_projected = self.options.crs.is_some() || self.query.columns.space == CoordinateSpace::Plane;
                let decimal_comma = self.table.schema().metadata().contains_key(DECIMAL_COMMA) && !is_projected;
                let mut axis = |column: &Requested, axis, hemisphere: Option<&Requested>| AxisColumn {
                    name: column.name.clone(),
                    axis,
                    scale: is_e7(&column.name).then_some(1e-7),
                    decimal_comma,
                    column: add(columns, column.clone()),
                    hemisphere: hemisphere.map(|column| add(columns, column.clone())),
                };
                let lon = axis(lon, Axis::Longitude, hemispheres.map(|[_, ew]| ew));
                let lat = axis(lat, Axis::Latitude, hemispheres.map(|[ns, _]| ns));
                return Ok(Place { columns: PlaceColumns::Axes { lon, lat }, crs: self.crs(None)? });
            }
            find::Place::Geometry(column) => column,
            find::Place::Candidates(found) => {
                let fits = |column: &&Requested| {
                    let field = self.finder.field(column);
                    field.is_some_and(|field| !is_text(field.data_type()))
                        || sample.values(column).next().is_some_and(|text| decode::sniff(text).is_some())
                };
                found.iter().find(fits).ok_or_else(|| self.finder.missing(Role::Lon))?
            }
        };
        let field = self.finder.field(geometry);
        let order = self.options.order;
        let is_list = |field: &Field| {
            field.metadata().get(EXTENSION_NAME).is_none()
                && matches!(field.data_type(), DataType::List(_) | DataType::LargeList(_))
        };
        let encodings = || sample.values(geometry).filter_map(decode::sniff);
        let usual = encodings().find(|encoding| matches!(encoding, TextEncoding::Pair | TextEncoding::Array));
        let assumed = match usual {
            _ if order.is_some() => None,
            Some(TextEncoding::Pair) => Some(("pairs", "latitude and longitude", "lon-lat")),
            Some(TextEncoding::Array) => Some(("lists", "longitude and latitude", "lat-lon")),
            _ if field.is_some_and(is_list) => Some(("lists", "longitude and latitude", "lat-lon")),
            _ => None,
        };
        if let Some((values, taken, other)) = assumed {
            let text = format!("the {values} in `{}` are taken as {taken}; set ", geometry.name);
            self.notices.push(message!(text, Parameter::ORDER, format!(" to {other} for the other order")));
        }
        let (declared, srid) = match field.and_then(declared_crs) {
            None => {
                let srid = self.srid(geometry)?;
                {
                    let expected = srid.unwrap_or(GeometryColumn::WGS84);
                    (srid.map(|srid| format!("EPSG:{srid}")), self.options.crs.is_none().then_some(expected))
                }
            }
            declared => (declared, None),
        };
        let crs = self.crs(declared)?;
        let column = GeometryColumn {
            name: geometry.name.clone(),
            order,
            srid,
            encoding: Encoding::Wkb,
            column: add(columns, geometry.clone()),
        };
        Ok(Place { columns: PlaceColumns::Geometry(column), crs })
    }

    /// What coordinates have to be transformed from: the reference system that the user gives, or else the `declared` one.
    fn crs(&mut self, declared: Option<String>) -> Result<Option<Crs>, Message> {
        let given = self.options.crs.clone();
        let is_given = given.is_some();
        if self.query.columns.space == CoordinateSpace::Plane {
            return match given {
                Some(_) => Err(message!(Parameter::CRS, " is for points on the globe, not on a plane")),
                None => Ok(None),
            };
        }
        let Some(text) = given.or(declared) else { return Ok(None) };
        let crs = Crs::parse(&text).map_err(|error| {
            let source =
                if is_given { message!(Parameter::CRS, ": ") } else { "its coordinate reference system: ".into() };
            message!(source, error)
        })?;
        Ok(match crs {
            Crs::Wgs84 => None,
            Crs::NearWgs84(name) => {
                let text = format!("its coordinates are in {name}, which is taken as WGS 84, a few meters off at most");
                self.notices.push(text.into());
                None
            }
            Crs::Projected(_) => Some(crs),
        })
    }

    /// The number of the reference system that the first geometry holds, as EWKB and EWKT have it.
    fn srid(&self, column: &Requested) -> Result<Option<u32>, Message> {
        let (mut srid, mut positions) = (None, Vec::new());
        let read = read_texts(self.table, vec![column.clone()], |batch| {
            let array = super::values::unpacked(batch.column(0));
            let encoding = if is_text(array.data_type()) { Encoding::Text } else { Encoding::Wkb };
            // Coordinates as numbers have none.
            let mut is_known = array.data_type().is_nested();
            super::values::for_each_bytes(&array, |bytes| {
                if let (Some(bytes), false) = (bytes, is_known) {
                    // A geometry without a point does not tell.
                    if let Ok(found) = decode::read(encoding, bytes, None, &mut positions) {
                        (srid, is_known) = (found, true);
                    }
                }
            });
            is_known
        });
        read.map(|_| srid).map_err(|error| error.to_string().into())
    }

    fn weight(
        &mut self,
        candidates: &Candidates,
        sample: &Sample,
        columns: &mut Vec<Requested>,
    ) -> Option<WeightColumn> {
        let is_named = self.is_named(Role::Weight);
        let decimal_comma = self.table.schema().metadata().contains_key(DECIMAL_COMMA);
        let is_number = |text: &str| {
            fast_float2::parse::<f64, _>(text).is_ok()
                || (decimal_comma && fast_float2::parse::<f64, _>(text.replacen(',', ".", 1)).is_ok())
        };
        let has_no_number = |column: &Requested| {
            let mut values = sample.values(column).peekable();
            values.peek().is_some() && !values.any(is_number)
        };
        let found = candidates.weight.iter().find(|column| is_named || !has_no_number(column));
        if let (None, Some(column)) = (found, candidates.weight.first()) {
            self.notices.push(self.not_read(
                column,
                Role::Weight,
                "holds no numbers in its first rows",
                sample,
                "every point weighs 1",
            ));
        }
        let column = found?.clone();
        Some(WeightColumn { name: column.name.clone(), is_named, column: add(columns, column) })
    }

    /// Says that a column found by its usual name is not read.
    fn not_read(&self, column: &Requested, role: Role, why: &str, sample: &Sample, effect: &str) -> Message {
        let (noun, name, first) = (self.table.nouns().column, &column.name, sample.first(column));
        let text = format!(
            "the {noun} `{name}` {why}, such as {first}: it is not read as the {}, and {effect}; name another with ",
            role.word()
        );
        message!(text, role.parameter())
    }

    fn time(
        &mut self,
        candidates: &Candidates,
        sample: &Sample,
        columns: &mut Vec<Requested>,
    ) -> Result<Option<TimeColumn>> {
        let is_named = self.is_named(Role::Time);
        let refuse = |message: Message| Error::input(self.table.name(), message);
        // Beside dates, most values have to be times of day; `1315` by itself may be a year.
        let types: Vec<bool> = candidates.time.iter().map(|column| self.is_clock(column)).collect();
        let is_paired = self.query.columns.names.time.as_ref().is_some_and(|name| {
            candidates.time.first().is_some_and(|column| *name != column.name && name.contains('+'))
        });
        let is_of_day = |column: &Requested| {
            let (reader, count) = (TimeReader::default(), sample.values(column).count());
            let is_one = |text: &&str| is_time_of_day(text) || reader.date_and_time("2024-01-01", text).is_ok();
            count > 0 && sample.values(column).filter(is_one).count() * 2 >= count
        };
        let mut unread = None;
        for (column, is_clock) in candidates.time.iter().zip(types) {
            let has_date = is_paired || is_clock || is_of_day(column);
            let date = candidates.dates.iter().find(|date| has_date && date.name != column.name);
            if is_clock && date.is_none() {
                let noun = self.table.nouns().column;
                let text = format!(
                    "the {noun} `{}` holds times of day, and no {noun} `date` the days; name both as date+time with ",
                    column.name
                );
                let message = message!(text, Parameter::TIME);
                if is_named || self.query.filter.filters_time() {
                    return Err(refuse(message));
                }
                self.notices.push(message);
                continue;
            }
            let reader = self.time_reader(date.unwrap_or(column), sample)?;
            let reads = |text: &str| reader.parse(text).is_ok_and(|time| time.is_some());
            let values = || sample.values(date.unwrap_or(column));
            // Words such as `NA` are no values.
            let is_readable = values().any(reads) || values().all(|text| reader.parse(text).is_ok());
            if !is_readable && !is_named {
                unread.get_or_insert((column, reader));
                continue;
            }
            let name = date.map_or_else(|| column.name.clone(), |date| format!("{}+{}", date.name, column.name));
            let date = date.map(|date| add(columns, date.clone()));
            return Ok(Some(TimeColumn { column: add(columns, column.clone()), date, name, is_named, reader }));
        }
        let Some((column, reader)) = unread else { return Ok(None) };
        let flaw = sample.values(column).find_map(|text| Some((text, reader.parse(text).err()?)));
        let (first, why) = flaw.map_or_else(Default::default, |(text, error)| (shown(text), error.message()));
        let text = format!("the {} `{}` holds no times: {first} ", self.table.nouns().column, column.name);
        if self.query.filter.filters_time() {
            return Err(refuse(message!(text, why)));
        }
        self.notices.push(message!(text, why, "; the points have no time"));
        Ok(None)
    }

    /// What a column of times is read with: by its first values, or where those do not show the order of day and month, by as
    /// many more as it takes.
    fn time_reader(&mut self, column: &Requested, sample: &Sample) -> Result<TimeReader> {
        let ReadOptions { time_format, day_first, .. } = self.options;
        let mut times = TimeSample::new(time_format.clone(), *day_first);
        sample.values(column).for_each(|text| times.add(text));
        let is_open = |order| matches!(order, DateOrder::Undecided | DateOrder::AssumedMonthFirst);
        if *time_format == TimeFormat::Auto && is_open(times.order()) {
            read_texts(self.table, vec![column.clone()], |batch| {
                super::values::for_each_text(&super::values::unpacked(batch.column(0)), |text| {
                    if let Some(text) = text {
                        times.add(text);
                    }
                });
                !is_open(times.order())
            })?;
        }
        let text = match times.order() {
            DateOrder::Decided => return Ok(times.reader()),
            DateOrder::AssumedMonthFirst => {
                "no date shows whether day or month comes first; with AM and PM the month is taken to come first"
            }
            DateOrder::Undecided => {
                "no date shows whether day or month comes first, so that dates which may be two are not read"
            }
            DateOrder::Contradictory => {
                "some dates have the day first and others the month, so that dates which may be two are not read"
            }
        };
        let text = format!("in the {} `{}` {text}; set ", self.table.nouns().column, column.name);
        self.notices.push(message!(text, Parameter::DAY_FIRST, " to true or false"));
        Ok(times.reader())
    }
}

/// The coordinate reference system that a field declares.
fn declared_crs(field: &Field) -> Option<String> {
    field.metadata().get(EXTENSION_NAME)?;
    let metadata: serde_json::Value = serde_json::from_str(field.metadata().get(EXTENSION_METADATA)?).ok()?;
    match metadata.get("crs")? {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The place of a column among those of a batch, which it joins unless it is there.
fn add(columns: &mut Vec<Requested>, column: Requested) -> usize {
    let same = |known: &Requested| (known.index, &known.name, known.form) == (column.index, &column.name, column.form);
    columns.iter().position(same).unwrap_or_else(|| {
        columns.push(column);
        columns.len() - 1
    })
}

/// Whether a name says that numbers are integers of 10⁻⁷ degrees: `latitudeE7`, `lat_e7`.
fn is_e7(name: &str) -> bool {
    name.ends_with("E7") || ["_e7", "-e7", " e7"].iter().any(|ending| name.ends_with(ending))
}
