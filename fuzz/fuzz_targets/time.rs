#![no_main]

use kiln_core::source::time::{TimeFormat, TimeSample};

// The first line is a format, the others are the values of a column.
libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let format = lines.next().and_then(|line| line.parse::<TimeFormat>().ok()).unwrap_or_default();
    assert_eq!(format.to_string().parse::<TimeFormat>().ok().as_ref(), Some(&format));
    let mut sample = TimeSample::new(format, None);
    lines.clone().for_each(|value| sample.add(value));
    let reader = sample.reader();
    for value in lines {
        let _ = reader.parse(value);
        let _ = reader.date_and_time(value, value);
        if let Ok(number) = value.parse() {
            let _ = reader.number(number);
        }
    }
});
