//! The parameters of pictures, as the contract tells them. They are read by [`Fields`](super::fields::Fields); a test
//! holds the two against each other.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How a picture is drawn. All have defaults, which a layer may set.
macro_rules! style_parameters {
    ($(#[$meta:meta])* $name:ident { $($own:tt)* }) => {
        #[allow(dead_code, reason = "it documents what Fields reads")]
        #[derive(Debug, Deserialize, IntoParams, ToSchema)]
        $(#[$meta])*
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            $($own)*
            /// Colors by name; GET /catalog lists them. Also as `colormap_name`. Default: heat.
            #[param(example = "fire")]
            #[schema(example = "fire")]
            scheme: Option<String>,
            /// Colors from cold to hot in place of a scheme, such as `transparent,blue,lime 60%,red`.
            gradient: Option<String>,
            /// Radius of a dot: `25` or `25px` (pixels), `500m`, `10km` (on the ground; plane units on a plane). Default: 20px.
            #[param(value_type = Option<String>, example = "20")]
            #[schema(value_type = Option<StringOrNumber>)]
            radius: Option<StringOrNumber>,
            /// Radius as the Python heatmap library's dot size in pixels, in place of `radius`. Also as `dotSize`.
            #[param(value_type = Option<f64>)]
            #[schema(value_type = Option<StringOrNumber>)]
            dot_size: Option<StringOrNumber>,
            /// Shape of a dot: gaussian, cone, quartic, epanechnikov, triangular or uniform. Default: gaussian.
            kernel: Option<String>,
            /// How dots combine: `add`, or `classic`, the Python heatmap library's multiplicative dots. Default: add.
            blend: Option<String>,
            /// What a pixel shows of the points around it: sum, count, mean or max (of weights). Default: sum.
            agg: Option<String>,
            /// Opacity of the whole picture, 0 to 1: `0.5`, `50%`, `128/255`. Default: 1.
            #[param(value_type = Option<String>, example = "0.8")]
            #[schema(value_type = Option<StringOrNumber>)]
            opacity: Option<StringOrNumber>,
            /// Share of the colors, from the cold end, over which the picture fades in, 0 to 1. Default: 0.
            #[param(value_type = Option<String>)]
            #[schema(value_type = Option<StringOrNumber>)]
            transparent_low: Option<StringOrNumber>,
            /// An opaque CSS color to print the picture on. Default: none, so that it can be laid over a map.
            background: Option<String>,
            /// Where the hottest color is reached: `max`, or a percentile of the picture such as `p99`. Default: p99.
            normalize: Option<String>,
            /// Value of the coldest color, in the unit of the answer's span.
            #[param(value_type = Option<f64>)]
            #[schema(value_type = Option<StringOrNumber>)]
            vmin: Option<StringOrNumber>,
            /// Value of the hottest color, in the unit of the answer's span.
            #[param(value_type = Option<f64>)]
            #[schema(value_type = Option<StringOrNumber>)]
            vmax: Option<StringOrNumber>,
            /// `vmin` and `vmax` in one: `0,50`.
            rescale: Option<String>,
            /// How values are laid on the colors: linear, sqrt, log or eqhist. Default: linear.
            curve: Option<String>,
            /// Latitude in degrees, -85 to 85, at which kilometers in radius, vmin and vmax hold. Default: the picture's middle.
            #[param(value_type = Option<f64>)]
            #[schema(value_type = Option<StringOrNumber>)]
            true_scale: Option<StringOrNumber>,
        }
    };
}

/// A GeoJSON Polygon or MultiPolygon, or a Feature or FeatureCollection of these; at most 100,000 vertices.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "it documents what Area reads")]
#[schema(example = json!({"type": "Polygon", "coordinates": [[[5, 45], [20, 45], [20, 55], [5, 55], [5, 45]]]}))]
pub(crate) struct PolygonBody {
    /// What it is.
    #[schema(example = "Polygon")]
    r#type: String,
    /// The rings of a polygon: each a list of longitudes and latitudes in degrees that ends where it began.
    #[schema(value_type = Option<Vec<Object>>)]
    coordinates: Option<Vec<String>>,
}

/// A text, or a number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it documents what Fields reads")]
pub(crate) enum StringOrNumber {
    /// As a text, with a unit where there is one.
    Text(String),
    /// As a number.
    Number(f64),
}

/// One text, or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it documents what Fields reads")]
pub(crate) enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    More(Vec<String>),
}

