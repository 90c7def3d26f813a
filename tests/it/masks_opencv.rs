//! Masks against OpenCV: levels, blurs, colormaps and pictures of random masks, which `masks_opencv.py` makes.

use std::fs;
use std::path::Path;

use kiln::mask::array::{ReadArrayOptions, read};
use kiln::mask::{
    Background, Blur, BlurKind, Colormap, ImageLimits, Levels, Mask, MaskStyle, Picture, Pixels, render, render_levels,
};
use serde_json::Value;

use crate::arrow::python;

/// How many values differ, by how much at most.
#[derive(Default)]
struct Differences {
    values: usize,
    by_one: usize,
    most: u8,
}

impl Differences {
    fn add(&mut self, own: &[u8], expected: &[u8]) {
        assert_eq!(own.len(), expected.len());
        self.values += own.len();
        for (own, expected) in own.iter().zip(expected) {
            let difference = own.abs_diff(*expected);
            self.by_one += usize::from(difference > 1);
            self.most = self.most.max(difference);
        }
    }

    /// At most 1 in 99.9 %, never more than 2.
    fn are_small(&self) -> bool {
        self.values > 0 && self.most <= 2 && self.by_one * 1000 <= self.values
    }
}

fn style(case: &Value) -> MaskStyle {
    let kernel = |side: usize| case["kernel"][side].as_u64().unwrap() as usize;
    let blur = match case["blur"].as_str().unwrap() {
        "none" => None,
        kind => Some(Blur::new(kind.parse::<BlurKind>().unwrap(), kernel(0), kernel(1)).unwrap()),
    };
    MaskStyle {
        vmin: case["vmin"].as_f64(),
        vmax: case["vmax"].as_f64(),
        blur,
        colormap: Colormap::named(&case["colormap"].to_string()).unwrap(),
        opacity: case["opacity"].as_f64().unwrap(),
        ..MaskStyle::new().unwrap()
    }
}

fn rgb(picture: &Picture) -> &[u8] {
    match &picture.pixels {
        Pixels::Rgb(pixels) => pixels.cells().as_flattened(),
        other => panic!("{other:?}"),
    }
}

fn gray(path: &Path) -> Vec<u8> {
    image::open(path).unwrap().into_luma8().into_raw()
}

#[test]
fn random_masks_are_drawn_as_opencv_draws_them() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let oracle = python(home, include_str!("masks_opencv.py"));
    let cases = oracle["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 300);
    let (mut levels_differ, mut pictures_differ) = (Differences::default(), Differences::default());
    for case in cases {
        let number = case["number"].as_u64().unwrap();
        let file = case["file"].as_str().unwrap();
        let mask: Mask = read(&fs::read(home.join(file)).unwrap(), file, &ReadArrayOptions::default()).unwrap();
        let style = style(case);
        let levels = Levels::of(&mask, &style, 2).unwrap();
        levels_differ.add(levels.levels().cells(), &gray(&home.join(format!("{number}.levels.png"))));
        let background = fs::read(home.join(format!("{number}.background.png"))).unwrap();
        let background = Background::decode(&background, "background", &ImageLimits::default()).unwrap();
        let picture = render_levels(&levels, &style, Some(&background), 2).unwrap();
        assert_eq!(picture, render(&mask, &style, Some(&background), 1).unwrap());
        let expected = image::open(home.join(format!("{number}.picture.png"))).unwrap().into_rgb8();
        pictures_differ.add(rgb(&picture), expected.as_raw());
        assert!(levels_differ.most <= 2, "{case}: levels differ by {}", levels_differ.most);
        assert!(pictures_differ.most <= 2, "{case}: pictures differ by {}", pictures_differ.most);
    }
    assert!(levels_differ.are_small(), "{} of {}", levels_differ.by_one, levels_differ.values);
    assert!(pictures_differ.are_small(), "{} of {}", pictures_differ.by_one, pictures_differ.values);
    for (number, colors) in oracle["maps"].as_array().unwrap().iter().enumerate() {
        let colormap = Colormap::named(&number.to_string()).unwrap();
        for (level, (own, expected)) in colormap.colors().iter().zip(colors.as_array().unwrap()).enumerate() {
            for channel in 0..3 {
                let expected = expected[channel].as_u64().unwrap() as u8;
                assert!(own[channel].abs_diff(expected) <= 1, "{} {level} {channel}", colormap.name());
            }
        }
    }
}
