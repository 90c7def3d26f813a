//! The plan of a scan: the columns to read and how to convert them.

use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field};

use super::coordinates::{AxisColumn, CoordinateColumns, CoordinateReader, GeometryColumn};
use super::find::{self, Finder};
use super::sample::{Sample, read_strings};
use super::times::TimeColumn;
use super::values::{is_number, is_text};
use super::{DECIMAL_COMMA, EXTENSION_METADATA, EXTENSION_NAME};
use crate::source::batch::RowFields;
use crate::source::geometry::coordinate::{self, Axis};
use crate::source::geometry::crs::Crs;
use crate::source::geometry::decode::{self, Encoding, TextEncoding};
use crate::source::role::{Requirement, Role, quoted};
use crate::source::table::{Request, RequestedColumn, Table, TimeRange};
use crate::source::{AxisOrder, Columns, CoordinateSpace, Query, ReadOptions, ScanReport};
use kiln_core::error::{Error, Result};
use kiln_core::message;
use kiln_core::parameter::{Message, Parameter};
use kiln_core::source::Notice;
use kiln_core::source::time::{DateOrder, TimeFormat, TimeReader, TimeSample, is_time_of_day};

/// The columns to read and how to convert them.
pub(super) struct Plan {
    name: String,
    /// The requested columns, in the order that batches have them.
    pub(super) columns: Vec<RequestedColumn>,
    pub(super) coordinates: CoordinateReader,
    pub(super) weight: Option<WeightColumn>,
    pub(super) time: Option<TimeColumn>,
    pub(super) category: Option<usize>,
    pub(super) track: Option<usize>,
    /// Whether numbers in strings may have a decimal comma.
    decimal_comma: bool,
    notices: Vec<Message>,
    /// The indexes of columns that the schema does not list, each with whether any row had a value.
    unlisted: Vec<(usize, AtomicBool)>,
    /// The words for rows and columns in messages.
    nouns: crate::source::table::Nouns,
    /// The names of the columns in the schema, for messages.
    listed: Vec<String>,
}

/// The column of the weights.
#[derive(Debug)]
pub(super) struct WeightColumn {
    /// The index of the column in a batch.
    pub(super) column: usize,
    pub(super) name: String,
    /// Whether the user named the column. Rows with an invalid weight are then rejected.
    pub(super) is_named: bool,
}

impl Plan {
    /// Finds the columns of `table` that `query` needs.
    ///
    /// # Errors
    /// If a column is missing or has an unsuitable type, if the coordinate reference system is unknown, or if the table
    /// cannot be read.
    pub(super) fn of(table: &dyn Table, options: &ReadOptions, query: &Query<'_>) -> Result<Self> {
        Planner { table, options, query, finder: Finder::new(table, query), notices: table.notices() }.plan()
    }

