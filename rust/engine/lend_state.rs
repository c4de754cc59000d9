// SPDX-License-Identifier: GPL-2.0

//! The word that says who may touch a request's arguments, and who ends the request.
//!
//! C keeps this in `fuse_req::flags` (`FR_LOCKED`, `FR_ABORTED`, `FR_PRIVATE`, `FR_SENT`,
//! `FR_INTERRUPTED`, `FR_FINISHED`) under `req->waitq.lock`, `fpq->lock` and barriers. Here it is
//! one atomic word, so that each race is the order of two read-modify-writes of the same location.
//! Takes no lock, never sleeps. Needs only `core`: `kapi::fuse::lend` wraps it for the module, and
//! the host tests run this very file under loom.
//!
//! # The states
//!
//! ```text
//!            lend()               park()
//!   here  ----------->  lent    <-------->  parked
//!    ^                  |    |    resume()
//!    |       return_sent()  end() or finish()
//!    |                  v    v
//!    +---- recall() -- sent  gone ------> done
//!                       |      ^  finish()
//!                       +------+
//!        claim() -> lent, for the reply; lend_again() -> lent, until return_sent()
//!
//!   abort_take(): here, parked or sent -> gone; lent -> lent and aborted
//! ```
//!
//! - **here**: nobody copies; the arguments may be taken by whoever ends the request.
//! - **lent**: a lease is copying and cannot sleep. Nobody else touches the arguments; an abort
//!   only leaves a mark, and the lease ends the request when it comes back.
//! - **parked**: the lease faults pages in and does not touch the arguments. An abort may take
//!   them.
//! - **sent**: here, and the daemon has the whole request: it may be claimed by a reply, once.
//! - **gone**: somebody has the exclusive right to end the request, and the arguments with it.
//! - **done**: the result is there to be read by the caller.
//!
//! # Ordering
//!
//! Each change is a read-modify-write with acquire and release ordering of the one word, so what a
//! holder did to the arguments happens before what the next holder does, and the result that the
//! ender wrote before [`LendState::finish`] is seen by whoever sees [`LendState::is_done`]. Of two
//! concurrent changes one comes first and the other sees it: of [`LendState::interrupt`] and
//! [`LendState::return_sent`] exactly one is told to queue the INTERRUPT, and of
//! [`LendState::leave`] and [`LendState::finish`] exactly one takes the result.

/// The atomic operations needed, so that the same file works with the kernel's atomics, with
/// `core`'s and with a model checker's.
pub(crate) trait Word {
    /// A word that holds `value`.
    fn new(value: u32) -> Self;

    /// Reads with acquire ordering.
    fn load(&self) -> u32;

    /// Replaces `old` by `new`, with acquire and release ordering when it succeeds and acquire
    /// ordering when it fails. `Err` has what was found. Must not fail spuriously.
    fn compare_exchange(&self, old: u32, new: u32) -> Result<u32, u32>;
}

impl Word for core::sync::atomic::AtomicU32 {
    fn new(value: u32) -> Self {
        Self::new(value)
    }

    #[inline]
    fn load(&self) -> u32 {
        self.load(core::sync::atomic::Ordering::Acquire)
    }

    #[inline]
    fn compare_exchange(&self, old: u32, new: u32) -> Result<u32, u32> {
        use core::sync::atomic::Ordering::{
            AcqRel,
            Acquire, //
        };
        self.compare_exchange(old, new, AcqRel, Acquire)
    }
}

/// A lease is copying.
const LENT: u32 = 1 << 0;
/// A lease exists and is not copying.
const PARKED: u32 = 1 << 1;
/// The daemon has the whole request and may reply.
const SENT: u32 = 1 << 2;
/// Aborted while lent: the lease ends the request.
const ABORTED: u32 = 1 << 3;
/// Somebody ends the request, or has.
const GONE: u32 = 1 << 4;
/// The result may be read.
const DONE: u32 = 1 << 5;
/// The caller was interrupted by a signal.
const INTERRUPTED: u32 = 1 << 6;
/// The caller has left without its answer.
const ORPHAN: u32 = 1 << 7;

/// The request is being ended or has been: the arguments must not be touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// What became of a lease that was parked, or came back.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    /// The arguments are back (or, after [`LendState::park`], out of use).
    Here {
        /// Only from [`LendState::return_sent`]: the caller was interrupted before, so the one
        /// who returns the lease queues the INTERRUPT (`Engine::interrupt`).
        interrupt: bool,
        /// The caller has left before: what it has lent of its own is to be given back.
        orphan: bool,
    },
    /// Aborted while lent: the lease holder has the right and the duty to end the request with
    /// `ECONNABORTED` and then to call [`LendState::finish`].
    MustEnd,
}

