#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    kiln_fuzz::let_readers_catch_panics();
    kiln_fuzz::scan_as(data, "application/vnd.apache.parquet");
});