    /// The request for the columns.
    pub(super) fn request<'q>(&'q self, query: &'q Query<'_>, workers: usize) -> Request<'q> {
        let time_range = self.time.as_ref().filter(|_| query.filter.filters_time()).map(|time| {
            let (start, end) = (query.filter.start_us, query.filter.end_us);
            let may_match = Box::new(move |first: &_, last: &_| time.may_match(first, last, start, end));
            TimeRange { column: time.column, may_match }
        });
        Request { columns: self.columns.clone(), workers, time_range }
    }

    /// The optional fields that rows have.
    pub(super) fn row_fields(&self) -> RowFields {
        RowFields {
            weight: self.weight.is_some(),
            time: self.time.is_some(),
            category: self.category.is_some(),
            track: self.track.is_some(),
        }
    }

    /// Parses a number, with a decimal comma if the table has those.
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

    /// Records which of the unlisted columns have a value in a batch.
    pub(super) fn record_seen(&self, batch: &RecordBatch) {
        for (column, seen) in &self.unlisted {
            if !seen.load(Ordering::Relaxed) && batch.column(*column).null_count() < batch.num_rows() {
                seen.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Checks after the scan that each unlisted column had a value in some row.
    ///
    /// # Errors
    /// [`Error::Input`] if not.
    pub(super) fn check(&self, report: &ScanReport) -> Result<()> {
        for (column, seen) in &self.unlisted {
            if report.read > 0 && !seen.load(Ordering::Relaxed) {
                let names = kiln_core::spelling::nearest_first(
                    &self.columns[*column].name,
                    self.listed.iter().map(String::as_str),
                );
                let (nouns, name) = (self.nouns, quoted(&self.columns[*column].name));
                let names = kiln_core::source::role::list_names(names);
                let known = if names.is_empty() { "; none has any".to_owned() } else { format!("; there are {names}") };
                return Err(Error::input(&self.name, format!("no {} has a {} {name}{known}", nouns.row, nouns.column)));
            }
        }
        Ok(())
    }

    /// The assumptions made while reading, to report to the user.
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

/// The columns that may be read, before the sample decides.
struct Candidates {
    coordinates: find::FoundCoordinates,
    hemispheres: Option<[RequestedColumn; 2]>,
    weight: Vec<RequestedColumn>,
    time: Vec<RequestedColumn>,
    /// Date columns to combine with a time-of-day column.
    dates: Vec<RequestedColumn>,
    category: Option<RequestedColumn>,
    track: Option<RequestedColumn>,
    /// Columns that the user named, but that the query does not read. The scan checks that they exist.
    unread: Vec<RequestedColumn>,
}

impl Planner<'_> {
    fn plan(mut self) -> Result<Plan> {
        let candidates = self.candidates().map_err(|message| Error::input(self.table.name(), message))?;
        let sample = Sample::of(self.table, self.columns_to_sample(&candidates))?;
        let (mut columns, to_error) = (Vec::new(), |message| Error::input(self.table.name(), message));
        let coordinates = self.coordinates(&candidates, &sample, &mut columns).map_err(to_error)?;
        let weight = self.weight(&candidates, &sample, &mut columns);
        let time = self.time(&candidates, &sample, &mut columns)?;
        let category = candidates.category.map(|column| add(&mut columns, column));
        let track = candidates.track.map(|column| add(&mut columns, column));
        for column in candidates.unread {
            add(&mut columns, column);
        }
        let unlisted = columns.iter().enumerate().filter(|(_, column)| column.index.is_none());
        let unlisted = unlisted.map(|(index, _)| (index, AtomicBool::new(false))).collect();
        let schema = self.table.schema();
        Ok(Plan {
            name: self.table.name().to_owned(),
            coordinates,
            weight,
            time,
            category,
            track,
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
        let coordinates = finder.coordinates_for(self.query)?;
        let hemispheres = match &coordinates {
            find::FoundCoordinates::Columns { .. } => finder.hemispheres(),
            _ => None,
        };
        let find = |role: Role| {
            let need = role.requirement(self.query);
            let found = match need {
                Requirement::Unused => return Ok(Vec::new()),
                _ => match finder.named(role)? {
                    Some(column) => vec![column],
                    None => finder.usual(role)?,
                },
            };
            if need == Requirement::Required && found.is_empty() { Err(finder.missing_error(role)) } else { Ok(found) }
        };
        let filter = &self.query.filter;
        for (role, filters) in [(Role::Time, filter.filters_time()), (Role::Category, filter.filters_category())] {
            if filters && role.name_in(&self.query.columns.names) == Some(Columns::NO_COLUMN) {
                let text =
                    format!("points cannot be filtered by {}, because the column is set to none with ", role.word());
                return Err(message!(text, role.parameter()));
            }
        }
        let (time, dates) = match self.date_and_time()? {
            Some([date, time]) => (vec![time], vec![date]),
            None => (find(Role::Time)?, finder.usual_dates()),
        };
        Ok(Candidates {
            coordinates,
            hemispheres,
            weight: find(Role::Weight)?,
            time,
            dates,
            category: find(Role::Category)?.into_iter().next(),
            track: find(Role::Track)?.into_iter().next(),
            unread: finder.unread(self.query)?,
        })
    }

    /// The date and time-of-day columns that the user named as a pair, as in `day+hour`.
    fn date_and_time(&self) -> Result<Option<[RequestedColumn; 2]>, Message> {
        let names = self.query.columns.names.time.as_deref();
        let names = names.filter(|_| Role::Time.requirement(self.query) != Requirement::Unused);
        let Some((date, time)) = names.and_then(|names| names.split_once('+')) else { return Ok(None) };
        if self.finder.has_column(names.unwrap_or_default()) {
            return Ok(None);
        }
        Ok(Some([self.finder.by_name(Role::Time, date)?, self.finder.by_name(Role::Time, time)?]))
    }

    /// The columns whose first values decide how they are read.
    fn columns_to_sample(&self, candidates: &Candidates) -> Vec<RequestedColumn> {
        let has_strings =
            |column: &&RequestedColumn| self.finder.field(column).is_none_or(|field| is_text(field.data_type()));
        let Candidates { coordinates, hemispheres, weight, time, dates, .. } = candidates;
        let geometries = match coordinates {
            find::FoundCoordinates::Candidates(columns) => columns.iter().filter(has_strings).cloned().collect(),
            find::FoundCoordinates::Geometry(column) if has_strings(&column) => vec![column.clone()],
            _ => Vec::new(),
        };
        let weights = weight.iter().filter(|_| !self.is_named(Role::Weight)).filter(has_strings).cloned();
        let needs_sample = |column: &&RequestedColumn| {
            has_strings(column) || self.finder.field(column).is_some_and(|field| is_number(field.data_type()))
        };
        let times: Vec<_> = time.iter().filter(needs_sample).cloned().collect();
        let dates = if times.is_empty() { &[][..] } else { &dates[..] };
        let all = geometries.into_iter().chain(hemispheres.iter().flatten().cloned()).chain(weights).chain(times);
        let mut columns: Vec<RequestedColumn> = Vec::new();
        for column in all.chain(dates.iter().cloned()) {
            if !columns.iter().any(|known| (known.index, &known.name) == (column.index, &column.name)) {
                columns.push(column);
            }
        }
        columns
    }

    /// Whether the type of a column is a time of day.
    fn is_time_of_day(&self, column: &RequestedColumn) -> bool {
        self.finder.field(column).is_some_and(|field| find::is_time_of_day_type(field.data_type()))
    }

    fn is_named(&self, role: Role) -> bool {
        role.name_in(&self.query.columns.names).is_some()
    }

    /// Whether coordinates are read as degrees, although their columns were detected by the names x and y.
    fn assumes_degrees(&self, lon: &RequestedColumn, lat: &RequestedColumn) -> bool {
        let Columns { lon: lon_name, lat: lat_name, .. } = &self.query.columns.names;
        let is_unnamed = lon_name.is_none() && lat_name.is_none() && !self.table.is_positional();
        let is_detected = is_unnamed && self.options.crs.is_none();
        let is_called = |column: &RequestedColumn, name| column.name.eq_ignore_ascii_case(name);
        is_detected && self.query.columns.space.wraps() && is_called(lon, "x") && is_called(lat, "y")
    }

    fn coordinates(
        &mut self,
        candidates: &Candidates,
        sample: &Sample,
        columns: &mut Vec<RequestedColumn>,
    ) -> Result<CoordinateReader, Message> {
        let geometry = match &candidates.coordinates {
            find::FoundCoordinates::Columns { lon, lat } => {
                let is_swapped = self.options.order == Some(AxisOrder::LatLon) && self.table.is_positional();
                let is_assumed = self.options.order.is_none() && self.query.columns.space == CoordinateSpace::Globe;
                if is_assumed && self.table.is_positional() {
                    let text = "columns without names are read as longitude, latitude and weight; set ";
                    self.notices.push(message!(text, Parameter::ORDER, " to lat-lon if the latitude is first"));
                }
                if self.assumes_degrees(lon, lat) {
                    let text = "x and y were read as longitude and latitude in degrees; for meters on a plane use ";
                    self.notices.push(message!(text, Parameter::CRS, " plane"));
                }
                let (lon, lat) = if is_swapped { (lat, lon) } else { (lon, lat) };
                let hemispheres = candidates.hemispheres.as_ref().filter(|[ns, ew]| {
                    let has_letters = |column, axis| {
                        let mut letters = sample.values(column);
                        letters.any(|letter| coordinate::hemisphere(letter).is_some_and(|(of, _)| of == axis))
                    };
                    has_letters(ns, Axis::Latitude) && has_letters(ew, Axis::Longitude)
                });
                let is_projected = self.options.crs.is_some() || self.query.columns.space == CoordinateSpace::Plane;
                let decimal_comma = self.table.schema().metadata().contains_key(DECIMAL_COMMA) && !is_projected;
                let mut axis = |column: &RequestedColumn, axis, hemisphere: Option<&RequestedColumn>| AxisColumn {
                    name: column.name.clone(),
                    axis,
                    scale: is_e7(&column.name).then_some(1e-7),
                    decimal_comma,
                    column: add(columns, column.clone()),
                    hemisphere: hemisphere.map(|column| add(columns, column.clone())),
                };
                let lon = axis(lon, Axis::Longitude, hemispheres.map(|[_, ew]| ew));
                let lat = axis(lat, Axis::Latitude, hemispheres.map(|[ns, _]| ns));
                return Ok(CoordinateReader { columns: CoordinateColumns::Axes { lon, lat }, crs: self.crs(None)? });
            }
            find::FoundCoordinates::Geometry(column) => column,
            find::FoundCoordinates::Candidates(found) => {
                let has_geometries = |column: &&RequestedColumn| {
                    let field = self.finder.field(column);
                    field.is_some_and(|field| !is_text(field.data_type()))
                        || sample.values(column).next().is_some_and(|text| decode::sniff(text).is_some())
                };
                match found.iter().find(has_geometries) {
                    Some(geometry) => geometry,
                    None if find::may_lack_coordinates(self.query) => return Ok(CoordinateReader::NONE),
                    None => return Err(self.finder.missing_error(Role::Lon)),
                }
            }
            find::FoundCoordinates::None => return Ok(CoordinateReader::NONE),
        };
        let field = self.finder.field(geometry);
        let order = self.options.order;
        let is_list = |field: &Field| {
            field.metadata().get(EXTENSION_NAME).is_none()
                && matches!(field.data_type(), DataType::List(_) | DataType::LargeList(_))
        };
        let encodings = || sample.values(geometry).filter_map(decode::sniff);
        let ambiguous = encodings().find(|encoding| matches!(encoding, TextEncoding::Pair | TextEncoding::Array));
        let assumed = match ambiguous {
            _ if order.is_some() => None,
            Some(TextEncoding::Pair) => Some(("pairs", "latitude and longitude", "lon-lat")),
            Some(TextEncoding::Array) => Some(("lists", "longitude and latitude", "lat-lon")),
            _ if field.is_some_and(is_list) => Some(("lists", "longitude and latitude", "lat-lon")),
            _ => None,
        };
        if let Some((values, order, other)) = assumed {
            let text = format!("the {values} in `{}` are read as {order}; set ", geometry.name);
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
        Ok(CoordinateReader { columns: CoordinateColumns::Geometry(column), crs })
    }

    /// The coordinate reference system to transform from: the one that the user set, otherwise the `declared` one.
    /// `None` if no transformation is needed.
    fn crs(&mut self, declared: Option<String>) -> Result<Option<Crs>, Message> {
        let configured = self.options.crs.clone();
        let is_configured = configured.is_some();
        if self.query.columns.space == CoordinateSpace::Plane {
            return match configured {
                Some(_) => Err(message!(Parameter::CRS, " applies to points on the globe, not on a plane")),
                None => Ok(None),
            };
        }
        let Some(text) = configured.or(declared) else { return Ok(None) };
        let crs = Crs::parse(&text).map_err(|error| {
            let source =
                if is_configured { message!(Parameter::CRS, ": ") } else { "its coordinate reference system: ".into() };
            message!(source, error)
        })?;
        Ok(match crs {
            Crs::Wgs84 => None,
            Crs::NearWgs84(name) => {
                let text = format!(
                    "its coordinates are in {name} and are read as WGS 84, with an error of a few meters at most"
                );
                self.notices.push(text.into());
                None
            }
            Crs::Projected(_) => Some(crs),
        })
    }

    /// The SRID of the first geometry, in EWKB or EWKT.
    fn srid(&self, column: &RequestedColumn) -> Result<Option<u32>, Message> {
        let (mut srid, mut positions) = (None, Vec::new());
        let read = read_strings(self.table, vec![column.clone()], |batch| {
            let array = super::values::decoded(batch.column(0));
            let encoding = if is_text(array.data_type()) { Encoding::Text } else { Encoding::Wkb };
            // Native GeoArrow coordinates have no SRID.
            let mut is_known = array.data_type().is_nested();
            super::values::for_each_bytes(&array, |bytes| {
                if let (Some(bytes), false) = (bytes, is_known) {
                    // An empty geometry is skipped.
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
        columns: &mut Vec<RequestedColumn>,
    ) -> Option<WeightColumn> {
        let is_named = self.is_named(Role::Weight);
        let decimal_comma = self.table.schema().metadata().contains_key(DECIMAL_COMMA);
        let is_number = |text: &str| {
            fast_float2::parse::<f64, _>(text).is_ok()
                || (decimal_comma && fast_float2::parse::<f64, _>(text.replacen(',', ".", 1)).is_ok())
        };
        let has_no_number = |column: &RequestedColumn| {
            let mut values = sample.values(column).peekable();
            values.peek().is_some() && !values.any(is_number)
        };
        let found = candidates.weight.iter().find(|column| is_named || !has_no_number(column));
        if let (None, Some(column)) = (found, candidates.weight.first()) {
            let reason = "holds no numbers in its first rows";
            self.notices.push(self.ignored_notice(column, Role::Weight, reason, sample, "every point weighs 1"));
        }
        let column = found?.clone();
        if !is_named && !Role::is_plain_weight(&column.name) && !self.table.is_positional() {
            let text = format!("the points are weighted by the {} `{}`; set ", self.table.nouns().column, column.name);
            self.notices.push(message!(text, Role::Weight.parameter(), " none for a weight of 1 each"));
        }
        Some(WeightColumn { name: column.name.clone(), is_named, column: add(columns, column) })
    }

    /// The notice that a column with a common name is not used.
    fn ignored_notice(
        &self,
        column: &RequestedColumn,
        role: Role,
        reason: &str,
        sample: &Sample,
        effect: &str,
    ) -> Message {
        let (noun, name, first) = (self.table.nouns().column, &column.name, sample.first(column));
        let text = format!(
            "the {noun} `{name}` {reason} (such as {first}) and is not used as the {}; {effect}; name another column with ",
            role.word()
        );
        message!(text, role.parameter())
    }

    fn time(
        &mut self,
        candidates: &Candidates,
        sample: &Sample,
        columns: &mut Vec<RequestedColumn>,
    ) -> Result<Option<TimeColumn>> {
        let is_named = self.is_named(Role::Time);
        let to_error = |message: Message| Error::input(self.table.name(), message);
        // With a date column, most values must be times of day; without one, `1315` may be a year.
        let types: Vec<bool> = candidates.time.iter().map(|column| self.is_time_of_day(column)).collect();
        let is_paired = self.query.columns.names.time.as_ref().is_some_and(|name| {
            candidates.time.first().is_some_and(|column| *name != column.name && name.contains('+'))
        });
        let has_times_of_day = |column: &RequestedColumn| {
            let (reader, count) = (TimeReader::default(), sample.values(column).count());
            let is_one = |text: &&str| is_time_of_day(text) || reader.date_and_time("2024-01-01", text).is_ok();
            count > 0 && sample.values(column).filter(is_one).count() * 2 >= count
        };
        let mut invalid = None;
        for (column, is_time_of_day) in candidates.time.iter().zip(types) {
            let has_date = is_paired || is_time_of_day || has_times_of_day(column);
            let date = candidates.dates.iter().find(|date| has_date && date.name != column.name);
            if is_time_of_day && date.is_none() {
                let noun = self.table.nouns().column;
                let text = format!(
                    "the {noun} `{}` holds times of day, but there is no {noun} `date`; name both as date+time with ",
                    column.name
                );
                let message = message!(text, Parameter::TIME);
                if is_named || self.query.filter.filters_time() {
                    return Err(to_error(message));
                }
                self.notices.push(message);
                continue;
            }
            let reader = self.time_reader(date.unwrap_or(column), sample)?;
            let reads = |text: &str| reader.parse(text).is_ok_and(|time| time.is_some());
            let values = || sample.values(date.unwrap_or(column));
            // Words such as `NA` count as missing values.
            let is_readable = values().any(reads) || values().all(|text| reader.parse(text).is_ok());
            if !is_readable && !is_named {
                invalid.get_or_insert((column, reader));
                continue;
            }
            let name = date.map_or_else(|| column.name.clone(), |date| format!("{}+{}", date.name, column.name));
            let date = date.map(|date| add(columns, date.clone()));
            return Ok(Some(TimeColumn { column: add(columns, column.clone()), date, name, is_named, reader }));
        }
        let Some((column, reader)) = invalid else { return Ok(None) };
        let first_error = sample.values(column).find_map(|text| Some((text, reader.parse(text).err()?)));
        let (first, reason) =
            first_error.map_or_else(Default::default, |(text, error)| (quoted(text), error.message()));
        let text = format!("the {} `{}` holds no times: {first} ", self.table.nouns().column, column.name);
        if self.query.filter.filters_time() {
            return Err(to_error(message!(text, reason)));
        }
        self.notices.push(message!(text, reason, "; the points have no time"));
        Ok(None)
    }

    /// The reader of a time column, configured by its first values, or by more values until the order of day and month
    /// is clear.
    fn time_reader(&mut self, column: &RequestedColumn, sample: &Sample) -> Result<TimeReader> {
        let ReadOptions { time_format, day_first, .. } = self.options;
        let mut times = TimeSample::new(time_format.clone(), *day_first);
        sample.values(column).for_each(|text| times.add(text));
        let is_ambiguous = |order| matches!(order, DateOrder::Undecided | DateOrder::AssumedMonthFirst);
        if *time_format == TimeFormat::Auto && is_ambiguous(times.order()) {
            read_strings(self.table, vec![column.clone()], |batch| {
                super::values::for_each_text(&super::values::decoded(batch.column(0)), |text| {
                    if let Some(text) = text {
                        times.add(text);
                    }
                });
                !is_ambiguous(times.order())
            })?;
        }
        let text = match times.order() {
            DateOrder::Decided => return Ok(times.reader()),
            DateOrder::AssumedMonthFirst => {
                "no date shows whether the day or the month is first; with AM and PM, the month is assumed to be first"
            }
            DateOrder::Undecided => {
                "no date shows whether the day or the month is first, so ambiguous dates are not read"
            }
            DateOrder::Contradictory => {
                "some dates have the day first and others the month, so ambiguous dates are not read"
            }
        };
        let text = format!("in the {} `{}` {text}; set ", self.table.nouns().column, column.name);
        self.notices.push(message!(text, Parameter::DAY_FIRST, " to true or false"));
        Ok(times.reader())
    }
}

/// The coordinate reference system in the metadata of a field.
fn declared_crs(field: &Field) -> Option<String> {
    field.metadata().get(EXTENSION_NAME)?;
    let metadata: serde_json::Value = serde_json::from_str(field.metadata().get(EXTENSION_METADATA)?).ok()?;
    match metadata.get("crs")? {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Adds a column unless it is already requested, and returns its index in a batch.
fn add(columns: &mut Vec<RequestedColumn>, column: RequestedColumn) -> usize {
    let same = |known: &RequestedColumn| {
        (known.index, &known.name, known.value_type) == (column.index, &column.name, column.value_type)
    };
    columns.iter().position(same).unwrap_or_else(|| {
        columns.push(column);
        columns.len() - 1
    })
}

/// Whether a name marks integers of 10⁻⁷ degrees: `latitudeE7`, `lat_e7`.
fn is_e7(name: &str) -> bool {
    name.ends_with("E7") || ["_e7", "-e7", " e7"].iter().any(|ending| name.ends_with(ending))
}
