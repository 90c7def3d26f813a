//! The report of drawn, skipped and rejected labels.

use std::collections::BTreeMap;

use super::size::shortened;
use super::{AnnotationOptions, MAX_EXACT};
use crate::limit::{Limit, Reason};

/// The maximum number of reported reasons.
const MAX_REASONS: usize = 8;
/// The maximum number of classes.
pub(super) const MAX_CLASSES: usize = 10_000;
/// The maximum number of classes that a message lists.
const NAMED: usize = 20;

/// The numbers of drawn, skipped and rejected labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnotationReport {
    /// The number of images, with and without labels.
    pub images: usize,
    /// The number of drawn labels.
    pub labels: usize,
    /// The number of labels skipped because their class is not selected, or because they are crowds.
    pub filtered: usize,
    /// The number of drawn labels that were clipped at the edge of their image.
    pub clipped: usize,
    /// The number of rejected labels.
    pub rejected: usize,
    /// The location and the reason of the first eight rejected labels.
    pub reasons: Vec<String>,
    /// The drawn labels of each class, by its name.
    pub classes: Vec<(String, usize)>,
}

impl AnnotationReport {
    /// Remarks on clipped and rejected labels, one sentence each.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.clipped > 0 {
            remarks.push(format!(
                "{} of {} reach beyond their image and were clipped",
                self.clipped,
                counted(self.labels, "label")
            ));
        }
        if self.rejected > 0 {
            remarks.push(format!("{} rejected: {}", counted(self.rejected, "label"), self.reasons.join("; ")));
        }
        remarks
    }
}

/// A count and what is counted: `1 label`, `2 labels`.
fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Whether a shape was cut off at the edge of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it is within.
    Within,
    /// Some or all of it is outside.
    Clipped,
}

/// Counts labels while they are drawn.
pub(super) struct Reduction<'o> {
    options: &'o AnnotationOptions,
    report: AnnotationReport,
    /// The labels drawn of every class that there is, also of those that are not chosen.
    classes: BTreeMap<String, usize>,
    seen: usize,
}

impl<'o> Reduction<'o> {
    pub(super) fn new(options: &'o AnnotationOptions, images: usize) -> Self {
        let report = AnnotationReport { images, ..AnnotationReport::default() };
        Self { options, report, classes: BTreeMap::new(), seen: 0 }
    }

    /// Counts a label before it is read.
    pub(super) fn start_label(&mut self) -> Result<(), Reason> {
        self.seen += 1;
        let most = self.options.limits.max_labels.min(MAX_EXACT);
        if self.seen > most {
            return Err(Reason::limit(Limit::Labels, format!("the labels exceed the limit of {most}")));
        }
        Ok(())
    }

    /// Notes that there is a class of this name.
    pub(super) fn add_class(&mut self, name: &str) -> Result<(), String> {
        if !self.classes.contains_key(name) {
            if self.classes.len() == MAX_CLASSES {
                return Err(format!("the classes exceed the limit of {MAX_CLASSES}"));
            }
            self.classes.insert(name.to_owned(), 0);
        }
        Ok(())
    }

    /// Whether labels of a class are drawn; if not, counts one that is left out.
    pub(super) fn is_chosen(&mut self, class: &str) -> bool {
        let is_chosen = self.options.classes.is_empty() || self.options.classes.iter().any(|chosen| chosen == class);
        self.report.filtered += usize::from(!is_chosen);
        is_chosen
    }

    /// Counts a label that is left out on purpose.
    pub(super) fn skip(&mut self) {
        self.report.filtered += 1;
    }

    /// Counts a label that was drawn.
    pub(super) fn drawn(&mut self, class: &str, extent: Extent) {
        self.report.labels += 1;
        self.report.clipped += usize::from(extent == Extent::Clipped);
        if let Some(count) = self.classes.get_mut(class) {
            *count += 1;
        }
    }

    /// Counts an invalid label. `place` is the file and the location in it.
    pub(super) fn reject(&mut self, place: &str, reason: &str) {
        self.report.rejected += 1;
        if self.report.reasons.len() < MAX_REASONS {
            let reason = if reason.chars().nth(200).is_some() {
                format!("{}…", reason.chars().take(200).collect::<String>())
            } else {
                reason.to_owned()
            };
            self.report.reasons.push(format!("{place}: {reason}"));
        }
    }

    /// The report, if every chosen class is there, and a label of one.
    pub(super) fn finish(mut self) -> Result<AnnotationReport, String> {
        let unknown = self.options.classes.iter().find(|chosen| !self.classes.contains_key(*chosen));
        if let Some(unknown) = unknown {
            return Err(format!("unknown class {:?}; {}", shortened(unknown), self.present()));
        }
        if self.report.labels == 0 {
            let why = match (self.report.reasons.first(), self.options.classes.is_empty()) {
                (Some(reason), _) if self.report.rejected == 1 => format!("the only label is rejected: {reason}"),
                (Some(reason), _) => format!("all {} labels are rejected: {reason}", self.report.rejected),
                (None, true) => format!("no label in {}", counted(self.report.images, "image")),
                (None, false) => format!("no label of the chosen classes in {}", counted(self.report.images, "image")),
            };
            return Err(why);
        }
        self.report.classes = self.classes.into_iter().filter(|(_, labels)| *labels > 0).collect();
        Ok(self.report)
    }

    fn present(&self) -> String {
        if self.classes.is_empty() {
            return "no class is present".to_owned();
        }
        let named: Vec<_> = self.classes.keys().take(NAMED).map(|name| shortened(name)).collect();
        let more = self.classes.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("present are {}{more}", named.join(", "))
    }
}
