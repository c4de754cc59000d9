// SPDX-License-Identifier: GPL-2.0

//! Lends a request's arguments to one holder at a time, with an abort that cannot be lost.
//!
//! C counterpart: `lock_request()`, `unlock_request()` and the flags that they test. The rules are
//! those of [`LendState`]; this file turns them into tokens, so that breaking them does not
//! compile:
//!
//! - a [`Lease`] reaches the arguments and copies; it has nothing that sleeps,
//! - a [`Parked`] lease may fault pages in; it does not reach the arguments,
//! - an [`Ender`] ends the request, once,
//! - a caller that leaves without its result gives something to whoever ends the request.
//!
//! Each of them is exclusive access, and goes to another thread, or is shared with one, only where
//! `&mut T` may. What is lent is pinned, so that it is changed in place only, unless it is `Unpin`.
//!
//! Takes no lock, never sleeps.

use crate::engine::lend_state::{
    AbortTake,
    Finished,
    Gone,
    LendState,
    Returned,
    Word, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::{
        offset_of,
        ManuallyDrop, //
    },
    ops::{
        Deref,
        DerefMut, //
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Full,
        Release, //
    },
};

/// The kernel's atomics as the state needs them.
struct KernelWord(Atomic<u32>);

impl Word for KernelWord {
    fn new(value: u32) -> Self {
        Self(Atomic::new(value))
    }

    #[inline]
    fn load(&self) -> u32 {
        self.0.load(Acquire)
    }

    #[inline]
    fn compare_exchange(&self, old: u32, new: u32) -> Result<u32, u32> {
        self.0.cmpxchg(old, new, Full)
    }
}

/// Arguments `T` that are lent out, and what a caller that leaves gives along, `L`.
///
/// # Invariants
///
/// `args` is accessed only by the one who borrows all of it mutably, or who holds a [`Lease`], an
/// [`Ender`], a [`Collected`], of which there is at most one: `state` admits one lease or ender at
/// a time; `claimed` is set by the one `claim()` that made the state lent, and turned into the
/// lease once; `collected` is set once, after the ender has gone.
///
/// `legacy` is written by the one who has set `left`, before `state` says that the caller has left,
/// and taken by the ender that finds it said so, or by the same caller if it was too late.
#[pin_data]
pub(crate) struct LendCell<T, L> {
    state: LendState<KernelWord>,
    claimed: Atomic<bool>,
    collected: Atomic<bool>,
    left: Atomic<bool>,
    legacy: UnsafeCell<Option<L>>,
    #[pin]
    args: UnsafeCell<T>,
}

// SAFETY: Moves `T` and `L` between threads.
unsafe impl<T: Send, L: Send> Send for LendCell<T, L> {}
// SAFETY: `T` and `L` are accessed by one holder at a time, on any thread; a holder is shared only
// where `T` may be, see `Access`.
unsafe impl<T: Send, L: Send> Sync for LendCell<T, L> {}

impl<T, L> LendCell<T, L> {
    /// Where in it the arguments are: an `UnsafeCell<T>` has the layout of a `T`.
    pub(crate) const ARGS: usize = offset_of!(Self, args);

    /// With the arguments here.
    pub(crate) fn new(args: impl PinInit<T>) -> impl PinInit<Self> {
        use pin_init::Wrapper;

        pin_init!(Self {
            state: LendState::new(),
            claimed: Atomic::new(false),
            collected: Atomic::new(false),
            left: Atomic::new(false),
            legacy: UnsafeCell::new(None),
            args <- UnsafeCell::pin_init(args),
        })
    }

    /// The arguments of a request that nobody else knows of.
    #[inline]
    pub(crate) fn args_mut(self: Pin<&mut Self>) -> &mut T
    where
        T: Unpin,
    {
        // INVARIANT: Every lease, ender and result borrows this or is borrowed from it: there is
        // none.
        self.project().args.get_mut().get_mut()
    }

