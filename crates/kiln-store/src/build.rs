//! Builds the blocks of all levels from points in Z-order.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use super::arrow_file::FileDigest;
use super::blocks::{BlockCount, BlocksWriter, CELLS_PER_BLOCK, MAX_LEVEL, MIN_LEVEL, OwnedBlockCells, SIDE_BITS};
use super::points::PointsFile;
use super::progress::Progress;
use kiln_core::error::{Error, Result};
use kiln_core::geo::morton::KEY_BITS;

/// A finished block.
struct BuiltBlock<N> {
    level: u32,
    key: u64,
    rows: Range<u64>,
    cells: OwnedBlockCells<N>,
}

/// Returns the cells of a level of some rows.
type Leaf<N> = fn(&PointsFile, u32, Range<u64>) -> OwnedBlockCells<N>;

/// Writes the blocks of `points` to `path`; `None` if there are too few points for any block. Each point is read once:
/// the cells of a node are the sums of those of its four children. `n` is the number of points that bins stand for.
pub(super) fn build(
    points: &PointsFile,
    n: Option<u64>,
    path: &Path,
    threads: usize,
    durable: bool,
    progress: Option<&Progress>,
) -> Result<Option<FileDigest>> {
    if points.rows <= CELLS_PER_BLOCK {
        return Ok(None);
    }
    match n {
        None => build_with(points, point_cells, path, threads, durable, progress),
        Some(n) if u32::try_from(n).is_ok() => build_with(points, bin_cells::<u32>, path, threads, durable, progress),
        Some(_) => build_with(points, bin_cells::<u64>, path, threads, durable, progress),
    }
    .map(Some)
}

