//! Coordinate reference systems: parsing of their identifiers and definitions, and the transformation to WGS 84.
//!
//! `proj4rs` computes the projections, `crs-definitions` has their parameters by EPSG code, and `proj4wkt` reads them
//! from WKT without a code. The results of 6165 definitions were compared with PROJ 9.5 at nine points each. Those
//! based on WGS 84 and similar datums (ETRS89, NAD83, GDA94, …) agree to 1.5 m; of the others, those of
//! [`KNOWN_SHIFTS`] are accepted.

use std::borrow::Cow;

use kiln_core::geo::EARTH_RADIUS_M;
use proj4rs::Proj;
use serde_json::Value;

/// A coordinate reference system whose coordinates can be transformed to longitude and latitude on WGS 84. The axis
/// order is east, north, regardless of the authority's definition.
#[derive(Clone, Debug)]
pub(in crate::source) enum Crs {
    /// WGS 84 in degrees.
    Wgs84,
    /// A geographic system, by name, that differs from WGS 84 by a few meters at most; its degrees are used unchanged.
    NearWgs84(String),
    /// A system whose coordinates are transformed.
    Projected(Box<Transform>),
}

/// The transformation from the coordinates of a reference system to degrees.
#[derive(Clone, Debug)]
pub(in crate::source) struct Transform {
    /// The name of the reference system, for messages.
    pub(in crate::source) name: String,
    /// The projections of the system and of WGS 84; `None` for Web Mercator.
    projections: Option<(Proj, Proj)>,
}

const WGS84: &str = "+proj=longlat +datum=WGS84 +no_defs";

/// Codes of Web Mercator: current and former EPSG codes, that of `OpenLayers`, and those of ESRI.
const WEB_MERCATOR: [u32; 5] = [3857, 3785, 900_913, 102_100, 102_113];

/// Names of WGS 84 in degrees.
const WGS84_NAMES: [&str; 6] = ["WGS 84", "WGS84", "CRS84", "CRS84H", "WGS 84 (CRS84)", "GCS_WGS_1984"];

/// Codes and names of geographic systems that PROJ, too, treats as equal to WGS 84. The EPSG registry states their
/// accuracy: 4 m for NAD83, 3 m for GDA94 and GDA2020, and 1 to 2 m for the others.
const NEAR_WGS84: [(u32, &str); 14] = [
    (4269, "NAD83"),
    (4258, "ETRS89"),
    (4283, "GDA94"),
    (7844, "GDA2020"),
    (4674, "SIRGAS 2000"),
    (4490, "CGCS2000"),
    (4490, "China Geodetic Coordinate System 2000"),
    (6318, "NAD83(2011)"),
    (4617, "NAD83(CSRS)"),
    (4167, "NZGD2000"),
    (4612, "JGD2000"),
    (6668, "JGD2011"),
    (4171, "RGF93"),
    (4619, "SWEREF99"),
];

/// Datum shifts to WGS 84, as prefixes of `+towgs84` or `+datum`, that agree with PROJ to 3 m in their countries.
/// Systems with other shifts are rejected: the error was up to 14 m for ED50 and 11 m for Monte Mario, and NAD27 needs
/// grids. The comments give the difference from PROJ, and the accuracy that the EPSG registry states for PROJ's shift.
#[rustfmt::skip]
const KNOWN_SHIFTS: [&str; 21] = [
    "446.448,-125.157,542.06",     // Great Britain: 0 m, 2 m
    "OSGB36",                      // the same by name
    "482.5,-130.6,564.6",          // Ireland: 0 m, 1 m
    "ire65",                       // the same by name
    "565.2369,50.0087,465.658",    // Netherlands: 0 m, 1 m
    "-106.8686,52.2978,-103.7239", // Belgium: 0 m, 1 m
    "-189.6806,18.3463,-42.7695",  // Luxembourg: 0 m, 1 m
    "-168,-60,320",                // France before 1993: 0 m, 2 m
    "674.374,15.056,405.346",      // Switzerland: 0 m, 1.5 m
    "598.1,73.7,418.2",            // Germany: 2.4 m from the grid BETA2007, 1 m
    "potsdam",                     // the same by name
    "577.326,90.129,463.919",      // Austria: 0.7 m, 1.5 m
    "570.8,85.7,462.8",            // Czechia: 0.1 m, 1 m
    "485.021,169.465,483.839",     // Slovakia: 0 m, 1 m
    "52.17,-71.82,-14.9",          // Hungary: 0 m, 1 m
    "414.1,41.3,603.1",            // Sweden before 1999: 0 m, 1 m
    "-96.062,-82.428,-121.753",    // Finland before 1997: 0 m, 1 m
    "GGRS87",                      // Greece: 0 m, 1 m
    "23.772,17.49,17.859",         // Israel: 0 m, 0.5 m
    "-162.619,-276.959,-161.764",  // Hong Kong: 0 m, 1 m
    "23.92,-141.27,-80.9",         // Pulkovo 1942: 1 m, 4.5 m
];

