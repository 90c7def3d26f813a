//! The names of the classes of YOLO labels.

use kiln_core::error::{Error, Result as KilnResult};

use super::report::MAX_CLASSES;

/// Reads the names of classes by their numbers from the text of a file: the key `names` of a `data.yaml`, as a list or as a
/// mapping from numbers, or, without this key, a name per line (`classes.txt`, `obj.names`). `file` is for messages.
///
/// # Errors
/// [`Error::Input`] if there is no name, a number appears twice or is above 9,999, or a number before the last has no name.
pub fn class_names(text: &str, file: &str) -> KilnResult<Vec<String>> {
    parse(text).map_err(|message| Error::input(file, message))
}

fn parse(text: &str) -> Result<Vec<String>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    let key = lines.iter().position(|line| line.strip_prefix("names:").is_some());
    let mut names = Vec::new();
    match key {
        None => lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).try_for_each(|line| {
            let number = names.len();
            add(&mut names, number, line)
        })?,
        Some(key) => {
            let rest = without_comment(&lines[key]["names:".len()..]).trim();
            if rest.is_empty() {
                block(&lines[key + 1..], &mut names)?;
            } else {
                let more = lines[key + 1..].iter().map(|line| without_comment(line));
                flow(&std::iter::once(rest).chain(more).collect::<Vec<_>>().join(" "), &mut names)?;
            }
        }
    }
    if names.is_empty() {
        return Err("no class names; expected `names:` with a list, or a name per line".to_owned());
    }
    let missing = names.iter().position(Option::is_none);
    if let Some(missing) = missing {
        return Err(format!("class {missing} has no name"));
    }
    Ok(names.into_iter().flatten().collect())
}

fn add(names: &mut Vec<Option<String>>, number: usize, name: &str) -> Result<(), String> {
    if number >= MAX_CLASSES {
        return Err(format!("class {number} exceeds the limit of {MAX_CLASSES} classes"));
    }
    if names.len() <= number {
        names.resize(number + 1, None);
    }
    match names[number].replace(unquoted(name).to_owned()) {
        None => Ok(()),
        Some(_) => Err(format!("class {number} has two names")),
    }
}

/// An item `name` of a list, or `number: name` of a mapping.
fn item(names: &mut Vec<Option<String>>, text: &str, is_mapping: bool) -> Result<(), String> {
    if !is_mapping {
        let number = names.len();
        return add(names, number, text);
    }
    let (number, name) = text.split_once(':').ok_or_else(|| format!("`{text}` is no number with a name"))?;
    let number = unquoted(number).parse().map_err(|_| format!("`{}` is no number of a class", number.trim()))?;
    add(names, number, name)
}

/// Lines `- name` or `number: name`, up to the first that is not indented.
fn block(lines: &[&str], names: &mut Vec<Option<String>>) -> Result<(), String> {
    for line in lines {
        let text = without_comment(line).trim();
        if text.is_empty() {
            continue;
        }
        match text.strip_prefix("- ") {
            Some(name) => item(names, name, false)?,
            None if line.starts_with([' ', '\t']) => item(names, text, true)?,
            None => break,
        }
    }
    Ok(())
}

/// `[name, name]` or `{number: name, number: name}`; what follows the end does not count.
fn flow(text: &str, names: &mut Vec<Option<String>>) -> Result<(), String> {
    let is_mapping = text.starts_with('{');
    let end = if is_mapping { '}' } else { ']' };
    if !is_mapping && !text.starts_with('[') {
        return Err("`names` is no list; expected [name, …] or {number: name, …}".to_owned());
    }
    let mut start = 1;
    let mut quote = None;
    for (at, character) in text.char_indices().skip(1) {
        match quote {
            Some(open) => quote = (character != open).then_some(open),
            None if matches!(character, '"' | '\'') && ends_before_value(&text[start..at]) => quote = Some(character),
            None if character == ',' || character == end => {
                let part = text[start..at].trim();
                if !part.is_empty() {
                    item(names, part, is_mapping)?;
                }
                if character == end {
                    return Ok(());
                }
                start = at + 1;
            }
            None => {}
        }
    }
    Err(format!("the list of `names` has no {end} at its end"))
}

/// Whether a value starts after `text`, so that a quote opens one and is no apostrophe.
fn ends_before_value(text: &str) -> bool {
    let text = text.trim_end();
    text.is_empty() || text.ends_with(':')
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    let mut at = 0;
    // A quoted `#` belongs to a name.
    while let Some(found) = line[at..].find(" #") {
        let before = &line[..at + found];
        if before.matches(['"', '\'']).count().is_multiple_of(2) {
            return before;
        }
        at += found + 2;
    }
    line
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let of = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    of('"').or_else(|| of('\'')).unwrap_or(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_each_form() {
        for text in [
            "person\ntraffic light\r\ncar, red\n\n",
            "path: ../data\nnames:\n  0: person  # first\n  1: 'traffic light'\n\n  2: \"car, red\"\nnc: 3\n",
            "nc: 3\nnames:\n- person\n- traffic light\n- car, red\ntrain: images\n",
            "names: ['person', \"traffic light\", 'car, red']\n",
            "names: [person,\n  traffic light, # second\n  'car, red',\n]\nnc: 3",
            "names: {0: person, 2: 'car, red', 1: traffic light}",
        ] {
            assert_eq!(parse(text).unwrap(), ["person", "traffic light", "car, red"], "{text}");
        }
        assert_eq!(parse("names: [o'clock, '#1']").unwrap(), ["o'clock", "#1"]);
    }

    #[test]
    fn broken_names_are_rejected() {
        for (text, reason) in [
            ("", "no class names"),
            ("names:\nnc: 3", "no class names"),
            ("names: [a, b", "the list of `names` has no ]"),
            ("names: a, b", "`names` is no list"),
            ("names:\n  0: a\n  0: b", "class 0 has two names"),
            ("names:\n  0: a\n  2: b", "class 1 has no name"),
            ("names: {99999999: a}", "class 99999999 exceeds the limit of 10000 classes"),
            ("names: {-1: a}", "`-1` is no number of a class"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(reason), "{text}: {error}");
        }
        let error = class_names("", "data.yaml").unwrap_err().to_string();
        assert!(error.starts_with("data.yaml: no class names; expected"), "{error}");
    }
}
