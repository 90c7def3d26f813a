#![allow(clippy::unwrap_used, clippy::too_many_lines)]

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

fn us(text: &str) -> i64 {
    timestamp_us(text.parse().unwrap())
}

fn sample(values: &[&str], day_first: Option<bool>) -> TimeSample {
    let mut sample = TimeSample::new(TimeFormat::Auto, day_first);
    for text in values {
        sample.add(text);
    }
    sample
}

fn reader(format: &str) -> TimeReader {
    TimeSample::new(format.parse().unwrap(), None).reader()
}

/// Parses a value as a column of this value alone.
fn read(text: &str) -> Result<Option<i64>, TimeError> {
    sample(&[text], None).reader().parse(text)
}

#[test]
fn every_supported_format_is_parsed() {
    let times = [
        (
            "2024-05-01T15:15:00Z",
            &[
                "2024-05-01T15:15:00Z",
                "2024-05-01t15:15:00z",
                " 2024-05-01 15:15:00 ",
                "2024-05-01T15:15:00,000",
                "2024-05-01 15:15",
                "2024-5-1 15:15:0",
                "2024-05-01T15:15Z",
                "2024-05-01 15:15:00 UTC",
                "2024-05-01 15:15:00 GMT",
                "2024-05-01 15:15:00 Z",
                "2024-05-01 15:15:00UTC",
                "2024-05-01T17:15:00+02:00",
                "2024-05-01 17:15:00 +02:00",
                "2024-05-01T17:15:00+0200",
                "2024-05-01 17:15:00 +0200",
                "2024-05-01T17:15:00+02",
                "2024-05-01 10:45 -0430",
                "2024-05-01T17:15:00[Europe/Berlin]",
                "2024-05-01T17:15:00+02:00[Europe/Berlin]",
                "2024/05/01 15:15:00",
                "2024/5/1 3:15 PM",
                "2024.05.01 15:15",
                "2024:05:01 15:15:00",
                "1.5.2024 15:15",
                "01.05.2024, 15:15:00",
                "1. 5. 2024 15:15",
                "Wed, 01 May 2024 15:15:00 GMT",
                "Wed, 1 May 2024 17:15 +0200",
                "Wed, 01 May 2024 10:15:00 CDT",
                "Thu, 01 May 2024 10:15:00 CDT",
                "Thu, 01 May 2024 15:15:00 GMT",
                "Wed May 01 15:15:00 +0000 2024",
                "Wed May  1 15:15:00 2024",
                "Wed May  1 15:15:00 UTC 2024",
                "Wed May 01 2024 17:15:00 GMT+0200 (Central European Summer Time)",
                "Wednesday, May 1st, 2024 at 3:15 PM",
                "1 May 2024 15:15",
                "01-MAY-24 03:15:00 PM",
                "2024-May-01 15:15:00",
                "01MAY2024:15:15:00",
                "01/May/2024:15:15:00 +0000",
                "202405011515",
                "20240501151500",
                "20240501151500000",
                "20240501T151500Z",
                "20240501T171500+0200",
                "20240501 15:15",
                "20240501_151500",
                "1714576500",
                "1714576500.0",
                "1714576500000",
                "1714576500000000",
                "1714576500000000000",
            ][..],
        ),
        (
            "2024-05-01T00:00:00Z",
            &[
                "2024-05-01",
                "2024-05-01Z",
                "2024-05-01 UTC",
                "2024-5-1",
                "2024-05",
                "2024/05",
                "05/2024",
                "01.05.2024",
                "1.5.24",
                "1 May 2024",
                "1st may 2024",
                "May 1, 2024",
                "May 2024",
                "20240501",
                "20240501.0",
                "2024050100",
                "2024-04-30T24:00:00",
                "30.4.2024 24:00",
                "20240430240000",
                "2024-05-01 12:00 AM",
            ],
        ),
        (
            "2024-05-13T15:15:00Z",
            &[
                "05/13/2024 03:15:00 PM",
                "13/05/2024 15:15",
                "13-05-2024T15:15",
                "5/13/2024, 3:15:00\u{202f}PM",
                "5/13/24 3:15 p.m.",
            ],
        ),
        ("2024-07-03T00:00:00Z", &["Jul 3, 2024", "July 3 2024", "03-Jul-2024", "3 July, 2024"]),
        ("2024-09-03T00:00:00Z", &["Sept. 3, 2024", "Tues, Sep 3 2024"]),
        ("2024-05-01T03:15:00Z", &["2024-05-01 03:15 AM", "May 1, 2024, 3:15am", "2024-05-01T03:15:00.0"]),
        ("2024-05-01T12:30:00Z", &["2024-05-01 12:30 PM", "2024-05-01T12:30"]),
        ("2024-05-01T15:00:00Z", &["2024-05-01 15", "2024-05-01T15Z", "2024050115", "20240501T15"]),
        ("2024-01-01T00:00:00Z", &["2024", "2024.0", "2024-01", "Jan 2024"]),
        ("1850-01-01T00:00:00Z", &["1850", "1850-01-01", "1.1.1850"]),
        ("9999-01-01T00:00:00Z", &["9999"]),
        ("1999-12-31T00:00:00Z", &["12/31/99", "31.12.99", "31-Dec-99", "31-12-99"]),
        ("2069-12-31T00:00:00Z", &["12/31/69", "69-12-31"]),
        ("1970-12-31T00:00:00Z", &["12/31/70"]),
        // Both orders are this day.
        ("2024-05-05T00:00:00Z", &["05/05/2024"]),
        (
            "2024-05-01T15:15:00.123456Z",
            &[
                "2024-05-01T15:15:00.1234567890Z",
                "2024-05-01 15:15:00,123456",
                "1 May 2024 15:15:00.1234567 GMT",
                "1714576500.123456",
                "1714576500123456789",
            ],
        ),
        ("2024-05-01T15:15:00.123Z", &["20240501151500123", "20240501T151500.123Z", "1714576500123"]),
        ("2016-12-31T23:59:59Z", &["2016-12-31T23:59:60Z", "2016-12-31 23:59:60"]),
        ("1969-12-31T23:59:59.999999Z", &["1969-12-31T23:59:59.9999999Z", "1969-12-31 23:59:59.9999999 UTC"]),
        ("-000044-03-15T00:00:00Z", &["-000044-03-15T00:00:00Z"]),
        ("1971-01-01T00:00:00Z", &["31536000", "1971"]),
        ("2100-12-31T23:59:59Z", &["4133980799", "4133980799000"]),
    ];
    for (time, texts) in times {
        for text in texts {
            assert_eq!(read(text), Ok(Some(us(time))), "{text}");
            assert_eq!(parse_time_us(text), Some(us(time)), "{text}");
        }
    }
}

