//! Counts of points, and locations sampled evenly from a table.

use std::ops::Range;

use super::database::all;
use super::pixel_edges::PixelEdges;
use super::snapshot::LiveSnapshot;
use super::sql::Sql;
use super::statistics::LEVEL;
use super::window::Window;
use kiln_core::error::Result;
use kiln_core::geo::{fixed, morton};
use kiln_core::parallel::try_map;
use kiln_core::raster::Reduction;
use kiln_core::source::Query;

/// The levels of the quadtree that one statement descends.
const STEP: u32 = 6;

/// A node of the quadtree, and the number of its points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// Its Morton key.
    key: u64,
    pub(super) n: u64,
}

impl LiveSnapshot {
    /// The number of points that match `query`.
    ///
    /// # Errors
    /// As for [`cells`](Self::cells).
    pub fn count(&self, query: &Query<'_>) -> Result<u64> {
        self.check(&query.clone().with_positions(false))?;
        if self.relation.geometry.is_none() {
            return self.count_rows(query);
        }
        if query.filter.polygon.is_none() {
            return Ok(self.nodes(query, 0, 0)?.iter().map(|node| node.n).sum());
        }
        let mut count = 0;
        self.for_each_point(query, None, |_, _| count += 1)?;
        Ok(count)
    }

    /// The number of rows without positions that match `query`.
    fn count_rows(&self, query: &Query<'_>) -> Result<u64> {
        let mut sql = Sql::default();
        sql.push("SELECT count(*) FROM ").push(&self.relation.items());
        let keyword = self.relation.push_conditions(&mut sql, query, None);
        if let Some(has_weight) = self.relation.has_weight() {
            sql.push(keyword).push(&has_weight);
        }
        let count = self.database.run(query.scan.stop, move |mut connection| async move {
            all(&mut connection, &sql.text, &sql.values, |row| row.try_get::<_, i64>(0)).await
        });
        Ok(count?.into_iter().map(|count| u64::try_from(count).unwrap_or_default()).sum())
    }

    /// The locations, in degrees of longitude and latitude, of up to `count` of the points that match `query`, sampled
    /// evenly in Z-order: the same sample that an embedded layer of the same points returns. Each location is anywhere
    /// in the quadtree node at `level` (0 to 32) that contains its point; a higher level takes more statements.
    ///
    /// # Errors
    /// As for [`cells`](Self::cells).
    pub fn sample(&self, query: &Query<'_>, count: usize, level: u32) -> Result<Vec<(f64, f64)>> {
        self.check(query)?;
        self.relation.require_positions()?;
        let keys = if query.filter.polygon.is_some() {
            let mut keys = Vec::new();
            self.for_each_point(query, None, |key, _| keys.push(key))?;
            keys.sort_unstable();
            ranks(keys.len() as u64, count, true).into_iter().map(|rank| keys[rank as usize]).collect()
        } else {
            let (depth, nodes) = if query.filter.is_active() {
                (STEP, self.nodes(query, 0, 0)?)
            } else {
                (LEVEL, merged(self.coarse.iter().map(|cell| Node { key: cell.key, n: cell.rows.n })))
            };
            let total = nodes.iter().map(|node| node.n).sum();
            let selected = select(&nodes, &ranks(total, count, query.filter.is_active()));
            let threads = (self.connections() / 2).max(1);
            try_map(&selected, threads, |(node, ranks)| self.pick(query, depth, level, *node, ranks))?.concat()
        };
        let location = |key: u64| {
            let (x, y) = morton::decode(key);
            fixed::from_fixed(x, y)
        };
        Ok(keys.into_iter().map(location).collect())
    }

    /// The nodes with points, [`STEP`] levels below a node, in Z-order.
    pub(super) fn nodes(&self, query: &Query<'_>, depth: u32, key: u64) -> Result<Vec<Node>> {
        let Some(extent) = self.area else { return Ok(Vec::new()) };
        let (x, y) = morton::decode(key);
        let edges = PixelEdges::of_node(depth, [x, y], depth + STEP);
        let window = Window::new(&edges, extent);
        if window.boxes.is_empty() {
            return Ok(Vec::new());
        }
        let groups = self.groups(query, &edges, &window, Reduction::Count)?;
        let node = |column: usize, row: usize| morton::key(edges.columns[column] as u32, edges.rows[row] as u32);
        let mut nodes: Vec<Node> =
            groups.iter().map(|group| Node { key: node(group.column, group.row), n: group.n }).collect();
        nodes.sort_unstable_by_key(|node| node.key);
        Ok(merged(nodes))
    }

