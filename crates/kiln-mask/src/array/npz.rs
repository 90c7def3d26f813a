//! NumPy's `.npz`: a zip archive of `.npy` files.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{ReadArrayOptions, npy};
use crate::Mask;
use crate::limit::{Limit, Reason};

/// The maximum number of members that a message lists.
const LISTED: usize = 20;

pub(super) fn read(bytes: &[u8], options: &ReadArrayOptions) -> Result<Mask, Reason> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| invalid(&error))?;
    let names: Vec<String> = archive
        .file_names()
        .filter_map(|name| name.ok().filter(|name| name.ends_with(".npy")).map(std::borrow::Cow::into_owned))
        .collect();
    let name = choose(&names, options.member.as_deref())?;
    let limit = options.limits.max_bytes;
    let member = archive.by_name(name).map_err(|error| invalid(&error))?;
    // The declared size of a member is not trusted: at most the limit is read.
    let mut content = Vec::new();
    let taken = member.take((limit as u64).saturating_add(1)).read_to_end(&mut content);
    taken.map_err(|error| format!("member {name} cannot be decompressed: {error}"))?;
    if content.len() > limit {
        let why = format!("member {name} exceeds the limit of {limit} bytes after decompression");
        return Err(Reason::limit(Limit::Bytes, why));
    }
    npy::read(&content, options).map_err(|reason| reason.map(|message| format!("member {name}: {message}")))
}

/// Returns the requested member, or the only one.
fn choose<'n>(names: &'n [String], requested: Option<&str>) -> Result<&'n str, String> {
    let array = |name: &'n str| name.strip_suffix(".npy").unwrap_or(name);
    let listed = || {
        let mut listed: Vec<&str> = names.iter().take(LISTED).map(|name| array(name)).collect();
        if names.len() > LISTED {
            listed.push("…");
        }
        listed.join(", ")
    };
    match (requested, names) {
        (_, []) => Err("the archive has no .npy member".to_owned()),
        (Some(requested), names) => {
            let found = names.iter().find(|name| *name == requested || array(name) == requested);
            found
                .map(String::as_str)
                .ok_or_else(|| format!("unknown member `{requested}`; expected one of {}", listed()))
        }
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("the archive has {} members; set member to one of {}", names.len(), listed())),
    }
}

fn invalid(error: &ZipError) -> String {
    match error {
        ZipError::UnsupportedArchive(why) => format!("unsupported archive: {why}; expected a stored or deflated .npz"),
        other => format!("invalid .npz archive: {other}"),
    }
}
