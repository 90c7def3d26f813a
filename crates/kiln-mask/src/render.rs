//! Rendering of levels to a picture.

use kiln_core::color::{Colors, Opacity};
use kiln_core::encode::sides;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::raster::Grid;

use crate::bands::row_bands;
use crate::levels::DRAWN;
use crate::{Background, Levels, Mask, MaskStyle, Picture, Pixels};

/// The relative difference of the aspect ratios of a mask and its background above which a picture has a remark.
const ASPECT_TOLERANCE: f64 = 0.01;

/// Renders a mask: [`Levels::of`] and [`render_levels`].
///
/// # Errors
/// Those of both functions.
pub fn render(mask: &Mask, style: &MaskStyle, background: Option<&Background>, threads: usize) -> Result<Picture> {
    // Rejects an invalid size before the levels are computed.
    size_of(mask.values().size(), style, background.map(|picture| (picture.width(), picture.height())))?;
    render_levels(&Levels::of(mask, style, threads)?, style, background, threads)
}

/// Renders precomputed levels. Only the colormap, opacity, size and resampling of `style` are used.
///
/// Without a background the opacity is the alpha of the pixels. Over a background each channel is color · opacity + background ·
/// (1 − opacity), rounded half to even: within 1 level of OpenCV's `addWeighted`, which computes in float32; where the mask is
/// transparent, the background is unchanged. The mask is stretched over the whole background; the picture has a
/// [remark](Picture::remarks) if their aspect ratios differ by more than 1 %.
///
/// # Errors
/// [`Error::Invalid`] if the size or the opacity is out of range.
pub fn render_levels(
    levels: &Levels,
    style: &MaskStyle,
    background: Option<&Background>,
    threads: usize,
) -> Result<Picture> {
    let share = Opacity::new(style.opacity / 100.0).map_err(|_| {
        Error::invalid(Parameter::OPACITY, format!("{} is out of range; expected 0 to 100", style.opacity))
    })?;
    let own = (levels.width(), levels.height());
    let below = background.map(|picture| (picture.width(), picture.height()));
    let size = size_of(own, style, below)?;
    let resampled = (size != own).then(|| style.resample.apply(levels.levels(), levels.hidden(), size, threads));
    let (cells, hidden) = match &resampled {
        Some((cells, hidden)) => (cells, hidden.as_ref()),
        None => (levels.levels(), levels.hidden()),
    };
    let pixels = match background {
        Some(background) => {
            let background = background.at_size(size);
            Pixels::Rgb(blend(cells, hidden, style.colormap.colors(), share, &background, threads))
        }
        None => color(cells, hidden, style.colormap.colors(), share, threads),
    };
    Ok(Picture { pixels, remarks: below.and_then(|below| aspect_remark(own, below)).into_iter().collect() })
}

/// The remark that a mask (columns and rows) is stretched over a background (width and height in pixels), if their aspect ratios
/// differ by more than 1 %.
pub fn aspect_remark((columns, rows): (usize, usize), (width, height): (usize, usize)) -> Option<String> {
    let ratio = (columns as f64 / rows as f64) / (width as f64 / height as f64);
    (ratio.max(1.0 / ratio) > 1.0 + ASPECT_TOLERANCE).then(|| {
        format!(
            "the mask of {columns} × {rows} cells is stretched over the background of {width} × {height} px, which has a \
             different aspect ratio"
        )
    })
}

/// The width and height of the picture in pixels: those of `style`, or else those of the background (width and height), or else
/// those of the mask (columns and rows). If `style` has only one of them, the other keeps the aspect ratio.
///
/// # Errors
/// [`Error::Invalid`] if a side is 0 or exceeds [`MaskStyle::MAX_SIDE_PX`], or if their product exceeds
/// [`MaskStyle::MAX_PIXELS`].
pub fn size_of(mask: (usize, usize), style: &MaskStyle, background: Option<(usize, usize)>) -> Result<(usize, usize)> {
    let (width, height) = background.unwrap_or(mask);
    let other =
        |given: usize, own: usize, other: usize| ((given as f64 / own as f64 * other as f64).round() as usize).max(1);
    let size = match (style.width, style.height) {
        (None, None) => (width, height),
        (Some(px), None) => (px, other(px, width, height)),
        (None, Some(px)) => (other(px, height, width), px),
        (Some(width), Some(height)) => (width, height),
    };
    let most = MaskStyle::MAX_SIDE_PX;
    for (parameter, side) in [(Parameter::WIDTH, size.0), (Parameter::HEIGHT, size.1)] {
        if !(1..=most).contains(&side) {
            return Err(Error::invalid(parameter, format!("{side} px is out of range; expected 1 to {most} px")));
        }
    }
    if size.0 * size.1 > MaskStyle::MAX_PIXELS {
        let (width, height, most) = (size.0, size.1, MaskStyle::MAX_PIXELS);
        let message = format!("the picture of {width} × {height} px exceeds the limit; expected at most {most} px");
        return Err(Error::invalid(Parameter::WIDTH, message));
    }
    sides(size.0, size.1).map(|_| size)
}

