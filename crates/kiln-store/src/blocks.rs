//! The bins of a segment: an Arrow IPC file of blocks.
//!
//! A block is a square of 64 × 64 cells, a node of the quadtree over the points. It is stored if it has more points
//! than [`CELLS_PER_BLOCK`]; otherwise its points are read instead. So a block costs at most that many reads,
//! regardless of the number of points.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, Float32Array, Float64Array, ListArray, PrimitiveArray, RecordBatch,
    UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef, Schema};

use super::arrow_file::{ArrowFile, ArrowWriter, FileDigest};
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Frame, morton};
use kiln_core::raster::cell_grid::CellCount;

/// The number of cells of a block. Blocks with at most this many points are not stored.
pub(super) const CELLS_PER_BLOCK: u64 = 1 << (2 * SIDE_BITS);
pub(super) use kiln_core::raster::cell_grid::{MAX_LEVEL, MIN_LEVEL, SIDE_BITS};

/// A number of points of a cell: `u32`, or `u64` for bins of more points in all.
pub(super) trait BlockCount: CellCount + Default + Send + Sync + 'static {
    /// The Arrow type of a column of these numbers.
    type Column: ArrowPrimitiveType<Native = Self>;

    /// The sum, or the maximum of the type.
    fn plus(self, other: Self) -> Self;

    /// A number, or the maximum of the type.
    fn of(number: u64) -> Self;
}

impl BlockCount for u32 {
    type Column = UInt32Type;

    fn plus(self, other: Self) -> Self {
        self.saturating_add(other)
    }

    fn of(number: u64) -> Self {
        Self::try_from(number).unwrap_or(Self::MAX)
    }
}

impl BlockCount for u64 {
    type Column = UInt64Type;

    fn plus(self, other: Self) -> Self {
        self.saturating_add(other)
    }

    fn of(number: u64) -> Self {
        number
    }
}

/// The occupied cells of a block, in Z-order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OwnedBlockCells<N> {
    /// Indices of the cells: row · 64 + column.
    pub(super) cell: Vec<u16>,
    /// Numbers of points.
    pub(super) n: Vec<N>,
    /// Sums of weights; empty if every point weighs 1.
    pub(super) sum: Vec<f64>,
    /// Maximum weights; empty if every point weighs 1.
    pub(super) max: Vec<f32>,
}

impl<N> Default for OwnedBlockCells<N> {
    fn default() -> Self {
        Self { cell: Vec::new(), n: Vec::new(), sum: Vec::new(), max: Vec::new() }
    }
}

impl<N: BlockCount> OwnedBlockCells<N> {
    /// Adds to the last cell if it is `cell`, else appends a cell.
    #[inline]
    pub(super) fn add(&mut self, cell: u16, n: N, weights: Option<(f64, f32)>) {
        if self.cell.last() == Some(&cell) {
            let last = self.cell.len() - 1;
            self.n[last] = self.n[last].plus(n);
            if let Some((sum, max)) = weights {
                self.sum[last] += sum;
                self.max[last] = self.max[last].max(max);
            }
            return;
        }
        self.cell.push(cell);
        self.n.push(n);
        if let Some((sum, max)) = weights {
            self.sum.push(sum);
            self.max.push(max);
        }
    }

    fn append(&mut self, other: &Self) {
        self.cell.extend_from_slice(&other.cell);
        self.n.extend_from_slice(&other.n);
        self.sum.extend_from_slice(&other.sum);
        self.max.extend_from_slice(&other.max);
    }
}

/// Writes the file of blocks. Blocks may be in any order.
pub(super) struct BlocksWriter<N: BlockCount> {
    file: ArrowWriter,
    weighted: bool,
    level: Vec<u8>,
    column: Vec<u32>,
    row: Vec<u32>,
    first_point: Vec<u64>,
    points: Vec<u64>,
    lengths: Vec<usize>,
    cells: OwnedBlockCells<N>,
}

/// The description in the schema, for other readers of the file.
fn about(frame: Frame) -> String {
    let world = match frame {
        Frame::Mercator => "around the Web Mercator world",
        Frame::Plane(_) => "along the side of the layer's square of 2^32 units of 0.1 mm",
    };
    format!(
        "Points summed per cell. A row is a block of 64 x 64 cells of a level, which has 2^level cells {world}: {ABOUT}"
    )
}

const ABOUT: &str = "block_x and block_y count blocks from the north-western corner, and a cell is row * 64 + \
    column within its block. Blocks of fewer than 4097 points are left out, and of bins also those of fewer than 2.5 \
    rows per cell: their points are in the file of points, the rows from first_point on.";

impl<N: BlockCount> BlocksWriter<N> {
    /// The approximate number of cells per batch.
    const BATCH_CELLS: usize = 1 << 16;