/// What an abort found.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AbortTake {
    /// The aborter has the arguments: it ends the request, then calls [`LendState::finish`].
    Taken,
    /// They are being copied: the lease holder will end the request.
    Marked,
    /// Somebody else ends it, or has.
    Gone,
}

/// Who takes the result of a request that has ended.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// The caller: wake it up.
    Deliver,
    /// The caller has left: whoever finished runs the operation's orphan step.
    Orphan,
}

/// The state of one request; see the file's description.
pub(crate) struct LendState<W: Word>(W);

impl<W: Word> LendState<W> {
    /// Of a new request: here.
    #[inline]
    pub(crate) fn new() -> Self {
        Self(W::new(0))
    }

    /// For models, which keep the words of all requests in one place.
    #[cfg(test)]
    pub(crate) fn from_word(word: W) -> Self {
        Self(word)
    }

    /// Applies `change` to the word until it sticks or `change` declines; `expected` is the value
    /// to try first, so that the usual case costs one operation on the cache line.
    #[inline]
    fn update(&self, expected: u32, change: impl Fn(u32) -> Option<u32>) -> Result<u32, u32> {
        let mut old = expected;
        loop {
            let Some(new) = change(old) else {
                // What was declined may have been just the guess.
                let now = self.0.load();
                if now == old {
                    return Err(old);
                }
                old = now;
                continue;
            };
            match self.0.compare_exchange(old, new) {
                Ok(_) => return Ok(old),
                Err(now) => old = now,
            }
        }
    }

    /// Lends the arguments to a reader that copies the request out.
    ///
    /// # Errors
    ///
    /// [`Gone`] if the request has ended, or is being; also if a lease exists or the request was
    /// sent, which a request that `Engine::take` has just returned cannot be.
    #[inline]
    pub(crate) fn lend(&self) -> Result<(), Gone> {
        match self.update(0, |w| {
            (w & (LENT | PARKED | SENT | GONE) == 0).then_some(w | LENT)
        }) {
            Ok(_) => Ok(()),
            Err(_) => Err(Gone),
        }
    }

    /// Lends the arguments for the reply. `Engine::claim` calls it with the engine's lock held, and
    /// takes the request off its lists if it succeeds.
    ///
    /// False if the daemon does not have the request (whole) yet or any more: `ENOENT` to the
    /// daemon.
    #[inline]
    pub(crate) fn claim(&self) -> bool {
        self.update(SENT, |w| {
            (w & (SENT | LENT | PARKED | GONE) == SENT).then_some((w & !SENT) | LENT)
        })
        .is_ok()
    }

    /// Lends the arguments once more while the daemon has the request, to take out of them what
    /// belongs to a caller that has left; [`Self::return_sent`] gives them back. To be called with
    /// the engine's lock held, as a reply that came meanwhile would not find the request.
    ///
    /// False if the daemon does not have the request (whole), or its reply is being copied in.
    #[inline]
    pub(crate) fn lend_again(&self) -> bool {
        self.update(SENT, |w| {
            (w & (SENT | LENT | PARKED | GONE) == SENT).then_some((w & !SENT) | LENT)
        })
        .is_ok()
    }

    /// Takes a request back from the daemon, to send it again. `Engine::resend` calls it with the
    /// engine's lock held. False if the daemon does not have it.
    #[inline]
    pub(crate) fn recall(&self) -> bool {
        self.update(SENT, |w| {
            (w & (SENT | LENT | PARKED | GONE) == SENT).then_some(w & !SENT)
        })
        .is_ok()
    }

    /// The lease stops copying, to fault pages in. To be called by the lease holder while lent.
    #[inline]
    pub(crate) fn park(&self) -> Returned {
        let old = self.update(LENT, |w| {
            Some(if w & ABORTED != 0 {
                (w & !LENT) | GONE
            } else {
                (w & !LENT) | PARKED
            })
        });
        Self::returned(old, false)
    }

    /// The lease starts copying again. To be called by the lease holder while parked.
    ///
    /// # Errors
    ///
    /// [`Gone`]: aborted meanwhile, and ended by the aborter. The lease is void.
    #[inline]
    pub(crate) fn resume(&self) -> Result<(), Gone> {
        match self.update(PARKED, |w| {
            (w & (PARKED | GONE) == PARKED).then_some((w & !PARKED) | LENT)
        }) {
            Ok(_) => Ok(()),
            Err(_) => Err(Gone),
        }
    }

