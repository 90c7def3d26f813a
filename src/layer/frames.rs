//! The frames of an animation: pictures of one layer, one per time interval, with the same colors.

use super::{Blend, Layer, Style, render_shaded};
use crate::error::{Error, Result};
use crate::geo::{Canvas, Points};
use crate::message;
use crate::parameter::Parameter;
use crate::raster::{Curve, Span};
use crate::source::Query;

/// Consecutive time intervals, one per frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames {
    first_us: i64,
    every_us: i64,
    end_us: i64,
    count: usize,
}

impl Frames {
    /// The maximum number of frames.
    pub const MAX: usize = 10_000;

    /// Frames of `every_us` microseconds from `start_us` to before `end_us`, where the last frame is cut off.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `every` if it is not above 0, or there would be more than [`MAX`](Self::MAX) frames; for
    /// `start` if it is not before the end.
    pub fn new(start_us: i64, end_us: i64, every_us: i64) -> Result<Self> {
        if every_us <= 0 {
            return Err(Error::invalid(Parameter::EVERY, "a frame must be longer than 0, such as 1h or 1d"));
        }
        if start_us >= end_us {
            return Err(Error::invalid(Parameter::START, "not before the end"));
        }
        let count = (i128::from(end_us) - i128::from(start_us) + i128::from(every_us) - 1) / i128::from(every_us);
        match usize::try_from(count) {
            Ok(count) if count <= Self::MAX => Ok(Self { first_us: start_us, every_us, end_us, count }),
            _ => {
                let max = Self::MAX;
                let message =
                    format!("{count} frames exceed the limit of {max}; use longer frames, or give a start and an end");
                Err(Error::invalid(Parameter::EVERY, message))
            }
        }
    }

    /// The first and the last time that the parameters `start` and `end` accept, in microseconds since 1970:
    /// 0000-01-01T00:00:00Z, and 9999-12-31T23:59:59.999999Z.
    const ACCEPTED_US: [i64; 2] = [-62_167_219_200_000_000, 253_402_300_799_999_999];

    /// The frames of the points of `layer` that pass `query`, from its start to its end. A missing start or end is that
    /// of the points, rounded outwards to a multiple of `every_us` since 1970, UTC, within the years 0 to 9999.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::Input`] if the layer has no times, or cannot be read.
    pub fn of(layer: &Layer, query: &Query<'_>, every_us: i64) -> Result<Self> {
        if every_us <= 0 {
            return Self::new(0, 1, every_us);
        }
        let (start_us, end_us) = match (query.filter.start_us, query.filter.end_us) {
            (Some(start_us), Some(end_us)) => (start_us, end_us),
            (start_us, end_us) => {
                let times = layer.times(query)?;
                let none = || Error::input(layer.name(), "no selected point has a time, so there are no frames");
                let [first, last] = times.ok_or_else(none)?;
                let [earliest, latest] = Self::ACCEPTED_US;
                let down = |us: i64| us.div_euclid(every_us).saturating_mul(every_us);
                let (start, end) = (down(first), down(last).saturating_add(every_us));
                // Points beyond those years by their offset from UTC are in a frame too.
                let start = start.max(earliest.min(first));
                let end = end.min(latest.max(last.saturating_add(1)));
                (start_us.unwrap_or(start), end_us.unwrap_or(end))
            }
        };
        Self::new(start_us, end_us, every_us)
    }

