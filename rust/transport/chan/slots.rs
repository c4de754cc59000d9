// SPDX-License-Identifier: GPL-2.0

//! Memory for the engine's slots: where it comes from, and when it goes back.
//!
//! No counterpart in C, whose requests bring their own list entries. One task at a time grows, for
//! all that wait: a hundred callers who find no slot take two segments of 64, not a
//! hundred. The memory is charged to that task. It goes back when requests end, one segment for
//! each take of the lock, after which it is freed. Takes "fuse_chan::growing", then the engine's
//! lock; sleeps where it grows.

use super::{
    queues::{
        Engine,
        Queues, //
    },
    request::Req, //
};
use crate::{
    engine::{
        Branch,
        Segment,
        Slot, //
    },
    kapi::mm::{
        gfp::Gfp,
        slab::{
            KmemCache,
            KmemCacheGuard,
            KmemCacheUser,
            UniqueSlabArc, //
        },
    },
};
use core::ops::{
    Deref,
    DerefMut, //
};
use kernel::prelude::*;

/// Where segments come from, while the module is loaded.
static CACHE: KmemCache<Segment<Req, Slots>> = KmemCache::new(c"fuse_slots", 0..0);

/// The right to have segments.
pub(super) type SlotCacheUser = KmemCacheUser<Segment<Req, Slots>>;

/// The cache of segments.
pub(super) struct SlotCache {
    _guard: KmemCacheGuard<Segment<Req, Slots>>,
}

impl SlotCache {
    /// Creates it, until dropped.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            _guard: CACHE.create()?,
        })
    }

    /// The right of a channel to have segments.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn user() -> Result<SlotCacheUser> {
        CACHE.user()
    }
}

/// A segment of slots.
pub(in crate::transport) struct Slots(UniqueSlabArc<Segment<Req, Slots>>);

impl Slots {
    /// One whose slots are all free.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, unless [`Gfp::NOFAIL`].
    pub(super) fn new(cache: &SlotCacheUser, gfp: Gfp) -> Result<Self> {
        let segment = init!(Segment {
            slots <- pin_init::init_array_from_fn(|_| Slot::new()),
            branch: Branch::new(),
        });
        Ok(Self(UniqueSlabArc::pin_init(cache, gfp, segment)?))
    }
}

impl Deref for Slots {
    type Target = Segment<Req, Slots>;

    #[inline]
    fn deref(&self) -> &Segment<Req, Slots> {
        &self.0
    }
}

impl DerefMut for Slots {
    #[inline]
    fn deref_mut(&mut self) -> &mut Segment<Req, Slots> {
        &mut self.0
    }
}

/// Whether slots must be there in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::transport) enum Need {
    /// Who needs them gets an error if there are none, or if it is killed.
    MayFail,
    /// What needs them must be sent.
    Must,
}

impl Queues {
    /// Adds slots until there is one for each request that counts, and for so many devices `more`.
    ///
    /// Whoever waits here for another to grow may be killed, unless [`Need::Must`]. Reclaim does no
    /// I/O and enters no filesystem, whoever grows: callers come with all kinds of locks, and wait
    /// for each other. One that may do both would else wait for a device to write pages out, while
    /// the thread that does the device's I/O (of a loop device whose file is here: its flags say
    /// `PF_MEMALLOC_NOIO`) waits for this one to have grown. In C no caller allocates for others.
    ///
    /// # Errors
    ///
    /// `EINTR`, `ENOMEM`; with [`Need::Must`] just `ENOMEM`, when there can be no more slots.
    pub(super) fn grow(&self, more: u32, need: Need) -> Result {
        let (_turn, gfp) = match need {
            Need::MayFail => (self.growing.lock_killable()?, Gfp::NOIO | Gfp::ACCOUNT),
            Need::Must => (self.growing.lock(), Gfp::NOIO | Gfp::ACCOUNT | Gfp::NOFAIL),
        };
        let grown = self.grow_until_enough(more, gfp);
        // Those whom the slots are for may go before they have used them.
        self.trim();
        grown
    }

    fn grow_until_enough(&self, more: u32, gfp: Gfp) -> Result {
        loop {
            let live = self.waiting.count().saturating_add(more);
            // Somebody else may have done so meanwhile.
            let (lacks, may_grow) =
                self.peek(|engine| (engine.lacks_room(live), engine.may_grow()));
            if !lacks {
                return Ok(());
            }
            if !may_grow {
                return Err(ENOMEM);
            }
            let slots = Slots::new(&self.slot_cache, gfp)?;
            // One that finds no place in one step is dropped here, after the lock.
            let _again = self.step(|engine| engine.grow(slots));
        }
    }

    /// Gives slots back that are not needed; what may not go yet, whoever leaves will. Does not
    /// sleep.
    #[cold]
    pub(super) fn trim(&self) {
        loop {
            let trimmed = self.step(|engine: &mut Engine| {
                let live = self.waiting.watch(engine.spare_below());
                engine.trim(live)
            });
            drop(trimmed.segment);
            if !trimmed.more {
                return;
            }
        }
    }
}