style_parameters! {
    /// A picture to draw: its points, its ground and its style.
    #[schema(example = json!({"layer": "cities", "bounds": [[35, -12], [60, 32]], "size": [800, 600], "radius": 12, "scheme": "fire", "opacity": 0.8}))]
    OverlayRequest {
        /// A layer of the catalog. Either this or `points`.
        #[schema(example = "cities")]
        layer: Option<String>,
        /// Points in place of a layer: `[[lon, lat], …]`, `[[lon, lat, weight], …]`, objects with such members, or GeoJSON.
        #[schema(value_type = Option<Object>)]
        #[param(value_type = Option<Object>)]
        points: Option<String>,
        /// The ground to show in degrees: `[[south, west], [north, east]]` as Leaflet has it, `[west, south, east, north]` as
        /// GeoJSON has it, or `world`. Across the antimeridian the east is beyond 180, or less than the west. Default: what
        /// fits the points, with room for their dots.
        #[schema(value_type = Option<Object>)]
        #[param(value_type = Option<Object>)]
        bounds: Option<String>,
        /// `[width, height]` in pixels, `800x600`, or `1024` for the longer side. Where the bounds reach beyond the poles of
        /// the map the picture is lower by as much. Default: 1024.
        #[schema(value_type = Option<Object>)]
        #[param(value_type = Option<Object>)]
        size: Option<String>,
        /// mercator (a Leaflet map's own), platecarree (`L.CRS.EPSG4326`) or plane (`L.CRS.Simple`). Default: mercator.
        projection: Option<String>,
        /// Whether a picture is wanted; if not, the points within the bounds are answered. Default: true.
        #[param(value_type = Option<bool>)]
        #[schema(value_type = Option<bool>)]
        png: Option<bool>,
        /// Only points from this time on: a date, an RFC 3339 time, or Unix seconds.
        #[param(value_type = Option<String>)]
        #[schema(value_type = Option<StringOrNumber>)]
        start: Option<StringOrNumber>,
        /// Only points before this time.
        #[param(value_type = Option<String>)]
        #[schema(value_type = Option<StringOrNumber>)]
        end: Option<StringOrNumber>,
        /// Only points of this category, or of these.
        #[param(value_type = Option<String>)]
        #[schema(value_type = Option<OneOrMore>)]
        category: Option<OneOrMore>,
        /// Only points in this GeoJSON polygon: a Polygon, a MultiPolygon, or a Feature or FeatureCollection of these.
        #[schema(value_type = Option<Object>)]
        #[param(value_type = Option<Object>)]
        polygon: Option<String>,
    }
}

style_parameters! {
    /// The style, projection and filter of a layer's picture.
    PictureParameters {
        /// mercator (a Leaflet map's own), platecarree (`L.CRS.EPSG4326`) or plane (`L.CRS.Simple`). Default: mercator.
        projection: Option<String>,
        /// Only points from this time on: a date, an RFC 3339 time, or Unix seconds.
        start: Option<String>,
        /// Only points before this time.
        end: Option<String>,
        /// Only points of this category, or of these, separated by commas.
        category: Option<String>,
    }
}

style_parameters! {
    /// The style and filter of a layer's tiles.
    TileParameters {
        /// Width and height of a tile in pixels, before `@2x`: 256, or 512. Default: 256.
        #[param(value_type = Option<u16>)]
        size: Option<u16>,
        /// The version of the layer that is meant, as TileJSON says it. Where it is the layer's own, the answer may be kept
        /// forever; another is passed over.
        v: Option<String>,
        /// Only points from this time on: a date, an RFC 3339 time, or Unix seconds.
        start: Option<String>,
        /// Only points before this time.
        end: Option<String>,
        /// Only points of this category, or of these, separated by commas.
        category: Option<String>,
    }
}

style_parameters! {
    /// The style and filter that the tiles' addresses are to have.
    TileJsonParameters {
        /// Width and height of a tile in pixels, before `@2x`: 256, or 512. Default: 256.
        #[param(value_type = Option<u16>)]
        size: Option<u16>,
        /// Only points from this time on: a date, an RFC 3339 time, or Unix seconds.
        start: Option<String>,
        /// Only points before this time.
        end: Option<String>,
        /// Only points of this category, or of these, separated by commas.
        category: Option<String>,
    }
}

style_parameters! {
    /// The zoom, style and filter of the tiles whose value is asked for.
    PointParameters {
        /// How many of the most frequent categories within the radius to answer, up to 50. Default: 0.
        #[param(minimum = 0, maximum = 50, example = 5)]
        categories: Option<u8>,
        /// Zoom of the tiles, 0 to 24, at 256 pixels each. Default: that of TileJSON's `center`.
        #[param(minimum = 0, maximum = 24, example = 10)]
        z: Option<u8>,
        /// Only points from this time on: a date, an RFC 3339 time, or Unix seconds.
        start: Option<String>,
        /// Only points before this time.
        end: Option<String>,
        /// Only points of this category, or of these, separated by commas.
        category: Option<String>,
    }
}

style_parameters! {
    /// Which points are asked about, and which tiles.
    StatisticsParameters {
        /// The zooms whose tiles are told of: one, or some, such as `3-8`. Default: 0-12.
        #[param(example = "0-4")]
        zoom: Option<String>,
        /// Only points from this time on: a date, an RFC 3339 time, or Unix seconds.
        start: Option<String>,
        /// Only points before this time.
        end: Option<String>,
        /// Only points of this category, or of these, separated by commas.
        category: Option<String>,
    }
}

