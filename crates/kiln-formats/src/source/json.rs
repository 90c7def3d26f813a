//! Plain JSON: lists of numbers, or objects with members by name.

use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess};

use super::document::{Document, Halt, Values};
use super::geojson::Features;
use super::geometry::{Member, Type};
use super::record::Kind;
use super::role::Role;
use super::rows::{self, Grammar, Rows};
use super::value::{Any, Plain, Scalar, Take};
use super::{Query, ScanReport, Sink, Source};
use kiln_core::error::Result;

/// A JSON file as a [`Source`]: `[[x, y], …]`, `[[x, y, weight], …]` or `[{"lon": …, "lat": …, "weight": …}, …]`, or
/// such rows one per line. GeoJSON is read as [`GeoJson`](super::GeoJson) reads it.
///
/// Members are found by the names in [`Columns`](kiln_core::source::Columns), or by their usual names as the first 1000 rows have
/// them. Rows that are lists have no names: a third number is the weight, and all of them must have one if any of the
/// first 1000 has. Numbers may be written as texts. A row with a time that cannot be read is rejected if times are wanted,
/// and an empty category is none.
///
/// Where the first row takes a line for itself, or the file is named `.ndjson` or `.jsonl`, a line that is not JSON is a
/// rejected row.
#[derive(Debug)]
pub struct Json {
    document: Document,
    is_geojson: bool,
}

impl Json {
    /// Opens the file at `path`, which messages call `name`.
    ///
    /// # Errors
    /// [`Error::Io`](kiln_core::Error::Io) if it cannot be read, [`Error::Input`](kiln_core::Error::Input) if it is empty or
    /// does not begin as JSON does.
    pub fn open(path: &Path, name: String) -> Result<Self> {
        Self::of(Document::open(path, name)?)
    }

    /// As [`open`](Self::open), for a file each line of which is a value.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), but for the beginning: a line that is not JSON is a rejected row.
    pub fn open_lines(path: &Path, name: String) -> Result<Self> {
        Self::of(Document::open(path, name)?.in_lines())
    }

    fn of(document: Document) -> Result<Self> {
        let is_geojson = begins_as_geojson(&document)?;
        Ok(Self { document, is_geojson })
    }
}

impl Source for Json {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        if self.is_geojson {
            rows::scan::<Features>(&self.document, query, sinks)
        } else {
            rows::scan::<Plainly>(&self.document, query, sinks)
        }
    }
}

/// The grammar of plain JSON.
#[derive(Default)]
struct Plainly;

impl Grammar for Plainly {
    const KIND: Kind = Kind { row: "row", member: "member", places: true };

    fn value<'de, D: Deserializer<'de>>(&mut self, rows: &mut Rows<'_, '_, '_>, value: D) -> Result<(), D::Error> {
        Any(Top(rows)).deserialize(value)
    }
}

/// A value at the top of the document: a row, or a list of rows.
struct Top<'a, 'r, 'i, 's>(&'a mut Rows<'r, 'i, 's>);

impl<'de> Take<'de> for Top<'_, '_, '_, '_> {
    type Taken = ();

    fn plain<E: Error>(self, value: Plain<'_>) -> Result<(), E> {
        reject_plain(self.0, value)
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let rows = self.0;
        rows.record.clear();
        // The first element tells: a plain one makes the list itself a row.
        match list.next_element_seed(Any(FirstElement(rows)))? {
            Some(true) => tell_list(rows, 1, list),
            Some(false) => {
                while list.next_element_seed(Any(Element(rows)))?.is_some() {}
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        Element(self.0).object(object)
    }
}

/// An element of a list of rows.
struct Element<'a, 'r, 'i, 's>(&'a mut Rows<'r, 'i, 's>);

impl<'de> Take<'de> for Element<'_, '_, '_, '_> {
    type Taken = ();

    fn plain<E: Error>(self, value: Plain<'_>) -> Result<(), E> {
        reject_plain(self.0, value)
    }

    #[inline]
    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        self.0.record.clear();
        tell_list(self.0, 0, list)
    }

    #[inline]
    fn object<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        self.0.record.clear();
        (&mut self.0.record).object(object)?;
        self.0.placed_point()
    }
}

/// The first element of a list at the top. Answers whether it is plain; it is then the x of the list as a row.
struct FirstElement<'a, 'r, 'i, 's>(&'a mut Rows<'r, 'i, 's>);

