#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kiln_fuzz::scan_as(data, "application/vnd.shp"));
