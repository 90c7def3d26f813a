//! Renders points in memory to a picture in five lines. It needs no feature of the crate:
//!
//! ```sh
//! cargo run --example five_lines --no-default-features -- heat.png
//! ```

use std::{env, error, fs};

use kiln::{encode, geo, layer, source};

fn main() -> Result<(), Box<dyn error::Error>> {
    let (lon, lat) = ([18.07, 18.09, 17.64], [59.33, 59.32, 59.86]);
    let mut png = Vec::new();

    let points = source::MemorySource(geo::Points::new(&lon, &lat)?);
    let bounds = geo::Bounds::new(17.0, 59.0, 19.0, 60.0)?;
    let canvas = layer::canvas_of(geo::Projection::Mercator, bounds, layer::Size::Longest(512))?;
    let heat = layer::render(&points, &source::Query::default(), &canvas, &layer::Style::new()?, 2)?;
    encode::png::write_indexed(&mut png, &heat.indices, heat.palette.colors(), encode::png::PngOptions::default())?;

    fs::write(env::args().nth(1).unwrap_or_else(|| "heat.png".into()), png)?;
    println!("drew {} points, {} outside", heat.drawn, heat.outside);
    Ok(())
}
