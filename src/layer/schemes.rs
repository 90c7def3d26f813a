//! Color schemes from files.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::color::Scheme;
use crate::error::{Error, Result};

/// The scheme files of some folders, before the built-in schemes.
///
/// A file `NAME.txt` is the scheme `NAME`; see [`Scheme::parse`] for what it holds. Where two folders have a scheme of
/// the same name, the later folder wins, and any file wins over a built-in scheme. A file is read when its scheme is
/// asked for, so a broken one disturbs nobody else.
#[derive(Clone, Debug, Default)]
pub struct SchemeFolders {
    /// Name and path, sorted by name, each name once.
    files: Vec<(String, PathBuf)>,
}

impl SchemeFolders {
    /// The environment variable that lists folders, separated as in `PATH`.
    pub const VARIABLE: &str = "KILN_SCHEMES";
    /// The folder that is looked into if it is there.
    pub const DEFAULT: &str = "schemes";
    const EXTENSION: &str = "txt";
    /// A scheme file is no longer than this; what is longer is some other file.
    const LIMIT_BYTES: u64 = 1 << 20;

    /// Lists the files in `./schemes` and then in the `given` folders; if none is given, in those of `KILN_SCHEMES`.
    ///
    /// # Errors
    /// [`Error::Io`] if a folder cannot be read; `./schemes` alone may be missing.
    pub fn open(given: &[PathBuf]) -> Result<Self> {
        let mut folders = Vec::new();
        if Path::new(Self::DEFAULT).is_dir() {
            folders.push(PathBuf::from(Self::DEFAULT));
        }
        if given.is_empty() {
            let listed = env::var_os(Self::VARIABLE).unwrap_or_default();
            folders.extend(env::split_paths(&listed).filter(|folder| !folder.as_os_str().is_empty()));
        } else {
            folders.extend_from_slice(given);
        }
        Self::list(&folders)
    }

    /// Lists the files in `folders`; those in later folders win.
    ///
    /// # Errors
    /// [`Error::Io`] if a folder cannot be read.
    pub fn list(folders: &[PathBuf]) -> Result<Self> {
        let mut files: Vec<(String, PathBuf)> = Vec::new();
        for folder in folders {
            let refused = |source| Error::io(folder, "read", source);
            for entry in fs::read_dir(folder).map_err(refused)? {
                let path = entry.map_err(refused)?.path();
                let is_scheme = path.extension().is_some_and(|ending| ending == Self::EXTENSION) && path.is_file();
                if let Some(name) = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_scheme) {
                    files.retain(|(other, older)| !Scheme::same_name(other, name) || older.parent() == path.parent());
                    files.push((name.to_owned(), path));
                }
            }
        }
        files.sort_unstable();
        files.dedup();
        Ok(Self { files })
    }

    /// The scheme `name`, from a file or built in; `name_r` is the same reversed.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is none, with the nearest names; [`Error::Input`] or [`Error::Io`] if its file is
    /// broken or cannot be read.
    pub fn find(&self, name: &str) -> Result<Scheme> {
        Scheme::resolve(name, |wanted| self.file(wanted)).unwrap_or_else(|| {
            Scheme::named(name).map_err(|_| {
                let mut known: Vec<&str> = Scheme::builtin_names().collect();
                known.extend(self.files.iter().map(|(own, _)| own.as_str()));
                Scheme::unknown(name, known, "`kiln schemes` lists all")
            })
        })
    }

    /// All schemes: those that Kiln knows, family by family, then the others. A file that cannot be read is an error in
    /// its place.
    pub fn all(&self) -> Vec<Result<Scheme>> {
        let known = Scheme::builtin_names().map(|name| self.find(name));
        let is_other = |name: &str| Scheme::builtin_names().all(|builtin| !Scheme::same_name(builtin, name));
        let others = self.files.iter().filter(|(name, _)| is_other(name)).map(|(name, path)| read(name, path));
        known.chain(others).collect()
    }

    fn file(&self, wanted: &str) -> Option<Result<Scheme>> {
        let (name, path) = self.files.iter().find(|(name, _)| Scheme::same_name(name, wanted))?;
        Some(read(name, path))
    }
}

