#![no_main]

use std::sync::LazyLock;

/// A folder with a shapefile of three points, whose `.dbf` file is the input.
static FOLDER: LazyLock<std::io::Result<tempfile::TempDir>> = LazyLock::new(|| {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("points.shp"), include_bytes!("../seeds/shapefile/points.shp"))?;
    Ok(folder)
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(folder) = &*FOLDER
        && std::fs::write(folder.path().join("points.dbf"), data).is_ok()
    {
        kiln_fuzz::scan_file(&folder.path().join("points.shp"));
    }
});