#[test]
fn numbers_are_parsed_like_their_digits() {
    let reader = TimeReader::default();
    for value in [2024, 1971, 2100, 20_240_501, 202_405_011_515, 20_240_501_151_500, 20_240_501_151_500_123] {
        assert_eq!(reader.integer(value).ok(), parse_time_us(&value.to_string()), "{value}");
        assert!(reader.integer(value).is_ok(), "{value}");
    }
    for value in [1_714_576_500, 1_714_576_500_000, 1_714_576_500_000_000, 31_536_000, 4_133_980_799, 2024, 20_240_501]
    {
        assert_eq!(reader.number(value as f64), reader.integer(value).map(Some), "{value}");
    }
    assert_eq!(reader.number(1_714_576_500.25), Ok(Some(us("2024-05-01T15:15:00.25Z"))));
    assert_eq!(reader.number(f64::NAN), Ok(None));
    let others =
        [0, 1, -1, 1970, 2101, 45_413, 20_241_301, 31_535_999, 4_133_980_800, 202_413_011_515, 20_240_501_251_500];
    for value in others.into_iter().chain([i64::MIN, i64::MAX]) {
        assert_eq!(reader.integer(value), Err(TimeError::NotInRange), "{value}");
        assert_eq!(reader.number(value as f64), Err(TimeError::NotInRange), "{value}");
    }
    for value in [0.5, 2024.5, 45_413.5, f64::INFINITY, f64::MIN] {
        assert_eq!(reader.number(value), Err(TimeError::NotInRange), "{value}");
    }
}

