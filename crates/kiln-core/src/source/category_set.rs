//! A set of categories that a filter selects.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::keyed_digest::keyed_digest;

/// Distinct categories in ascending order. Clones share their memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CategorySet(Option<Arc<Names>>);

/// At least one name, with the digest of all.
#[derive(Debug, PartialEq, Eq)]
struct Names {
    names: Box<[Box<str>]>,
    digest: u128,
}

impl CategorySet {
    /// The maximum number of distinct categories that are read from text.
    pub const MAX_CATEGORIES: usize = 100_000;
    /// The maximum size in bytes of all distinct categories that are read from text.
    pub const MAX_BYTES: usize = 4 << 20;

    /// The categories in ascending order.
    pub fn names(&self) -> &[Box<str>] {
        self.0.as_ref().map_or(&[], |names| &names.names)
    }

    /// The number of categories.
    pub fn len(&self) -> usize {
        self.names().len()
    }

    /// Whether there are no categories.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the set contains `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.names().binary_search_by(|own| (**own).cmp(name)).is_ok()
    }

    /// The size of the names in bytes.
    pub fn name_bytes(&self) -> usize {
        self.names().iter().map(|name| name.len()).sum()
    }

    /// A digest of the names, for caches of this process.
    pub fn digest(&self) -> u128 {
        self.0.as_ref().map_or(0, |names| names.digest)
    }

    /// The memory of the set in bytes, about.
    pub fn bytes(&self) -> usize {
        /// The memory of a name besides its bytes: the pointer and length, and the allocator's share.
        const NAME: usize = size_of::<Box<str>>() + 16;
        self.name_bytes() + self.len() * NAME
    }

    /// The names as strings.
    pub fn to_strings(&self) -> Vec<String> {
        self.names().iter().map(ToString::to_string).collect()
    }

    /// The categories that both sets contain.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.names().iter().filter(|name| other.contains(name)).cloned().collect()
    }
}

impl FromIterator<Box<str>> for CategorySet {
    fn from_iter<I: IntoIterator<Item = Box<str>>>(names: I) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        Self((!names.is_empty()).then(|| Arc::new(Names { digest: keyed_digest(&names), names: names.into() })))
    }
}

impl FromIterator<String> for CategorySet {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        names.into_iter().map(String::into_boxed_str).collect()
    }
}

impl From<Vec<String>> for CategorySet {
    fn from(names: Vec<String>) -> Self {
        names.into_iter().collect()
    }
}

/// Collects the distinct categories of a list up to the limits of a [`CategorySet`], so that a long list of equal ones takes
/// the memory of one.
#[derive(Debug, Default)]
pub struct CategoryCollector {
    names: BTreeSet<Box<str>>,
    bytes: usize,
}

/// The error of a list that exceeds the limits of a [`CategorySet`].
#[derive(Clone, Copy, Debug)]
pub struct TooManyCategories;

impl fmt::Display for TooManyCategories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (names, bytes) = (CategorySet::MAX_CATEGORIES, CategorySet::MAX_BYTES);
        write!(f, "the distinct categories exceed the limit of {names} or of {bytes} bytes")
    }
}

impl CategoryCollector {
    /// Adds a category.
    ///
    /// # Errors
    /// [`TooManyCategories`] beyond the limits.
    pub fn add(&mut self, name: &str) -> Result<(), TooManyCategories> {
        if self.names.contains(name) {
            return Ok(());
        }
        self.bytes += name.len();
        if self.names.len() == CategorySet::MAX_CATEGORIES || self.bytes > CategorySet::MAX_BYTES {
            return Err(TooManyCategories);
        }
        self.names.insert(name.into());
        Ok(())
    }

    /// The collected categories.
    pub fn finish(self) -> CategorySet {
        self.names.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> CategorySet {
        names.iter().map(|name| Box::from(*name)).collect()
    }

    #[test]
    fn a_set_is_sorted_and_has_no_duplicates() {
        let names = set(&["tram", "bus", "tram", "é", "bus"]);
        assert_eq!(names, set(&["bus", "tram", "é"]));
        assert_eq!(names.names().iter().map(|name| &**name).collect::<Vec<_>>(), ["bus", "tram", "é"]);
        assert!(names.contains("é") && !names.contains("e") && !names.is_empty());
        assert!(set(&[]).is_empty() && !set(&[""]).is_empty());
        assert_eq!(names.intersection(&set(&["a", "é", "bus"])), set(&["bus", "é"]));
        assert!(names.intersection(&set(&["a"])).is_empty());
    }

    #[test]
    fn distinct_categories_are_limited_in_number_and_size_and_equal_ones_are_not() {
        let mut equal = CategoryCollector::default();
        assert!((0..CategorySet::MAX_CATEGORIES + 5).all(|_| equal.add("a").is_ok()));
        assert_eq!(equal.finish(), set(&["a"]));
        let mut many = CategoryCollector::default();
        assert!((0..CategorySet::MAX_CATEGORIES).all(|number| many.add(&number.to_string()).is_ok()));
        assert!(many.add("0").is_ok() && many.add("one more").is_err());
        let mut large = CategoryCollector::default();
        assert!(large.add(&"a".repeat(CategorySet::MAX_BYTES)).is_ok() && large.add("b").is_err());
    }
}
