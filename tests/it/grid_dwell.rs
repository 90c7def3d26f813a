//! Grids of the time that devices are present.

use std::fs;

use crate::kiln::kiln;

#[test]
fn the_seconds_of_presence_of_devices_are_summed_per_cell() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    // Device 7 is in the western cell for 30 s, then in the eastern one for 40 s, and returns after a long time.
    let rows = "x,y,time,device_id\n0.5,0.5,2024-01-01T00:00:00Z,7\n1.5,0.5,2024-01-01T00:00:30Z,7\n\
                0.5,0.5,2024-01-01T00:01:10Z,7\n0.5,0.5,2024-01-01T05:00:00Z,7\n1.5,0.5,2024-01-01T00:00:00Z,8\n";
    fs::write(home.join("devices.csv"), rows).unwrap();
    kiln(home, "import devices.csv --layer floor --crs plane".split(' ')).done();
    let grid = |input: &str| kiln(home, format!("grid {input} --resolution 1 --heatmap-type dwell -q").split(' '));
    for input in ["floor", "devices.csv --crs plane"] {
        let run = grid(input);
        assert_eq!(String::from_utf8_lossy(&run.stdout), "x,y,value\n0.5,0.5,90\n1.5,0.5,40\n", "{}", run.stderr);
    }
    fs::write(home.join("points.csv"), "x,y\n0.5,0.5\n").unwrap();
    grid("points.csv --crs plane").failed(2, &["--track", "no tracks"]);
}
