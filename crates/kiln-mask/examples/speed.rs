//! The time from an array in memory to a PNG on one thread, and for another style of kept levels: `speed FILE [ROUNDS]`.
//!
//! `scripts/mask_speed.py` runs it beside OpenCV.

use std::time::{Duration, Instant};

use kiln_mask::array::{ReadArrayOptions, read};
use kiln_mask::{Colormap, Levels, MaskStyle, render_levels};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("which array?")?;
    let rounds: usize = args.next().map_or(Ok(7), |rounds| rounds.parse())?;
    let mask = read(&std::fs::read(&file)?, &file, &ReadArrayOptions::default())?;
    let style = MaskStyle::new()?;
    let other = MaskStyle { colormap: Colormap::named("turbo")?, opacity: 40.0, ..style.clone() };
    let mut times = vec![Vec::new(); 4];
    let mut bytes = 0;
    for _ in 0..rounds {
        let start = Instant::now();
        let levels = Levels::of(&mask, &style, 1)?;
        let made = start.elapsed();
        let picture = render_levels(&levels, &style, None, 1)?;
        bytes = picture.png()?.len();
        let whole = start.elapsed();
        let start = Instant::now();
        render_levels(&levels, &other, None, 1)?.png()?;
        for (times, time) in times.iter_mut().zip([made, whole.saturating_sub(made), whole, start.elapsed()]) {
            times.push(time);
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e3
    };
    for (name, times) in ["levels_ms", "png_ms", "total_ms", "recolor_ms"].iter().zip(&mut times) {
        println!("{name} {:.2}", median(times));
    }
    println!("bytes {bytes}");
    Ok(())
}