impl Crs {
    /// Parses an identifier or definition: `EPSG:25832`, `25832`, an OGC URN or URL, WKT, or PROJJSON.
    ///
    /// # Errors
    ///
    /// A message with the name if the system is unknown or cannot be transformed with an accuracy of 10 m.
    pub(in crate::source) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('{') {
            return Self::from_json(&serde_json::from_str(text).map_err(|error| format!("invalid PROJJSON: {error}"))?);
        }
        if text.contains('[') {
            return Self::from_wkt(text);
        }
        let (authority, name) = text.rsplit_once([':', '/', '#']).unwrap_or(("", text));
        if let Some(geographic) = Self::geographic(name) {
            return Ok(geographic);
        }
        let authority = authority.to_ascii_uppercase();
        match name.trim().parse() {
            Ok(code)
                if authority.is_empty() || ["EPSG", "ESRI", "SRID"].iter().any(|known| authority.contains(known)) =>
            {
                Self::from_code(code)
            }
            _ => Err(unsupported(text)),
        }
    }

    /// Returns the system of an EPSG code, such as the SRID of a geometry.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse).
    pub(in crate::source) fn from_code(code: u32) -> Result<Self, String> {
        let name = NEAR_WGS84
            .iter()
            .find(|near| near.0 == code)
            .map_or_else(|| format!("EPSG:{code}"), |near| near.1.to_owned());
        match code {
            4326 | 4979 => Ok(Self::Wgs84),
            code if WEB_MERCATOR.contains(&code) => Ok(Self::web_mercator(name)),
            code => Self::from_definition(name, &definition(code).ok_or_else(|| unsupported(&format!("EPSG:{code}")))?),
        }
    }

    /// Returns the system of PROJJSON, a JSON string, or the former `crs` member of GeoJSON; `null` is WGS 84.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse).
    pub(in crate::source) fn from_json(json: &Value) -> Result<Self, String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match json {
            Value::Null => return Ok(Self::Wgs84),
            Value::String(name) => return Self::parse(name),
            _ => {}
        }
        if let (Some(authority), Some(code)) = (json.pointer("/id/authority"), json.pointer("/id/code")) {
            return Self::parse(&format!("{}:{}", text(authority), text(code)));
        }
        if let Some(inner) = json.get("source_crs").or_else(|| json.pointer("/components/0")) {
            return Self::from_json(inner);
        }
        let members = ["/name", "/properties/name", "/properties/code", "/properties/href"];
        let name = members.iter().find_map(|member| json.pointer(member)).map_or("without a name".to_owned(), text);
        Self::parse(&name)
    }

    /// Transforms coordinates in place to longitude (`x`) and latitude (`y`) in degrees on WGS 84, or NaN where that
    /// fails.
    pub(in crate::source) fn to_degrees(&self, x: &mut [f64], y: &mut [f64]) {
        let Self::Projected(transform) = self else { return };
        for (x, y) in x.iter_mut().zip(y) {
            (*x, *y) = transform.to_degrees(*x, *y);
        }
    }

    fn web_mercator(name: String) -> Self {
        Self::Projected(Box::new(Transform { name, projections: None }))
    }

    /// The geographic system called `name`, if it is WGS 84 or near it.
    fn geographic(name: &str) -> Option<Self> {
        let is_named = |known: &str| known.eq_ignore_ascii_case(name);
        if WGS84_NAMES.into_iter().any(is_named) {
            return Some(Self::Wgs84);
        }
        NEAR_WGS84.into_iter().find(|(_, near)| is_named(near)).map(|(_, near)| Self::NearWgs84(near.to_owned()))
    }

    /// Returns the system of WKT: by its code if it has one, else by its name or its parameters.
    fn from_wkt(wkt: &str) -> Result<Self, String> {
        let name = wkt.split('"').nth(1).unwrap_or(wkt);
        // This also bounds the recursion of `proj4wkt`.
        if let Some(code) = wkt_code(wkt, name)? {
            let crs = Self::from_code(code);
            if crs.is_ok() || proj4_string(code).is_some() {
                return crs;
            }
        }
        if let Some(geographic) = Self::geographic(name) {
            return Ok(geographic);
        }
        if name.contains("Web_Mercator") || name.contains("Pseudo-Mercator") {
            return Ok(Self::web_mercator(name.to_owned()));
        }
        let definition = proj4wkt::wkt_to_projstring(wkt).map_err(|_| unsupported(name))?;
        Self::from_definition(name.to_owned(), &definition)
    }

    /// Returns the system of a PROJ string.
    fn from_definition(name: String, definition: &str) -> Result<Self, String> {
        let is_modern = match shift(definition) {
            Shift::None => true,
            Shift::Known => false,
            Shift::Unknown => return Err(inaccurate(&name)),
        };
        let system = |definition| Proj::from_proj_string(definition).map_err(|_| unsupported(&name));
        let (from, to) = (system(definition)?, system(WGS84)?);
        // Angles from a prime meridian other than Greenwich are mostly in gradians.
        if from.is_geocent() || from.is_latlong() && from.from_greenwich() != 0.0 {
            return Err(unsupported(&name));
        }
        if from.is_latlong() && is_modern {
            return Ok(Self::NearWgs84(name));
        }
        Ok(Self::Projected(Box::new(Transform { name, projections: Some((from, to)) })))
    }
}

