#![no_main]

use kiln_core::geo::{Bounds, Projection, TileCoord, Zooms};
use kiln_core::raster::{Aggregation, Curve, Normalization, Shape};
use kiln_core::source::parse_time_us;

/// Asserts that a value parsed from `text` is printed as text that parses to the same value.
fn round_trip<T: std::str::FromStr + std::fmt::Display + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let printed = value.to_string();
        assert!(printed.parse::<T>().is_ok_and(|read| read == value), "{text:?} is {value:?}, printed as {printed:?}");
    }
}

// Values of query parameters, flags and configuration keys.
libfuzzer_sys::fuzz_target!(|text: &str| {
    round_trip::<Aggregation>(text);
    // Bounds are printed with six decimals, so the parsed value may differ.
    let _ = text.parse::<Bounds>();
    round_trip::<Curve>(text);
    round_trip::<Normalization>(text);
    round_trip::<Projection>(text);
    round_trip::<Shape>(text);
    round_trip::<Zooms>(text);
    parse_time_us(text);
    let mut numbers = text.split('/').map(str::parse::<u32>);
    if let (Some(Ok(z)), Some(Ok(x)), Some(Ok(y))) = (numbers.next(), numbers.next(), numbers.next())
        && let Ok(tile) = TileCoord::new(z.min(255) as u8, x, y)
    {
        assert_eq!((u32::from(tile.zoom()), tile.x(), tile.y()), (z, x, y));
    }
});
