//! A document and its fenced blocks.

use std::path::Path;

/// A fenced block.
pub(super) struct Block {
    /// The first word after the fence.
    pub(super) language: String,
    /// The line of the fence in the document, from 1.
    pub(super) line: usize,
    pub(super) text: String,
    /// Whether the output in a `console` block is compared with what its commands print.
    pub(super) is_checked: bool,
}

/// A document.
pub(super) struct Page {
    /// The path in the repository.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) blocks: Vec<Block>,
}

impl Page {
    /// Reads the document `name` below `root`. A block that is not closed fails.
    pub(super) fn read(root: &Path, name: &str) -> Self {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        let blocks = blocks(&text).unwrap_or_else(|line| panic!("{name}:{line}: the block is not closed"));
        Self { name: name.to_owned(), text, blocks }
    }
}

/// The fenced blocks of a text, or the line of one that is not closed.
fn blocks(text: &str) -> Result<Vec<Block>, usize> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(info)) => {
                let mut words = info.split([',', ' ']);
                let language = words.next().unwrap_or_default().to_owned();
                let is_checked = words.any(|word| word == "checked");
                open = Some(Block { language, line: index + 1, text: String::new(), is_checked });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    open.map_or(Ok(blocks), |block| Err(block.line))
}

#[test]
fn blocks_are_found_with_their_language_and_line() {
    let found = blocks("a\n```sh\nb\n\nc\n```\n```console checked\n```\n").unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|block| (block.language.as_str(), block.line, block.text.as_str(), block.is_checked))
        .collect();
    assert_eq!(found, [("sh", 2, "b\n\nc\n", false), ("console", 7, "", true)]);
    assert_eq!(blocks("a\n```sh\nb\n").err(), Some(2));
}
