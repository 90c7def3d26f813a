//! The size of the mask, from the sizes of the images.

use super::{AnnotationLimits, AnnotationOptions, MAX_EXACT};
use crate::limit::{Limit, Reason};

/// How many images of another size a message names.
const NAMED: usize = 3;

/// The sizes of the images of all files.
pub(super) struct ImageSizes {
    limits: AnnotationLimits,
    images: usize,
    /// Name, width and height of the first image that has a size.
    first: Option<(String, usize, usize)>,
    /// The first images of another size than that.
    others: Vec<String>,
    differing: usize,
    has_unsized: bool,
}

impl ImageSizes {
    pub(super) fn new(limits: AnnotationLimits) -> Self {
        Self { limits, images: 0, first: None, others: Vec::new(), differing: 0, has_unsized: false }
    }

    /// How many images there are.
    pub(super) fn count(&self) -> usize {
        self.images
    }

    /// Adds an image of a known size in pixels.
    pub(super) fn add(&mut self, name: &str, width: usize, height: usize) -> Result<(), Reason> {
        self.count_one()?;
        check(width, height, self.limits).map_err(|reason| reason.map(|message| format!("{name}: {message}")))?;
        match &self.first {
            None => self.first = Some((name.to_owned(), width, height)),
            Some((_, first_width, first_height)) => {
                if (*first_width, *first_height) != (width, height) {
                    self.differing += 1;
                    if self.others.len() < NAMED {
                        self.others.push(format!("{} ({width} × {height})", shortened(name)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds an image whose size its file does not have.
    pub(super) fn count_unsized(&mut self) -> Result<(), Reason> {
        self.has_unsized = true;
        self.count_one()
    }

    fn count_one(&mut self) -> Result<(), Reason> {
        self.images += 1;
        let most = self.limits.max_labels.min(MAX_EXACT);
        if self.images > most {
            return Err(Reason::limit(Limit::Labels, format!("the images exceed the limit of {most}")));
        }
        Ok(())
    }

    /// The width and the height of the mask.
    pub(super) fn target(&self, options: &AnnotationOptions) -> Result<(usize, usize), Reason> {
        let size = match (options.width, options.height) {
            (Some(width), Some(height)) => (width, height),
            (width, height) => {
                let (first, image_width, image_height) = self.first.as_ref().ok_or_else(|| self.no_size())?;
                if self.differing > 0 {
                    let more = self.differing - self.others.len();
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    return Err(format!(
                        "images of other sizes than {} ({image_width} × {image_height}): {}{more}; give width and height \
                         to stretch all to one size",
                        shortened(first),
                        self.others.join(", ")
                    )
                    .into());
                }
                let proportional =
                    |side: usize, of: usize, to: usize| ((side as f64 * to as f64 / of as f64).round() as usize).max(1);
                match (width, height) {
                    (Some(width), _) => (width, proportional(width, *image_width, *image_height)),
                    (_, Some(height)) => (proportional(height, *image_height, *image_width), height),
                    _ => (*image_width, *image_height),
                }
            }
        };
        check(size.0, size.1, self.limits)?;
        Ok(size)
    }

    fn no_size(&self) -> String {
        if self.has_unsized {
            "YOLO labels do not have the size of their image; give width and height".to_owned()
        } else {
            "no image; expected at least one with a size, or width and height".to_owned()
        }
    }
}

fn check(width: usize, height: usize, limits: AnnotationLimits) -> Result<(), Reason> {
    if width == 0 || height == 0 {
        return Err(format!("an image of {width} × {height} pixels; at least 1 × 1 is needed").into());
    }
    // Both sides are indices of 32 bits.
    let most = limits.max_cells.min(u32::MAX as usize / 2);
    if width.checked_mul(height).is_none_or(|cells| cells > most) {
        return Err(Reason::limit(Limit::Cells, format!("{width} × {height} pixels exceed the limit of {most}")));
    }
    Ok(())
}

/// A name of at most 80 characters, without what a line cannot have.
pub(super) fn shortened(name: &str) -> String {
    let mut short: String = name.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if name.chars().nth(80).is_some() {
        short.push('…');
    }
    short
}

/// From the pixels of an image to those of the mask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    /// Width and height of the image in pixels.
    pub(super) image: (usize, usize),
    /// Pixels of the mask per pixel of the image, across and down.
    pub(super) scale: [f64; 2],
}

impl Placement {
    /// Stretches an image of `image` pixels over a mask of `mask` pixels.
    pub(super) fn new(image: (usize, usize), mask: (usize, usize)) -> Self {
        Self { image, scale: [mask.0 as f64 / image.0 as f64, mask.1 as f64 / image.1 as f64] }
    }

    /// Whether a pixel of the image is one of the mask.
    pub(super) fn is_identity(&self, mask: (usize, usize)) -> bool {
        self.image == mask
    }
}
