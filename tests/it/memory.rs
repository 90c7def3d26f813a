//! The most memory that an import and a server of many points take.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::server::Server;

const POINTS: u32 = 500_000;

/// The most memory that a process has taken, in MB; `None` after its end.
fn peak_mb(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1000)
}

/// Writes points with weights, times and categories, 20 MB.
fn write_points(path: &Path) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    writeln!(file, "lon,lat,weight,time,category").unwrap();
    for i in 0..POINTS {
        let (lon, lat) = (i.wrapping_mul(7919) % 36_000, i.wrapping_mul(104_729) % 16_000);
        let (lon, lat, day) = (f64::from(lon) / 100.0 - 180.0, f64::from(lat) / 100.0 - 80.0, i % 28 + 1);
        writeln!(file, "{lon:.2},{lat:.2},{},2024-05-{day:02}T08:00:00Z,c{}", i % 7, i % 5).unwrap();
    }
}

#[test]
fn an_import_and_tiles_of_many_points_take_bounded_memory() {
    /// They took 86 and 84 MB when this test was written.
    const IMPORT_MB: u64 = 150;
    const SERVER_MB: u64 = 150;
    let home = tempfile::tempdir().unwrap();
    write_points(&home.path().join("many.csv"));
    let mut import = Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(["import", "many.csv", "--layer", "many", "--threads", "2", "-q"])
        .current_dir(home.path())
        .env_remove("KILN_STORE")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0;
    let ended = loop {
        peak = peak_mb(import.id()).map_or(peak, |now| now.max(peak));
        if let Some(ended) = import.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    println!("the import took {peak} MB");
    assert!(ended.success() && (10..IMPORT_MB).contains(&peak), "{ended}, {peak} MB");
    fs::write(home.path().join("kiln.toml"), "[cache]\nsize = \"4MiB\"\n[server]\nrender_threads = 2\n").unwrap();
    let server = Server::at(home, &[]);
    for zoom in 0..7u32 {
        let side = 1 << zoom;
        for tile in 0..(side * side).min(16) {
            let (x, y) = (tile * 5 % side, tile * 3 % side);
            server.get(&format!("/many/{zoom}/{x}/{y}.png")).ok(200);
            server.get(&format!("/many/{zoom}/{x}/{y}.png?category=c1&start=2024-05-03&end=2024-05-20")).ok(200);
        }
    }
    assert_eq!(server.totals("many").0, u64::from(POINTS));
    let peak = peak_mb(server.id()).unwrap();
    println!("the server took {peak} MB");
    assert!((10..SERVER_MB).contains(&peak), "{peak} MB");
}
