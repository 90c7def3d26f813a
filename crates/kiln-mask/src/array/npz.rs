//! NumPy's `.npz`: a zip archive of `.npy` files.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{ReadArrayOptions, npy};
use crate::Mask;

/// How many members a message lists.
const LISTED: usize = 20;

pub(super) fn read(bytes: &[u8], options: &ReadArrayOptions) -> Result<Mask, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| invalid(&error))?;
    let names: Vec<String> = archive
        .file_names()
        .filter_map(|name| name.ok().filter(|name| name.ends_with(".npy")).map(std::borrow::Cow::into_owned))
        .collect();
    let name = choose(&names, options.member.as_deref())?;
    let limit = options.limits.max_bytes;
    let member = archive.by_name(name).map_err(|error| invalid(&error))?;
    // What an archive says of a member's size may be a lie: it is read up to the limit.
    let mut content = Vec::new();
    let taken = member.take((limit as u64).saturating_add(1)).read_to_end(&mut content);
    taken.map_err(|error| format!("its member {name} cannot be unpacked: {error}"))?;
    if content.len() > limit {
        return Err(format!("its member {name} exceeds the limit of {limit} bytes once it is unpacked"));
    }
    npy::read(&content, options).map_err(|message| format!("member {name}: {message}"))
}

/// The member with the name that is asked for, or the only one.
fn choose<'n>(names: &'n [String], wanted: Option<&str>) -> Result<&'n str, String> {
    let array = |name: &'n str| name.strip_suffix(".npy").unwrap_or(name);
    let listed = || {
        let mut listed: Vec<&str> = names.iter().take(LISTED).map(|name| array(name)).collect();
        if names.len() > LISTED {
            listed.push("…");
        }
        listed.join(", ")
    };
    match (wanted, names) {
        (_, []) => Err("the archive has no .npy member".to_owned()),
        (Some(wanted), names) => {
            let found = names.iter().find(|name| *name == wanted || array(name) == wanted);
            found.map(String::as_str).ok_or_else(|| format!("it has no member `{wanted}`; it has {}", listed()))
        }
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("it has {} members; set member to one of {}", names.len(), listed())),
    }
}

fn invalid(error: &ZipError) -> String {
    match error {
        ZipError::UnsupportedArchive(why) => format!("an unsupported archive: {why}; plain and deflated .npz are read"),
        other => format!("an invalid .npz archive: {other}"),
    }
}
