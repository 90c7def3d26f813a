//! The command `kiln clean`, which removes expired images from a folder.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use kiln::images::ImageFolder;

use crate::kiln::kiln;

#[test]
fn only_expired_images_are_removed() {
    let home = tempfile::tempdir().unwrap();
    let folder = ImageFolder::open(home.path().join("imgs")).unwrap();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let old = folder.write(now_s - 7200, b"old").unwrap();
    let young = folder.write(now_s - 60, b"young").unwrap();
    fs::write(folder.path().join("holiday.png"), "mine").unwrap();
    let summary = kiln(home.path(), ["clean"]).done();
    assert!(summary.contains("removed 1 picture older than the TTL, 0 beyond the limits"), "{summary}");
    assert!(!folder.path_of(old).exists() && folder.path_of(young).exists());
    kiln(home.path(), ["clean", "imgs", "--ttl", "30s"]).done();
    assert!(!folder.path_of(young).exists() && folder.path().join("holiday.png").exists());
    kiln(home.path(), ["clean", "nowhere"]).failed(1, &["nowhere"]);
    assert!(!home.path().join("nowhere").exists());
    let older = folder.write(now_s - 120, b"older").unwrap();
    fs::write(home.path().join("kiln.toml"), "[images]\nttl = \"1m\"\n").unwrap();
    kiln(home.path(), ["clean"]).done();
    assert!(!folder.path_of(older).exists(), "the configuration is ignored");
    kiln(home.path(), ["clean", "--ttl", "soon"]).failed(2, &["--ttl", "30m"]);
}
