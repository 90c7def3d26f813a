//! The temporary layers of a catalog.

use std::collections::{BTreeMap, HashMap};

use super::SelectedEntry;

/// The limits of all temporary layers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectionLimits {
    /// The maximum number of temporary layers.
    pub max_count: usize,
    /// The maximum size of their filters in memory, in bytes.
    pub max_bytes: u64,
}

/// The temporary layers by name.
#[derive(Debug, Default)]
pub(super) struct Selections(BTreeMap<String, SelectedEntry>);

/// The number of temporary layers of a client, and the size of their filters.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    count: usize,
    bytes: u64,
}

impl SelectedEntry {
    /// The memory of the entry besides its filter: its names, and its layer.
    const OVERHEAD_BYTES: u64 = 2048;

    /// The memory of the entry in bytes, about.
    pub fn bytes(&self) -> u64 {
        self.filter.bytes() as u64 + Self::OVERHEAD_BYTES
    }
}

impl Selections {
    pub(super) fn get(&self, name: &str) -> Option<&SelectedEntry> {
        self.0.get(name)
    }

    pub(super) fn contains_key(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Adds the temporary layer `name`, or extends its life. Returns the names of those that are removed: the expired ones, and
    /// beyond a limit those of the client with the largest share that expire the soonest, so that no client can remove those
    /// of all others.
    pub(super) fn insert(
        &mut self,
        name: &str,
        mut entry: SelectedEntry,
        now_s: u64,
        limits: SelectionLimits,
    ) -> Vec<String> {
        if let Some(known) = self.0.get(name) {
            entry.client.clone_from(&known.client);
            entry.expires_s = entry.expires_s.max(known.expires_s);
        }
        self.0.insert(name.to_owned(), entry);
        let mut removed: Vec<String> =
            self.0.iter().filter(|(_, entry)| entry.expires_s <= now_s).map(|(name, _)| name.clone()).collect();
        for name in &removed {
            self.0.remove(name);
        }
        let mut shares: HashMap<Option<String>, Share> = HashMap::new();
        let mut all = Share::default();
        for entry in self.0.values() {
            let share = shares.entry(entry.client.clone()).or_default();
            for share in [share, &mut all] {
                share.count += 1;
                share.bytes += entry.bytes();
            }
        }
        loop {
            let largest = if all.bytes > limits.max_bytes {
                shares.iter().max_by_key(|(_, share)| share.bytes)
            } else if all.count > limits.max_count.max(1) {
                shares.iter().max_by_key(|(_, share)| share.count)
            } else {
                break;
            };
            let Some(client) = largest.map(|(client, _)| client.clone()) else { break };
            let own = self.0.iter().filter(|(_, entry)| entry.client == client);
            // The new one is the last to be removed.
            let first = own.min_by_key(|(other, entry)| (*other == name, entry.expires_s, *other));
            let Some(first) = first.map(|(name, _)| name.clone()) else { break };
            let Some(entry) = self.0.remove(&first) else { break };
            for share in shares.get_mut(&client).into_iter().chain([&mut all]) {
                share.count -= 1;
                share.bytes -= entry.bytes();
            }
            removed.push(first);
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Filter;

    fn entry(client: &str, expires_s: u64, categories: usize) -> SelectedEntry {
        let categories = (0..categories).map(|name| name.to_string()).collect();
        let filter = Filter { categories, ..Filter::default() };
        SelectedEntry { parent: "a".into(), filter, points: 1, expires_s, client: Some(client.into()), owner: None }
    }

    fn names(selections: &Selections) -> Vec<&str> {
        selections.0.keys().map(String::as_str).collect()
    }

    #[test]
    fn the_client_with_the_largest_share_loses_its_oldest_ones() {
        let limits = SelectionLimits { max_count: 4, max_bytes: 1 << 20 };
        let mut selections = Selections::default();
        for (name, client, expires_s) in
            [("old", "quiet", 10), ("b1", "busy", 20), ("b2", "busy", 30), ("b3", "busy", 40)]
        {
            assert!(selections.insert(name, entry(client, expires_s, 1), 0, limits).is_empty());
        }
        assert_eq!(selections.insert("b4", entry("busy", 50, 1), 0, limits), ["b1"]);
        assert_eq!(selections.insert("new", entry("late", 60, 1), 0, limits), ["b2"]);
        assert_eq!(names(&selections), ["b3", "b4", "new", "old"]);
        assert_eq!(selections.insert("b4", entry("busy", 70, 1), 10, limits), ["old"], "it has expired");
    }

    #[test]
    fn an_equal_one_lives_longer_and_stays_that_of_its_first_client() {
        let limits = SelectionLimits { max_count: 9, max_bytes: 1 << 20 };
        let mut selections = Selections::default();
        selections.insert("a", entry("first", 10, 1), 0, limits);
        selections.insert("a", entry("other", 20, 1), 0, limits);
        let kept = selections.get("a").map(|entry| (entry.client.clone(), entry.expires_s));
        assert_eq!(kept, Some((Some("first".to_owned()), 20)));
        selections.insert("a", entry("other", 15, 1), 0, limits);
        assert_eq!(selections.get("a").map(|entry| entry.expires_s), Some(20));
    }

    #[test]
    fn the_size_of_all_filters_is_limited() {
        let bytes = entry("a", 10, 5000).bytes();
        let limits = SelectionLimits { max_count: 1000, max_bytes: 3 * bytes };
        let mut selections = Selections::default();
        selections.insert("small", entry("quiet", 1, 0), 0, SelectionLimits { max_bytes: 4 * bytes, ..limits });
        for number in 0..20 {
            selections.insert(&format!("large{number:02}"), entry("busy", 10 + number, 5000), 0, limits);
            assert!(selections.0.values().map(SelectedEntry::bytes).sum::<u64>() <= 3 * bytes);
        }
        assert_eq!(names(&selections), ["large18", "large19", "small"]);
    }
}
