//! The locks of the tests, which the scheduler of a simulation can interleave.

use std::ops::{Deref, DerefMut};
use std::sync::{self, LockResult, PoisonError, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult};

use crate::simulation::World;

/// Takes a lock: a thread of a simulation passes its turn on until the lock is free.
fn take<G>(attempt: impl Fn() -> TryLockResult<G>, wait: impl FnOnce() -> LockResult<G>) -> LockResult<G> {
    let Some(context) = World::current() else { return wait() };
    context.world.pause();
    loop {
        match attempt() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Err(poisoned),
            Err(TryLockError::WouldBlock) => context.world.pass_on(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// `None` while the thread waits for a condition.
    guard: Option<sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the signature is that of the standard library")]
    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let guard = take(|| self.0.try_lock(), || self.0.lock()).unwrap_or_else(PoisonError::into_inner);
        Ok(MutexGuard { mutex: self, guard: Some(guard) })
    }

    pub(crate) fn try_lock(&self) -> Result<MutexGuard<'_, T>, ()> {
        self.0.try_lock().map(|guard| MutexGuard { mutex: self, guard: Some(guard) }).map_err(drop)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().unwrap()
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().unwrap()
    }
}

#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        take(|| self.0.try_read(), || self.0.read())
    }

    pub(crate) fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        take(|| self.0.try_write(), || self.0.write())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(sync::Condvar);

impl Condvar {
    #[allow(clippy::unnecessary_wraps, reason = "the signature is that of the standard library")]
    pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let Some(context) = World::current() else {
            let inner = guard.guard.take().unwrap();
            guard.guard = Some(self.0.wait(inner).unwrap_or_else(PoisonError::into_inner));
            return Ok(guard);
        };
        // A spurious wakeup after each turn of another thread: callers check their condition again.
        let mutex = guard.mutex;
        drop(guard);
        context.world.pass_on();
        mutex.lock()
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}