impl Transform {
    fn to_degrees(&self, x: f64, y: f64) -> (f64, f64) {
        let Some((from, to)) = &self.projections else {
            return ((x / EARTH_RADIUS_M).to_degrees(), (y / EARTH_RADIUS_M).sinh().atan().to_degrees());
        };
        let mut point = if from.is_latlong() { (x.to_radians(), y.to_radians(), 0.0) } else { (x, y, 0.0) };
        let done = proj4rs::transform::transform(from, to, &mut point);
        let (lon, lat) = (point.0.to_degrees(), point.1.to_degrees());
        if done.is_ok() && lon.is_finite() && lat.is_finite() { (lon, lat) } else { (f64::NAN, f64::NAN) }
    }
}

/// The PROJ string of an EPSG code in `crs-definitions`.
fn proj4_string(code: u32) -> Option<&'static str> {
    Some(crs_definitions::from_code(u16::try_from(code).ok()?)?.proj4)
}

/// The PROJ string of an EPSG code, corrected where current versions of PROJ have better parameters.
fn definition(code: u32) -> Option<Cow<'static, str>> {
    let definition = proj4_string(code)?;
    Some(match code {
        // Definitions whose results differ from PROJ: they lack an axis, a shift, a sphere or an offset.
        2065 | 3973..=3975 | 4055 | 5221 | 5513 | 6871 | 6989..=6991 | 6996 | 6997 => return None,
        // The shift for Austria; for the Balkans this datum has other shifts.
        4312 | 31254..=31259 | 31284..=31287 | 31297 => {
            let shift = "+ellps=bessel +towgs84=577.326,90.129,463.919,5.137,1.474,5.297,2.4232";
            definition.replace("+datum=hermannskogel", shift).into()
        }
        4156 | 5514 => definition.replace("=589,76,480,0,0,0,0", "=570.8,85.7,462.8,4.998,1.587,5.261,3.56").into(),
        2039 | 4141 => {
            let shift = "=23.772,17.49,17.859,-0.3132,-1.85274,1.67299,-5.4262";
            definition.replace("=-48,55,52,0,0,0,0", shift).into()
        }
        _ => definition.into(),
    })
}