    /// The whole request was copied out and awaits its reply. To be called by the lease holder
    /// while lent. From here on the reply may come at any moment.
    #[inline]
    pub(crate) fn return_sent(&self) -> Returned {
        let old = self.update(LENT, |w| {
            Some(if w & ABORTED != 0 {
                (w & !LENT) | GONE
            } else {
                (w & !LENT) | SENT
            })
        });
        Self::returned(old, true)
    }

    fn returned(old: Result<u32, u32>, sent: bool) -> Returned {
        // The changes above never decline, so both arms have the word as it was.
        let (Ok(old) | Err(old)) = old;
        if old & ABORTED != 0 {
            Returned::MustEnd
        } else {
            Returned::Here {
                interrupt: sent && old & INTERRUPTED != 0,
                orphan: old & ORPHAN != 0,
            }
        }
    }

    /// The lease holder, while lent, takes the right to end the request: the copy failed, or the
    /// reply is complete. Returns whether an abort left its mark meanwhile. [`Self::finish`] alone
    /// does as well if that does not matter.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        let (Ok(old) | Err(old)) = self.update(LENT, |w| Some((w & !LENT) | GONE));
        old & ABORTED != 0
    }

    /// Takes the arguments for an abort, or to cancel a request that `Engine` has let go of.
    #[inline]
    pub(crate) fn abort_take(&self) -> AbortTake {
        match self.update(SENT, |w| {
            if w & GONE != 0 {
                None
            } else if w & LENT != 0 {
                Some(w | ABORTED)
            } else {
                Some((w & !(PARKED | SENT)) | GONE)
            }
        }) {
            Ok(old) if old & LENT != 0 => AbortTake::Marked,
            Ok(_) => AbortTake::Taken,
            Err(_) => AbortTake::Gone,
        }
    }

    /// Publishes the result. To be called once, by the one who has the right to end the request
    /// (from [`Self::end`], [`Returned::MustEnd`] or [`AbortTake::Taken`]) or holds the lease while
    /// lent, after it wrote the result.
    #[inline]
    pub(crate) fn finish(&self) -> Finished {
        let (Ok(old) | Err(old)) = self.update(GONE, |w| Some((w & !LENT) | GONE | DONE));
        if old & ORPHAN != 0 {
            Finished::Orphan
        } else {
            Finished::Deliver
        }
    }

    /// [`Self::end`] and [`Self::finish`] in one, as long as nobody has left a mark: neither an
    /// abort nor the caller. To be called by the lease holder, while lent, after it wrote the
    /// result. False if there is a mark: nothing has changed.
    #[inline]
    pub(crate) fn finish_lent(&self) -> bool {
        self.0.compare_exchange(LENT, GONE | DONE).is_ok()
    }

    /// The caller leaves without its answer, because of a fatal signal. True if it has left; false
    /// if the request is done already and the caller must take the result.
    ///
    /// To be called by the caller, once.
    #[inline]
    pub(crate) fn leave(&self) -> bool {
        self.update(SENT | INTERRUPTED, |w| {
            (w & DONE == 0).then_some(w | ORPHAN)
        })
        .is_ok()
    }

    /// The caller was interrupted by a signal. True if the daemon has the request, so that the
    /// caller queues the INTERRUPT (`Engine::interrupt`); if it does not, whoever returns the lease
    /// will. True at most once for each time that the request is sent.
    #[inline]
    pub(crate) fn interrupt(&self) -> bool {
        match self.update(SENT, |w| {
            (w & (INTERRUPTED | DONE) == 0).then_some(w | INTERRUPTED)
        }) {
            Ok(old) => old & SENT != 0,
            Err(_) => false,
        }
    }

    /// Whether the caller was interrupted.
    #[inline]
    pub(crate) fn is_interrupted(&self) -> bool {
        self.0.load() & INTERRUPTED != 0
    }

    /// Whether the daemon has the whole request and has not replied.
    #[inline]
    pub(crate) fn is_sent(&self) -> bool {
        self.0.load() & SENT != 0
    }

    /// Whether the result may be read: what the caller waits for.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.0.load() & DONE != 0
    }

    /// Whether somebody ends the request, or has.
    #[inline]
    #[cfg(test)]
    pub(crate) fn is_gone(&self) -> bool {
        self.0.load() & GONE != 0
    }

    /// Whether the caller has left.
    #[inline]
    pub(crate) fn is_orphan(&self) -> bool {
        self.0.load() & ORPHAN != 0
    }
}

impl<W: Word> Default for LendState<W> {
    fn default() -> Self {
        Self::new()
    }
}
