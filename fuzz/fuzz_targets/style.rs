#![no_main]

use kiln::color::Scheme;
use kiln::layer::{Fit, Size, StyleOptions};
use kiln::parameters::ParameterSet;

// A style in the form of a query string, `name=value&…`, and the two other parameters of a canvas.
libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = (text.parse::<Size>(), text.parse::<Fit>());
    let mut options = StyleOptions::default();
    for (name, value) in text.split('&').filter_map(|pair| pair.split_once('=')) {
        let _ = options.set(name, value);
    }
    // The printed style must parse to the same value.
    let pairs = options.pairs();
    let mut read = StyleOptions::default();
    for (name, value) in &pairs {
        assert!(read.set(name, value).is_ok_and(|is_known| is_known), "{name}={value} of {options:?}");
    }
    assert_eq!(read.pairs(), pairs);
    let _ = options.resolve(Scheme::named);
});
