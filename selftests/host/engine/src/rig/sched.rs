// SPDX-License-Identifier: GPL-2.0

//! What stands for the kernel's scheduler, wait queues and rcuwait: their steps one by one, with
//! their locks and barriers and no more, under the module's own order of a wait (`wait_loop`).
//!
//! C: `kernel/sched/core.c`, `kernel/sched/wait.c`, `kernel/rcu/update.c` (`rcuwait_wake_up()`).

use super::engine::wait_loop::{wait_event, Signalled, Sleeper};
use super::sync::{fence, Arc, AtomicBool, AtomicU32, Condvar, Mutex};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

const RUNNING: u32 = 0;
const INTERRUPTIBLE: u32 = 1;
const UNINTERRUPTIBLE: u32 = 2;
const WAKEKILL: u32 = 4;
/// Whom a wake-up wakes. C: `TASK_NORMAL`.
const NORMAL: u32 = INTERRUPTIBLE | UNINTERRUPTIBLE;

/// As in `kapi::wait`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signals {
    All,
    Fatal,
    None,
}

impl Signals {
    fn state(self) -> u32 {
        match self {
            Signals::All => INTERRUPTIBLE,
            Signals::Fatal => UNINTERRUPTIBLE | WAKEKILL,
            Signals::None => UNINTERRUPTIBLE,
        }
    }
}

/// A task: its state, its signals, and the processor that it sleeps on.
pub(crate) struct Task {
    state: AtomicU32,
    pending: AtomicBool,
    fatal: AtomicBool,
    /// C: `p->pi_lock` and the lock of the run queue.
    lock: Mutex<()>,
    processor: Condvar,
}

impl Task {
    pub(crate) fn new() -> Arc<Task> {
        Arc::new(Task {
            state: AtomicU32::new(RUNNING),
            pending: AtomicBool::new(false),
            fatal: AtomicBool::new(false),
            lock: Mutex::new(()),
            processor: Condvar::new(),
        })
    }

    /// C: `set_current_state()`, with its full barrier.
    fn set_state(&self, state: u32) {
        self.state.store(state, Relaxed);
        fence(SeqCst);
    }

    fn signal_pending_state(&self, state: u32) -> bool {
        state & (INTERRUPTIBLE | WAKEKILL) != 0
            && self.pending.load(Relaxed)
            && (state & INTERRUPTIBLE != 0 || self.fatal.load(Relaxed))
    }

    fn schedule(&self) {
        let mut lock = self.lock.lock().expect("lock");
        fence(SeqCst);
        loop {
            let state = self.state.load(Relaxed);
            if state == RUNNING || self.signal_pending_state(state) {
                self.state.store(RUNNING, Relaxed);
                return;
            }
            lock = self.processor.wait(lock).expect("lock");
        }
    }

    /// C: `try_to_wake_up()`. False if the task does not sleep in one of these states.
    fn try_to_wake_up(&self, states: u32) -> bool {
        let _lock = self.lock.lock().expect("lock");
        fence(SeqCst);
        if self.state.load(Relaxed) & states == 0 {
            return false;
        }
        self.state.store(RUNNING, Relaxed);
        self.processor.notify_all();
        true
    }

    /// A signal; a fatal one is for ever. C: `signal_wake_up()`.
    pub(crate) fn signal(&self, fatal: bool) {
        if fatal {
            self.fatal.store(true, Relaxed);
        }
        self.pending.store(true, Relaxed);
        fence(SeqCst);
        self.try_to_wake_up(INTERRUPTIBLE | if fatal { WAKEKILL } else { 0 });
    }

    pub(crate) fn killed(&self) -> bool {
        self.fatal.load(Relaxed)
    }
}

struct Entry {
    task: Arc<Task>,
    exclusive: bool,
}

/// C: `wait_queue_head_t`.
pub(crate) struct WaitQueue {
    entries: Mutex<Vec<Entry>>,
    /// Somebody is on it; for who looks without the lock, if anybody does.
    active: Option<AtomicBool>,
}

impl WaitQueue {
    pub(crate) fn new() -> Self {
        WaitQueue {
            entries: Mutex::new(vec![]),
            active: None,
        }
    }

    /// One that [`is_active`](Self::is_active) may be asked of.
    pub(crate) fn looked_at() -> Self {
        WaitQueue {
            active: Some(AtomicBool::new(false)),
            ..WaitQueue::new()
        }
    }

    /// One hold of its lock.
    fn locked<R>(&self, change: impl FnOnce(&mut Vec<Entry>) -> R) -> R {
        let mut entries = self.entries.lock().expect("lock");
        let result = change(&mut entries);
        if let Some(active) = &self.active {
            active.store(!entries.is_empty(), Relaxed);
        }
        result
    }