    pub(super) fn create(path: &Path, weighted: bool, frame: Frame) -> Result<Self> {
        let mut fields = vec![
            Field::new("level", DataType::UInt8, false),
            Field::new("block_x", DataType::UInt32, false),
            Field::new("block_y", DataType::UInt32, false),
            Field::new("first_point", DataType::UInt64, false),
            Field::new("points", DataType::UInt64, false),
            Field::new("cell", DataType::List(item(DataType::UInt16)), false),
            Field::new("n", DataType::List(item(N::Column::DATA_TYPE)), false),
        ];
        if weighted {
            fields.push(Field::new("sum", DataType::List(item(DataType::Float64)), false));
            fields.push(Field::new("max", DataType::List(item(DataType::Float32)), false));
        }
        let about = HashMap::from([("kiln".to_owned(), about(frame))]);
        let file = ArrowWriter::create(path, Schema::new(fields).with_metadata(about))?;
        Ok(Self {
            file,
            weighted,
            level: Vec::new(),
            column: Vec::new(),
            row: Vec::new(),
            first_point: Vec::new(),
            points: Vec::new(),
            lengths: Vec::new(),
            cells: OwnedBlockCells::default(),
        })
    }

    /// Writes the block of the quadtree node `key` with cells of `level`.
    pub(super) fn push(&mut self, level: u32, key: u64, rows: Range<u64>, cells: &OwnedBlockCells<N>) -> Result<()> {
        let (column, row) = morton::decode(key);
        self.level.push(level as u8);
        self.column.push(column);
        self.row.push(row);
        self.first_point.push(rows.start);
        self.points.push(rows.end - rows.start);
        self.lengths.push(cells.cell.len());
        self.cells.append(cells);
        if self.cells.cell.len() >= Self::BATCH_CELLS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let cells = std::mem::take(&mut self.cells);
        let offsets = OffsetBuffer::from_lengths(std::mem::take(&mut self.lengths));
        let list = |values: ArrayRef| -> ArrayRef {
            let of = item(values.data_type().clone());
            Arc::new(ListArray::new(of, offsets.clone(), values, None))
        };
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt8Array::from(std::mem::take(&mut self.level))),
            Arc::new(UInt32Array::from(std::mem::take(&mut self.column))),
            Arc::new(UInt32Array::from(std::mem::take(&mut self.row))),
            Arc::new(UInt64Array::from(std::mem::take(&mut self.first_point))),
            Arc::new(UInt64Array::from(std::mem::take(&mut self.points))),
            list(Arc::new(UInt16Array::from(cells.cell))),
            list(Arc::new(PrimitiveArray::<N::Column>::from_iter_values(cells.n))),
        ];
        if self.weighted {
            columns.push(list(Arc::new(Float64Array::from(cells.sum))));
            columns.push(list(Arc::new(Float32Array::from(cells.max))));
        }
        self.file.write(columns)
    }

    pub(super) fn finish(mut self, durable: bool) -> Result<FileDigest> {
        if !self.level.is_empty() {
            self.flush()?;
        }
        self.file.finish(durable)
    }
}

fn item(of: DataType) -> FieldRef {
    Arc::new(Field::new_list_field(of, false))
}

/// An open file of blocks.
#[derive(Debug)]
pub(super) struct BlocksFile {
    file: ArrowFile,
    batches: Vec<BlockBatch>,
    /// The blocks of each level by their key, from [`MIN_LEVEL`] on.
    levels: Vec<Vec<Block>>,
}

/// The location of a block in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    key: u64,
    first_row: u64,
    rows: u64,
    batch: u32,
    start: u32,
    end: u32,
}

impl Block {
    /// The rows of its points in the file of points.
    pub(super) fn rows(&self) -> Range<u64> {
        self.first_row..self.first_row + self.rows
    }
}

/// The cells of the blocks of a record batch.
#[derive(Debug)]
struct BlockBatch {
    cell: ScalarBuffer<u16>,
    n: Counts,
    weights: Option<(ScalarBuffer<f64>, ScalarBuffer<f32>)>,
}

/// Numbers of points of cells.
#[derive(Debug)]
enum Counts {
    Narrow(ScalarBuffer<u32>),
    Wide(ScalarBuffer<u64>),
}

/// The cells of a block, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(super) enum BlockCells<'a> {
    Narrow(CellColumns<'a, u32>),
    Wide(CellColumns<'a, u64>),
}

/// The columns of the cells of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct CellColumns<'a, N> {
    pub(super) cell: &'a [u16],
    pub(super) n: &'a [N],
    /// Sums and maximums of the weights; `None` if every point weighs 1.
    pub(super) weights: Option<(&'a [f64], &'a [f32])>,
}