#[test]
fn invalid_times_are_errors() {
    for text in [
        "yesterday",
        "2023-02-29",
        "2024-13-01",
        "2024-00-01",
        "13/13/2024",
        "31.04.2024",
        "2024-05-01T25:00:00Z",
        "2024-05-01T24:00:01",
        "2024-05-01T12:60:00",
        "2024-05-01T12:00:61",
        "2024-05-01T",
        "2024-05-01T12:00:00.",
        "2024-05-01 13:15 PM",
        "2024-05-01 12:00 CEST",
        "2024-05-01 12:00 +24:00",
        "2024-05-01-05:00",
        "2024-05-01 12:00 and more",
        "2024-05-01T12:00[Europe/Nowhere]",
        "1 May 15:15",
        "1 Mai 2024",
        "1 Ma 2024",
        "May 32, 2024",
        "2024-123",
        "12:00",
        "1/2",
        "1-2/2024",
        "١.٥.٢٠٢٤",
    ] {
        assert_eq!(read(text), Err(TimeError::NotATime), "{text}");
        assert_eq!(parse_time_us(text), None, "{text}");
    }
    for text in ["0", "-1", "12", "999", "0999", "10000", "2024.5", "20241301", "1e3", "inf", "99999999999999999999"] {
        assert_eq!(read(text), Err(TimeError::NotInRange), "{text}");
    }
    for (text, us) in [("0", Some(0)), ("-1", Some(-1_000_000)), ("1e3", Some(1_000_000_000)), ("inf", None)] {
        assert_eq!(parse_time_us(text), us, "{text}");
    }
}

#[test]
fn a_missing_time_is_none_in_every_format() {
    for text in ["", "  ", "NA", "n/a", "null", "NULL", "-", "\\N", "NaN", "NaT", "None", "#N/A", "0000-00-00 00:00:00"]
    {
        assert_eq!(read(text), Ok(None), "{text}");
        assert_eq!(reader("unix-s").parse(text), Ok(None), "{text}");
        assert_eq!(reader("%d/%m/%Y").parse(text), Ok(None), "{text}");
        assert_eq!(parse_time_us(text), None, "{text}");
    }
}

#[test]
fn a_column_determines_whether_day_or_month_is_first() {
    let may_1 = us("2024-05-01T00:00:00Z");
    let january_5 = us("2024-01-05T00:00:00Z");
    let both = "05/01/2024";
    for (values, expected) in [
        (&["05/01/2024", "05/13/2024"][..], may_1),
        (&["05/01/2024", "13/05/2024"], january_5),
        (&["05/01/2024 3:15 PM", "13/05/2024 3:15 PM"], january_5),
        (&["5-1-24", "5-31-24"], may_1),
        (&["05/01/2024", "99/99/2024", "soon", "", "05/14/2024"], may_1),
    ] {
        let sample = sample(values, None);
        assert_eq!(sample.order(), DateOrder::Decided, "{values:?}");
        assert_eq!(sample.reader().parse(both), Ok(Some(expected)), "{values:?}");
    }
    let month_first = sample(&["05/13/2024"], None).reader();
    assert_eq!(month_first.parse("13/05/2024"), Err(TimeError::DayOrMonth));
    // These do not depend on the column.
    assert_eq!(month_first.parse("5.1.2024"), Ok(Some(january_5)));
    assert_eq!(month_first.parse("2024/05/01"), Ok(Some(may_1)));
}

