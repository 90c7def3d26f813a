#![no_main]

use kiln_core::color::{Background, Gradient, Opacity};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = text.parse::<Opacity>();
    let _ = text.parse::<Background>();
    if let Ok(gradient) = text.parse::<Gradient>() {
        // The printed gradient must parse. Its colors are rounded to 8 bits once.
        let printed = gradient.to_string();
        let read = printed.parse::<Gradient>().expect("a printed gradient is a gradient");
        assert_eq!(read.to_string(), printed);
        gradient.to_palette();
    }
});
