//! Panics: of third-party decoders, as errors; and of work that other threads wait for.
//!
//! Some decoders panic on damaged input. The panic hook would print a message for each such panic, into the log and above
//! the error that the caller reports.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// The number of calls of [`quietly`] in progress on this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Calls a third-party decoder, and returns the message of its panic as an error. The panic hook of the process is not
/// called for panics of `decode` on this thread. The state that `decode` has changed must not be used after a panic.
///
/// # Errors
/// The message of the panic.
pub fn quietly<T>(decode: impl FnOnce() -> T) -> Result<T, String> {
    static INSTALL: Once = Once::new();
    // Replacing the hook while this thread panics would abort the process.
    if !std::thread::panicking() {
        INSTALL.call_once(|| {
            let previous = take_hook();
            set_hook(Box::new(move |info| {
                // During the destruction of thread-local values, the depth is unknown, and nothing is decoded.
                if DEPTH.try_with(Cell::get).unwrap_or(0) == 0 {
                    previous(info);
                }
            }));
        });
    }
    DEPTH.set(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(decode));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|panic| message(&*panic))
}

/// Calls its function when it is dropped, also while a panic unwinds the stack: threads that wait for the end of some work
/// would otherwise wait forever after a panic of it.
#[derive(Debug)]
pub struct OnDrop<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("the decoder failed").to_owned()
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, reason = "the tests are about panics")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn panics_of_decoders_become_errors_without_a_message_of_the_hook_and_others_keep_theirs() {
        static PRINTED: AtomicUsize = AtomicUsize::new(0);
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            // Other tests panic on purpose, too.
            if info.payload().downcast_ref::<&str>().is_some_and(|text| text.starts_with("counted")) {
                PRINTED.fetch_add(1, Ordering::Relaxed);
            } else {
                previous(info);
            }
        }));
        assert_eq!(quietly(|| 1), Ok(1));
        assert_eq!(quietly(|| -> u8 { panic!("counted {}", 1) }), Err("counted 1".to_owned()));
        let nested = quietly(|| -> Result<u8, String> {
            assert_eq!(quietly(|| -> u8 { panic!("counted: inner") }), Err("counted: inner".to_owned()));
            panic!("counted: outer")
        });
        assert_eq!(nested, Err("counted: outer".to_owned()));
        assert_eq!(PRINTED.load(Ordering::Relaxed), 0);
        assert!(catch_unwind(|| panic!("counted: not a decoder")).is_err());
        assert!(std::thread::spawn(|| panic!("counted: of a thread")).join().is_err());
        assert_eq!(PRINTED.load(Ordering::Relaxed), 2);
    }
}