    /// The number of frames, at least 1.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.count
    }

    /// The start (inclusive) and end (exclusive) of a frame, in microseconds since 1970.
    pub fn at(&self, frame: usize) -> [i64; 2] {
        let start = i128::from(self.first_us) + i128::from(self.every_us) * frame as i128;
        let within = |us: i128| us.clamp(i128::from(self.first_us), i128::from(self.end_us)) as i64;
        [within(start), within(start + i128::from(self.every_us))]
    }

    /// The query limited to the points of a frame.
    pub fn query<'q>(&self, frame: usize, query: &Query<'q>) -> Query<'q> {
        let [start_us, end_us] = self.at(frame);
        query.clone().with_start(Some(start_us)).with_end(Some(end_us))
    }

    /// The number of points of `layer` that pass `query`, per frame.
    ///
    /// # Errors
    /// If the points cannot be read.
    pub fn points(&self, layer: &Layer, query: &Query<'_>) -> Result<Vec<u64>> {
        let mut counts = vec![0; self.count];
        let query = query.clone().with_start(Some(self.first_us)).with_end(Some(self.end_us));
        each_time(layer, &query, |time_us, n| {
            let frame = (i128::from(time_us) - i128::from(self.first_us)) / i128::from(self.every_us);
            if let Some(count) = usize::try_from(frame).ok().and_then(|frame| counts.get_mut(frame)) {
                *count += n;
            }
        })?;
        Ok(counts)
    }

    /// The value range of the colors of all frames on a canvas: the union of the ranges of the individual frames.
    /// `None` for the classic blend, whose colors are absolute, and if no frame has a point. `each` is called after
    /// each frame.
    ///
    /// # Errors
    /// As [`render()`](super::render()); [`Error::Invalid`] for `curve` if the colors depend on the points of each
    /// picture.
    pub fn span(
        &self,
        layer: &Layer,
        query: &Query<'_>,
        canvas: &Canvas,
        style: &Style,
        threads: usize,
        mut each: impl FnMut(),
    ) -> Result<Option<Span>> {
        check_frames(style)?;
        if style.blend == Blend::Classic {
            return Ok(None);
        }
        if let Some(span) = style.known_span() {
            return Ok(Some(span));
        }
        let free = Style { vmin: None, vmax: None, ..style.clone() };
        let mut span: Option<Span> = None;
        for frame in 0..self.count {
            let query = self.query(frame, query);
            let heat = render_shaded(&**layer.point_set(), &query, canvas, &free, None, threads)?;
            if let Some(values) = heat.values.filter(|_| heat.drawn > 0) {
                span = Some(union(span, values.span));
            }
            each();
        }
        span.map(|span| with_limits(span, style)).transpose()
    }

    /// The value range of the colors in pictures of a layer at the scale of `canvas`, whatever bounds they show: the
    /// union of the ranges that [`Layer::shading`] returns for `frames`.
    ///
    /// # Errors
    /// As [`span`](Self::span).
    pub fn span_at_scale(
        &self,
        layer: &Layer,
        query: &Query<'_>,
        canvas: &Canvas,
        style: &Style,
        threads: usize,
        frames: impl IntoIterator<Item = usize>,
    ) -> Result<Option<Span>> {
        check_frames(style)?;
        let free = Style { vmin: None, vmax: None, ..style.clone() };
        let mut span: Option<Span> = None;
        for frame in frames {
            if let Some(shading) = layer.shading(&self.query(frame, query), canvas, &free, threads)? {
                span = Some(union(span, shading.span));
            }
        }
        span.map(|span| with_limits(span, style)).transpose()
    }
}

/// Rejects a curve whose colors differ between frames.
fn check_frames(style: &Style) -> Result<()> {
    if style.blend == Blend::Add && style.curve == Curve::EqHist {
        let message =
            "with eqhist the colors depend on the points of each frame and cannot be compared; use log or sqrt";
        return Err(Error::invalid(Parameter::CURVE, message));
    }
    Ok(())
}

fn union(span: Option<Span>, other: Span) -> Span {
    span.map_or(other, |span| Span { vmin: span.vmin.min(other.vmin), vmax: span.vmax.max(other.vmax) })
}

/// The span with the `vmin` and `vmax` of a style, where it has them.
fn with_limits(span: Span, style: &Style) -> Result<Span> {
    let span = Span { vmin: style.vmin.unwrap_or(span.vmin), vmax: style.vmax.unwrap_or(span.vmax) };
    if span.vmin < span.vmax {
        return Ok(span);
    }
    let (vmin, vmax) = (Parameter::VMIN, Parameter::VMAX);
    let (parameter, detail) = if style.vmin.is_some() {
        (vmin, "no frame has a value above it; give both ")
    } else {
        (vmax, "no frame has a value below it; give both ")
    };
    Err(Error::invalid(parameter, message!(detail, vmin, " and ", vmax)))
}

impl Layer {
    /// The minimum and maximum time of the points that pass `query`, in microseconds since 1970; `None` if none has a
    /// time.
    ///
    /// # Errors
    /// If the points cannot be read.
    pub fn times(&self, query: &Query<'_>) -> Result<Option<[i64; 2]>> {
        if let (Some(totals), false) = (self.totals(), query.filter.is_active()) {
            return Ok(totals.time_us);
        }
        let mut times: Option<[i64; 2]> = None;
        each_time(self, query, |time, _| {
            let [first, last] = times.unwrap_or([time; 2]);
            times = Some([first.min(time), last.max(time)]);
        })?;
        Ok(times)
    }
}

