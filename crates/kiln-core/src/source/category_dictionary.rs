//! Categories on their way into batches: each name once, and a code for it.

use std::collections::HashMap;

use crate::geo::Categories;

/// Names with a code each, counted from 0 in the order in which they came.
#[derive(Debug)]
pub struct CategoryDictionary {
    names: Vec<Box<str>>,
    codes: HashMap<Box<str>, u32>,
    name_bytes: usize,
    /// The code given last to a name of each [`look`]: most inputs have a few categories over and over.
    recent: [u32; LOOKS],
}

impl Default for CategoryDictionary {
    fn default() -> Self {
        Self { names: Vec::new(), codes: HashMap::new(), name_bytes: 0, recent: [Categories::NONE; LOOKS] }
    }
}

const LOOKS: usize = 256;

/// A number that names which look alike share; found much faster than a hash that nobody can play tricks on.
#[inline]
fn look(name: &[u8]) -> usize {
    let at = |index: usize| name.get(index).map_or(0, |&byte| byte as usize);
    let (first, middle, last) = (at(0), at(name.len() / 2), at(name.len().wrapping_sub(1)));
    (name.len() + first * 7 + middle * 31 + last * 113) % LOOKS
}

impl CategoryDictionary {
    /// Names, and bytes of names, beyond which they are too many to be kept.
    const KEPT_NAMES: usize = 1 << 14;
    const KEPT_BYTES: usize = 1 << 20;

    /// The code of `name`; an empty one is none.
    #[inline]
    pub fn code(&mut self, name: Option<&str>) -> u32 {
        let Some(name) = name else { return Categories::NONE };
        let look = look(name.as_bytes());
        let recent = self.recent[look];
        if self.names.get(recent as usize).is_some_and(|recent| **recent == *name) {
            return recent;
        }
        if name.is_empty() {
            return Categories::NONE;
        }
        let code = match self.codes.get(name) {
            Some(&code) => code,
            None => self.add(name),
        };
        self.recent[look] = code;
        code
    }

    #[cold]
    fn add(&mut self, name: &str) -> u32 {
        let code = self.names.len() as u32;
        self.names.push(name.into());
        self.codes.insert(name.into(), code);
        self.name_bytes += name.len();
        code
    }

    /// The names by their codes.
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Whether there are so many names that they should go once their codes are no longer needed.
    pub fn is_large(&self) -> bool {
        self.names.len() > Self::KEPT_NAMES || self.name_bytes > Self::KEPT_BYTES
    }

    /// Forgets the names if they are many: codes given before mean nothing any more.
    pub fn clear_if_large(&mut self) {
        if self.is_large() {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_code_and_an_empty_one_none() {
        let mut labels = CategoryDictionary::default();
        let codes = [Some("a"), Some("b"), Some("b"), None, Some("a"), Some(""), Some("c")].map(|n| labels.code(n));
        assert_eq!(codes, [0, 1, 1, Categories::NONE, 0, Categories::NONE, 2]);
        assert_eq!(labels.names(), ["a".into(), "b".into(), "c".into()]);
    }

    #[test]
    fn many_names_are_forgotten() {
        let mut labels = CategoryDictionary::default();
        for i in 0..=CategoryDictionary::KEPT_NAMES {
            labels.clear_if_large();
            labels.code(Some(&i.to_string()));
        }
        assert!(labels.is_large());
        labels.clear_if_large();
        assert_eq!((labels.code(Some("x")), labels.names().len()), (0, 1));
        labels.code(Some(&"x".repeat(CategoryDictionary::KEPT_BYTES)));
        assert!(labels.is_large());
    }
}
