//! Steps of a request as spans of its trace. Without the feature `otel` they are nothing.

/// The target of the spans, which the log leaves out.
#[cfg(feature = "otel")]
pub(crate) const TARGET: &str = "kiln::step";

/// A step of the current request, until it is dropped.
#[must_use]
pub(crate) struct Step {
    #[cfg(feature = "otel")]
    _span: tracing::span::EnteredSpan,
}

impl Step {
    /// Begins a step on this thread, within the step or the request that the thread works for. On the threads that help with
    /// a step there is none.
    pub(crate) fn enter(name: &'static str) -> Self {
        #[cfg(not(feature = "otel"))]
        let _ = name;
        Self {
            #[cfg(feature = "otel")]
            _span: if tracing::Span::current().is_none() {
                tracing::Span::none().entered()
            } else {
                tracing::info_span!(target: TARGET, "step", otel.name = name).entered()
            },
        }
    }
}
