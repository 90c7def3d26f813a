//! Backgrounds by path or URL, if the configuration allows them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Masks;
use crate::http::server::outbound::origin;
use crate::http::server::problem::{HttpResult, Problem};

impl Masks {
    /// The bytes of the image at a path or URL, of at most `max_bytes`.
    pub(crate) async fn read_reference(&self, reference: &str, max_bytes: usize) -> HttpResult<Vec<u8>> {
        const TIMEOUT: Duration = Duration::from_secs(10);
        if !reference.contains("://") {
            let (folders, path) = (self.background_folders.clone(), PathBuf::from(reference));
            let read = tokio::task::spawn_blocking(move || read_file(&folders, &path, max_bytes)).await;
            return read.map_err(|error| Problem::internal(error.to_string()))?;
        }
        let rejection = |why: String| Problem::parameter("background", format!("the URL {why}"));
        let url = self
            .background_urls
            .check(reference)
            .map_err(|why| rejection(format!("{why}; masks.background_urls of the config lists the allowed URLs")))?;
        self.client.get(&url, max_bytes, TIMEOUT).await.map(Vec::from).map_err(|error| {
            tracing::warn!(
                server = origin(reference),
                cause = error.cause(),
                "a background was not downloaded: {error}"
            );
            rejection(format!("cannot be downloaded: {error}"))
        })
    }
}

/// Reads a file below one of `folders`, after links and `..` are resolved. Missing files and files outside the folders cause the
/// same problem, so that a client cannot find out which files exist.
fn read_file(folders: &[PathBuf], path: &Path, max_bytes: usize) -> HttpResult<Vec<u8>> {
    let rejection = |why: &str| Problem::parameter("background", why);
    if folders.is_empty() {
        let why = "paths are not allowed; masks.background_folders of the config lists the allowed folders";
        return Err(rejection(why));
    }
    let found = folders.iter().find_map(|folder| open_below(folder, path));
    let mut file = found.ok_or_else(|| rejection("no such file below masks.background_folders of the config"))?;
    let mut bytes = Vec::new();
    let read = file.by_ref().take(max_bytes as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|_| rejection("the file cannot be read"))?;
    if bytes.len() > max_bytes {
        return Err(Problem::too_large(
            "limits.mask_body",
            format!("the background exceeds the limit of {max_bytes} bytes"),
        ));
    }
    Ok(bytes)
}

/// Opens a regular file below `folder`; relative paths are relative to `folder`.
fn open_below(folder: &Path, path: &Path) -> Option<File> {
    let folder = fs::canonicalize(folder).ok()?;
    let real = fs::canonicalize(folder.join(path)).ok()?;
    // Opening a pipe would block.
    if !real.starts_with(&folder) || !fs::symlink_metadata(&real).ok()?.is_file() {
        return None;
    }
    let file = File::open(&real).ok()?;
    // A folder may have become a link between the check and the opening.
    let is_same = is_same_file(&file, &fs::canonicalize(&real).ok()?) && fs::canonicalize(&real).ok()? == real;
    is_same.then_some(file)
}

#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().map(id).is_ok_and(|own| fs::symlink_metadata(path).map(id).is_ok_and(|other| own == other))
}

#[cfg(not(unix))]
fn is_same_file(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn files_below_the_folders_are_read_and_no_others() {
        use std::os::unix::fs::symlink;

        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        fs::create_dir_all(path("photos/inner")).unwrap();
        fs::create_dir(path("photos-of-others")).unwrap();
        for (name, text) in
            [("photos/a.png", "a"), ("photos/inner/b.png", "b"), ("secret.png", "s"), ("photos-of-others/o.png", "o")]
        {
            fs::write(path(name), text).unwrap();
        }
        symlink(path("secret.png"), path("photos/link.png")).unwrap();
        symlink(home.path(), path("photos/out")).unwrap();
        symlink(path("photos/a.png"), path("photos/inner/alias.png")).unwrap();
        let folders = [path("missing"), path("photos")];
        let read = |name: &str| read_file(&folders, Path::new(name), 10);
        let absolute = path("photos/a.png");
        for (name, bytes) in [
            ("a.png", b"a"),
            ("inner/b.png", b"b"),
            ("inner/../a.png", b"a"),
            ("inner/alias.png", b"a"),
            (absolute.to_str().unwrap(), b"a"),
        ] {
            assert_eq!(read(name).unwrap(), bytes, "{name}");
        }
        let missing = read("missing.png").unwrap_err().detail().to_owned();
        let (secret, others) = (path("secret.png"), path("photos-of-others/o.png"));
        for name in [
            "../secret.png",
            "link.png",
            "out/secret.png",
            "inner/../../secret.png",
            "../photos-of-others/o.png",
            "",
            ".",
            "inner",
            "a.png/",
            "a.png\0",
            "/etc/passwd",
            secret.to_str().unwrap(),
            others.to_str().unwrap(),
        ] {
            assert_eq!(read(name).unwrap_err().detail(), missing, "{name}");
        }
        assert_eq!(read_file(&folders, Path::new("a.png"), 0).unwrap_err().status(), 413);
        assert!(read_file(&[], Path::new("a.png"), 10).unwrap_err().detail().contains("background_folders"));
    }
}