#[test]
fn an_ambiguous_order_is_not_guessed() {
    for values in [&["05/01/2024"][..], &["05/01/2024", "06/02/2024 10:00"], &["05-01-24"], &["13-05-24"]] {
        let sample = sample(values, None);
        assert_eq!(sample.order(), DateOrder::Undecided, "{values:?}");
        assert_eq!(sample.reader().parse(values[0]), Err(TimeError::DayOrMonth), "{values:?}");
        assert_eq!(parse_time_us(values[0]), None);
    }
    let contradictory = sample(&["05/13/2024", "13/05/2024", "05/01/2024"], None);
    assert_eq!(contradictory.order(), DateOrder::Contradictory);
    assert_eq!(contradictory.reader().parse("05/01/2024"), Err(TimeError::DayOrMonth));
    assert_eq!(contradictory.reader().parse("05/13/2024"), Ok(Some(us("2024-05-13T00:00:00Z"))));
    // No value depends on the order.
    assert_eq!(sample(&["2024-05-01", "1.5.2024", "1 May 2024", "05/05/2024"], None).order(), DateOrder::Decided);
}

#[test]
fn more_values_may_decide_the_order() {
    let mut sample = sample(&["05/01/2024"], None);
    assert_eq!(sample.order(), DateOrder::Undecided);
    sample.add("2024-05-01");
    assert_eq!(sample.order(), DateOrder::Undecided);
    sample.add("05/31/2024");
    assert_eq!(sample.order(), DateOrder::Decided);
}

#[test]
fn ambiguous_dates_with_am_and_pm_have_the_month_first() {
    let may_1 = Ok(Some(us("2024-05-01T15:15:00Z")));
    let twelve_hours = sample(&["05/01/2024 03:15:00 PM", "05/02/2024 03:15:00 AM"], None);
    assert_eq!(twelve_hours.order(), DateOrder::AssumedMonthFirst);
    assert_eq!(twelve_hours.reader().parse("05/01/2024 03:15:00 PM"), may_1);
    let mixed = sample(&["05/01/2024 03:15:00 PM", "05/02/2024"], None);
    assert_eq!(mixed.order(), DateOrder::Undecided);
    assert_eq!(parse_time_us("05/01/2024 03:15:00 PM"), None);
}

#[test]
fn an_explicit_order_takes_precedence() {
    for (day_first, other, expected) in [(true, "05/13/2024", "2024-01-05"), (false, "13/05/2024", "2024-05-01")] {
        let sample = sample(&["05/01/2024 3:15 PM", other], Some(day_first));
        assert_eq!(sample.order(), DateOrder::Decided);
        let expected = Ok(Some(us(&format!("{expected}T00:00:00Z"))));
        for text in ["05/01/2024", "05-01-24"] {
            assert_eq!(sample.reader().parse(text), expected, "{text}");
        }
        assert_eq!(sample.reader().parse(other), Err(TimeError::DayOrMonth));
    }
}

#[test]
fn ten_digits_are_dates_if_all_of_them_are() {
    let dates = sample(&["2024050115", "2024050116"], None).reader();
    assert_eq!(dates.parse("2024050115"), Ok(Some(us("2024-05-01T15:00:00Z"))));
    assert_eq!(dates.integer(2_024_050_115), Ok(us("2024-05-01T15:00:00Z")));
    assert_eq!(dates.parse("2024050125"), Err(TimeError::NotInRange));
    for values in [["2024050115", "2024050199"], ["2024050199", "2024050115"]] {
        let seconds = sample(&values, None).reader();
        assert_eq!(seconds.parse("2024050115"), Ok(Some(2_024_050_115_000_000)));
    }
    assert_eq!(sample(&["1714576500"], None).reader().integer(1_714_576_500), Ok(1_714_576_500_000_000));
    assert_eq!(TimeReader::default().integer(2_024_050_115), Ok(2_024_050_115_000_000));
}

