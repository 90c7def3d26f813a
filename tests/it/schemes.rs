//! Color schemes: the list, the preview, and schemes of files.

use std::fs;

use crate::golden::Picture;
use crate::kiln::kiln;

#[test]
fn schemes_are_listed_and_previewed() {
    let folder = tempfile::tempdir().unwrap();
    let run = kiln(folder.path(), ["schemes"]);
    let listed = String::from_utf8(run.stdout).unwrap();
    for name in
        ["classic", "fire", "omg", "pbj", "pgaitch", "viridis", "magma", "turbo", "jet", "hot", "heat (default)"]
    {
        assert!(listed.lines().any(|line| line.trim() == name), "{name} is missing:\n{listed}");
    }
    kiln(folder.path(), ["schemes", "--preview", "out.png"]).done();
    let preview = Picture::read(&folder.path().join("out.png")).unwrap();
    assert!(preview.width > 300 && preview.height > 300);
}

#[test]
fn a_scheme_file_in_the_schemes_folder_is_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("schemes")).unwrap();
    fs::write(folder.path().join("schemes/mine.txt"), "transparent\n#0000ff 50%\n#ff0000\n").unwrap();
    fs::write(folder.path().join("p.csv"), "lon,lat\n1,2\n").unwrap();
    kiln(folder.path(), ["render", "p.csv", "-o", "out.png", "--scheme", "mine", "--normalize", "max"]).done();
    let picture = Picture::read(&folder.path().join("out.png")).unwrap();
    assert!(picture.pixels.chunks_exact(4).any(|pixel| pixel == [255, 0, 0, 255]), "the hottest pixel is red");
    let listed = String::from_utf8(kiln(folder.path(), ["schemes"]).stdout).unwrap();
    assert!(listed.contains("mine"));
    fs::write(folder.path().join("schemes/broken.txt"), "transparent\nno color at all\n").unwrap();
    kiln(folder.path(), ["render", "p.csv", "-o", "x.png", "--scheme", "broken"]).failed(1, &["broken.txt", "line 2"]);
}
