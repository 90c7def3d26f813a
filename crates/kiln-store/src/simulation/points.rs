//! Points whose columns follow from their number, so that a simulation recognizes each one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use kiln_core::geo::{Categories, Points};
use kiln_core::source::{Query, Source};

use crate::{Batch, Snapshot};

/// The points of one request: all of them are in the layer, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) number: u32,
    pub(crate) points: u32,
    /// The time of the first point; `None` if no point has one.
    pub(crate) time_us: Option<i64>,
    /// The index in [`PARTITIONS`] of its partition, of which it is a run; `None` if it is in none.
    pub(crate) partition: Option<usize>,
}

/// The names of partitions.
pub(crate) const PARTITIONS: [&str; 2] = ["monday", "tuesday"];

/// The maximum number of points of a request.
pub(crate) const MAX_POINTS: u32 = 64;
const NAMES: [&str; 3] = ["bus", "tram", "ferry"];

/// The columns of points.
#[derive(Default)]
pub(crate) struct Columns {
    lon: Vec<f64>,
    lat: Vec<f64>,
    weight: Vec<f32>,
    time: Vec<i64>,
    code: Vec<u32>,
    names: Vec<Box<str>>,
}

impl Columns {
    pub(crate) fn of(request: Request) -> Self {
        let mut columns = Self { names: NAMES.map(Into::into).to_vec(), ..Self::default() };
        for index in 0..request.points {
            let id = request.id(index);
            let [lon, lat] = position(id);
            columns.lon.push(lon);
            columns.lat.push(lat);
            columns.weight.push(id as f32);
            columns.time.push(request.time_of(index).unwrap_or(Points::NO_TIME));
            columns.code.push(id % 3);
        }
        columns
    }

    pub(crate) fn points(&self) -> Points<'_> {
        let points = Points::new(&self.lon, &self.lat).unwrap().with_weight(&self.weight).unwrap();
        let categories = Categories { codes: &self.code, names: &self.names };
        points.with_time(&self.time).unwrap().with_category(categories).unwrap()
    }

    pub(crate) fn batch(&self) -> Batch {
        let mut batch = Batch::default();
        assert_eq!(batch.add(self.points()), 0);
        batch
    }
}

impl Request {
    /// The identity of the run of a partition that the request is.
    pub(crate) fn run(self) -> String {
        format!("run-{}", self.number)
    }

    fn id(self, index: u32) -> u32 {
        self.number * MAX_POINTS + index
    }

    /// The time of a point: every seventh has none.
    fn time_of(self, index: u32) -> Option<i64> {
        self.time_us.filter(|_| !index.is_multiple_of(7)).map(|time| time + i64::from(index) * 1_000_000)
    }

    /// The points that a removal of those before a time leaves.
    pub(crate) fn since(self, time_us: i64) -> BTreeSet<u32> {
        let is_kept = |index: &u32| self.time_of(*index).is_none_or(|time| time >= time_us);
        (0..self.points).filter(is_kept).collect()
    }
}

fn position(id: u32) -> [f64; 2] {
    [f64::from(id % 3571) / 10.0 - 178.0, f64::from(id % 1483) / 10.0 - 74.0]
}

/// The points of a snapshot by request: the indexes of those that are there.
pub(crate) type Contents = BTreeMap<u32, BTreeSet<u32>>;

/// Reads all points of a snapshot, and checks each column of each point.
pub(crate) fn read(snapshot: &Snapshot, requests: &BTreeMap<u32, Request>) -> Result<Contents, String> {
    let (mut contents, mut wrong) = (Contents::new(), None);
    let query = Query::default().with_weights(true).with_times(true).with_categories(true);
    let mut sink = |points: Points<'_>| {
        for row in 0..points.len() {
            if let Err(error) = add(&mut contents, points, row, requests) {
                wrong.get_or_insert(error);
            }
        }
        ControlFlow::Continue(())
    };
    snapshot.scan(&query, &mut [&mut sink]).map_err(|error| format!("the points cannot be read: {error}"))?;
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    check_partitions(snapshot, &contents, requests)?;
    Ok(contents)
}

/// Checks that each partition has the points of one run.
fn check_partitions(snapshot: &Snapshot, contents: &Contents, requests: &BTreeMap<u32, Request>) -> Result<(), String> {
    if !snapshot.damaged().is_empty() {
        return Ok(());
    }
    let partitions = snapshot.partitions();
    for (index, name) in PARTITIONS.iter().enumerate() {
        let read = contents.iter().filter_map(|(number, points)| {
            let request = requests.get(number).filter(|request| request.partition == Some(index))?;
            Some((Some(request.run()), points.len() as u64))
        });
        let read: Vec<_> = read.collect();
        let listed = partitions.iter().filter(|partition| partition.name == *name);
        let listed: Vec<_> = listed.map(|partition| (partition.run.clone(), partition.points)).collect();
        if read != listed || read.len() > 1 {
            return Err(format!("the partition {name} has the runs {read:?}, listed are {listed:?}"));
        }
    }
    Ok(())
}

fn add(
    contents: &mut Contents,
    points: Points<'_>,
    row: usize,
    requests: &BTreeMap<u32, Request>,
) -> Result<(), String> {
    let weight = points.weight().map_or(f32::NAN, |weight| weight[row]);
    let id = weight as u32;
    let (number, index) = (id / MAX_POINTS, id % MAX_POINTS);
    let request = requests.get(&number).filter(|request| weight.fract() == 0.0 && index < request.points);
    let Some(request) = request else { return Err(format!("a point of weight {weight} was never sent")) };
    let [lon, lat] = position(id);
    let time = points.time_us().map_or(Points::NO_TIME, |time| time[row]);
    let name = points.category().and_then(|categories| categories.name(row));
    let is_right = (points.lon()[row] - lon).abs() < 1e-6
        && (points.lat()[row] - lat).abs() < 1e-6
        && time == request.time_of(index).unwrap_or(Points::NO_TIME)
        && name == Some(NAMES[(id % 3) as usize]);
    if !is_right {
        return Err(format!("point {index} of request {number} has other columns than were sent"));
    }
    if !contents.entry(number).or_default().insert(index) {
        return Err(format!("point {index} of request {number} is there twice"));
    }
    Ok(())
}
