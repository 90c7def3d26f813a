//! Color schemes from files.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::color::Scheme;
use crate::error::{Error, Result};

/// The scheme files of a list of folders, which take precedence over the built-in schemes.
///
/// A file `NAME.txt` is the scheme `NAME`; [`Scheme::parse`] documents the format. If two folders have a scheme of the
/// same name, the later folder takes precedence. A file is read when its scheme is requested, so an invalid file does
/// not affect other schemes.
#[derive(Clone, Debug, Default)]
pub struct SchemeFolders {
    /// Name and path, sorted by name, each name once.
    files: Vec<(String, PathBuf)>,
}

impl SchemeFolders {
    /// The environment variable with a list of folders, separated as in `PATH`.
    pub const VARIABLE: &str = "KILN_SCHEMES";
    /// The folder that is always listed if it exists.
    pub const DEFAULT: &str = "schemes";
    const EXTENSION: &str = "txt";
    /// The maximum size of a scheme file.
    const MAX_BYTES: u64 = 1 << 20;

    /// Lists the files in `./schemes`, then those in the `given` folders, or if there are none, in the folders of
    /// `KILN_SCHEMES`.
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

    /// Lists the files in `folders`; later folders take precedence.
    ///
    /// # Errors
    /// [`Error::Io`] if a folder cannot be read.
    pub fn list(folders: &[PathBuf]) -> Result<Self> {
        let mut files: Vec<(String, PathBuf)> = Vec::new();
        for folder in folders {
            let to_error = |source| Error::io(folder, "read", source);
            for entry in fs::read_dir(folder).map_err(to_error)? {
                let path = entry.map_err(to_error)?.path();
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

    /// The scheme `name`, from a file or built in; `name_r` is the reversed scheme.
    ///
    /// # Errors
    /// [`Error::Invalid`] with similar names if there is none; [`Error::Input`] or [`Error::Io`] if its file is invalid
    /// or cannot be read.
    pub fn find(&self, name: &str) -> Result<Scheme> {
        Scheme::resolve(name, |requested| self.file(requested)).unwrap_or_else(|| {
            Scheme::named(name).map_err(|_| {
                let mut known: Vec<&str> = Scheme::builtin_names().collect();
                known.extend(self.files.iter().map(|(file, _)| file.as_str()));
                Scheme::unknown(name, known, "`kiln schemes` lists all")
            })
        })
    }

    /// All schemes: the built-in ones by family, then the others. A file that cannot be read is an error in the list.
    pub fn all(&self) -> Vec<Result<Scheme>> {
        let builtin = Scheme::builtin_names().map(|name| self.find(name));
        let is_other = |name: &str| Scheme::builtin_names().all(|builtin| !Scheme::same_name(builtin, name));
        let others = self.files.iter().filter(|(name, _)| is_other(name)).map(|(name, path)| read(name, path));
        builtin.chain(others).collect()
    }

    fn file(&self, requested: &str) -> Option<Result<Scheme>> {
        let (name, path) = self.files.iter().find(|(name, _)| Scheme::same_name(name, requested))?;
        Some(read(name, path))
    }
}

/// Reads one scheme file. An error in it has the file name and the line.
fn read(name: &str, path: &Path) -> Result<Scheme> {
    let to_error = |source| Error::io(path, "read", source);
    if fs::metadata(path).map_err(to_error)?.len() > SchemeFolders::MAX_BYTES {
        return Err(Error::input(path, "exceeds 1 MiB; a scheme file has one color per line"));
    }
    let text = fs::read_to_string(path).map_err(to_error)?;
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

    /// A folder with `files`, pairs of name and text.
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
    fn a_file_in_a_folder_is_a_scheme() {
        let folder = folder(&[("Lava Lamp.txt", "black\nred\n"), ("README.md", "no colors")]);
        let schemes = list(&[&folder]);
        let lava = schemes.find("lava-lamp").unwrap();
        assert_eq!((lava.name(), lava.family(), lava.colors()[255]), ("Lava Lamp", Family::Own, [255, 0, 0, 255]));
        assert_eq!(schemes.find("lavalamp_r").unwrap().colors()[0], [255, 0, 0, 255]);
        assert_eq!(schemes.find("viridis").unwrap(), Scheme::named("viridis").unwrap());
        assert_eq!(schemes.all().len(), Scheme::builtin_names().count() + 1);
    }

    #[test]
    fn later_folders_and_files_take_precedence() {
        let (one, two) =
            (folder(&[("fire.txt", "red\nlime"), ("a.txt", "red\nlime")]), folder(&[("A.txt", "red\nblue")]));
        let schemes = list(&[&one, &two]);
        assert_eq!(schemes.find("a").unwrap().colors()[255], [0, 0, 255, 255]);
        let fire = schemes.find("fire").unwrap();
        assert_eq!((fire.colors()[255], fire.family()), ([0, 255, 0, 255], Family::Classic));
        assert_eq!(schemes.all().len(), Scheme::builtin_names().count() + 1);
    }

    #[test]
    fn an_invalid_file_is_an_error_with_its_line_and_does_not_affect_other_schemes() {
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
    fn the_files_of_this_project_equal_the_built_in_schemes() {
        let schemes = SchemeFolders::list(&[PathBuf::from("schemes")]).unwrap();
        for name in ["heat", "classic", "fire", "omg", "pbj", "pgaitch"] {
            assert!(schemes.file(name).is_some());
            assert_eq!(schemes.find(name).unwrap(), Scheme::named(name).unwrap());
        }
        assert_eq!(schemes.files.len(), 6);
    }
}
