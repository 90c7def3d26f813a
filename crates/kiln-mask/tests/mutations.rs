//! Damaged files of each format are read or rejected, without a panic and within the limits: a small part of what the fuzz
//! target `mask_array` does, in every run of the tests.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use kiln_mask::array::{Limits, ReadArrayOptions, read};
use kiln_mask::{Background, ImageLimits, Levels};

const ROUNDS: usize = 300;

#[test]
fn damaged_files_are_read_or_rejected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/mask_array");
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let limits = Limits { max_cells: 1 << 16, max_bytes: 1 << 20 };
    let mut was_read = 0;
    let mut was_rejected = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let seed = fs::read(entry.unwrap().path()).unwrap();
        for _ in 0..ROUNDS {
            let mut bytes = seed.clone();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] = random(256) as u8,
                    1 => bytes[at] ^= 1 << random(8),
                    2 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, b"0129-,[](){}\xff\0"[random(14)]),
                }
            }
            let options = ReadArrayOptions { channels_first: random(2) == 0, limits, ..ReadArrayOptions::default() };
            if let Ok(mask) = read(&bytes, "mask", &options) {
                assert!(mask.rows() * mask.columns() <= limits.max_cells);
                drop(Levels::new(&mask, None, None, true, 1));
                was_read += 1;
            } else {
                was_rejected += 1;
            }
            let limits = ImageLimits { max_pixels: 1 << 16, max_bytes: 1 << 20 };
            drop(Background::decode(&bytes, "background", &limits));
        }
    }
    assert!(was_read > ROUNDS && was_rejected > ROUNDS, "{was_read} read, {was_rejected} rejected");
}