/// The colors by level, with their alpha multiplied by the opacity.
fn palette(colors: &Colors, opacity: Opacity) -> Box<Colors> {
    Box::new(colors.map(|[r, g, b, alpha]| [r, g, b, opacity.scale(alpha)]))
}

/// Colors levels without a background.
fn color(levels: &Grid<u8>, hidden: Option<&Grid<u8>>, colors: &Colors, opacity: Opacity, threads: usize) -> Pixels {
    let mut palette = palette(colors, opacity);
    let Some(hidden) = hidden else {
        return Pixels::Indexed { indices: levels.clone(), palette };
    };
    let (width, height) = (levels.width(), levels.height());
    let at = |first: usize, index: usize| first * width + index;
    let Some(unused) = unused_level(levels, hidden) else {
        let mut pixels = Grid::filled(width, height, [0; 4]);
        row_bands(&mut pixels, threads, |first, band| {
            for (index, pixel) in band.iter_mut().enumerate() {
                let at = at(first, index);
                let [r, g, b, alpha] = palette[usize::from(levels.cells()[at])];
                *pixel = [r, g, b, if hidden.cells()[at] == DRAWN { alpha } else { 0 }];
            }
        });
        return Pixels::Rgba(pixels);
    };
    // The color of a neighboring level, so that interpolation in a viewer causes no dark border.
    let [r, g, b, _] = palette[usize::from(if unused == 0 { 1 } else { unused })];
    palette[usize::from(unused)] = [r, g, b, 0];
    let mut indices = Grid::filled(width, height, 0);
    row_bands(&mut indices, threads, |first, band| {
        let cells = at(first, 0)..at(first, band.len());
        let cells = levels.cells()[cells.clone()].iter().zip(&hidden.cells()[cells]);
        band.iter_mut().zip(cells).for_each(|(index, (level, hidden))| {
            *index = if *hidden == DRAWN { *level } else { unused };
        });
    });
    Pixels::Indexed { indices, palette }
}

/// The least level that no drawn pixel has, if there is one.
fn unused_level(levels: &Grid<u8>, hidden: &Grid<u8>) -> Option<u8> {
    let mut is_used = [false; 256];
    for (levels, hidden) in levels.cells().chunks(4096).zip(hidden.cells().chunks(4096)) {
        for (level, hidden) in levels.iter().zip(hidden) {
            is_used[usize::from(*level)] |= *hidden == DRAWN;
        }
    }
    is_used.iter().position(|is_used| !is_used).map(|level| level as u8)
}

