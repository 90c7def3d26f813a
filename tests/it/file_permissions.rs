//! Files that Kiln creates have the permissions of the umask.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files and folders below a folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { [entries(&path), vec![path]].concat() } else { vec![path] }).collect()
}

#[test]
fn stores_and_outputs_have_the_permissions_of_the_umask() {
    for (umask, file_mode, folder_mode) in [("022", 0o644, 0o755), ("027", 0o640, 0o750), ("077", 0o600, 0o700)] {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("points.csv"), "lon,lat,weight\n1,2,3\n50,60,7\n").unwrap();
        let commands = [
            "import points.csv --layer points",
            "render points.csv -o out/map.png",
            "render points.csv -o out/map.tif",
            "grid points.csv --resolution 100km -o out/grid.parquet",
            "export points.csv -o out/tiles.pmtiles --zoom 0-1",
            "export points.csv -o out/tiles.mbtiles --zoom 0-1",
            "export points.csv -o out/tiles --zoom 0-1",
        ];
        let kiln = env!("CARGO_BIN_EXE_kiln");
        let lines = commands.map(|command| format!("'{kiln}' {command} -q")).join(" && ");
        let script = format!("umask {umask} && mkdir out && {lines}");
        let run = Command::new("sh").args(["-c", &script]).current_dir(home.path()).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let made = ["store", "out"].map(|folder| entries(&home.path().join(folder))).concat();
        assert!(made.len() > 10, "{made:?}");
        for path in made {
            let metadata = path.metadata().unwrap();
            let expected = if metadata.is_dir() { folder_mode } else { file_mode };
            assert_eq!(metadata.permissions().mode() & 0o777, expected, "{umask}: {}", path.display());
        }
    }
}