    /// The keys of the points with these ranks in a node at `depth`.
    fn pick(&self, query: &Query<'_>, depth: u32, level: u32, node: Node, ranks: &[u64]) -> Result<Vec<u64>> {
        /// The maximum number of points of a node that are fetched together.
        const MAX_FETCHED: u64 = 20_000;
        const MAX_DEPTH: u32 = 32 - STEP;
        if depth >= level {
            return Ok(vec![center(depth, node.key); ranks.len()]);
        }
        if node.n > MAX_FETCHED && depth <= MAX_DEPTH {
            let inner = select(&self.nodes(query, depth, node.key)?, ranks);
            let picked = inner.iter().map(|(node, ranks)| self.pick(query, depth + STEP, level, *node, ranks));
            return Ok(picked.collect::<Result<Vec<_>>>()?.concat());
        }
        let keys = self.keys(query, depth, node.key)?;
        // Rows may have been deleted since they were counted.
        Ok(ranks.iter().filter_map(|rank| keys.get(*rank as usize).or(keys.last()).copied()).collect())
    }

    /// The sorted keys of the points in a node.
    fn keys(&self, query: &Query<'_>, depth: u32, key: u64) -> Result<Vec<u64>> {
        let Some(extent) = self.area else { return Ok(Vec::new()) };
        let (x, y) = morton::decode(key);
        let window = Window::new(&PixelEdges::of_node(depth, [x, y], depth), extent);
        let mut keys = Vec::new();
        let shift = 64 - 2 * depth;
        self.for_each_point(query, Some(&window.boxes), |found, _| {
            if found.checked_shr(shift).unwrap_or(0) == key {
                keys.push(found);
            }
        })?;
        keys.sort_unstable();
        Ok(keys)
    }
}

/// The nodes that contain points of the ranks, with the ranks within each node.
fn select(nodes: &[Node], ranks: &[u64]) -> Vec<(Node, Vec<u64>)> {
    let (mut before, mut rest, mut selected) = (0, ranks, Vec::new());
    for node in nodes {
        let Range { start, end } = before..before + node.n;
        let (own, others) = rest.split_at(rest.partition_point(|rank| *rank < end));
        (before, rest) = (end, others);
        if !own.is_empty() {
            selected.push((*node, own.iter().map(|rank| rank - start).collect()));
        }
    }
    selected
}

/// The key of the center of a node.
fn center(depth: u32, key: u64) -> u64 {
    let below = 2 * (32 - depth);
    // A node of the last level is a single location.
    key.checked_shl(below).unwrap_or(0) | 3u64.checked_shl(below.wrapping_sub(2)).unwrap_or(0)
}

/// Merges the counts of nodes in Z-order that occur in several copies of the world.
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

/// The ranks of the points that the embedded store samples out of `total`. It keeps every 2nd, 4th, 8th, … filtered
/// point so that they fit into its buffer.
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
    fn ranks_are_relative_to_the_points_of_their_node() {
        let nodes = [Node { key: 4, n: 3 }, Node { key: 5, n: 0 }, Node { key: 6, n: 2 }, Node { key: 9, n: 1 }];
        let found: Vec<_> = select(&nodes, &[0, 2, 5]).into_iter().map(|(node, ranks)| (node.key, ranks)).collect();
        assert_eq!(found, [(4, vec![0, 2]), (9, vec![0])]);
        // Rows may have been deleted since the ranks were computed.
        assert!(select(&nodes, &[6]).is_empty());
    }

    #[test]
    fn the_center_of_a_node_is_in_it() {
        assert_eq!(morton::decode(center(0, 0)), (1 << 31, 1 << 31));
        assert_eq!(morton::decode(center(1, 1)), (3 << 30, 1 << 30));
        assert_eq!(morton::decode(center(31, 0)), (1, 1));
        assert_eq!(center(32, 77), 77);
    }

    #[test]
    fn ranks_are_evenly_spaced() {
        assert_eq!(ranks(0, 32, false), Vec::<u64>::new());
        assert_eq!(ranks(3, 32, false), [0, 1, 2]);
        assert_eq!(ranks(100, 4, false), [12, 37, 62, 87]);
        assert_eq!(ranks(100, 4, true), [12, 37, 62, 87]);
        // 1000 exceeds 4 · 64, so 250 are kept.
        assert_eq!(ranks(1000, 4, true), [31 * 4, 93 * 4, 156 * 4, 218 * 4]);
    }
}
