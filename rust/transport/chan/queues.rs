// SPDX-License-Identifier: GPL-2.0

//! The engine of a channel behind its lock, and those who wait for it.
//!
//! C counterpart: `fiq->lock` and `bg_lock`, taken by hand all over `dev.c`. Here nobody but this
//! file takes the lock ("fuse_chan::engine", a leaf). Whoever changes the engine's state does so in
//! [`Queues::step`]; what a step asks for follows by itself, and nothing that needs the lock can
//! leave the closure. Whoever only looks uses [`Queues::peek`].

use super::{
    forgets::Forgets,
    gate::Gate,
    readers::Readers,
    request::Req,
    slots::{
        SlotCacheUser,
        Slots, //
    },
};
use crate::{
    engine::{
        self,
        Effects,
        Hint,
        StepResult,
        Waiting, //
    },
    kapi::sync::mutex::{
        new_killable_mutex,
        KillableMutex, //
    },
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        SpinLock, //
    },
};

/// The engine with the types of the module.
pub(in crate::transport) type Engine = engine::Engine<Req, Forgets, Slots>;

/// The queues of a channel.
#[pin_data]
pub(super) struct Queues {
    #[pin]
    engine: SpinLock<Engine>,
    /// Requests that count: there is a slot for each.
    pub(in crate::transport) waiting: Waiting,
    /// Held by the task that adds slots.
    #[pin]
    pub(super) growing: KillableMutex,
    /// There is something to read, or will never be again. Written with the engine's lock held;
    /// read without it by readers that are about to sleep.
    readable: Atomic<bool>,
    /// Background requests, for those who just want to know whether there are many; written with
    /// the engine's lock held.
    background: Atomic<u32>,
    #[pin]
    pub(super) readers: Readers,
    #[pin]
    pub(super) gate: Gate,
    /// Where slots come from, and have gone back to before.
    pub(super) slot_cache: SlotCacheUser,
}

impl Queues {
    /// Of a connected channel, with its first slots.
    pub(super) fn new(slots: Slots, slot_cache: SlotCacheUser) -> impl PinInit<Self> {
        pin_init!(Self {
            engine <- new_spinlock!(Engine::new(slots), "fuse_chan::engine"),
            waiting: Waiting::new(),
            growing <- new_killable_mutex!("fuse_chan::growing"),
            readable: Atomic::new(false),
            background: Atomic::new(0),
            readers <- Readers::new(),
            gate <- Gate::new(),
            slot_cache,
        })
    }

    /// Changes the engine's state: with its lock held `change` is called, which must not sleep, nor
    /// end, wake up or drop anything, and the hint for readers is kept. Then, without the lock,
    /// whoever is to be woken up is; and only then may what `change` returns be ended or dropped.
    #[inline(always)]
    pub(super) fn step<R: StepResult>(&self, change: impl FnOnce(&mut Engine) -> R) -> R {
        let result = self.change(change);
        self.carry_out(result.effects(), R::NEWS, false);
        result
    }

    /// As [`step`](Self::step), of a task that is about to wait for the reader that it wakes up.
    #[inline(always)]
    pub(super) fn step_sync<R: StepResult>(&self, change: impl FnOnce(&mut Engine) -> R) -> R {
        let result = self.change(change);
        self.carry_out(result.effects(), R::NEWS, true);
        result
    }

    /// Looks at the engine, with its lock held: `look` must not sleep, nor end, wake up or drop
    /// anything. What it changes of a request's own word is no change of the engine's.
    #[inline]
    pub(super) fn peek<R>(&self, look: impl FnOnce(&Engine) -> R) -> R {
        look(&self.engine.lock())
    }

    /// Is there something to read, or a reason not to wait for it?
    #[inline]
    pub(super) fn is_readable(&self) -> bool {
        self.readable.load(Relaxed)
    }

    /// How many background requests there are, or were just now.
    #[inline]
    pub(super) fn num_background(&self) -> u32 {
        self.background.load(Relaxed)
    }

    /// Notes that, with the engine's lock held.
    #[inline]
    pub(super) fn note_background(&self, engine: &Engine) {
        self.background.store(engine.num_background(), Relaxed);
    }

    /// The part of a step that needs the lock.
    #[inline(always)]
    fn change<R: StepResult>(&self, change: impl FnOnce(&mut Engine) -> R) -> R {
        let mut engine = self.engine.lock();
        let result = change(&mut engine);
        let readable = match result.hint() {
            Hint::Same => return result,
            Hint::Readable => true,
            Hint::Ask => {
                if result.background() {
                    self.note_background(&engine);
                }
                engine.is_readable() || !engine.is_connected()
            }
        };
        self.readable.store(readable, Relaxed);
        result
    }

    /// Does what a step asks for.
    #[inline(always)]
    fn carry_out(&self, effects: Option<Effects>, news: bool, sync: bool) {
        let Some(effects) = effects else {
            return;
        };
        if effects == Effects::readers(1) && news {
            self.readers.wake_one(sync);
        } else if effects != Effects::default() {
            self.carry_out_some(effects, news);
        }
    }

    /// Anything but one reader.
    #[inline(never)]
    fn carry_out_some(&self, mut effects: Effects, mut news: bool) {
        loop {
            if effects.readers != 0 {
                self.readers.wake(effects.readers, news);
            }
            if effects.gate != 0 {
                self.gate.wake(effects.gate);
            }
            if effects.trim {
                self.trim();
            }
            if !effects.more {
                return;
            }
            effects = self.change(Engine::flush_background);
            news = true;
        }
    }
}
