//! An index of the edges of a polygon by latitude.

use super::Edge;

/// Bands of latitude, and the edges that intersect each of them.
///
/// Every band contains about the same number of edge ends, so bands are narrow where a polygon is detailed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bands {
    /// The southern latitude of each band except the first, from south to north.
    starts: Vec<f64>,
    /// The start of each band's edges in `edges`, and the end of the last band.
    offsets: Vec<u32>,
    /// Indices of edges, in ascending order within a band.
    edges: Vec<u32>,
}

impl Bands {
    /// The number of edge ends per band.
    const ENDS_PER_BAND: usize = 8;
    /// The maximum average number of bands per edge: bands are widened if edges are long.
    const MAX_BANDS_PER_EDGE: usize = 8;

    /// The memory of the lists in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.starts.capacity() * size_of::<f64>() + (self.offsets.capacity() + self.edges.capacity()) * size_of::<u32>()
    }

    pub(super) fn of(edges: &[Edge]) -> Self {
        let mut ends: Vec<f64> = edges.iter().flat_map(|edge| [edge.south[1], edge.north[1]]).collect();
        ends.sort_unstable_by(f64::total_cmp);
        let mut stride = Self::ENDS_PER_BAND;
        loop {
            let mut starts: Vec<f64> = ends.iter().copied().step_by(stride).skip(1).collect();
            starts.dedup();
            let bands = |edge: &Edge| band(&starts, edge.south[1])..=last_band(&starts, edge.north[1]);
            let listings: usize = edges.iter().map(|edge| bands(edge).count()).sum();
            if listings <= edges.len() * Self::MAX_BANDS_PER_EDGE || starts.is_empty() {
                let mut offsets = vec![0; starts.len() + 2];
                for band in edges.iter().flat_map(bands) {
                    offsets[band + 1] += 1;
                }
                for band in 1..offsets.len() {
                    offsets[band] += offsets[band - 1];
                }
                let (mut next, mut listed) = (offsets.clone(), vec![0; listings]);
                for (index, edge) in edges.iter().enumerate() {
                    for band in bands(edge) {
                        listed[next[band] as usize] = index as u32;
                        next[band] += 1;
                    }
                }
                return Self { starts, offsets, edges: listed };
            }
            stride *= 2;
        }
    }

    /// The indices of the edges that may cross the parallel at `lat`, in ascending order.
    #[inline]
    pub(super) fn at(&self, lat: f64) -> impl Iterator<Item = usize> {
        let band = band(&self.starts, lat);
        let listed = self.offsets[band] as usize..self.offsets[band + 1] as usize;
        self.edges[listed].iter().map(|&index| index as usize)
    }
}

/// The index of the band that contains `lat`.
fn band(starts: &[f64], lat: f64) -> usize {
    starts.partition_point(|&start| start <= lat)
}

/// The index of the last band of an edge whose northern end, `north`, is exclusive.
fn last_band(starts: &[f64], north: f64) -> usize {
    starts.partition_point(|&start| start < north)
}