impl<'de> Take<'de> for FirstElement<'_, '_, '_, '_> {
    type Taken = bool;

    fn plain<E: Error>(self, value: Plain<'_>) -> Result<bool, E> {
        self.0.record.unnamed(Role::Lon).plain(value)?;
        Ok(true)
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<bool, A::Error> {
        Element(self.0).list(list)?;
        Ok(false)
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<bool, A::Error> {
        Element(self.0).object(object)?;
        Ok(false)
    }
}

/// Reads what is left of a row that is a list, of which `known` values are known, and tells it.
#[inline]
fn tell_list<'de, A: SeqAccess<'de>>(rows: &mut Rows<'_, '_, '_>, known: usize, mut list: A) -> Result<(), A::Error> {
    const ROLES: [Role; 3] = [Role::Lon, Role::Lat, Role::Weight];
    let mut surplus = Scalar::default();
    let mut length = known;
    loop {
        let value = ROLES.get(length).map_or(&mut surplus, |&role| rows.record.unnamed(role));
        if list.next_element_seed(Any(value))?.is_none() {
            break;
        }
        length += 1;
    }
    if let Some(sample) = &mut rows.record.sample {
        sample.widest_list = sample.widest_list.max(length);
    }
    if (2..=ROLES.len()).contains(&length) {
        rows.placed_point()
    } else {
        rows.reject(|| format!("a list of {length}; a row is [x, y] or [x, y, weight]"))
    }
}

fn reject_plain<E: Error>(rows: &mut Rows<'_, '_, '_>, value: Plain<'_>) -> Result<(), E> {
    let mut found = Scalar::default();
    (&mut found).plain::<E>(value)?;
    rows.reject(|| format!("{found} is not a row; a row is [x, y], [x, y, weight] or an object"))
}

/// Whether `document` begins as GeoJSON does, rather than as rows of another kind.
fn begins_as_geojson(document: &Document) -> Result<bool> {
    let mut sniffer = Sniffer::default();
    // It only looks, so nobody can have stopped it.
    let _ = document.read(&mut sniffer)?;
    Ok(sniffer.is_geojson == Some(true))
}

/// Looks at the first object of a document.
#[derive(Default)]
struct Sniffer {
    is_geojson: Option<bool>,
}

impl Sniffer {
    /// The error that ends the reading, once the answer is known.
    fn know<E: Error>(&mut self, is_geojson: bool) -> E {
        self.is_geojson = Some(is_geojson);
        E::custom("known")
    }
}

impl Values for Sniffer {
    fn value<'de, D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        Any(self).deserialize(value)
    }

    fn broken(&mut self, _: impl FnOnce() -> String) {}

    fn halted(&mut self) -> Option<Halt> {
        self.is_geojson.map(|_| Halt::Enough)
    }
}

impl<'de> Take<'de> for &mut Sniffer {
    type Taken = ();

