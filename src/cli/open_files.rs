//! The limit of open files.

/// Raises the soft limit of open files to the hard limit: the usual soft limit of 1,024 is kept for programs that call
/// `select`, and is less than a server with many connections needs.
pub(super) fn raise() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        if limit.current != limit.maximum {
            // The server runs with the soft limit otherwise.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        }
    }
}

/// The hard limit of open files; `None` if it is unknown. Unlimited is [`u64::MAX`].
#[cfg_attr(unix, allow(clippy::unnecessary_wraps, reason = "it is unknown on other systems"))]
pub(super) fn hard_limit() -> Option<u64> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};
        Some(getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX))
    }
    #[cfg(not(unix))]
    None
}
