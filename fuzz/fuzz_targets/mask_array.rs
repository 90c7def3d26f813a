#![no_main]

use kiln_mask::array::{Limits, ReadArrayOptions, read};
use kiln_mask::{Background, ImageLimits, Levels};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let limits = Limits { max_cells: 1 << 20, max_bytes: 1 << 24 };
    for channels_first in [false, true] {
        let options = ReadArrayOptions { channels_first, limits, ..ReadArrayOptions::default() };
        if let Ok(mask) = read(data, "mask", &options) {
            assert!(mask.rows() * mask.columns() <= limits.max_cells);
            // The range is that of values that can be looked up.
            if let Some((least, most)) = mask.range() {
                assert!(least <= most && least.is_finite() && most.is_finite());
            }
            if let Ok(levels) = Levels::new(&mask, None, None, true, 1) {
                assert_eq!((levels.width(), levels.height()), (mask.columns(), mask.rows()));
            }
        }
    }
    let limits = ImageLimits { max_pixels: 1 << 18, max_bytes: 1 << 24 };
    if let Ok(picture) = Background::decode(data, "background", &limits) {
        assert!(picture.width() * picture.height() <= limits.max_pixels);
    }
});