    fn plain<E: Error>(self, _: Plain<'_>) -> Result<(), E> {
        Err(self.know(false))
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        list.next_element_seed(Any(&mut *self))?;
        Err(self.know(false))
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut kind = Type::Unsaid;
        while let Some(member) = object.next_key()? {
            match member {
                Member::Type => object.next_value_seed(Any(&mut kind))?,
                Member::Features | Member::Geometry | Member::Geometries | Member::Coordinates => {
                    return Err(self.know(true));
                }
                Member::Properties | Member::Crs | Member::Other => drop(object.next_value::<IgnoredAny>()?),
            }
            // A row may call its category `type`, but hardly so.
            if matches!(kind, Type::Feature | Type::FeatureCollection) {
                return Err(self.know(true));
            }
        }
        Err(self.know(false))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{self, Scanned, rejections, weighted};
    use super::*;

    fn scan(text: &str, query: &Query<'_>) -> Scanned {
        let file = testing::file(text);
        testing::scan(&Json::open(file.path(), "rows.json".to_owned())?, query, 1)
    }

    #[test]
    fn rows_are_lists_or_objects_in_a_list_or_one_per_line() {
        let documents = [
            "[[1,2,3],[4,5,6]]",
            "[[1,2,3],\n[4,5,6]]\n",
            "[1,2,3]\n[4,5,6]\n",
            "[[1,2,3]]\n[[4,5,6]]",
            r#"[{"lon":1,"lat":2,"weight":3},{"lat":"5","lon":"4","weight":"6","x":7}]"#,
            "{\"Lng\":1,\"Latitude\":2,\"value\":3}\n{\"Lng\":4,\"Latitude\":5,\"value\":6}",
            r#"[[1,2,3],{"x":4,"y":5,"w":6}]"#,
        ];
        for document in documents {
            let (points, report) = scan(document, &weighted(None)).unwrap();
            assert_eq!(points, [(1.0, 2.0, 3.0), (4.0, 5.0, 6.0)], "{document}");
            assert_eq!((report.read, report.rejected), (2, 0), "{document}");
        }
        assert_eq!(scan("[[1,2],[4,5]]", &weighted(None)).unwrap().0, [(1.0, 2.0, 1.0), (4.0, 5.0, 1.0)]);
        assert_eq!(scan("[[1,2,3],[4,5]]", &Query::default()).unwrap().0, [(1.0, 2.0, 1.0), (4.0, 5.0, 1.0)]);
        assert_eq!(scan("[]", &weighted(None)).unwrap().1, ScanReport::default());
    }

    #[test]
    fn bad_rows_are_rejected_with_a_reason() {
        let (points, report) = scan(r#"[[1,2,3],[4],7,[1,2],["a",2,3]]"#, &weighted(None)).unwrap();
        assert_eq!(points, [(1.0, 2.0, 3.0)]);
        assert_eq!(
            rejections(&report),
            [
                (2, "a list of 1; a row is [x, y] or [x, y, weight]"),
                (3, "7 is not a row; a row is [x, y], [x, y, weight] or an object"),
                (4, "weight is missing"),
                (5, "longitude: \"a\" is not a number"),
            ]
        );
        let (points, report) =
            scan("{\"lon\":1,\"lat\":2}\n{\"lon\":null,\"lat\":2}\n{\"lon\":1}\n[1,2,3,4]\nnull", &Query::default())
                .unwrap();
        assert_eq!(points, [(1.0, 2.0, 1.0)]);
        assert_eq!(
            rejections(&report),
            [
                (2, "lon: null is not a number"),
                (3, "lat is missing"),
                (4, "a list of 4; a row is [x, y] or [x, y, weight]"),
                (5, "null is not a row; a row is [x, y], [x, y, weight] or an object"),
            ]
        );
    }

    #[test]
    fn columns_may_be_named_and_must_be_there() {
        let text = r#"[{"ost":1,"nord":2,"kg":3,"when":0}]"#;
        let mut query = weighted(Some("kg"));
        let message = scan(text, &query).unwrap_err().to_string();
        assert_eq!(
            message,
            "rows.json: no member is called as a longitude usually is (lon, lng, long, longitude, x); name one \
             with lon: \"ost\", \"nord\", \"kg\", \"when\""
        );
        query.columns.names.lon = Some("ost".to_owned());
        query.columns.names.lat = Some("nord".to_owned());
        assert_eq!(scan(text, &query).unwrap().0, [(1.0, 2.0, 3.0)]);
        query.columns.names.lat = Some("north".to_owned());
        let message = scan(text, &query).unwrap_err().to_string();
        assert_eq!(
            message,
            "rows.json: no row has a member \"north\"; the first one has \"nord\", \"ost\", \"kg\", \"when\""
        );
        let timed = Query::default().with_end(Some(0));
        let message = scan("[[1,2],[3,4]]", &timed).unwrap_err().to_string();
        assert!(message.contains("no row has a member for the time"), "{message}");
    }

    #[test]
    fn times_and_categories_come_along() {
        let text = "{\"x\":1,\"y\":0,\"date\":\"2018-02-07\",\"kind\":true}\n[2,0]\n{\"x\":3,\"y\":0,\"kind\":\"b\"}";
        let file = testing::file(text);
        let source = Json::open(file.path(), "rows.json".to_owned()).unwrap();
        let (seen, _) = testing::scan_marked(&source, &testing::marked()).unwrap();
        let expected = [(1.0, Some(1_517_961_600_000_000), Some("true")), (2.0, None, None), (3.0, None, Some("b"))];
        assert_eq!(seen, testing::marks(&expected));
        let query =
            testing::marked().with_category_filter(vec!["b".to_owned(), "true".to_owned()]).with_end(Some(i64::MAX));
        assert_eq!(testing::scan_marked(&source, &query).unwrap().0, testing::marks(&expected[..1]));
        let file = testing::file("[[1,2,3],[4,5,6]]");
        let source = Json::open(file.path(), "rows.json".to_owned()).unwrap();
        let (gathered, _) = testing::gather(&source, &testing::marked()).unwrap();
        assert!(gathered.len() == 2 && gathered.points().time_us().is_none() && gathered.points().category().is_none());
    }

    #[test]
    fn geojson_is_recognized() {
        let feature = r#"{"id":1,"geometry":{"type":"Point","coordinates":[1,2]},"type":"Feature"}"#;
        let documents = [
            feature.to_owned(),
            format!("{feature}\n{feature}"),
            format!("[{feature}]"),
            format!(r#"{{"name":"x","features":[{feature}]}}"#),
            r#"{"type":"Point","coordinates":[1,2]}"#.to_owned(),
        ];
        for document in documents {
            let (points, report) = scan(&document, &Query::default()).unwrap();
            assert_eq!((points[0], report.rejected), ((1.0, 2.0, 1.0), 0), "{document}");
        }
        let row = r#"{"lon":1,"lat":2,"type":"Point"}"#;
        assert_eq!(scan(row, &Query::default()).unwrap().0, [(1.0, 2.0, 1.0)]);
    }

    #[test]
    fn a_line_that_is_not_json_is_a_rejected_row() {
        let text =
            "{\"lon\":1,\"lat\":2}\n{\"lon\":3,\"lat\":\n\n{\"lon\":5,\"lat\":6}}\r\n[7,8\n{\"lon\":9,\"lat\":10}";
        let (points, report) = scan(text, &Query::default()).unwrap();
        assert_eq!(points, [(1.0, 2.0, 1.0), (9.0, 10.0, 1.0)]);
        assert_eq!(report.read, 5);
        assert_eq!(
            rejections(&report),
            [
                (2, "broken JSON at column 15: EOF while parsing a value; was the line cut off?"),
                (3, "broken JSON at column 18: expected value"),
                (4, "broken JSON at column 4: EOF while parsing a list; was the line cut off?"),
            ]
        );
    }

    #[test]
    fn the_name_says_that_rows_are_lines_where_the_first_line_is_broken() {
        let named = |name: &str, text: &str, query: &Query<'_>| {
            let file = testing::file(text);
            testing::scan(&Json::open(file.path(), name.to_owned())?, query, 2)
        };
        let text = format!("{{\"lon\":\n{}", "{\"lon\":1,\"lat\":2}\n".repeat(200));
        for name in ["rows.ndjson", "ROWS.JSONL", "rows.jsonl.gz"] {
            let (points, report) = named(name, &text, &Query::default()).unwrap();
            assert_eq!((points.len(), report.read, report.rejections[0].row), (200, 201, 1), "{name}");
        }
        let message = named("rows.json", &text, &Query::default()).unwrap_err().to_string();
        assert!(message.starts_with("rows.json: broken JSON at line 3, column 1: "), "{message}");
        // Even where no line is JSON, whatever is asked for.
        for lines in [3, 3000] {
            let (points, report) = named("rows.ndjson", &"{oops}\n".repeat(lines), &weighted(Some("mag"))).unwrap();
            assert_eq!((points.len(), report.read, report.rejected), (0, lines as u64, lines as u64));
            assert_eq!(rejections(&report)[0], (1, "broken JSON at column 2: key must be a string"));
        }
    }

    #[test]
    fn a_file_that_shrinks_is_an_error_and_what_is_added_is_not_read() {
        use std::io::Write;
        for text in ["[1,2]\n[3,4]\n", "[[1,2],\n[3,4]]"] {
            let mut file = testing::file(text);
            let source = Json::open(file.path(), "rows.json".to_owned()).unwrap();
            file.write_all(b"\n[5,6]").unwrap();
            assert_eq!(testing::scan(&source, &Query::default(), 1).unwrap().0.len(), 2);
            for left in [text.len() as u64 - 1, 0] {
                file.as_file().set_len(left).unwrap();
                let message = testing::scan(&source, &Query::default(), 2).unwrap_err().to_string();
                assert_eq!(message, "rows.json: the file changed while it was read");
            }
        }
    }

    #[test]
    fn broken_json_says_where() {
        let message = |text: &str| scan(text, &Query::default()).unwrap_err().to_string();
        assert_eq!(message("[[1,2],\n[3,NaN]]"), "rows.json: broken JSON at line 2, column 4: expected value");
        assert!(message("[[1,2],[3,4").ends_with("was the file cut off?"));
        assert!(message("[[1,2]]x").contains("line 1, column 8"));
    }
}
