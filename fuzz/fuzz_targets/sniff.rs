#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if kiln_fuzz::may_have_endless_list(data) {
        return;
    }
    kiln_fuzz::let_readers_catch_panics();
    kiln_fuzz::scan_any(data);
});
