#![no_main]

use kiln_core::color::{Palette, Scheme};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(scheme) = Scheme::parse("own", text) {
        assert_eq!(scheme.clone().reversed().reversed().colors(), scheme.colors());
        assert_eq!(Palette::from(&scheme).rgba(0)[3], 0);
    }
});
