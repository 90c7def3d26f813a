//! Memory that returns to the system after a burst.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::http::server::App;

/// The interval between checks.
const CHECK_EVERY: Duration = Duration::from_secs(2);

/// The size of released bodies that is worth a trim, which visits all pages of the heap.
const MIN_RELEASED_BYTES: u64 = 16 << 20;

/// Returns freed memory to the system after large request bodies, until the server stops.
///
/// Bodies arrive in small chunks, which fragment the heap of glibc: after 1,024 compressed bodies 422 MB stayed resident
/// although 60 MB were in use.
pub(crate) async fn run(app: Arc<App>) {
    let mut ticks = tokio::time::interval(CHECK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut released = 0;
    loop {
        ticks.tick().await;
        let new = app.bodies.take_released();
        released += new;
        // During a burst, the memory would be allocated again at once.
        if released < MIN_RELEASED_BYTES || new >= MIN_RELEASED_BYTES {
            continue;
        }
        released = 0;
        // Fails only at shutdown.
        let _ = tokio::task::spawn_blocking(trim).await;
    }
}

/// Limits the heaps that glibc creates for threads, which keep what was freed in each of them, to one per processor rather than
/// eight. It must be called before other threads run, and does nothing if the environment sets parameters of the allocator.
#[cfg(feature = "cli")]
pub(crate) fn limit_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    set_parameters(&[(libc::M_ARENA_MAX, crate::available_threads().clamp(2, 8) as libc::c_int)]);
}

/// Returns blocks beyond 4 MB to the system when they are freed, for a process that runs for a long time. By default, glibc keeps
/// large blocks after the first one was freed, which makes a single long computation faster.
///
/// The threshold must not be much smaller: each tile would map the buffers of the previous one again.
#[cfg(feature = "cli")]
pub(crate) fn return_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LARGE_BYTES: libc::c_int = 4 << 20;
        set_parameters(&[(libc::M_MMAP_THRESHOLD, LARGE_BYTES), (libc::M_TRIM_THRESHOLD, LARGE_BYTES)]);
    }
}

/// Sets parameters of the allocator of glibc, unless the environment does.
#[cfg(all(feature = "cli", target_os = "linux", target_env = "gnu"))]
fn set_parameters(parameters: &[(libc::c_int, libc::c_int)]) {
    if ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"].iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    for &(name, value) in parameters {
        // SAFETY: `mallopt` has no preconditions but that no other thread allocates while it changes parameters: none runs yet.
        #[allow(unsafe_code)]
        unsafe {
            libc::mallopt(name, value);
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // SAFETY: `malloc_trim` has no preconditions, and locks each arena while it releases its free pages.
    #[allow(unsafe_code)]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators return memory by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}
