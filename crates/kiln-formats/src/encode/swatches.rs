//! A preview image of color schemes.

use image::RgbaImage;

use super::paint::{Anchor, Rect, Sheet, TextStyle, font, shorten};
use kiln_core::color::{Family, Palette, Scheme};
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

const PAGE: [u8; 4] = [255, 255, 255, 255];
/// The two backgrounds behind each bar: the colors of a light and of a dark map.
const LIGHT_MAP: [u8; 4] = [240, 238, 232, 255];
const DARK_MAP: [u8; 4] = [26, 29, 35, 255];
const BAR_EDGE: [u8; 4] = [20, 24, 32, 40];
const HEADING: TextStyle = TextStyle { size: 14.0, color: [28, 32, 38, 255] };
const NAME: TextStyle = TextStyle { size: 12.0, color: [58, 65, 74, 255] };

const PADDING: f32 = 28.0;
const NAME_WIDTH: f32 = 88.0;
const BAR_WIDTH: f32 = 280.0;
const BAR_HEIGHT: f32 = 22.0;
const ROW_HEIGHT: f32 = 31.0;
const HEADING_HEIGHT: f32 = 42.0;
const COLUMN_GAP: f32 = 44.0;
/// The maximum number of schemes in a preview.
const MAX_SCHEMES: usize = 500;

/// Draws each scheme as a color bar with its name, grouped by family, in one column or, for more than 8 schemes, two.
///
/// The upper half of each bar has a light background and the lower half a dark one, so that its alpha is visible. The
/// image is 836 layout units wide (424 with one column); `pixel_ratio` is the pixels per layout unit, 0.5 to 4.
///
/// # Errors
/// [`Error::Invalid`] if the pixel ratio is not between 0.5 and 4, or if there are no schemes or more than 500.
pub fn swatches(schemes: &[Scheme], pixel_ratio: f32) -> Result<RgbaImage> {
    if !(0.5..=4.0).contains(&pixel_ratio) {
        return Err(Error::invalid(Parameter::PIXEL_RATIO, format!("{pixel_ratio} is not between 0.5 and 4")));
    }
    if schemes.is_empty() || schemes.len() > MAX_SCHEMES {
        return Err(Error::invalid(
            Parameter::SCHEMES,
            format!("{} schemes; a preview shows 1 to {MAX_SCHEMES}", schemes.len()),
        ));
    }
    let mut rows: Vec<&Scheme> = schemes.iter().collect();
    rows.sort_by_key(|scheme| scheme.family());
    let split = rows.len().div_ceil(2);
    let columns = if rows.len() > 8 { [&rows[..split], &rows[split..]] } else { [&rows[..], &[]] };

    let height = columns.iter().map(|column| column_height(column)).fold(0.0, f32::max) + 2.0 * PADDING - 12.0;
    let column_width = NAME_WIDTH + BAR_WIDTH;
    let shown = columns.iter().filter(|column| !column.is_empty()).count() as f32;
    let width = 2.0 * PADDING + shown * column_width + (shown - 1.0) * COLUMN_GAP;
    let mut sheet = Sheet::new(width, height, pixel_ratio, PAGE)?;
    for (index, column) in columns.iter().enumerate() {
        draw_column(&mut sheet, PADDING + index as f32 * (column_width + COLUMN_GAP), column)?;
    }
    Ok(sheet.into_image())
}

/// The rows of a column, each with the family to print as a heading above it, if any.
fn with_headings<'s>(column: &'s [&'s Scheme]) -> impl Iterator<Item = (Option<Family>, &'s Scheme)> {
    column.iter().enumerate().map(|(index, scheme)| {
        let is_new_family = index == 0 || column[index - 1].family() != scheme.family();
        (is_new_family.then(|| scheme.family()), *scheme)
    })
}

fn column_height(column: &[&Scheme]) -> f32 {
    with_headings(column).map(|(heading, _)| ROW_HEIGHT + if heading.is_some() { HEADING_HEIGHT } else { 0.0 }).sum()
}

fn draw_column(sheet: &mut Sheet, x: f32, column: &[&Scheme]) -> Result<()> {
    let font = font()?;
    let mut y = PADDING - 12.0;
    for (heading, scheme) in with_headings(column) {
        if let Some(family) = heading {
            sheet.text(x, y + HEADING_HEIGHT - 16.0, Anchor::Start, HEADING, family.title());
            y += HEADING_HEIGHT;
        }
        let name = shorten(&font, NAME.size, scheme.name(), NAME_WIDTH - 10.0);
        sheet.text(x, y + BAR_HEIGHT / 2.0 + 4.5, Anchor::Start, NAME, &name);
        let bar = Rect { x: x + NAME_WIDTH, y, width: BAR_WIDTH, height: BAR_HEIGHT };
        let palette = Palette::from(scheme);
        sheet.fill(bar.inset(-1.0), 5.0, |_, _| BAR_EDGE);
        sheet.fill(bar, 4.0, |_, down| if down < 0.5 { LIGHT_MAP } else { DARK_MAP });
        sheet.fill(bar, 4.0, |across, _| palette.at(f64::from(across)));
        y += ROW_HEIGHT;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_bar_shows_its_scheme_over_a_light_and_a_dark_background() {
        let heat = Scheme::named("heat").unwrap();
        let picture = swatches(std::slice::from_ref(&heat), 1.0).unwrap();
        let bar_x = (PADDING + NAME_WIDTH) as u32;
        let bar_y = (PADDING - 12.0 + HEADING_HEIGHT) as u32;
        let brightness = |down: u32| {
            picture.get_pixel(bar_x + 3, bar_y + down).0[..3].iter().map(|channel| u32::from(*channel)).sum::<u32>()
        };
        assert!(brightness(6) > 600, "the light background shows through the low end");
        assert!(brightness(16) < 150, "and so does the dark one");
        let hot = picture.get_pixel(bar_x + BAR_WIDTH as u32 - 1, bar_y + 11).0;
        assert!(hot.iter().zip(heat.colors()[255]).all(|(drawn, pure)| drawn.abs_diff(pure) < 4), "{hot:?}");
    }

    #[test]
    fn all_builtins_fit_and_the_pixel_ratio_scales_the_image() {
        let schemes = Scheme::builtins().unwrap();
        let (half, one) = (swatches(&schemes, 0.5).unwrap(), swatches(&schemes, 1.0).unwrap());
        assert!(one.width().abs_diff(2 * half.width()) < 2 && one.height().abs_diff(2 * half.height()) < 2);
        assert!(one.height() < 1200);
    }

    #[test]
    fn no_schemes_too_many_schemes_and_a_large_pixel_ratio_are_rejected() {
        assert!(swatches(&[], 1.0).is_err());
        let scheme = Scheme::named("gray").unwrap();
        assert!(swatches(&vec![scheme.clone(); MAX_SCHEMES + 1], 1.0).unwrap_err().to_string().contains("500"));
        assert!(swatches(&[scheme], 9.0).is_err());
    }
}
