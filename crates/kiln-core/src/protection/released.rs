//! The released groups, as points with a number of copies.

use std::hash::Hasher;

use twox_hash::XxHash64;

use super::Protection;
use crate::error::Result;
use crate::geo::{Categories, Extent, Points};
use crate::occupancy::{CellSystem, Group, GroupKey, OccupancyGrid};

/// The released groups: columns of equal length, in the order of the cells, 36 bytes per group.
#[derive(Debug, Default)]
pub(super) struct Released {
    lon: Vec<f64>,
    lat: Vec<f64>,
    weight: Vec<f32>,
    time_us: Vec<i64>,
    codes: Vec<u32>,
    names: Vec<Box<str>>,
    copies: Vec<u32>,
    is_weighted: bool,
    has_times: bool,
    /// The bounding box of each block of groups. Groups nearby are often consecutive.
    blocks: Vec<Extent>,
    extent: Extent,
}

impl Released {
    /// The number of groups per block.
    const BLOCK_GROUPS: usize = 256;

    /// The groups of `grid` with at least as many points as the minimum of `protection`. `cells` are the cells of
    /// `grid`.
    pub(super) fn of(grid: OccupancyGrid, cells: CellSystem, protection: &Protection) -> Result<Self> {
        let OccupancyGrid { mut groups, categories, .. } = grid;
        groups.retain(|group| group.count >= protection.min_count());
        let mut released = Self::default();
        released.name_categories(&mut groups, &categories);
        for group in groups {
            released.push(group, cells, protection);
        }
        // A function of the released groups only: points that are not released do not change it.
        released.is_weighted = released.weight.iter().any(|weight| weight.to_bits() != 1f32.to_bits());
        released.has_times = released.time_us.iter().any(|&time_us| time_us != Points::NO_TIME);
        let points = Points::new(&released.lon, &released.lat)?;
        for start in (0..points.len()).step_by(Self::BLOCK_GROUPS) {
            let mut block = Extent::default();
            block.add(points.slice(start..points.len().min(start + Self::BLOCK_GROUPS)));
            released.extent.merge(&block);
            released.blocks.push(block);
        }
        Ok(released)
    }

    /// Sets the names of the categories of `groups`, and their codes to the indices of these names.
    fn name_categories(&mut self, groups: &mut [Group], categories: &[Box<str>]) {
        let mut is_used = vec![false; categories.len()];
        for group in &*groups {
            if let Some(is_used) = is_used.get_mut(group.key.category as usize) {
                *is_used = true;
            }
        }
        let mut codes = vec![Categories::NONE; categories.len()];
        for (index, name) in categories.iter().enumerate().filter(|(index, _)| is_used[*index]) {
            codes[index] = self.names.len() as u32;
            self.names.push(name.clone());
        }
        for group in groups {
            group.key.category = codes.get(group.key.category as usize).copied().unwrap_or(Categories::NONE);
        }
    }

    fn push(&mut self, group: Group, cells: CellSystem, protection: &Protection) {
        let Group { key: GroupKey { cell, period, category }, count, weight_sum, .. } = group;
        let (lon, lat) = cells.center(cell);
        let mean = (weight_sum / count as f64) as f32;
        let start_us = protection.period_us().filter(|_| period != GroupKey::NO_PERIOD);
        let start_us =
            start_us.map_or(Points::NO_TIME, |length_us| period.saturating_mul(length_us).max(Points::NO_TIME + 1));
        // A group of more points is several rows of the same group.
        let mut rest = count;
        while rest > 0 {
            let copies = u32::try_from(rest).unwrap_or(u32::MAX);
            rest -= u64::from(copies);
            self.lon.push(lon);
            self.lat.push(lat);
            self.weight.push(mean);
            self.time_us.push(start_us);
            self.codes.push(category);
            self.copies.push(copies);
        }
    }

    /// One point per group.
    pub(super) fn points(&self) -> Result<Points<'_>> {
        let mut points = Points::new(&self.lon, &self.lat)?;
        if self.is_weighted {
            points = points.with_weight(&self.weight)?;
        }
        if self.has_times {
            points = points.with_time(&self.time_us)?;
        }
        if !self.names.is_empty() {
            points = points.with_category(Categories { codes: &self.codes, names: &self.names })?;
        }
        Ok(points)
    }

    /// The number of points of each group.
    pub(super) fn copies(&self) -> &[u32] {
        &self.copies
    }

    /// The number of points of all groups.
    pub(super) fn total(&self) -> u64 {
        self.copies.iter().map(|&copies| u64::from(copies)).sum()
    }

    /// The number of groups.
    pub(super) fn len(&self) -> usize {
        self.lon.len()
    }

    /// The names of the categories in alphabetical order.
    pub(super) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Whether the mean weight of any group is not 1.
    pub(super) fn is_weighted(&self) -> bool {
        self.is_weighted
    }

    /// The bounding box of the points.
    pub(super) fn extent(&self) -> &Extent {
        &self.extent
    }

    /// The blocks that are `near`, as ranges of groups.
    pub(super) fn blocks(&self, near: impl Fn(&Extent) -> bool) -> Vec<std::ops::Range<usize>> {
        let range = |index: usize| {
            let start = index * Self::BLOCK_GROUPS;
            start..self.len().min(start + Self::BLOCK_GROUPS)
        };
        self.blocks.iter().enumerate().filter(|(_, block)| near(block)).map(|(index, _)| range(index)).collect()
    }

    /// A hash of all groups, which is the same in every process.
    pub(super) fn hash(&self, hasher: &mut XxHash64) {
        for index in 0..self.len() {
            hasher.write_u64(self.lon[index].to_bits());
            hasher.write_u64(self.lat[index].to_bits());
            hasher.write_u32(self.weight[index].to_bits());
            hasher.write_i64(self.time_us[index]);
            hasher.write_u32(self.codes[index]);
            hasher.write_u32(self.copies[index]);
        }
        for name in &self.names {
            hasher.write_usize(name.len());
            hasher.write(name.as_bytes());
        }
    }
}