#[test]
fn a_date_and_a_time_of_day_are_combined() {
    let reader = sample(&["13/05/2024"], None).reader();
    for (date, time, expected) in [
        ("2024-05-01", "12:00:00", "2024-05-01T12:00:00Z"),
        ("01/05/2024", "10:50", "2024-05-01T10:50:00Z"),
        ("1.5.2024", "3:15 PM", "2024-05-01T15:15:00Z"),
        ("1 May 2024", "03:15:00.25", "2024-05-01T03:15:00.25Z"),
        ("20240501", "1050", "2024-05-01T10:50:00Z"),
        ("20240501", "105030.5", "2024-05-01T10:50:30.5Z"),
        ("2024-05-01", "12:00:00+02:00", "2024-05-01T10:00:00Z"),
        ("2024-05-01", "24:00", "2024-05-02T00:00:00Z"),
        ("2024-05-01", "", "2024-05-01T00:00:00Z"),
        ("2024-05-01", "NA", "2024-05-01T00:00:00Z"),
        ("2024-05-01 00:00:00", "12:00", "2024-05-01T12:00:00Z"),
        ("2024-05-01 11:00:00", "12:00", "2024-05-01T12:00:00Z"),
    ] {
        assert_eq!(reader.date_and_time(date, time), Ok(Some(us(expected))), "{date} {time}");
    }
    assert_eq!(reader.date_and_time("", "12:00"), Ok(None));
    assert_eq!(reader.date_and_time("soon", "12:00"), Err(TimeError::NotATime));
    for time in ["noon", "25:00", "12:60", "13 PM", "2024-05-01", "12:00:00 x"] {
        assert_eq!(reader.date_and_time("2024-05-01", time), Err(TimeError::NotATimeOfDay), "{time}");
    }
    assert_eq!(self::reader("excel").date_and_time("45413", "0.5"), Ok(Some(us("2024-05-01T12:00:00Z"))));
    assert_eq!(self::reader("%d.%m.%y").date_and_time("01.05.24", "12:00"), Ok(Some(us("2024-05-01T12:00:00Z"))));
}

#[test]
fn a_time_of_day_is_distinguished_from_a_date() {
    for text in ["12:00", "12:00:00.5", " 3 PM ", "3:15 p.m.", "12:00Z"] {
        assert!(is_time_of_day(text), "{text}");
    }
    for text in ["", "2024", "1714576500", "2024-05-01 12:00", "May", "12", "25:00"] {
        assert!(!is_time_of_day(text), "{text}");
    }
}

#[test]
fn an_explicit_format_is_the_only_one() {
    for (format, text, expected) in [
        ("excel", "45413.5", "2024-05-01T12:00:00Z"),
        ("excel", "45413", "2024-05-01T00:00:00Z"),
        ("excel", "45413.63541667", "2024-05-01T15:15:00Z"),
        ("excel", "61", "1900-03-01T00:00:00Z"),
        ("unix-s", "0", "1970-01-01T00:00:00Z"),
        ("unix-s", "-1.5", "1969-12-31T23:59:58.5Z"),
        ("unix-ms", "2024", "1970-01-01T00:00:02.024Z"),
        ("unix-us", "1714576500000000", "2024-05-01T15:15:00Z"),
        ("unix-ns", "1714576500123456789", "2024-05-01T15:15:00.123456Z"),
        ("unix-ns", "-1", "1969-12-31T23:59:59.999999Z"),
        ("%d/%m/%Y %H:%M", "05/01/2024 10:50", "2024-01-05T10:50:00Z"),
        ("%y-%m-%d", "24-05-01", "2024-05-01T00:00:00Z"),
        ("%Y%m%d%H", "2024050115", "2024-05-01T15:00:00Z"),
        ("%Y-%m-%dT%H:%M:%S%z", "2024-05-01T17:15:00+0200", "2024-05-01T15:15:00Z"),
        ("%F %T %Q", "2024-05-01 17:15:00 Europe/Berlin", "2024-05-01T15:15:00Z"),
        ("%B %Y", "May 2024", "2024-05-01T00:00:00Z"),
        ("year %Y", "year 2024", "2024-01-01T00:00:00Z"),
        ("%Y-%j", "2024-122", "2024-05-01T00:00:00Z"),
        ("@%s", "@1714576500", "2024-05-01T15:15:00Z"),
    ] {
        assert_eq!(reader(format).parse(text), Ok(Some(us(expected))), "{format} {text}");
    }
    assert_eq!(reader("excel").number(45_413.5), Ok(Some(us("2024-05-01T12:00:00Z"))));
    assert_eq!(reader("unix-ms").integer(-1), Ok(-1000));
    assert_eq!(reader("%Y%m%d%H").integer(2_024_050_115), Ok(us("2024-05-01T15:00:00Z")));
    for (format, text) in [
        ("excel", "2024-05-01"),
        ("excel", "60"),
        ("excel", "1e9"),
        ("unix-s", "2024-05-01T15:15:00Z"),
        ("unix-s", "1e18"),
        ("unix-s", "inf"),
        ("%d/%m/%Y", "2024-05-01"),
        ("%d/%m/%Y", "31/02/2024"),
        ("%d/%m/%Y", "1714576500"),
    ] {
        assert_eq!(reader(format).parse(text), Err(TimeError::Format), "{format} {text}");
    }
    assert_eq!(reader("unix-s").integer(i64::MAX), Err(TimeError::Format));
}