/// Writes the blocks of `points`, whose cells of a level in a range of rows `leaf` returns.
fn build_with<N: BlockCount>(
    points: &PointsFile,
    leaf: Leaf<N>,
    path: &Path,
    threads: usize,
    durable: bool,
    progress: Option<&Progress>,
) -> Result<FileDigest> {
    let mut writer = BlocksWriter::create(path, points.is_weighted(), points.frame)?;
    // The subtrees of one depth are distributed to the threads; the levels above them are summed at the end.
    let root_depth = (MIN_LEVEL - SIDE_BITS) as usize + 3;
    let mut roots = Vec::with_capacity(1 << (2 * root_depth));
    let mut start = 0;
    for key in 0..1u64 << (2 * root_depth) {
        let end = end_of(points, root_depth as u32, key, start..points.rows);
        // A search reads keys all over a batch.
        points.release(start..end);
        roots.push((key, start..end));
        start = end;
    }
    points.release_all();
    let is_stopped = || progress.is_some_and(Progress::is_stopped);
    let mut root_cells: Vec<OwnedBlockCells<N>> = vec![OwnedBlockCells::default(); roots.len()];
    let subtree = |key: u64, rows: Range<u64>| {
        let mut blocks = Vec::new();
        let cells = node(points, leaf, root_depth as u32, key, rows.clone(), &mut blocks);
        points.release(rows.clone());
        if let Some(progress) = progress {
            progress.advance(rows.end - rows.start);
        }
        (blocks, cells)
    };
    let mut write = |key: usize, (blocks, cells): (Vec<BuiltBlock<N>>, OwnedBlockCells<N>)| -> Result<()> {
        for BuiltBlock { level, key, rows, cells } in blocks {
            writer.push(level, key, rows, &cells)?;
        }
        root_cells[key] = cells;
        Ok(())
    };
    let nonempty: Vec<_> = roots.iter().filter(|(_, rows)| !rows.is_empty()).collect();
    if threads <= 1 {
        for (key, rows) in nonempty {
            if is_stopped() {
                break;
            }
            write(*key as usize, subtree(*key, rows.clone()))?;
        }
    } else {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| -> Result<()> {
            let (sender, built) = sync_channel(threads * 2);
            for _ in 0..threads {
                let (sender, next, nonempty, subtree) = (sender.clone(), &next, &nonempty, &subtree);
                scope.spawn(move || {
                    while let Some((key, rows)) = nonempty.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let done = subtree(*key, rows.clone());
                        if is_stopped() || sender.send((*key as usize, done)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            built.into_iter().try_for_each(|(key, done)| write(key, done))
        })?;
    }
    if is_stopped() {
        return Err(Error::Cancelled);
    }
    let mut rows: Vec<Range<u64>> = roots.into_iter().map(|(_, rows)| rows).collect();
    for depth in (MIN_LEVEL - SIDE_BITS..root_depth as u32).rev() {
        let mut parents = Vec::with_capacity(root_cells.len() / 4);
        for (key, children) in root_cells.chunks(4).enumerate() {
            let cells = merge_children(children, points.is_weighted());
            let range = rows[key * 4].start..rows[key * 4 + 3].end;
            if is_stored(points, range.end - range.start, cells.cell.len()) {
                writer.push(depth + SIDE_BITS, key as u64, range, &cells)?;
            }
            parents.push(cells);
        }
        rows = rows.chunks(4).map(|children| children[0].start..children[3].end).collect();
        root_cells = parents;
    }
    writer.finish(durable)
}

/// The row after the last one of the node `key` at `depth`.
fn end_of(points: &PointsFile, depth: u32, key: u64, rows: Range<u64>) -> u64 {
    match (key + 1).checked_shl(KEY_BITS - 2 * depth) {
        Some(next) if (key + 1) >> (2 * depth) == 0 => points.first_at(next, rows),
        _ => rows.end,
    }
}

/// Returns the cells of a node, 6 levels below its depth, and appends its blocks to `built`.
fn node<N: BlockCount>(
    points: &PointsFile,
    leaf: Leaf<N>,
    depth: u32,
    key: u64,
    rows: Range<u64>,
    built: &mut Vec<BuiltBlock<N>>,
) -> OwnedBlockCells<N> {
    let level = depth + SIDE_BITS;
    let count = rows.end - rows.start;
    if count <= CELLS_PER_BLOCK || level == MAX_LEVEL {
        let cells = leaf(points, level, rows.clone());
        if is_stored(points, count, cells.cell.len()) {
            built.push(BuiltBlock { level, key, rows, cells: cells.clone() });
        }
        return cells;
    }
    let mut start = rows.start;
    let children: [OwnedBlockCells<N>; 4] = std::array::from_fn(|i| {
        let child = key << 2 | i as u64;
        let end = end_of(points, depth + 1, child, start..rows.end);
        let cells = node(points, leaf, depth + 1, child, start..end, built);
        start = end;
        cells
    });
    let cells = merge_children(&children, points.is_weighted());
    if is_stored(points, count, cells.cell.len()) {
        built.push(BuiltBlock { level, key, rows, cells: cells.clone() });
    }
    cells
}

/// Whether a block of `rows` rows in as many cells is stored. A cell takes almost the bytes of a row of bins, so the blocks of
/// bins of which few are in the same cell would cost more space than the time that they save.
fn is_stored(points: &PointsFile, rows: u64, cells: usize) -> bool {
    rows > CELLS_PER_BLOCK && (!points.has_bins() || 2 * rows >= 5 * cells as u64)
}

/// The cells of the points of a node.
fn point_cells(points: &PointsFile, level: u32, rows: Range<u64>) -> OwnedBlockCells<u32> {
    let mut cells = OwnedBlockCells::default();
    let shift = MAX_LEVEL - level;
    for (batch, range) in points.batch_ranges(rows) {
        let weight = batch.weight.as_ref().map(|weight| &weight[range.clone()]);
        for (i, (x, y)) in batch.x[range.clone()].iter().zip(&batch.y[range.clone()]).enumerate() {
            cells.add(cell_of(x >> shift, y >> shift), 1, weight.map(|weight| (f64::from(weight[i]), weight[i])));
        }
    }
    cells
}

/// The cells of the bins of a node.
fn bin_cells<N: BlockCount>(points: &PointsFile, level: u32, rows: Range<u64>) -> OwnedBlockCells<N> {
    let mut cells = OwnedBlockCells::default();
    let shift = MAX_LEVEL - level;
    for (batch, range) in points.batch_ranges(rows) {
        let Some(bins) = &batch.bins else { continue };
        for row in range {
            let weights = bins.weights.as_ref().map(|(sum, max)| (sum[row], max[row]));
            cells.add(cell_of(batch.x[row] >> shift, batch.y[row] >> shift), N::of(bins.n.get(row)), weights);
        }
    }
    cells
}

/// The index of the cell at a column and a row of its level within its block.
fn cell_of(column: u32, row: u32) -> u16 {
    const SIDE: u32 = (1 << SIDE_BITS) - 1;
    ((row & SIDE) << SIDE_BITS | column & SIDE) as u16
}

/// The cells of a node from those of its four children, which are half as wide.
fn merge_children<N: BlockCount>(children: &[OwnedBlockCells<N>], weighted: bool) -> OwnedBlockCells<N> {
    const SIDE: u16 = 1 << SIDE_BITS;
    let mut cells = OwnedBlockCells::default();
    for (i, child) in children.iter().enumerate() {
        let corner = (i as u16 >> 1) * (SIDE / 2) * SIDE + (i as u16 & 1) * (SIDE / 2);
        for (j, &cell) in child.cell.iter().enumerate() {
            let (column, row) = (cell % SIDE, cell / SIDE);
            let weights = weighted.then(|| (child.sum[j], child.max[j]));
            cells.add(corner + (row / 2) * SIDE + column / 2, child.n[j], weights);
        }
    }
    cells
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use kiln_core::geo::morton;

    #[test]
    fn the_cells_of_children_are_merged_into_those_of_their_parent() {
        let mut north_west = OwnedBlockCells::<u32>::default();
        for cell in [0, 1, 64, 65, 2] {
            north_west.add(cell, 2, None);
        }
        let mut south_east = OwnedBlockCells::default();
        south_east.add(4095, 3, None);
        let cells =
            merge_children(&[north_west, OwnedBlockCells::default(), OwnedBlockCells::default(), south_east], false);
        assert_eq!((cells.cell, cells.n), (vec![0, 1, 4095], vec![8, 2, 3]));
        assert_eq!(morton::decode(3), (1, 1));
    }
}
