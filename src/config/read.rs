//! The keys `crs`, `order`, … of a layer or a job: options for reading its inputs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::origin::Fault;
use super::sections::with_defaults;
use super::style::read_options;
use crate::layer::InputOptions;
use crate::parameters::ParameterSet;
use crate::source::{AxisOrder, CoordinateSpace, Quote, ReadOptions};

with_defaults! {
    /// Options for reading inputs: keys of a layer or a job.
    pub struct ReadConfig {
        /// Coordinate reference system of the inputs, such as EPSG:25832; or plane for x and y in meters on a plane,
        /// such as a floor plan. If it is missing, that of the input, else WGS 84.
        pub crs: Option<String>,
        /// Axis order of coordinate pairs without names. If it is missing, that of the format.
        #[schemars(extend("enum" = AxisOrder::WORDS))]
        pub order: Option<String>,
        /// Format of the times: a pattern such as %d.%m.%Y %H:%M, excel, unix-s, unix-ms, unix-us or unix-ns. If it is
        /// missing, it is detected from the column.
        pub time_format: Option<String>,
        /// Whether the day comes before the month in dates such as 05/01/2024. If it is missing, it is detected from
        /// the column.
        pub day_first: Option<bool>,
        /// Character encoding of the inputs, such as windows-1252. If it is missing, that of the byte order mark, else
        /// UTF-8.
        pub encoding: Option<String>,
        /// Quoting of CSV fields: none if quotes are ordinary characters. If it is missing, it is detected from the
        /// file.
        #[schemars(extend("enum" = Quote::WORDS))]
        pub quote: Option<String>,
        /// Path of the array of records in a JSON document, such as data.items, or the name of a GeoPackage table. If
        /// it is missing, the document, or its only array of objects; the only table.
        pub records: Option<String>,
    }
}

impl ReadConfig {
    /// The keys of `options`.
    pub(super) fn of(options: &InputOptions) -> Self {
        let InputOptions { crs, day_first, encoding, records, .. } = options.clone();
        let texts: BTreeMap<&str, String> = options.pairs().into_iter().collect();
        let text = |name: &str| texts.get(name).cloned();
        let (order, time_format, quote) = (text("order"), text("time_format"), text("quote"));
        Self { crs, order, time_format, day_first, encoding, quote, records }
    }

    /// The keys that are set, with their values as text.
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let Self { crs, order, time_format, day_first, encoding, quote, records } = self;
        let day_first = day_first.map(|day_first| if day_first { "true" } else { "false" });
        let texts = [crs, order, time_format, encoding, quote, records].map(Option::as_deref);
        let names = ["crs", "order", "time_format", "encoding", "quote", "records"];
        let pairs = names.into_iter().zip(texts).chain([("day_first", day_first)]);
        pairs.filter_map(|(name, text)| Some((name, text?)))
    }

    /// The first key that is set.
    pub(super) fn first(&self) -> Option<&str> {
        self.pairs().next().map(|(name, _)| name)
    }

    /// Parses the options.
    pub(super) fn options(&self) -> Result<ReadOptions, Fault> {
        read_options::<InputOptions>(self.pairs()).map(|options| options.read_options())
    }

    /// The coordinate space of the inputs, by their coordinate reference system.
    pub(super) fn coordinate_space(&self) -> CoordinateSpace {
        InputOptions { crs: self.crs.clone(), ..InputOptions::default() }.coordinate_space()
    }
}
