#![no_main]

use std::path::Path;

use kiln::config::Config;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let file = Path::new("kiln.toml");
    if let Ok(config) = Config::from_toml(file, text) {
        let _ = config.check();
        // The printed configuration must parse to the same value.
        if let Ok(printed) = config.to_toml() {
            let read = Config::from_toml(file, &printed).expect("a printed configuration is one");
            assert_eq!(read.to_toml().ok(), Some(printed));
        }
    }
});
