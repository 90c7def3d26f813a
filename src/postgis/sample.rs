//! Places of points picked evenly from a table.

use std::ops::Range;

use super::pixel_edges::Cuts;
use super::snapshot::LiveSnapshot;
use super::statistics::LEVEL;
use super::window::Window;
use crate::error::Result;
use crate::geo::{fixed, morton};
use crate::parallel::each;
use crate::raster::Tally;
use crate::source::Query;

/// So many levels the points of a square are counted further down at once.
const STEP: u32 = 6;

/// A square of the quadtree, and how many points it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// Its place, as a key of the Z-order.
    key: u64,
    pub(super) n: u64,
}

impl LiveSnapshot {
    /// The places, in degrees of longitude and latitude, of up to `count` of the points that pass `query`, picked evenly in
    /// Z-order: the same as an embedded layer picks that got the same points at once. Each is any place in the square of the
    /// quadtree, `level` (0 to 32) levels down, that its point lies in; the higher the level, the more is asked for.
    ///
    /// # Errors
    /// As [`cells`](Self::cells).
    pub fn sample(&self, query: &Query<'_>, count: usize, level: u32) -> Result<Vec<(f64, f64)>> {
        self.check(query)?;
        let keys = if query.polygon.is_some() {
            let mut keys = Vec::new();
            self.each_passing(query, None, |key, _| keys.push(key))?;
            keys.sort_unstable();
            ranks(keys.len() as u64, count, true).into_iter().map(|rank| keys[rank as usize]).collect()
        } else {
            let (depth, nodes) = if query.filters() {
                (STEP, self.nodes(query, 0, 0)?)
            } else {
                (LEVEL, merged(self.coarse.iter().map(|cell| Node { key: cell.key, n: cell.n })))
            };
            let total = nodes.iter().map(|node| node.n).sum();
            let wanted = wanted(&nodes, &ranks(total, count, query.filters()));
            let threads = (self.connections() / 2).max(1);
            each(&wanted, threads, |(node, ranks)| self.pick(query, depth, level, *node, ranks))?.concat()
        };
        let place = |key: u64| {
            let (x, y) = morton::place(key);
            fixed::from_fixed(x, y)
        };
        Ok(keys.into_iter().map(place).collect())
    }

    /// The squares of a node that hold points, [`STEP`] levels further down, in Z-order.
    pub(super) fn nodes(&self, query: &Query<'_>, depth: u32, key: u64) -> Result<Vec<Node>> {
        let Some(extent) = self.area else { return Ok(Vec::new()) };
        let (x, y) = morton::place(key);
        let cuts = Cuts::of_node(depth, [x, y], depth + STEP);
        let window = Window::new(&cuts, extent);
        if window.boxes.is_empty() {
            return Ok(Vec::new());
        }
        let groups = self.groups(query, &cuts, &window, Tally::Count)?;
        let node = |column: usize, row: usize| morton::key(cuts.columns[column] as u32, cuts.rows[row] as u32);
        let mut nodes: Vec<Node> =
            groups.iter().map(|group| Node { key: node(group.column, group.row), n: group.n }).collect();
        nodes.sort_unstable_by_key(|node| node.key);
        Ok(merged(nodes))
    }

    /// The keys of the points of a node, `depth` levels down, that have the ranks among its own.
    fn pick(&self, query: &Query<'_>, depth: u32, level: u32, node: Node, ranks: &[u64]) -> Result<Vec<u64>> {
        /// So few points are looked at one by one.
        const FEW: u64 = 20_000;
        const DEEPEST: u32 = 32 - STEP;
        if depth >= level {
            return Ok(vec![middle(depth, node.key); ranks.len()]);
        }
        if node.n > FEW && depth <= DEEPEST {
            let inner = wanted(&self.nodes(query, depth, node.key)?, ranks);
            let picked = inner.iter().map(|(node, ranks)| self.pick(query, depth + STEP, level, *node, ranks));
            return Ok(picked.collect::<Result<Vec<_>>>()?.concat());
        }
        let keys = self.keys(query, depth, node.key)?;
        // Rows may have gone since they were counted.
        Ok(ranks.iter().filter_map(|rank| keys.get(*rank as usize).or(keys.last()).copied()).collect())
    }