    /// C: `waitqueue_active()`, which has no barrier.
    pub(crate) fn is_active(&self) -> bool {
        let active = self.active.as_ref().expect("looked_at()");
        active.load(Relaxed)
    }

    /// As in `kapi::wait`.
    pub(crate) fn wait(
        &self,
        task: &Arc<Task>,
        signals: Signals,
        exclusive: bool,
        mut condition: impl FnMut() -> bool,
    ) -> Result<(), Signalled> {
        if condition() {
            return Ok(());
        }
        let mut sleeper = OnQueue {
            queue: self,
            task,
            state: signals.state(),
            exclusive,
            signal: false,
        };
        wait_event(&mut sleeper, condition)
    }

    /// Wakes all others and `nr` exclusive waiters, all if 0. C: `__wake_up_common()`: who does not
    /// sleep stays on the queue and does not count.
    pub(crate) fn wake_up_nr(&self, nr: u32) {
        self.locked(|entries| {
            let (mut index, mut left) = (0, nr);
            while let Some(entry) = entries.get(index) {
                if !entry.task.try_to_wake_up(NORMAL) {
                    index += 1;
                } else if entries.remove(index).exclusive && left > 0 {
                    left -= 1;
                    if left == 0 {
                        return;
                    }
                }
            }
        });
    }

    pub(crate) fn wake_up_all(&self) {
        self.wake_up_nr(0);
    }
}

struct OnQueue<'a> {
    queue: &'a WaitQueue,
    task: &'a Arc<Task>,
    state: u32,
    exclusive: bool,
    signal: bool,
}

impl OnQueue<'_> {
    fn position(&self, entries: &[Entry]) -> Option<usize> {
        entries
            .iter()
            .position(|entry| Arc::ptr_eq(&entry.task, self.task))
    }
}

impl Sleeper for OnQueue<'_> {
    /// C: `prepare_to_wait_event()`.
    fn prepare(&mut self) {
        self.signal = self.queue.locked(|entries| {
            let position = self.position(entries);
            if self.task.signal_pending_state(self.state) {
                if let Some(position) = position {
                    entries.remove(position);
                }
                return true;
            }
            if position.is_none() {
                let at = if self.exclusive { entries.len() } else { 0 };
                let entry = Entry {
                    task: self.task.clone(),
                    exclusive: self.exclusive,
                };
                entries.insert(at, entry);
            }
            self.task.set_state(self.state);
            false
        });
    }

    fn signal_pending(&mut self) -> bool {
        self.signal
    }

    fn schedule(&mut self) {
        self.task.schedule();
    }

    /// C: `finish_wait()`.
    fn finish(&mut self) {
        self.task.state.store(RUNNING, Relaxed);
        self.queue.locked(|entries| {
            if let Some(position) = self.position(entries) {
                entries.remove(position);
            }
        });
    }
}

/// C: `struct rcuwait`. The task that may wait is known from the start, and alive: what RCU is for.
pub(crate) struct RcuWait {
    waits: AtomicBool,
    task: Arc<Task>,
    /// To see that the barrier is needed.
    barrier: bool,
}

impl RcuWait {
    pub(crate) fn new(task: &Arc<Task>) -> Self {
        RcuWait {
            waits: AtomicBool::new(false),
            task: task.clone(),
            barrier: true,
        }
    }

    pub(crate) fn without_barrier(task: &Arc<Task>) -> Self {
        RcuWait {
            barrier: false,
            ..RcuWait::new(task)
        }
    }

    /// As in `kapi::wait`.
    pub(crate) fn wait(
        &self,
        signals: Signals,
        condition: impl FnMut() -> bool,
    ) -> Result<(), Signalled> {
        self.waits.store(true, Release);
        let mut sleeper = OnRcuWait {
            wait: self,
            state: signals.state(),
        };
        wait_event(&mut sleeper, condition)
    }

    /// C: `rcuwait_wake_up()`.
    pub(crate) fn wake_up(&self) {
        if self.barrier {
            fence(SeqCst);
        }
        if self.waits.load(Acquire) {
            self.task.try_to_wake_up(NORMAL);
        }
    }
}

struct OnRcuWait<'a> {
    wait: &'a RcuWait,
    state: u32,
}

impl Sleeper for OnRcuWait<'_> {
    fn prepare(&mut self) {
        self.wait.task.set_state(self.state);
    }

    fn signal_pending(&mut self) -> bool {
        self.wait.task.signal_pending_state(self.state)
    }

    fn schedule(&mut self) {
        self.wait.task.schedule();
    }

    /// C: `finish_rcuwait()`.
    fn finish(&mut self) {
        self.wait.waits.store(false, Release);
        self.wait.task.state.store(RUNNING, Relaxed);
    }
}
