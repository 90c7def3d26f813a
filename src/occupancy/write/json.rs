//! The JSON of a grid.

use std::fmt;

use serde_json::{Map, Value, json};

use super::columns::{columns, name_column};
use crate::occupancy::{Compared, Grid, GridCell, Profile, RoomTotals};
use crate::parameters::time_text;

/// A number that is written without a fraction if it has none.
pub(super) struct Number(pub(super) f64);

/// The absolute number up to which doubles are exact integers.
const MAX_INTEGER: f64 = (1_u64 << 53) as f64;

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.fract() == 0.0 && self.0.abs() <= MAX_INTEGER {
            write!(f, "{}", self.0 as i64)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// A JSON number, an integer if it has no fraction; null of `None` and of numbers that are not finite.
pub fn number(number: impl Into<Option<f64>>) -> Value {
    match number.into() {
        Some(number) if number.fract() == 0.0 && number.abs() <= MAX_INTEGER => Value::from(number as i64),
        Some(number) => Value::from(number),
        None => Value::Null,
    }
}

/// The cells of a grid as `[x, y, value]`, with the other columns of a comparison, and the name of a cell that has one.
fn array_cells(grid: &Grid) -> Vec<Vec<Value>> {
    let columns = columns(grid);
    let row = |cell: &GridCell| {
        let name = grid.system().name(cell.cell).map(Value::from);
        columns.iter().map(|column| number((column.value)(cell))).chain(name).collect()
    };
    grid.cells.iter().map(row).collect()
}

/// The bounds of the listed cells; null without cells.
fn bounds(grid: &Grid) -> Value {
    grid.cell_bounds().map_or(Value::Null, |bounds| {
        json!({
            "min_x": number(bounds.west), "max_x": number(bounds.east),
            "min_y": number(bounds.south), "max_y": number(bounds.north),
        })
    })
}

/// The answer of `POST /v3/detections`.
pub fn detections_json(grid: &Grid) -> Value {
    json!({"heatmap_v2": {
        "array_cells": array_cells(grid),
        "metadata": {
            "type": grid.quantity().to_string(),
            "resolution": number(grid.request.resolution.number),
            "total_detections": grid.total.count,
            "max_value": number(grid.max_value),
            "bounds": bounds(grid),
        },
    }})
}

/// The JSON of a grid: its cells and their metadata, and the requested comparison, profile and rooms.
pub fn grid_json(grid: &Grid) -> Value {
    let time = |time_us: Option<i64>| time_us.map_or(Value::Null, |time_us| time_text(time_us).into());
    let request = &grid.request;
    let names: Vec<&str> = columns(grid).iter().map(|column| column.name).chain(name_column(grid)).collect();
    let mut answer = json!({
        "array_cells": array_cells(grid),
        "metadata": {
            "type": grid.quantity().to_string(),
            "columns": names,
            "resolution": number(request.resolution.number),
            "unit": grid.unit,
            "normalized": request.normalize,
            "cells": grid.cells.len(),
            "total_detections": grid.total.count,
            "total": number(grid.totals().value),
            "max_value": number(grid.max_value),
            "bounds": bounds(grid),
            "start": time(request.time_us[0]),
            "end": time(request.time_us[1]),
        },
    });
    if let Some(window) = request.compare {
        let mut comparison = comparison(grid.totals());
        let [start_us, end_us] = window.time_us();
        comparison.insert("start".into(), time(Some(start_us)));
        comparison.insert("end".into(), time(Some(end_us)));
        let count = grid.compared_total.map_or(0, |total| total.count);
        comparison.insert("total_detections".into(), count.into());
        answer["comparison"] = comparison.into();
    }
    if let Some(profile) = profile(grid, grid.profile.as_ref(), grid.compared_profile.as_ref()) {
        answer["profile"] = profile;
    }
    if let Some(table) = &grid.rooms {
        answer["rooms"] = table.rooms.iter().map(|room| room_json(grid, room)).collect();
        answer["outside"] = room_json(grid, &table.outside);
    }
    answer
}

/// A value, the second one, their difference and ratio.
fn comparison(values: Compared) -> Map<String, Value> {
    let (difference, ratio) = (values.difference(), values.ratio());
    [("value", values.value), ("compared", values.compared), ("difference", difference), ("ratio", ratio)]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), number(value)))
        .collect()
}

fn profile(grid: &Grid, first: Option<&Profile>, second: Option<&Profile>) -> Option<Value> {
    let (kind, zone) = grid.request.profile.as_ref()?;
    let values = |profile: &Profile| -> Value { profile.values(grid.quantity()).into_iter().map(number).collect() };
    let mut profile = json!({"period": kind.to_string(), "tz": zone.iana_name(), "values": values(first?)});
    if let Some(second) = second {
        profile["compared"] = values(second);
    }
    Some(profile)
}

fn room_json(grid: &Grid, room: &RoomTotals) -> Value {
    let values = room.values(grid.quantity());
    let mut members = if room.second.is_some() {
        comparison(values)
    } else {
        Map::from_iter([("value".to_owned(), number(values.value))])
    };
    if let Some(area_m2) = room.area_m2 {
        members.insert("name".into(), room.name.clone().into());
        members.insert("area_m2".into(), number(area_m2));
        members.insert("value_per_m2".into(), number(room.value_per_m2(grid.quantity())));
    }
    members.insert("count".into(), room.first.count.into());
    members.extend(
        profile(grid, room.profile.as_ref(), room.compared_profile.as_ref()).map(|profile| ("profile".into(), profile)),
    );
    members.into()
}