style_parameters! {
    /// How long the frames are, and how their tiles are drawn.
    FramesParameters {
        /// How long each frame is: 30m, 1h, 1d, 7d. There may be up to 10,000 frames.
        #[param(value_type = String, example = "1d")]
        every: String,
        /// The zoom of the tiles that the span is for, 0 to 24. Default: that of TileJSON's `center`.
        #[param(minimum = 0, maximum = 24, example = 3)]
        zoom: Option<u8>,
        /// Width and height of a tile in pixels, before `@2x`: 256, or 512. Default: 256.
        #[param(value_type = Option<u16>)]
        size: Option<u16>,
        /// When the first frame starts: a date, an RFC 3339 time, or Unix seconds. Default: the first time, rounded down.
        start: Option<String>,
        /// When the last frame ends. Default: after the last time.
        end: Option<String>,
        /// Only points of this category, or of these, separated by commas.
        category: Option<String>,
    }
}

/// Which points are asked for, and how they are to be written.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it documents what Fields reads")]
pub(crate) struct PointsParameters {
    /// west,south,east,north, edges included, or `world`; across the antimeridian the east is beyond 180, or less than the
    /// west. Default: all points of the layer.
    #[param(example = "-12,35,32,60")]
    bounds: Option<String>,
    /// `geojson`; `heat`, for Leaflet.heat; or `heatmapjs`, for heatmap.js. Default: geojson.
    format: Option<String>,
    /// The most points to answer. Default: as many as the server's limit.
    limit: Option<u64>,
    /// Only points from this time on: a date, an RFC 3339 time, or Unix seconds.
    start: Option<String>,
    /// Only points before this time.
    end: Option<String>,
    /// Only points of this category, or of these, separated by commas.
    category: Option<String>,
}

style_parameters! {
    /// The picture whose legend is asked for.
    LegendParameters {
        /// What stands above the colors. Default: the layer's title.
        title: Option<String>,
        /// Pixels per layout unit, 0.5 to 8: 2 for dense screens. Default: 1.
        pixel_ratio: Option<f32>,
        /// The zoom whose tiles the legend is for, 0 to 24, instead of a picture's.
        #[param(minimum = 0, maximum = 24, example = 10)]
        zoom: Option<u8>,
        /// The picture's ground: west,south,east,north or `world`. Default: what fits the layer.
        #[param(example = "-12,35,32,60")]
        bounds: Option<String>,
        /// The picture's size: `800x600`, or `1024` for the longer side. Default: 1024.
        size: Option<String>,
        /// mercator (a Leaflet map's own), platecarree (`L.CRS.EPSG4326`) or plane (`L.CRS.Simple`). Default: mercator.
        projection: Option<String>,
        /// Only points from this time on: a date, an RFC 3339 time, or Unix seconds.
        start: Option<String>,
        /// Only points before this time.
        end: Option<String>,
        /// Only points of this category, or of these, separated by commas.
        category: Option<String>,
    }
}

style_parameters! {
    /// A span that is known, and the colors that it is laid on. `vmin` and `vmax` have to be given.
    SpanLegendParameters {
        /// What stands above the colors.
        title: Option<String>,
        /// What the values count, such as `points per km²`.
        unit: Option<String>,
        /// Pixels per layout unit, 0.5 to 8: 2 for dense screens. Default: 1.
        pixel_ratio: Option<f32>,
    }
}

/// Which points of a layer are meant.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "it documents what Fields reads")]
pub(crate) struct QueryRequest {
    /// A layer of the catalog.
    #[schema(example = "cities")]
    layer: String,
    /// Only points within these bounds: `[[south, west], [north, east]]` or `[west, south, east, north]`.
    #[schema(value_type = Option<Object>)]
    bounds: Option<String>,
    /// Only points in this GeoJSON polygon, in place of bounds.
    #[schema(value_type = Option<Object>)]
    polygon: Option<String>,
    /// Only points from this time on: a date, an RFC 3339 time, or Unix seconds.
    #[schema(value_type = Option<StringOrNumber>)]
    start: Option<StringOrNumber>,
    /// Only points before this time.
    #[schema(value_type = Option<StringOrNumber>)]
    end: Option<StringOrNumber>,
    /// Only points of this category, or of these.
    #[schema(value_type = Option<Object>)]
    category: Option<String>,
    /// What columns of a live table have to be, all of it: `[{"column": "speed", "op": ">=", "value": 30}]`. The columns of
    /// weight, time and category can be compared, and those that the server's config names; `op` is =, !=, <, <=, > or >=.
    #[serde(rename = "where")]
    #[schema(value_type = Option<Object>)]
    comparisons: Option<String>,
}

/// What POST /overlays answers with 200.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it documents what is answered")]
pub(crate) enum OverlayOrPoints {
    /// A picture that was there already.
    Overlay(crate::http::routes::overlays::Overlay),
    /// The points, where `png` is false.
    Points(crate::http::routes::overlays::PointsReply),
}
