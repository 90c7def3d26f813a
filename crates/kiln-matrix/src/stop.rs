//! Cancellation of drawings and readers.

use std::sync::atomic::{AtomicBool, Ordering};

use kiln_core::error::{Error, Result};

use crate::layout::layout;
use crate::{Chart, png, svg};

/// The flag of a caller that cancels work, if it has one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stop<'s>(Option<&'s AtomicBool>);

impl<'s> Stop<'s> {
    /// No flag.
    pub(crate) const NEVER: Self = Self(None);

    pub(crate) fn new(flag: &'s AtomicBool) -> Self {
        Self(Some(flag))
    }

    pub(crate) fn is_set(self) -> bool {
        self.0.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Returns [`Error::Cancelled`] once the flag is set.
    pub(crate) fn check(self) -> Result<()> {
        if self.is_set() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// A chart with a cancellation flag: [`Chart::with_stop`].
#[derive(Clone, Copy, Debug)]
pub struct CancellableChart<'c> {
    chart: &'c Chart,
    stop: Stop<'c>,
}

impl<'c> CancellableChart<'c> {
    pub(crate) fn new(chart: &'c Chart, stop: Stop<'c>) -> Self {
        Self { chart, stop }
    }

    /// The chart as an RGB PNG, as [`Chart::png`].
    ///
    /// # Errors
    /// As [`Chart::png`]; [`Error::Cancelled`] once the flag is set.
    pub fn png(&self) -> Result<Vec<u8>> {
        let ratio = self.chart.pixel_ratio;
        png::write(&layout(self.chart, ratio, false, self.stop)?, ratio, self.stop)
    }

    /// The chart as an SVG document, as [`Chart::svg`].
    ///
    /// # Errors
    /// As [`Chart::svg`]; [`Error::Cancelled`] once the flag is set.
    pub fn svg(&self) -> Result<String> {
        svg::write(&layout(self.chart, 1.0, true, self.stop)?, self.stop)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{ChartData, InputFormat, InputOptions, Matrix, MatrixInput};

    #[test]
    fn a_set_flag_cancels_drawings_and_readers() {
        let labels = |name: &str| vec![name.to_owned(); 2];
        let chart = Chart::new(ChartData::Cells(Matrix::new(labels("x"), labels("y"), vec![Some(1.0); 4]).unwrap()));
        let stop = AtomicBool::new(false);
        assert!(chart.with_stop(&stop).png().unwrap() == chart.png().unwrap());
        assert!(chart.with_stop(&stop).svg().unwrap() == chart.svg().unwrap());
        let inputs: [(&[u8], InputFormat); 4] = [
            (b"[[1, 2]]", InputFormat::Json),
            (b"[{\"x\": 1, \"y\": 2, \"value\": 3}]", InputFormat::Json),
            (b"1,2\n", InputFormat::Csv),
            (b"x,y,value\n1,2,3\n", InputFormat::Csv),
        ];
        let options = InputOptions::default();
        for (bytes, format) in inputs {
            assert!(MatrixInput::parse_with_stop(bytes, format, &options, &stop).is_ok());
        }
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(chart.with_stop(&stop).png(), Err(Error::Cancelled)));
        assert!(matches!(chart.with_stop(&stop).svg(), Err(Error::Cancelled)));
        // Each step after the layout checks the flag, too.
        let scene = layout(&chart, 1.0, true, Stop::NEVER).unwrap();
        assert!(matches!(png::write(&scene, 1.0, Stop::new(&stop)), Err(Error::Cancelled)));
        assert!(matches!(svg::write(&scene, Stop::new(&stop)), Err(Error::Cancelled)));
        for (bytes, format) in inputs {
            let read = MatrixInput::parse_with_stop(bytes, format, &options, &stop);
            assert!(matches!(read, Err(Error::Cancelled)), "{format:?}");
        }
    }
}
