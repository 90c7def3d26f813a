//! The tables of OpenCV's colormaps; `scripts/opencv_colormaps.py` writes the files.

/// Names and the texts of their scheme files, by OpenCV's number.
pub(super) const TABLES: [(&str, &str); 22] = [
    ("autumn", include_str!("../../../../schemes/opencv/autumn.txt")),
    ("bone", include_str!("../../../../schemes/opencv/bone.txt")),
    ("jet", include_str!("../../../../schemes/opencv/jet.txt")),
    ("winter", include_str!("../../../../schemes/opencv/winter.txt")),
    ("rainbow", include_str!("../../../../schemes/opencv/rainbow.txt")),
    ("ocean", include_str!("../../../../schemes/opencv/ocean.txt")),
    ("summer", include_str!("../../../../schemes/opencv/summer.txt")),
    ("spring", include_str!("../../../../schemes/opencv/spring.txt")),
    ("cool", include_str!("../../../../schemes/opencv/cool.txt")),
    ("hsv", include_str!("../../../../schemes/opencv/hsv.txt")),
    ("pink", include_str!("../../../../schemes/opencv/pink.txt")),
    ("hot", include_str!("../../../../schemes/opencv/hot.txt")),
    ("parula", include_str!("../../../../schemes/opencv/parula.txt")),
    ("magma", include_str!("../../../../schemes/opencv/magma.txt")),
    ("inferno", include_str!("../../../../schemes/opencv/inferno.txt")),
    ("plasma", include_str!("../../../../schemes/opencv/plasma.txt")),
    ("viridis", include_str!("../../../../schemes/opencv/viridis.txt")),
    ("cividis", include_str!("../../../../schemes/opencv/cividis.txt")),
    ("twilight", include_str!("../../../../schemes/opencv/twilight.txt")),
    ("twilight_shifted", include_str!("../../../../schemes/opencv/twilight_shifted.txt")),
    ("turbo", include_str!("../../../../schemes/opencv/turbo.txt")),
    ("deepgreen", include_str!("../../../../schemes/opencv/deepgreen.txt")),
];