    /// Lends the arguments, to be copied out.
    ///
    /// # Errors
    ///
    /// [`Gone`], see [`LendState::lend`].
    #[inline]
    pub(crate) fn lend(&self) -> Result<Lease<'_, T, L>, Gone> {
        self.state.lend()?;
        Ok(Lease(self, PhantomData))
    }

    /// Lends the arguments for the reply, to whoever calls [`accept`](Self::accept). With the
    /// engine's lock held.
    #[inline]
    pub(crate) fn claim(&self) -> bool {
        let claimed = self.state.claim();
        if claimed {
            self.claimed.store(true, Release);
        }
        claimed
    }

    /// The lease that [`claim`](Self::claim) has made; `None` if it has been accepted before.
    #[inline]
    pub(crate) fn accept(&self) -> Option<Lease<'_, T, L>> {
        // INVARIANT: Claimed, so lent, and nobody else gets the lease.
        self.claimed
            .xchg(false, Full)
            .then(|| Lease(self, PhantomData))
    }

    /// Lends the arguments of a request that the daemon has, to take out what belongs to its
    /// caller, which has left; see [`LendState::lend_again`]. With the engine's lock held.
    #[inline]
    pub(crate) fn lend_again(&self) -> Option<Lease<'_, T, L>> {
        // INVARIANT: Lent, to us.
        self.state.lend_again().then(|| Lease(self, PhantomData))
    }

    /// See [`LendState::recall`].
    #[inline]
    pub(crate) fn recall(&self) -> bool {
        self.state.recall()
    }

    /// The right to end the request, for an abort or a cancelled request; `None` if somebody else
    /// ends it, which includes a lease holder, who has been told.
    #[inline]
    pub(crate) fn abort_take(&self) -> Option<Ender<'_, T, L>> {
        match self.state.abort_take() {
            AbortTake::Taken => Some(Ender(self, PhantomData)),
            AbortTake::Marked | AbortTake::Gone => None,
        }
    }

    /// See [`LendState::interrupt`]: true if the caller is to queue the INTERRUPT.
    #[inline]
    pub(crate) fn interrupt(&self) -> bool {
        self.state.interrupt()
    }

    /// See [`LendState::is_interrupted`].
    #[inline]
    pub(crate) fn is_interrupted(&self) -> bool {
        self.state.is_interrupted()
    }

    /// See [`LendState::is_sent`].
    #[inline]
    pub(crate) fn is_sent(&self) -> bool {
        self.state.is_sent()
    }

    /// See [`LendState::is_orphan`].
    #[inline]
    pub(crate) fn is_orphan(&self) -> bool {
        self.state.is_orphan()
    }

    /// Has the request ended, and may its result be collected?
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.state.is_done()
    }

    /// The result of a request that has ended. `None` if it has not, or was collected before.
    pub(crate) fn collect(&self) -> Option<Collected<'_, T, L>> {
        if !self.state.is_done() || self.collected.xchg(true, Full) {
            return None;
        }
        // INVARIANT: The ender is done with the arguments, no lease is possible any more, and
        // `collected` admits one.
        Some(Collected(self, PhantomData))
    }
}

impl<T, L> LendCell<T, L> {
    /// The caller leaves without the result; `legacy` is for the one who ends the request.
    ///
    /// # Errors
    ///
    /// Gives `legacy` back if the request is done already, so that the result is to be collected.
    #[cold]
    pub(crate) fn leave(&self, legacy: L) -> Result<(), L> {
        if self.left.xchg(true, Full) {
            return Err(legacy);
        }
        let place = self.legacy.get();
        // SAFETY: `left` was set just now, by us, and the state does not yet say that anybody has
        // left, so that nobody else accesses it.
        unsafe { *place = Some(legacy) };
        if self.state.leave() {
            return Ok(());
        }
        // SAFETY: As above: whoever has ended the request was told to deliver.
        match unsafe { (*place).take() } {
            Some(legacy) => Err(legacy),
            None => Ok(()),
        }
    }

    /// What the ender of a request gets whose caller has left.
    #[cold]
    fn orphaned(&self) -> Option<L> {
        // SAFETY: The caller has left, after it wrote this, and there is one ender.
        unsafe { (*self.legacy.get()).take() }
    }
}

/// What a returned or parked lease became.
pub(crate) enum Back<'a, T, L> {
    /// Given back.
    Here {
        /// The INTERRUPT is to be queued.
        interrupt: bool,
        /// The caller has left before.
        orphan: bool,
    },
    /// Aborted meanwhile: the request is to be ended with this.
    MustEnd(Ender<'a, T, L>),
}

/// What a holder has of the cell: it may be sent and shared where the cell and a `&mut T` may be.
type Access<'a, T> = PhantomData<&'a mut T>;

/// Exclusive access to the arguments, for copying.
///
/// To be given back by one of its methods; a lease that is just dropped ends the request.
///
/// # Invariants
///
/// The state is lent, and to nobody else.
pub(crate) struct Lease<'a, T, L>(&'a LendCell<T, L>, Access<'a, T>);