/// Calls `each` with the time of each point that passes `query` and has a time, and with 1; of bins, with the time of a row
/// and the number of its points.
fn each_time(layer: &Layer, query: &Query<'_>, mut each: impl FnMut(i64, u64) + Send) -> Result<()> {
    let query = query.clone().with_weights(false).with_times(true).with_bins(true);
    let mut sink = |batch: Points<'_>| {
        let times = batch.time_us().into_iter().flatten().copied().enumerate();
        times.filter(|(_, time)| *time != Points::NO_TIME).for_each(|(row, time)| each(time, batch.points_of(row)));
        query.flow()
    };
    layer.point_set().scan(&query, &mut [&mut sink])?;
    if query.is_stopped() { Err(Error::Cancelled) } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::{Bounds, Projection};
    use crate::layer::{LayerSpec, Size, canvas_of};

    const DAY_US: i64 = 86_400_000_000;

    fn layer(text: &str) -> (tempfile::TempDir, Layer) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, text).unwrap();
        let spec =
            LayerSpec { name: "a".into(), inputs: vec![path.to_str().unwrap().to_owned()], ..LayerSpec::default() };
        (folder, Layer::open(spec).unwrap())
    }

    #[test]
    fn frames_cover_their_time_without_gap_or_overlap() {
        let frames = Frames::new(5, 26, 10).unwrap();
        assert_eq!((frames.len(), frames.at(0), frames.at(1), frames.at(2)), (3, [5, 15], [15, 25], [25, 26]));
        assert_eq!(Frames::new(0, 10_000, 1).unwrap().len(), 10_000);
        for (start, end, every) in [(0, 10, 0), (0, 10, -1), (5, 5, 1), (0, 10_001, 1), (i64::MIN, i64::MAX, 1)] {
            assert!(Frames::new(start, end, every).is_err(), "{start} {end} {every}");
        }
        let all = Frames::new(i64::MIN, i64::MAX, i64::MAX).unwrap();
        assert_eq!((all.len(), all.at(2)[1]), (3, i64::MAX));
    }

    #[test]
    fn the_frames_of_a_layer_start_at_whole_days_and_cover_its_points() {
        let rows = "lon,lat,time\n1,1,2024-05-01T10:00:00Z\n1,1,2024-05-03T00:00:00Z\n2,1,2024-05-03T23:59:59Z\n5,5,\n";
        let (_folder, layer) = layer(rows);
        let query = layer.query();
        let frames = Frames::of(&layer, &query, DAY_US).unwrap();
        assert_eq!(frames.points(&layer, &query).unwrap(), [1, 0, 2]);
        assert_eq!(frames.at(0)[0].rem_euclid(DAY_US), 0);
        let later = layer.query().with_start(Some(frames.at(1)[0] + 5));
        let frames = Frames::of(&layer, &later, DAY_US).unwrap();
        assert_eq!(
            (frames.at(0)[0], frames.points(&layer, &later).unwrap()),
            (later.filter.start_us.unwrap(), vec![1, 1])
        );
        let none = layer.query().with_end(Some(0));
        assert!(Frames::of(&layer, &none, DAY_US).unwrap_err().to_string().contains("there are no frames"));
    }

    #[test]
    fn the_span_of_all_frames_is_that_of_the_hottest() {
        let mut rows = "lon,lat,time\n1,1,2024-05-01\n".to_owned();
        (0..9).for_each(|_| rows.push_str("1,1,2024-05-02\n"));
        let (_folder, layer) = layer(&rows);
        let canvas =
            canvas_of(Projection::Mercator, Bounds::new(0.0, 0.0, 2.0, 2.0).unwrap(), Size::Exact(32, 32)).unwrap();
        let style = Style::new().unwrap();
        let query = layer.query();
        let frames = Frames::of(&layer, &query, DAY_US).unwrap();
        let mut calls = 0;
        let span = frames.span(&layer, &query, &canvas, &style, 1, || calls += 1).unwrap().unwrap();
        let single = |frame| {
            let frames = Frames { count: 1, first_us: frames.at(frame)[0], ..frames };
            frames.span(&layer, &query, &canvas, &style, 1, || ()).unwrap().unwrap()
        };
        assert_eq!((calls, span.vmax.to_bits()), (2, single(1).vmax.to_bits()));
        assert!(single(0).vmax < span.vmax / 5.0);
        let sampled = frames.span_at_scale(&layer, &query, &canvas, &style, 1, 0..2).unwrap().unwrap();
        assert!(sampled.vmax > 0.0);
        let low = Style { vmin: Some(1e9), ..style.clone() };
        assert!(frames.span(&layer, &query, &canvas, &low, 1, || ()).is_err());
        let both = Style { vmin: Some(1.0), vmax: Some(2.0), ..style.clone() };
        assert_eq!(frames.span(&layer, &query, &canvas, &both, 1, || ()).unwrap(), Some(Span { vmin: 1.0, vmax: 2.0 }));
        let equalized = Style { curve: Curve::EqHist, ..style };
        assert!(frames.span(&layer, &query, &canvas, &equalized, 1, || ()).is_err());
    }
}