    /// The keys of the points in a node, in order.
    fn keys(&self, query: &Query<'_>, depth: u32, key: u64) -> Result<Vec<u64>> {
        let Some(extent) = self.area else { return Ok(Vec::new()) };
        let (x, y) = morton::place(key);
        let window = Window::new(&Cuts::of_node(depth, [x, y], depth), extent);
        let mut keys = Vec::new();
        let shift = 64 - 2 * depth;
        self.each_passing(query, Some(&window.boxes), |found, _| {
            if found.checked_shr(shift).unwrap_or(0) == key {
                keys.push(found);
            }
        })?;
        keys.sort_unstable();
        Ok(keys)
    }
}

/// The nodes that hold points of the ranks, and the ranks among their own points.
fn wanted(nodes: &[Node], ranks: &[u64]) -> Vec<(Node, Vec<u64>)> {
    let (mut before, mut rest, mut wanted) = (0, ranks, Vec::new());
    for node in nodes {
        let Range { start, end } = before..before + node.n;
        let (own, others) = rest.split_at(rest.partition_point(|rank| *rank < end));
        (before, rest) = (end, others);
        if !own.is_empty() {
            wanted.push((*node, own.iter().map(|rank| rank - start).collect()));
        }
    }
    wanted
}

/// The key of the place in the middle of a node.
fn middle(depth: u32, key: u64) -> u64 {
    let below = 2 * (32 - depth);
    // A node of the last level is a place itself.
    key.checked_shl(below).unwrap_or(0) | 3u64.checked_shl(below.wrapping_sub(2)).unwrap_or(0)
}

/// Nodes in Z-order, each once: one may come for several turns around the world.
fn merged(nodes: impl IntoIterator<Item = Node>) -> Vec<Node> {
    let mut all: Vec<Node> = Vec::new();
    for node in nodes {
        match all.last_mut() {
            Some(last) if last.key == node.key => last.n += node.n,
            _ => all.push(node),
        }
    }
    all
}

/// Which of `total` points the embedded store picks: of filtered ones, those that are left when every other one was dropped
/// as often as there were too many.
fn ranks(total: u64, count: usize, is_filtered: bool) -> Vec<u64> {
    const SPARE: u64 = 64;
    let count = count as u64;
    let every = if is_filtered {
        (0..u64::BITS).map(|bits| 1u64 << bits).find(|every| total.div_ceil(*every) <= count * SPARE).unwrap_or(1)
    } else {
        1
    };
    let kept = total.div_ceil(every);
    let picked = count.min(kept);
    (0..picked).map(|i| (2 * i + 1) * kept / (2 * picked) * every).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_among_the_points_of_their_node() {
        let nodes = [Node { key: 4, n: 3 }, Node { key: 5, n: 0 }, Node { key: 6, n: 2 }, Node { key: 9, n: 1 }];
        let found: Vec<_> = wanted(&nodes, &[0, 2, 5]).into_iter().map(|(node, ranks)| (node.key, ranks)).collect();
        assert_eq!(found, [(4, vec![0, 2]), (9, vec![0])]);
        // Rows may have gone since the ranks were found.
        assert!(wanted(&nodes, &[6]).is_empty());
    }

    #[test]
    fn the_middle_of_a_node_lies_in_it() {
        assert_eq!(morton::place(middle(0, 0)), (1 << 31, 1 << 31));
        assert_eq!(morton::place(middle(1, 1)), (3 << 30, 1 << 30));
        assert_eq!(morton::place(middle(31, 0)), (1, 1));
        assert_eq!(middle(32, 77), 77);
    }

    #[test]
    fn ranks_are_even() {
        assert_eq!(ranks(0, 32, false), Vec::<u64>::new());
        assert_eq!(ranks(3, 32, false), [0, 1, 2]);
        assert_eq!(ranks(100, 4, false), [12, 37, 62, 87]);
        assert_eq!(ranks(100, 4, true), [12, 37, 62, 87]);
        // 1000 are more than 4 · 64, and 250 of them are kept.
        assert_eq!(ranks(1000, 4, true), [31 * 4, 93 * 4, 156 * 4, 218 * 4]);
    }
}