/// The shift between a datum and WGS 84.
enum Shift {
    /// A few meters at most, which is treated as no shift.
    None,
    /// One of [`KNOWN_SHIFTS`].
    Known,
    /// Another shift, or an unknown datum.
    Unknown,
}

/// The shift that a PROJ string declares or that its ellipsoid implies.
fn shift(definition: &str) -> Shift {
    let value = |key: &str| definition.split_whitespace().find_map(|word| word.strip_prefix(key));
    let is_known = |shift: &str| KNOWN_SHIFTS.iter().any(|known| shift.starts_with(known));
    let number = |key: &str| value(key).and_then(|number| number.parse().ok()).unwrap_or(0.0_f64);
    let is_modern_ellipsoid = || {
        matches!(value("+ellps="), Some("GRS80" | "WGS84"))
            || number("+a=") == EARTH_RADIUS_M && (298.257..298.2573).contains(&number("+rf="))
    };
    match (value("+nadgrids="), value("+towgs84="), value("+datum=")) {
        (None, None, Some("WGS84" | "NAD83")) => Shift::None,
        (None, Some(shift), _) | (None, None, Some(shift)) if is_known(shift) => Shift::Known,
        (None, Some(shift), _) if shift.split(',').any(|part| part.parse() != Ok(0.0)) => Shift::Unknown,
        (None, _, None) if is_modern_ellipsoid() => Shift::None,
        _ => Shift::Unknown,
    }
}

/// The maximum nesting of brackets in WKT.
const MAX_DEPTH: usize = 32;

/// The EPSG code of the outermost element of WKT: `AUTHORITY["EPSG","25832"]`, or `ID["EPSG",25832]` in WKT 2.
///
/// # Errors
/// If brackets do not match or are nested too deeply.
fn wkt_code(wkt: &str, name: &str) -> Result<Option<u32>, String> {
    let invalid = || format!("invalid WKT of the coordinate reference system {name:.80}");
    let (mut depth, mut is_quoted, mut code) = (0_usize, false, None);
    for (index, byte) in wkt.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'[' if !is_quoted => {
                let keyword =
                    wkt[..index].rsplit(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
                if depth == 1 && ["AUTHORITY", "ID"].iter().any(|id| id.eq_ignore_ascii_case(keyword)) {
                    let mut id = wkt[index + 1..].split([',', ']']).map(|part| part.trim().trim_matches('"'));
                    let is_epsg = id.next().is_some_and(|authority| authority.eq_ignore_ascii_case("EPSG"));
                    code = id.next().filter(|_| is_epsg).and_then(|code| code.parse().ok());
                }
                depth = Some(depth + 1).filter(|&depth| depth <= MAX_DEPTH).ok_or_else(invalid)?;
            }
            b']' if !is_quoted => depth = depth.checked_sub(1).ok_or_else(invalid)?,
            _ => {}
        }
    }
    if depth == 0 { Ok(code) } else { Err(invalid()) }
}

fn unsupported(name: &str) -> String {
    const PLANES: [&str; 7] = ["m", "meter", "meters", "metre", "metres", "simple", "cartesian"];
    if PLANES.iter().any(|plane| name.eq_ignore_ascii_case(plane)) {
        return format!("unsupported coordinate reference system {name}; for x and y in meters on a plane, use plane");
    }
    format!(
        "unsupported coordinate reference system {name:.80}; expected WGS 84, Web Mercator or another EPSG code of a common \
         projection, such as EPSG:25832, or reproject the file with `ogr2ogr -t_srs EPSG:4326`"
    )
}

fn inaccurate(name: &str) -> String {
    format!(
        "the coordinate reference system {name:.80} cannot be transformed to WGS 84 within 10 m; reproject the file \
         with `ogr2ogr -t_srs EPSG:4326`"
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
#[path = "tests/crs.rs"]
mod tests;
