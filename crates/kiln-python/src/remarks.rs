//! Remarks on points, in the words of the package.

use kiln::layer::remarks_with_rejections;
use kiln::parameter::Parameter;
use kiln::source::ScanReport;

/// The remarks on points that were read.
#[derive(Clone, Default)]
pub(crate) struct Remarks {
    /// All of them, with assumptions such as the weight column that was found.
    pub(crate) all: Vec<String>,
    /// Those on values that were dropped or changed.
    pub(crate) losses: Vec<String>,
}

impl Remarks {
    pub(crate) fn of(report: &ScanReport) -> Self {
        let losses = ScanReport { notices: Vec::new(), ..report.clone() };
        Self { all: remarks_with_rejections(report, keyword), losses: remarks_with_rejections(&losses, keyword) }
    }
}

/// The keyword of a parameter. The column of the category is named like its flag, since `category` is a filter.
pub(crate) fn keyword(parameter: Parameter) -> &'static str {
    if parameter == Parameter::CATEGORY_COLUMN { parameter.name() } else { parameter.key() }
}