#[test]
fn formats_are_displayed_as_they_are_parsed() {
    for text in
        ["auto", "excel", "unix-s", "unix-ms", "unix-us", "unix-ns", "%d/%m/%Y %H:%M", "%m/%d/%y %I:%M:%S %p", "%s"]
    {
        assert_eq!(text.parse::<TimeFormat>().unwrap().to_string(), text);
    }
    assert_eq!(TimeFormat::default(), TimeFormat::Auto);
    for text in ["", "iso", "dd/mm/yyyy", "%", "%d/%m", "%H:%M", "%Y %K", "100%", "%%"] {
        let error = text.parse::<TimeFormat>().unwrap_err().to_string();
        assert!(error.contains("time_format") && error.contains("%d/%m/%Y %H:%M"), "{error}");
    }
}

#[test]
fn errors_name_the_parameters_that_resolve_them() {
    let parameters = |error: TimeError| error.message().parameters().collect::<Vec<_>>();
    assert_eq!(parameters(TimeError::NotATime), [Parameter::TIME_FORMAT]);
    assert_eq!(parameters(TimeError::NotInRange), [Parameter::TIME_FORMAT]);
    assert_eq!(parameters(TimeError::DayOrMonth), [Parameter::DAY_FIRST, Parameter::TIME_FORMAT]);
    assert!(TimeError::NotInRange.to_string().contains("1971 to 2100"));
}

fn civil_us(text: &str) -> Option<i64> {
    let civil = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse::<Timestamp>().ok().or_else(|| Some(civil()?.timestamp())).map(timestamp_us)
}

proptest! {
    #[test]
    fn the_fast_parser_agrees_with_the_general_parsers(
        text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.,][0-9]{1,9})?(Z|[+-][01][0-9]:[0-5][0-9])?)?"
    ) {
        let general = ParsedTime::parse(&text).map(|parsed| parsed.days[0].unwrap() * DAY_US + parsed.time_us);
        prop_assert_eq!(general, civil_us(&text));
        if let Some(fast) = iso_time_us(text.as_bytes()) {
            prop_assert_eq!(Some(fast), general);
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(
        text in "\\PC{0,40}|([0-9]{1,8}|[-/:., +TZ[A-Za-z]]{1,3}|May|PM|UTC|st|\u{202f}){1,12}",
        date in "[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}( .*)?",
    ) {
        let sample = sample(&[&text, &date], None);
        let reader = sample.reader();
        for text in [&text, &date] {
            let _ = (reader.parse(text), reader.date_and_time(text, &date), reader.date_and_time(&date, text));
            // An unambiguous value is parsed alike with and without the column.
            // As user input, a number may be a Unix time of any year.
            if let (Some(time), false) = (parse_time_us(text), read(text) == Err(TimeError::NotInRange)) {
                prop_assert!(matches!(read(text), Ok(Some(column)) if column == time), "{text}");
            }
            if let Ok(format) = text.parse::<TimeFormat>() {
                prop_assert_eq!(format.to_string().parse::<TimeFormat>().unwrap(), format);
            }
        }
    }

    #[test]
    fn no_number_makes_a_reader_panic(integer in any::<i64>(), number in any::<f64>()) {
        for format in ["auto", "excel", "unix-s", "unix-ms", "unix-us", "unix-ns", "%Y%m%d", "%s"] {
            let reader = reader(format);
            let _ = (reader.integer(integer), reader.number(number), reader.number(integer as f64));
        }
    }
}
