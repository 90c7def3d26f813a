//! The scan of a JSON document, whatever its rows look like: names first, then the rows of each part to the intake.

use std::ops::ControlFlow;

use serde::de::Deserializer;

use super::batch::{Has, Row};
use super::document::{Document, Halt, Values};
use super::intake::Intake;
use super::parts::scan_parts;
use super::record::{Kind, Names, Record, Sample};
use super::role::Role;
use super::{Ground, Query, ScanReport, Sink};
use kiln_core::error::Result;

/// How the values of a document become rows.
pub(super) trait Grammar: Default {
    /// What the rows are called and made of.
    const KIND: Kind;

    /// Tells the rows of one value at the top of the document.
    fn value<'de, D: Deserializer<'de>>(&mut self, rows: &mut Rows<'_, '_, '_>, value: D) -> Result<(), D::Error>;
}

/// Where a grammar puts the rows that it finds.
pub(super) struct Rows<'r, 'i, 's> {
    /// The values of the row at hand.
    pub(super) record: Record<'r>,
    /// Which coordinates are valid.
    pub(super) ground: Ground,
    intake: &'r mut Intake<'i, 's>,
    halt: Option<Halt>,
}

impl Rows<'_, '_, '_> {
    /// Rows after which the progress is told.
    const PROGRESS_ROWS: u64 = 4096;

    /// Tells a point at `lon`, `lat` with the values of the record.
    #[inline]
    pub(super) fn point<E: serde::de::Error>(&mut self, lon: f64, lat: f64) -> Result<(), E> {
        let flow = match (self.record.weight(), self.record.time_us()) {
            (Ok(weight), Ok(time_us)) => {
                self.intake.row(Row { lon, lat, weight, time_us, category: self.record.category() })
            }
            (Err(role), _) | (_, Err(role)) => {
                self.intake.reject(|| self.record.flaw(role));
                ControlFlow::Continue(())
            }
        };
        if flow.is_break() { Err(self.halt(Halt::Stopped)) } else { self.told() }
    }

    /// Tells a row whose longitude and latitude are values of the record too.
    #[inline]
    pub(super) fn placed_point<E: serde::de::Error>(&mut self) -> Result<(), E> {
        match (self.record.number(Role::Lon), self.record.number(Role::Lat)) {
            (Ok(lon), Ok(lat)) => self.point(lon, lat),
            (Err(role), _) | (_, Err(role)) => {
                self.intake.reject(|| self.record.flaw(role));
                self.told()
            }
        }
    }

    /// Tells a row that holds no point.
    pub(super) fn reject<E: serde::de::Error>(&mut self, reason: impl FnOnce() -> String) -> Result<(), E> {
        self.intake.reject(reason);
        self.told()
    }

    /// Tells a line that is not even JSON.
    fn broken(&mut self, reason: impl FnOnce() -> String) {
        self.intake.reject(reason);
        if self.intake.rows().is_multiple_of(Self::PROGRESS_ROWS) {
            self.intake.advance(0);
        }
        if self.record.sample.is_some() && self.intake.rows() >= Sample::MOST_ROWS {
            self.halt = Some(Halt::Enough);
        }
    }

    /// The error that ends the reading for `halt`.
    #[cold]
    pub(super) fn halt<E: serde::de::Error>(&mut self, halt: Halt) -> E {
        self.halt = Some(halt);
        E::custom("halted")
    }

    fn told<E: serde::de::Error>(&mut self) -> Result<(), E> {
        let rows = self.intake.rows();
        if rows.is_multiple_of(Self::PROGRESS_ROWS) {
            self.intake.advance(0);
        }
        if let Some(sample) = &mut self.record.sample {
            sample.rows += 1;
            if rows >= Sample::MOST_ROWS {
                return Err(self.halt(Halt::Enough));
            }
        }
        Ok(())
    }
}

/// A grammar at work on the rows of one part.
struct Reader<'r, 'i, 's, G> {
    grammar: G,
    rows: Rows<'r, 'i, 's>,
}

impl<G: Grammar> Values for Reader<'_, '_, '_, G> {
    fn value<'de, D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        self.grammar.value(&mut self.rows, value)
    }

    fn broken(&mut self, reason: impl FnOnce() -> String) {
        self.rows.broken(reason);
    }

    fn halted(&mut self) -> Option<Halt> {
        self.rows.halt.take()
    }
}

/// Scans `document`, whose rows `G` finds.
pub(super) fn scan<G: Grammar>(
    document: &Document,
    query: &Query<'_>,
    sinks: &mut [&mut Sink<'_>],
) -> Result<ScanReport> {
    let input = document.name();
    let sample = sample::<G>(document, query.columns.ground)?;
    let names = Names::settle(input, G::KIND, query, &sample)?;
    if let Some(progress) = query.scan.progress {
        progress.expect_bytes(document.bytes());
    }
    let report = scan_parts(input, document.parts(), query, names.has(), sinks, |part, intake| {
        let rows = Rows { record: Record::new(&names), ground: query.columns.ground, intake, halt: None };
        let mut reader = Reader { grammar: G::default(), rows };
        let flow = document.read_part(part, query.scan.progress, &mut reader);
        intake.advance(0);
        flow
    })?;
    if sample.rows > 0 {
        names.check_met(input)?;
    }
    Ok(report)
}

/// Looks at the first rows of `document`, which nobody else sees.
fn sample<G: Grammar>(document: &Document, ground: Ground) -> Result<Sample> {
    let (query, names) = (Query::default().with_ground(ground), Names::unsettled(G::KIND));
    let mut nobody = |_: kiln_core::geo::Points<'_>| ControlFlow::Continue(());
    let nobody: &mut Sink<'_> = &mut nobody;
    let mut intake = Intake::new(&query, nobody, Has::default());
    let rows = Rows { record: Record::sampling(&names), ground, intake: &mut intake, halt: None };
    let mut reader = Reader { grammar: G::default(), rows };
    // A sample never asks to be stopped, so it always continues.
    let _ = document.read(&mut reader)?;
    Ok(reader.rows.record.sample.unwrap_or_default())
}
