//! Dictionary encoding of categories.

use std::collections::HashMap;

use crate::geo::Categories;

/// A dictionary of category names. Codes are assigned from 0 in the order of first occurrence.
#[derive(Debug)]
pub struct CategoryDictionary {
    names: Vec<Box<str>>,
    codes: HashMap<Box<str>, u32>,
    name_bytes: usize,
    /// A cache of recent codes by [`cache_slot`]: most inputs repeat a few categories.
    recent: [u32; CACHE_SLOTS],
}

impl Default for CategoryDictionary {
    fn default() -> Self {
        Self { names: Vec::new(), codes: HashMap::new(), name_bytes: 0, recent: [Categories::NONE; CACHE_SLOTS] }
    }
}

const CACHE_SLOTS: usize = 256;

/// The cache slot of a name: a weak hash, much faster than the collision-resistant one of the map.
#[inline]
fn cache_slot(name: &[u8]) -> usize {
    let at = |index: usize| name.get(index).map_or(0, |&byte| byte as usize);
    let (first, middle, last) = (at(0), at(name.len() / 2), at(name.len().wrapping_sub(1)));
    (name.len() + first * 7 + middle * 31 + last * 113) % CACHE_SLOTS
}

impl CategoryDictionary {
    /// The limits of the number of names and of their bytes above which the dictionary is large.
    const MAX_NAMES: usize = 1 << 14;
    const MAX_NAME_BYTES: usize = 1 << 20;

    /// The code of `name`, which is added if it is new; [`Categories::NONE`] for `None` and the empty name.
    #[inline]
    pub fn code(&mut self, name: Option<&str>) -> u32 {
        let Some(name) = name else { return Categories::NONE };
        let slot = cache_slot(name.as_bytes());
        let recent = self.recent[slot];
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
        self.recent[slot] = code;
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

    /// The names by code.
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Whether the dictionary should be cleared once its codes are no longer needed.
    pub fn is_large(&self) -> bool {
        self.names.len() > Self::MAX_NAMES || self.name_bytes > Self::MAX_NAME_BYTES
    }

    /// Clears the dictionary if it is large, which invalidates all codes.
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
    fn names_have_unique_codes_and_empty_names_have_none() {
        let mut labels = CategoryDictionary::default();
        let codes = [Some("a"), Some("b"), Some("b"), None, Some("a"), Some(""), Some("c")].map(|n| labels.code(n));
        assert_eq!(codes, [0, 1, 1, Categories::NONE, 0, Categories::NONE, 2]);
        assert_eq!(labels.names(), ["a".into(), "b".into(), "c".into()]);
    }

    #[test]
    fn large_dictionaries_are_cleared() {
        let mut labels = CategoryDictionary::default();
        for i in 0..=CategoryDictionary::MAX_NAMES {
            labels.clear_if_large();
            labels.code(Some(&i.to_string()));
        }
        assert!(labels.is_large());
        labels.clear_if_large();
        assert_eq!((labels.code(Some("x")), labels.names().len()), (0, 1));
        labels.code(Some(&"x".repeat(CategoryDictionary::MAX_NAME_BYTES)));
        assert!(labels.is_large());
    }
}
