//! Patterns and folders of objects.

use std::collections::HashSet;

use glob::{MatchOptions, Pattern};
use kiln_core::error::{Error, Result};
use kiln_objects::{ListedObject, ObjectError, ObjectInfo, ObjectUrl, Objects, Scheme};

/// Expands the URL of a folder or a pattern of a bucket to the URLs of its objects, sorted by key: `s3://bucket/trips/` is every
/// object in the folder, at any depth, and `s3://bucket/trips/day=*/part-*.parquet` those that match. In a folder, objects and
/// folders are omitted whose name begins with `_` or `.`, such as `_SUCCESS`. Any other input remains as it is.
///
/// # Errors
/// [`Error::Invalid`] if the URL is invalid; [`Error::Input`] if the bucket cannot be listed, or no object matches;
/// [`Error::Config`] if the pattern is malformed.
pub fn expand_objects(input: &str) -> Result<Vec<String>> {
    let Some(url) = parse(input)?.filter(is_of_many) else { return Ok(vec![input.to_owned()]) };
    let objects = list(&url)?;
    Ok(objects.into_iter().map(|object| url.with_key(object.key).to_string()).collect())
}

/// The URLs of the objects of inputs, with their sizes and revisions. Patterns and folders are expanded as by
/// [`expand_objects`], and inputs that are no URLs omitted.
///
/// # Errors
/// Those of [`expand_objects`]; [`Error::Input`] if an object cannot be read.
pub fn object_states(inputs: &[String]) -> Result<Vec<(String, ObjectInfo)>> {
    let mut states = Vec::new();
    for input in inputs {
        let Some(url) = parse(input)? else { continue };
        if is_of_many(&url) {
            states.extend(list(&url)?.into_iter().map(|object| (url.with_key(object.key).to_string(), object.info)));
        } else {
            let info =
                Objects::shared(&url).and_then(|objects| objects.head(url.key())).map_err(ObjectError::into_error)?;
            states.push((url.to_string(), info));
        }
    }
    Ok(states)
}

/// The URL of an input; `None` if it is none.
fn parse(input: &str) -> Result<Option<ObjectUrl>> {
    if ObjectUrl::is_url(input) { input.parse().map(Some) } else { Ok(None) }
}

/// Whether a URL is that of a folder or pattern of a bucket.
fn is_of_many(url: &ObjectUrl) -> bool {
    url.scheme() != Scheme::Web && (is_folder(url) || url.is_pattern())
}

fn is_folder(url: &ObjectUrl) -> bool {
    url.key().is_empty() || url.key().ends_with('/')
}

/// The objects of a folder or pattern.
fn list(url: &ObjectUrl) -> Result<Vec<ListedObject>> {
    let start = url.key().find(['*', '?', '[']).unwrap_or(url.key().len());
    let listed = Objects::shared(url).and_then(|objects| objects.list(&url.key()[..start]));
    let mut listed = listed.map_err(ObjectError::into_error)?;
    let keys = if url.is_pattern() { matching(url, &listed)? } else { in_folder(url.key(), &listed) };
    if keys.is_empty() {
        let reason = if is_folder(url) { "the folder has no objects" } else { "no object matches the pattern" };
        return Err(Error::input(url.to_string(), reason));
    }
    let keys: HashSet<String> = keys.into_iter().map(str::to_owned).collect();
    listed.retain(|object| keys.contains(&object.key));
    Ok(listed)
}

/// The keys that match a pattern. One that ends with a slash is of folders, whose objects are meant.
fn matching<'l>(url: &ObjectUrl, listed: &'l [ListedObject]) -> Result<Vec<&'l str>> {
    const OPTIONS: MatchOptions =
        MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
    // An object with the name of the pattern takes precedence.
    if let Some(object) = listed.iter().find(|object| object.key == url.key()) {
        return Ok(vec![&object.key]);
    }
    let text = if url.key().ends_with('/') { format!("{}*", url.key()) } else { url.key().to_owned() };
    let pattern = Pattern::new(&text)
        .map_err(|error| Error::config(url.to_string(), format!("invalid pattern: {}", error.msg)))?;
    let is_match = |key: &&str| pattern.matches_with(key, OPTIONS) && !is_hidden(key.rsplit('/').next().unwrap_or(key));
    Ok(listed.iter().map(|object| object.key.as_str()).filter(is_match).collect())
}

/// The keys in a folder, at any depth.
fn in_folder<'l>(folder: &str, listed: &'l [ListedObject]) -> Vec<&'l str> {
    let is_visible = |key: &&str| key.strip_prefix(folder).is_some_and(|rest| !rest.split('/').any(is_hidden));
    listed.iter().map(|object| object.key.as_str()).filter(is_visible).collect()
}

/// Whether a file or folder is none of points.
fn is_hidden(name: &str) -> bool {
    name.starts_with(['_', '.']) || name == "totals.json"
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use kiln_objects::Revision;

    use super::*;

    fn listed(keys: &[&str]) -> Vec<ListedObject> {
        let object = |key: &&str| ListedObject {
            key: (*key).to_owned(),
            info: ObjectInfo { size: Some(1), revision: Revision::default(), modified: None, has_ranges: true },
        };
        keys.iter().map(object).collect()
    }

    #[test]
    fn patterns_match_parts_of_keys_and_folders_have_all_visible_objects() {
        let all = listed(&[
            "t/_SUCCESS",
            "t/day=1/.part.crc",
            "t/day=1/_temporary/part-0.csv",
            "t/day=1/hour=2/part-1.csv",
            "t/day=1/part-0.csv",
            "t/day=2/part-0.csv",
            "t/day=2/totals.json",
        ]);
        let keys = |key: &str| matching(&format!("s3://b/{key}").parse().unwrap(), &all).unwrap();
        assert_eq!(keys("t/day=*/part-*.csv"), ["t/day=1/part-0.csv", "t/day=2/part-0.csv"]);
        assert_eq!(keys("t/day=?/*"), ["t/day=1/part-0.csv", "t/day=2/part-0.csv"]);
        assert_eq!(keys("t/day=*/"), ["t/day=1/part-0.csv", "t/day=2/part-0.csv"]);
        assert_eq!(keys("t/**/part-1.csv"), ["t/day=1/hour=2/part-1.csv"]);
        assert_eq!(keys("t/day=[2-9]/*"), ["t/day=2/part-0.csv"]);
        let inside = ["t/day=1/hour=2/part-1.csv", "t/day=1/part-0.csv", "t/day=2/part-0.csv"];
        assert_eq!(in_folder("t/", &all), inside);
        let odd = listed(&["a[1].csv", "a1.csv"]);
        assert_eq!(matching(&"s3://b/a[1].csv".parse().unwrap(), &odd).unwrap(), ["a[1].csv"]);
        assert!(matching(&"s3://b/a[".parse().unwrap(), &all).unwrap_err().is_usage());
    }

    #[test]
    fn other_inputs_are_not_expanded() {
        for input in ["a*.csv", "-", "s3://b/a.csv", "https://h/a*.csv", "https://h/"] {
            assert_eq!(expand_objects(input).unwrap(), [input]);
        }
    }
}
