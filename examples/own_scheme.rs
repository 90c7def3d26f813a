//! Color schemes of your own: from CSS color stops, from the text of a scheme file, and from a function.
//!
//! ```sh
//! cargo run --example own_scheme --no-default-features -- schemes
//! ```
//!
//! For the command line and the server, a file `NAME.txt` in the folder `schemes` is enough.

use std::path::PathBuf;
use std::{env, error, fs};

use kiln::color::{Family, Gradient, Scheme};
use kiln::encode::png;
use kiln::geo::{Bounds, Points, Projection};
use kiln::layer::{Size, Style, canvas_of, render};
use kiln::source::{CoordinateSpace, MemorySource, Query};

fn main() -> Result<(), Box<dyn error::Error>> {
    let folder = PathBuf::from(env::args().nth(1).unwrap_or_else(|| "schemes-out".into()));
    fs::create_dir_all(&folder)?;

    // CSS color stops. A scheme that starts with `transparent` fades in on the map.
    let lagoon: Gradient = "transparent, teal 30%, #9be15d, white".parse()?;
    let lagoon = Scheme::new("lagoon", Family::Own, lagoon.colors());
    // The text of a scheme file: one color per line, with or without a position.
    let lava = Scheme::parse("lava", "order: hot-first\nwhite\ngold 40%\ncrimson\nrgb(60 0 0 / 0)\n")?;
    // 256 computed colors: stripes, which show density as contour bands.
    let stripes =
        std::array::from_fn(|index| if index / 16 % 2 == 0 { [33, 52, 88, 255] } else { [244, 186, 64, 255] });
    let stripes = Scheme::new("stripes", Family::Own, Box::new(stripes));

    let (lon, lat) = spiral();
    let points = MemorySource(Points::new(&lon, &lat)?);
    let canvas = canvas_of(Projection::Plane, Bounds::new(-1.1, -1.1, 1.1, 1.1)?, Size::Longest(400))?;
    let query = Query::default().with_coordinate_space(CoordinateSpace::Plane);
    for scheme in [lagoon, lava, stripes] {
        let path = folder.join(format!("{}.png", scheme.name()));
        let style = Style { scheme, ..Style::new()? };
        let heat = render(&points, &query, &canvas, &style, kiln::available_threads())?;
        let mut bytes = Vec::new();
        png::write_indexed(&mut bytes, &heat.indices, heat.palette.colors(), png::PngOptions::default())?;
        fs::write(&path, bytes)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Points along a spiral, denser towards its middle.
fn spiral() -> (Vec<f64>, Vec<f64>) {
    (0..4000).map(|i| f64::from(i) / 4000.0).map(|t| ((t * 40.0).cos() * t, (t * 40.0).sin() * t)).unzip()
}