impl<'a, T, L> Lease<'a, T, L> {
    fn back(lend: &'a LendCell<T, L>, returned: Returned) -> Back<'a, T, L> {
        match returned {
            Returned::Here { interrupt, orphan } => Back::Here { interrupt, orphan },
            // INVARIANT: The state says who ends the request: the lease holder.
            Returned::MustEnd => Back::MustEnd(Ender(lend, PhantomData)),
        }
    }

    fn into_inner(self) -> &'a LendCell<T, L> {
        ManuallyDrop::new(self).0
    }

    /// Stops copying, to fault pages in.
    ///
    /// # Errors
    ///
    /// Aborted meanwhile: the request is to be ended with the ender.
    #[inline]
    pub(crate) fn park(self) -> Result<Parked<'a, T, L>, Ender<'a, T, L>> {
        let lend = self.into_inner();
        match Self::back(lend, lend.state.park()) {
            Back::Here { .. } => Ok(Parked(lend)),
            Back::MustEnd(ender) => Err(ender),
        }
    }

    /// Everything was copied out and the reply may come.
    #[inline]
    pub(crate) fn return_sent(self) -> Back<'a, T, L> {
        let lend = self.into_inner();
        Self::back(lend, lend.state.return_sent())
    }

    /// Ends the request and publishes the result, for a caller that is to be woken up.
    ///
    /// # Errors
    ///
    /// Gives the lease back if an abort has left its mark meanwhile, or the caller has left.
    #[inline]
    pub(crate) fn finish(self) -> Result<(), Self> {
        let lend = self.into_inner();
        if lend.state.finish_lent() {
            return Ok(());
        }
        // INVARIANT: Still lent, and to us.
        Err(Lease(lend, PhantomData))
    }

    /// Ends the request; also says whether an abort has left its mark meanwhile.
    #[inline]
    pub(crate) fn end(self) -> (Ender<'a, T, L>, bool) {
        let lend = self.into_inner();
        let aborted = lend.state.end();
        (Ender(lend, PhantomData), aborted)
    }
}

impl<T, L> Lease<'_, T, L> {
    /// See [`LendState::is_orphan`].
    pub(crate) fn is_orphan(&self) -> bool {
        self.0.state.is_orphan()
    }
}

impl<T, L> Deref for Lease<'_, T, L> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the invariants of `LendCell` and of this.
        unsafe { &*self.0.args.get() }
    }
}

impl<T: Unpin, L> DerefMut for Lease<'_, T, L> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the invariants of `LendCell` and of this.
        unsafe { &mut *self.0.args.get() }
    }
}

impl<T, L> Drop for Lease<'_, T, L> {
    fn drop(&mut self) {
        self.0.state.end();
    }
}

/// A lease whose holder faults pages in: the arguments may be taken by an abort.
///
/// # Invariants
///
/// The lease is the caller's, until an abort voids it.
pub(crate) struct Parked<'a, T, L>(&'a LendCell<T, L>);

impl<'a, T, L> Parked<'a, T, L> {
    /// Goes on copying.
    ///
    /// # Errors
    ///
    /// [`Gone`]: aborted, and ended by the aborter.
    #[inline]
    pub(crate) fn resume(self) -> Result<Lease<'a, T, L>, Gone> {
        self.0.state.resume()?;
        // INVARIANT: Lent again.
        Ok(Lease(self.0, PhantomData))
    }
}

/// The right to end the request, with exclusive access to the arguments until it is finished.
///
/// # Invariants
///
/// The state is gone, by whoever made this.
pub(crate) struct Ender<'a, T, L>(&'a LendCell<T, L>, Access<'a, T>);

impl<'a, T, L> Ender<'a, T, L> {
    /// Publishes the result. `None` if there is a caller to be woken up; else what the caller has
    /// left, for whom the result is to be collected in its place.
    #[inline]
    pub(crate) fn finish(self) -> Option<L> {
        match self.0.state.finish() {
            Finished::Deliver => None,
            Finished::Orphan => self.0.orphaned(),
        }
    }
}

impl<T, L> Deref for Ender<'_, T, L> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the invariants of `LendCell` and of this.
        unsafe { &*self.0.args.get() }
    }
}

impl<T: Unpin, L> DerefMut for Ender<'_, T, L> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the invariants of `LendCell` and of this.
        unsafe { &mut *self.0.args.get() }
    }
}

/// The arguments of a request that has ended, for the one who takes the result.
pub(crate) struct Collected<'a, T, L>(&'a LendCell<T, L>, Access<'a, T>);

impl<T, L> Deref for Collected<'_, T, L> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the invariants of `LendCell`.
        unsafe { &*self.0.args.get() }
    }
}

impl<T: Unpin, L> DerefMut for Collected<'_, T, L> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the invariants of `LendCell`.
        unsafe { &mut *self.0.args.get() }
    }
}