/// Blends levels over a background of the same size.
fn blend(
    levels: &Grid<u8>,
    hidden: Option<&Grid<u8>>,
    colors: &Colors,
    opacity: Opacity,
    background: &Background,
    threads: usize,
) -> Grid<[u8; 3]> {
    // In f32, as OpenCV does.
    let terms: Vec<([f32; 3], f32)> = colors
        .iter()
        .map(|[r, g, b, alpha]| {
            let share = opacity.value() * f64::from(*alpha) / 255.0;
            ([*r, *g, *b].map(|channel| f32::from(channel) * share as f32), (1.0 - share) as f32)
        })
        .collect();
    let mut pixels = background.pixels().clone();
    let width = pixels.width();
    row_bands(&mut pixels, threads, |first, band| {
        let start = first * width;
        for (index, pixel) in band.iter_mut().enumerate() {
            if hidden.is_some_and(|hidden| hidden.cells()[start + index] != DRAWN) {
                continue;
            }
            let (color, below) = &terms[usize::from(levels.cells()[start + index])];
            for (channel, color) in pixel.iter_mut().zip(color) {
                *channel = (color + f32::from(*channel) * below).round_ties_even() as u8;
            }
        }
    });
    pixels
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::{Blur, Values};

    fn mask(width: usize, cells: &[f32]) -> Mask {
        Mask::new(Values::Single(Grid::from_cells(width, cells.len() / width, cells.to_vec()).unwrap())).unwrap()
    }

    fn sharp() -> MaskStyle {
        MaskStyle { blur: None, ..MaskStyle::new().unwrap() }
    }

    fn gray(width: usize, height: usize, level: u8) -> Background {
        Background::new(Grid::filled(width, height, [level; 3])).unwrap()
    }

    #[test]
    fn a_mask_by_itself_is_indexed_with_the_opacity_as_alpha() {
        let picture = render(&mask(2, &[0.0, 1.0]), &sharp(), None, 1).unwrap();
        assert!(matches!(picture.pixels, Pixels::Indexed { .. }));
        assert_eq!(picture.to_rgba(), [[0, 0, 128, 179], [128, 0, 0, 179]]);
    }

    #[test]
    fn missing_pixels_use_a_free_level_or_the_picture_is_rgba() {
        let mut cells: Vec<f32> = (0..=255).map(|level| level as f32 + 0.5).collect();
        cells.push(f32::NAN);
        let style = MaskStyle { vmin: Some(0.0), vmax: Some(255.0), ..sharp() };
        let full = render(&mask(257, &cells), &style, None, 1).unwrap();
        assert!(matches!(full.pixels, Pixels::Rgba(_)));
        assert_eq!(full.to_rgba()[256][3], 0);
        cells[9] = 10.5;
        let free = render(&mask(257, &cells), &style, None, 1).unwrap();
        let Pixels::Indexed { indices, palette } = &free.pixels else { panic!("{free:?}") };
        assert_eq!((indices.cells()[256], palette[9][3], palette[10][3]), (9, 0, 179));
        for picture in [full, free] {
            let decoded = image::load_from_memory(&picture.png().unwrap()).unwrap().to_rgba8();
            assert!(decoded.pixels().map(|pixel| pixel.0).eq(picture.to_rgba()));
        }
    }

    #[test]
    fn a_background_is_blended_and_unchanged_where_the_mask_is_transparent() {
        let style = MaskStyle { opacity: 50.0, ..sharp() };
        let picture = render(&mask(3, &[0.0, f32::NAN, 1.0]), &style, Some(&gray(3, 1, 101)), 1).unwrap();
        // 114.5 rounds to the even one.
        assert_eq!(
            picture.pixels,
            Pixels::Rgb(Grid::from_cells(3, 1, vec![[50, 50, 114], [101; 3], [114, 50, 50]]).unwrap())
        );
        assert!(picture.remarks.is_empty());
    }

    #[test]
    fn a_mask_is_stretched_over_its_background_with_a_remark_about_the_aspect_ratio() {
        let square = mask(2, &[0.0, 1.0, 2.0, 3.0]);
        for (width, height, remarks) in [(100, 100, 0), (1000, 1009, 0), (100, 102, 1), (300, 100, 1)] {
            let picture = render(&square, &sharp(), Some(&gray(width, height, 0)), 2).unwrap();
            assert_eq!((picture.width(), picture.height(), picture.remarks.len()), (width, height, remarks));
        }
    }

    #[test]
    fn a_single_side_keeps_the_aspect_ratio() {
        let style = |width, height| MaskStyle { width, height, ..sharp() };
        let size = |style: MaskStyle, below| size_of((40, 20), &style, below);
        assert_eq!(size(style(None, None), None).unwrap(), (40, 20));
        assert_eq!(size(style(Some(100), None), None).unwrap(), (100, 50));
        assert_eq!(size(style(None, Some(1)), None).unwrap(), (2, 1));
        assert_eq!(size(style(None, Some(30)), Some((100, 300))).unwrap(), (10, 30));
        assert_eq!(size(style(Some(7), Some(9)), Some((100, 300))).unwrap(), (7, 9));
        for (width, height) in [(0, 5), (5, 32_769), (32_768, 32_768)] {
            assert!(size(style(Some(width), Some(height)), None).is_err());
        }
    }

    #[test]
    fn the_alpha_of_a_scheme_counts_too() {
        let style = MaskStyle { colormap: crate::Colormap::named("heat").unwrap(), opacity: 100.0, ..sharp() };
        let alone = render(&mask(2, &[0.0, 1.0]), &style, None, 1).unwrap().to_rgba();
        assert_eq!(alone[0][3], 0);
        let below = render(&mask(2, &[0.0, 1.0]), &style, Some(&gray(2, 1, 9)), 1).unwrap().to_rgba();
        assert_eq!(below[0], [9, 9, 9, 255]);
    }

    #[test]
    fn levels_are_made_once_for_styles_that_share_them() {
        let mask = mask(5, &(0..25).map(|i| (i % 7) as f32).collect::<Vec<_>>());
        let one = MaskStyle::new().unwrap();
        let other = MaskStyle { opacity: 20.0, width: Some(9), ..one.clone() };
        assert!(one.has_levels_of(&other));
        assert!(
            !one.has_levels_of(&MaskStyle {
                blur: Some(Blur::new(crate::BlurKind::Box, 5, 5).unwrap()),
                ..one.clone()
            })
        );
        let levels = Levels::of(&mask, &one, 1).unwrap();
        assert_eq!(render_levels(&levels, &other, None, 1).unwrap(), render(&mask, &other, None, 1).unwrap());
        assert!(render_levels(&levels, &MaskStyle { opacity: 101.0, ..one }, None, 1).is_err());
    }
}