impl BlocksFile {
    /// Opens the blocks of a segment of `rows` points.
    pub(super) fn open(path: &Path, digest: FileDigest, rows: u64) -> Result<Self> {
        let file = ArrowFile::open(path, digest)?;
        let damaged =
            || Error::input(path, "it is damaged: the columns or their checksums are not those of a file of bins");
        let mut levels = vec![Vec::new(); (MAX_LEVEL - MIN_LEVEL + 1) as usize];
        let mut batches = Vec::with_capacity(file.batches.len());
        for (index, batch) in file.batches.iter().enumerate() {
            let read = BlockBatch::read(&file, batch, index as u32, rows, &mut levels).ok_or_else(damaged)?;
            batches.push(read);
            file.release_batch(index);
        }
        for level in &mut levels {
            level.sort_unstable_by_key(|block| block.key);
        }
        file.release_all();
        Ok(Self { file, batches, levels })
    }

    pub(super) fn verify(&self, digest: FileDigest) -> Result<()> {
        self.file.verify(digest)
    }

    /// See [`ArrowFile::before_read`].
    pub(super) fn before_read(&self) {
        self.file.before_read();
    }

    /// See [`ArrowFile::damage`].
    pub(super) fn damage(&self) -> Option<Error> {
        self.file.damage()
    }

    /// The block of the quadtree node `key` with cells of `level`, if it is stored.
    pub(super) fn find(&self, level: u32, key: u64) -> Option<&Block> {
        let blocks = self.levels.get(level.checked_sub(MIN_LEVEL)? as usize)?;
        blocks.binary_search_by_key(&key, |block| block.key).ok().map(|index| &blocks[index])
    }

    /// The cells of a block; `None` if they are damaged.
    pub(super) fn cells(&self, block: &Block) -> Option<BlockCells<'_>> {
        if !self.file.is_intact(block.batch as usize) {
            return None;
        }
        let batch = &self.batches[block.batch as usize];
        let range = block.start as usize..block.end as usize;
        let (cell, weights) = (&batch.cell[range.clone()], batch.weights.as_ref());
        let weights = weights.map(|(sum, max)| (&sum[range.clone()], &max[range.clone()]));
        Some(match &batch.n {
            Counts::Narrow(n) => BlockCells::Narrow(CellColumns { cell, n: &n[range], weights }),
            Counts::Wide(n) => BlockCells::Wide(CellColumns { cell, n: &n[range], weights }),
        })
    }
}

impl BlockBatch {
    /// Reads the cells of a batch, and appends its blocks to `levels`.
    fn read(file: &ArrowFile, batch: &RecordBatch, index: u32, rows: u64, levels: &mut [Vec<Block>]) -> Option<Self> {
        let column = |name: &str| batch.column_by_name(name);
        let level = column("level")?.as_primitive_opt::<UInt8Type>()?;
        let block_x = column("block_x")?.as_primitive_opt::<UInt32Type>()?;
        let block_y = column("block_y")?.as_primitive_opt::<UInt32Type>()?;
        let first_point = column("first_point")?.as_primitive_opt::<UInt64Type>()?;
        let points = column("points")?.as_primitive_opt::<UInt64Type>()?;
        let list = |name: &str| column(name)?.as_list_opt::<i32>();
        let cell_list = list("cell")?;
        let has_same_offsets = |other: &ListArray| other.offsets() == cell_list.offsets();
        let n_list = list("n").filter(|other| has_same_offsets(other))?;
        let cell = cell_list.values().as_primitive_opt::<UInt16Type>()?.values().clone();
        let n = match n_list.values().as_primitive_opt::<UInt64Type>() {
            Some(n) => Counts::Wide(n.values().clone()),
            None => Counts::Narrow(n_list.values().as_primitive_opt::<UInt32Type>()?.values().clone()),
        };
        let weights = match (list("sum"), list("max")) {
            (Some(sum), Some(max)) if has_same_offsets(sum) && has_same_offsets(max) => Some((
                sum.values().as_primitive_opt::<Float64Type>()?.values().clone(),
                max.values().as_primitive_opt::<Float32Type>()?.values().clone(),
            )),
            (None, None) => None,
            _ => return None,
        };
        let is_intact = file.has_intact(level.values())
            && [block_x, block_y].into_iter().all(|column| file.has_intact(column.values()))
            && [first_point, points].into_iter().all(|column| file.has_intact(column.values()))
            && file.has_intact(cell_list.offsets());
        if !is_intact {
            return None;
        }
        for i in 0..batch.num_rows() {
            let (first_row, points) = (first_point.value(i), points.value(i));
            if first_row.checked_add(points)? > rows {
                return None;
            }
            let offsets = &cell_list.offsets()[i..=i + 1];
            let (start, end) = (offsets[0] as u32, offsets[1] as u32);
            let key = morton::key(block_x.value(i), block_y.value(i));
            let level = u32::from(level.value(i)).checked_sub(MIN_LEVEL)?;
            levels.get_mut(level as usize)?.push(Block { key, first_row, rows: points, batch: index, start, end });
        }
        let cells = cell.len();
        let is_consistent = n_list.values().len() == cells
            && weights.as_ref().is_none_or(|(sum, max)| (sum.len(), max.len()) == (cells, cells));
        is_consistent.then_some(Self { cell, n, weights })
    }
}
