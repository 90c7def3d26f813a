use proptest::prelude::*;

use super::*;

fn lon(text: &str) -> Result<f64, CoordinateError> {
    parse(text, Axis::Longitude, false)
}

fn lat(text: &str) -> Result<f64, CoordinateError> {
    parse(text, Axis::Latitude, false)
}

#[test]
fn decimal_degrees_have_a_sign_a_degree_sign_or_a_hemisphere() {
    for text in
        ["18.07", " +18.07 ", "18.07°", "18.07 º", "18.07E", "18.07 e", "E 18.07", "E18.07°", "18.07° E", "18.07 East"]
    {
        assert_eq!(lon(text), Ok(18.07), "{text}");
    }
    for text in ["-33.87", "−33.87", "33.87 S", "33.87S", "33.87s", "S 33.87", "-33.87 S", "33.87° south", "- 33.87"]
    {
        assert_eq!(lat(text), Ok(-33.87), "{text}");
    }
    assert_eq!(lon("74W"), Ok(-74.0));
    assert_eq!(lon("1.807e1"), Ok(18.07));
}

#[test]
fn minutes_and_seconds_are_read_in_the_usual_spellings() {
    for text in [
        "18°04'12.0\"E",
        "18° 4' 12\" E",
        "18 04 12 E",
        "18 04 12",
        "E 18 04 12",
        "E18°04'12\"",
        "18°04.2'E",
        "18 04.2 E",
        "18d04m12s",
        "18d04m12sE",
        "18 deg 4 min 12 sec E",
        "18°04′12″E",
        "18º04’12”E",
        "18°04‘12“ E",
        "18°4'12''E",
        "+18 04 12",
    ] {
        let degrees = lon(text).unwrap();
        assert!((degrees - 18.07).abs() < 1e-12, "{text}: {degrees}");
    }
    for text in ["-33 52 12", "33 52 12 S", "33 52 12 s", "33d52m12sS", "S33°52'12\"", "33°52.2' S", "33°52.2's"] {
        let degrees = lat(text).unwrap();
        assert!((degrees + 33.87).abs() < 1e-12, "{text}: {degrees}");
    }
}

#[test]
fn less_than_a_degree_south_or_west_is_negative() {
    assert_eq!(lon("-0 30 0"), Ok(-0.5));
    assert_eq!(lon("0°30'W"), Ok(-0.5));
    assert_eq!(lon("0°30'E"), Ok(0.5));
}

#[test]
fn sixty_seconds_are_a_minute_and_more_are_an_error() {
    let degrees = lon("151°11'60.0\"E").unwrap();
    assert!((degrees - 151.2).abs() < 1e-12, "{degrees}");
    for text in ["18°60'E", "18°75'12\"E", "18°04'60.1\"E", "18 60 00"] {
        assert_eq!(lon(text), Err(CoordinateError::SexagesimalRange), "{text}");
    }
}

#[test]
fn a_hemisphere_belongs_to_its_axis_and_agrees_with_the_sign() {
    assert_eq!(lon("59.33N"), Err(CoordinateError::LatitudeHemisphere));
    assert_eq!(lat("18°04'12\"E"), Err(CoordinateError::LongitudeHemisphere));
    assert_eq!(lon("-18.07E"), Err(CoordinateError::ConflictingSign));
    assert_eq!(lon("-18.07W"), Ok(-18.07));
    assert_eq!(CoordinateError::LatitudeHemisphere.to_string(), "has the hemisphere of a latitude; expected E or W");
}

#[test]
fn a_decimal_comma_is_read_if_it_is_allowed() {
    assert_eq!(parse("59,33", Axis::Latitude, true), Ok(59.33));
    assert_eq!(parse("-0,5", Axis::Latitude, true), Ok(-0.5));
    assert_eq!(parse("59,33° N", Axis::Latitude, true), Ok(59.33));
    assert_eq!(parse("59°19,8'N", Axis::Latitude, true), Ok(59.33));
    assert_eq!(parse("1,234,5", Axis::Latitude, true), Err(CoordinateError::Malformed));
    assert_eq!(lat("59,33"), Err(CoordinateError::DecimalComma));
}

#[test]
fn other_texts_are_rejected() {
    for text in [
        "",
        " ",
        "n/a",
        "E",
        "-",
        "nan",
        "inf",
        "1e999",
        "18.07 E E",
        "E 18.07 E",
        "18.07 X",
        "18.5 04 12",
        "18 04 12 06",
        "12:30:00",
        "2024-05-01",
        "18°04'12\"E x",
        "1.2.3",
        "18 -04 12",
        "°",
        "18°°",
    ] {
        assert_eq!(lon(text), Err(CoordinateError::Malformed), "{text}");
    }
}

#[test]
fn a_hemisphere_has_an_axis_and_a_sign() {
    for (text, expected) in [
        ("N", (Axis::Latitude, 1.0)),
        (" s ", (Axis::Latitude, -1.0)),
        ("E", (Axis::Longitude, 1.0)),
        ("West", (Axis::Longitude, -1.0)),
        ("S.", (Axis::Latitude, -1.0)),
    ] {
        assert_eq!(hemisphere(text), Some(expected), "{text}");
    }
    for text in ["", "NE", "O", "1", "northern"] {
        assert_eq!(hemisphere(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,24}", likely in "[-+−NSEWsdm°'\"′″”,. 0-9]{0,16}") {
        for text in [text, likely] {
            for decimal_comma in [false, true] {
                let _ = parse(&text, Axis::Latitude, decimal_comma);
            }
        }
    }

    #[test]
    fn degrees_minutes_and_seconds_add_up(whole in 0..180_u32, minutes in 0..60_u32, hundredths in 0..6000_u32, west: bool) {
        let seconds = f64::from(hundredths) / 100.0;
        let hemisphere = if west { 'W' } else { 'E' };
        let degrees = lon(&format!("{whole}°{minutes:02}'{seconds:05.2}\"{hemisphere}")).unwrap();
        let expected = f64::from(whole) + f64::from(minutes) / 60.0 + seconds / 3600.0;
        prop_assert!((degrees.abs() - expected).abs() < 1e-9 && (degrees <= 0.0 || !west));
    }
}
