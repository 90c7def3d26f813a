//! Runtime dispatch to SIMD instruction sets.
//!
//! The binary is built for baseline x86-64 (or any aarch64), and loops that vectorize are compiled again for AVX2 and
//! AVX-512. All versions return the same bits: they run the same IEEE operations in the same order, and no
//! multiplication and addition are contracted into a fused multiply-add.

use std::sync::atomic::{AtomicU32, Ordering};

/// Declares a function that is compiled for each vector width and dispatched at run time by the CPU's features.
#[macro_export]
#[doc(hidden)]
macro_rules! wide {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, clippy::inline_always)]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                if $crate::simd::has_avx512() {
                    // SAFETY: `has_avx512` detects the four features that the function is compiled for.
                    #[allow(unsafe_code)]
                    return unsafe { avx512($($arg),*) };
                }
                if $crate::simd::has_avx2() {
                    // SAFETY: `has_avx2` detects the feature that the function is compiled for.
                    #[allow(unsafe_code)]
                    return unsafe { avx2($($arg),*) };
                }
            }
            body($($arg),*)
        }
    };
}
pub use crate::wide;

/// The maximum vector width, in bits.
static MAX_BITS: AtomicU32 = AtomicU32::new(u32::MAX);

/// The maximum vector width, in bits. It is unlimited except in tests that compare the versions.
#[inline]
pub fn max_bits() -> u32 {
    MAX_BITS.load(Ordering::Relaxed)
}

/// Whether the versions for AVX-512 run.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn has_avx512() -> bool {
    max_bits() >= 512
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Whether the versions for AVX2 run, unless those for AVX-512 do.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn has_avx2() -> bool {
    max_bits() >= 256 && is_x86_feature_detected!("avx2")
}

/// The instruction set of the versions that run.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    return if has_avx512() {
        "AVX-512"
    } else if has_avx2() {
        "AVX2"
    } else {
        "SSE2"
    };
    #[cfg(not(target_arch = "x86_64"))]
    if cfg!(target_arch = "aarch64") { "NEON" } else { "the target" }
}

/// Returns the results of `work` at each vector width, narrowest first. The width is global, which does not affect
/// tests that run concurrently: all widths return the same bits.
pub fn at_each_width<R>(mut work: impl FnMut() -> R) -> Vec<R> {
    let results = [128, 256, u32::MAX].map(|bits| {
        MAX_BITS.store(bits, Ordering::Relaxed);
        work()
    });
    results.into()
}
