//! Earthquakes, a frame per day, as an animated PNG. It needs the feature `formats`, and the crate `image`:
//!
//! ```sh
//! cargo run --example animate --no-default-features --features formats -- earthquakes.png
//! ```
//!
//! `kiln animate` does the same with a title, a legend and a scale bar.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::{env, error};

use image::{Rgba, RgbaImage};
use kiln::color::Scheme;
use kiln::encode::{Animation, AnimationFormat};
use kiln::geo::{Bounds, Points, Projection};
use kiln::layer::{Heatmap, Radius, Size, Style, canvas_of, render};
use kiln::raster::Curve;
use kiln::source::{Columns, Query, ReadOptions, Sink, Source, open};

const DAY_US: i64 = 86_400_000_000;

fn main() -> Result<(), Box<dyn error::Error>> {
    let output = env::args().nth(1).unwrap_or_else(|| "earthquakes.png".into());
    let source = open(concat!(env!("CARGO_MANIFEST_DIR"), "/data/earthquakes.geojson"), &ReadOptions::default())?;
    let columns = Columns { weight: Some("mag".into()), ..Columns::default() };
    let query = Query::default().with_names(columns).with_weights(true);
    let (first_us, last_us) = times(&*source, &query)?.ok_or("no point has a time")?;
    let days: Vec<i64> = (first_us.div_euclid(DAY_US)..=last_us.div_euclid(DAY_US)).collect();

    let canvas = canvas_of(Projection::Mercator, Bounds::new(-180.0, -60.0, 180.0, 75.0)?, Size::Longest(640))?;
    let style = Style {
        scheme: Scheme::named("inferno")?,
        radius: Radius::Meters(400_000.0),
        background: Some("#0b0d12".parse()?),
        curve: Curve::Sqrt,
        ..Style::new()?
    };
    let frame = |day: i64, style: &Style| -> kiln::Result<Heatmap> {
        let of_day = query.clone().with_start(Some(day * DAY_US)).with_end(Some((day + 1) * DAY_US));
        render(&*source, &of_day, &canvas, style, kiln::available_threads())
    };

    // All frames share a color scale, whose maximum is that of the hottest day.
    let mut vmax: f64 = 0.0;
    for &day in &days {
        vmax = vmax.max(frame(day, &style)?.values.map_or(0.0, |values| values.span.vmax));
    }
    let style = Style { vmin: Some(0.0), vmax: Some(vmax), ..style };

    let mut file = BufWriter::new(File::create(&output)?);
    let (width, height) = (canvas.width(), canvas.height());
    let mut animation = Animation::new(&mut file, AnimationFormat::Png, width, height, days.len() as u32, 600)?;
    for &day in &days {
        animation.push(picture(&frame(day, &style)?))?;
    }
    animation.finish()?;
    file.flush()?;
    println!("{} frames of {width}x{height} pixels", days.len());
    Ok(())
}

/// The first and the last time of the points, in microseconds since 1970.
fn times(source: &dyn Source, query: &Query<'_>) -> kiln::Result<Option<(i64, i64)>> {
    let mut range: Option<(i64, i64)> = None;
    let mut sink = |points: Points<'_>| {
        for &time_us in points.time_us().unwrap_or_default().iter().filter(|&&time_us| time_us != Points::NO_TIME) {
            let (first, last) = range.unwrap_or((time_us, time_us));
            range = Some((first.min(time_us), last.max(time_us)));
        }
        ControlFlow::Continue(())
    };
    source.scan(&query.clone().with_times(true), &mut [&mut sink as &mut Sink<'_>])?;
    Ok(range)
}

/// The colors of a picture.
fn picture(heat: &Heatmap) -> RgbaImage {
    RgbaImage::from_fn(heat.canvas.width(), heat.canvas.height(), |x, y| {
        Rgba(heat.palette.rgba(heat.indices.row(y as usize)[x as usize]))
    })
}