/// Reads one scheme file; a mistake in it names the file and the line.
fn read(name: &str, path: &Path) -> Result<Scheme> {
    let refused = |source| Error::io(path, "read", source);
    if fs::metadata(path).map_err(refused)?.len() > SchemeFolders::LIMIT_BYTES {
        return Err(Error::input(path, "longer than 1 MiB; a scheme file holds one color a line"));
    }
    let text = fs::read_to_string(path).map_err(refused)?;
    Scheme::parse(name, &text).map_err(|error| match error {
        Error::Input { message, .. } => Error::input(path, message),
        other => other,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::color::Family;

    /// A folder with these files in it.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn list(folders: &[&tempfile::TempDir]) -> SchemeFolders {
        let paths: Vec<PathBuf> = folders.iter().map(|folder| folder.path().to_owned()).collect();
        SchemeFolders::list(&paths).unwrap()
    }

    #[test]
    fn a_file_dropped_into_a_folder_works() {
        let folder = folder(&[("Lava Lamp.txt", "black\nred\n"), ("README.md", "no colors")]);
        let schemes = list(&[&folder]);
        let lava = schemes.find("lava-lamp").unwrap();
        assert_eq!((lava.name(), lava.family(), lava.colors()[255]), ("Lava Lamp", Family::Own, [255, 0, 0, 255]));
        assert_eq!(schemes.find("lavalamp_r").unwrap().colors()[0], [255, 0, 0, 255]);
        assert_eq!(schemes.find("viridis").unwrap(), Scheme::named("viridis").unwrap());
        assert_eq!(schemes.all().len(), Scheme::builtin_names().count() + 1);
    }

    #[test]
    fn later_folders_win_and_files_win_over_builtins() {
        let (one, two) =
            (folder(&[("fire.txt", "red\nlime"), ("a.txt", "red\nlime")]), folder(&[("A.txt", "red\nblue")]));
        let schemes = list(&[&one, &two]);
        assert_eq!(schemes.find("a").unwrap().colors()[255], [0, 0, 255, 255]);
        let fire = schemes.find("fire").unwrap();
        assert_eq!((fire.colors()[255], fire.family()), ([0, 255, 0, 255], Family::Classic));
        assert_eq!(schemes.all().len(), Scheme::builtin_names().count() + 1);
    }

    #[test]
    fn a_broken_file_is_named_with_its_line_and_disturbs_nobody_else() {
        let folder = folder(&[("broken.txt", "red\nblurple"), ("good.txt", "red\nblue")]);
        let schemes = list(&[&folder]);
        assert!(schemes.find("good").is_ok());
        let message = schemes.find("broken").unwrap_err().to_string();
        assert!(message.contains("broken.txt: line 2: `blurple`"), "{message}");
        assert_eq!(schemes.all().iter().filter(|scheme| scheme.is_err()).count(), 1);
    }

    #[test]
    fn unknown_names_and_folders_are_errors() {
        let folder = folder(&[("lavalamp.txt", "black\nred\n")]);
        let message = list(&[&folder]).find("lavalmp").unwrap_err().to_string();
        assert!(message.contains("did you mean lavalamp?"), "{message}");
        assert!(SchemeFolders::open(&[folder.path().join("absent")]).is_err());
    }

    #[test]
    fn the_files_of_this_project_are_the_builtins() {
        let schemes = SchemeFolders::list(&[PathBuf::from("schemes")]).unwrap();
        for name in ["heat", "classic", "fire", "omg", "pbj", "pgaitch"] {
            assert!(schemes.file(name).is_some());
            assert_eq!(schemes.find(name).unwrap(), Scheme::named(name).unwrap());
        }
        assert_eq!(schemes.files.len(), 6);
    }
}
