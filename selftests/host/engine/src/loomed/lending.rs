// SPDX-License-Identifier: GPL-2.0

//! The lending word under loom: every execution that the memory model allows of a lease holder, an
//! aborter, a caller and a writer, with the arguments and the result in cells that report two
//! accesses at once or out of order.

use super::engine::lend_state::{AbortTake, Finished, LendState, Returned, Word};
use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicU32;
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use loom::sync::{Arc, Mutex};
use loom::thread;

struct Strong(AtomicU32);

impl Word for Strong {
    fn new(value: u32) -> Self {
        Strong(AtomicU32::new(value))
    }

    fn load(&self) -> u32 {
        self.0.load(Acquire)
    }

    fn compare_exchange(&self, old: u32, new: u32) -> Result<u32, u32> {
        self.0.compare_exchange(old, new, AcqRel, Acquire)
    }
}

/// What the module must not use: to see that the test notices.
struct Weak(AtomicU32);

impl Word for Weak {
    fn new(value: u32) -> Self {
        Weak(AtomicU32::new(value))
    }

    fn load(&self) -> u32 {
        self.0.load(Relaxed)
    }

    fn compare_exchange(&self, old: u32, new: u32) -> Result<u32, u32> {
        self.0.compare_exchange(old, new, Relaxed, Relaxed)
    }
}

/// A request: its word, its arguments, what its caller leaves, and what counts its ends.
struct Request<W: Word> {
    word: LendState<W>,
    args: UnsafeCell<u32>,
    legacy: UnsafeCell<u32>,
    ends: loom::sync::atomic::AtomicU32,
    interrupts: loom::sync::atomic::AtomicU32,
    orphans: loom::sync::atomic::AtomicU32,
    /// The engine's, for what is to be done with it.
    lock: Mutex<()>,
}

/// For three threads: executions with more preemptions than this are left out.
const PREEMPTIONS: usize = 3;

const LEGACY: u32 = 7;
const REPLY: u32 = 1000;
const ABORTED: u32 = 2000;

impl<W: Word> Request<W> {
    fn new() -> Arc<Self> {
        Arc::new(Request {
            word: LendState::new(),
            args: UnsafeCell::new(1),
            legacy: UnsafeCell::new(0),
            ends: AtomicU32::new(0),
            interrupts: AtomicU32::new(0),
            orphans: AtomicU32::new(0),
            lock: Mutex::new(()),
        })
    }

    /// A copy out of the arguments.
    #[expect(
        unsafe_code,
        reason = "what the lease is for: loom reports it if it is not exclusive"
    )]
    fn read(&self) -> u32 {
        // SAFETY: Checked by loom.
        self.args.with(|args| unsafe { *args })
    }

    #[expect(
        unsafe_code,
        reason = "what the lease is for: loom reports it if it is not exclusive"
    )]
    fn write(&self, value: u32) {
        // SAFETY: Checked by loom.
        self.args.with_mut(|args| unsafe { *args = value });
    }

    /// Ends it, by whoever has the right to.
    fn end(&self, result: u32) {
        self.write(result);
        assert_eq!(self.ends.fetch_add(1, Relaxed), 0, "ended twice");
        if self.word.finish() == Finished::Orphan {
            self.orphans.fetch_add(1, Relaxed);
            // The orphan step has both to itself.
            assert_eq!(self.inherit(0), LEGACY);
            self.write(self.read());
        }
    }

    /// Takes what the caller has left, and leaves something.
    #[expect(
        unsafe_code,
        reason = "the caller before it leaves, then the ender: loom reports it if not"
    )]
    fn inherit(&self, value: u32) -> u32 {
        // SAFETY: Checked by loom.
        self.legacy
            .with_mut(|legacy| unsafe { std::mem::replace(&mut *legacy, value) })
    }

    /// A killed caller. Whether it has the result all the same.
    fn leave(&self) -> bool {
        self.inherit(LEGACY);
        if self.word.leave() {
            return false;
        }
        assert_eq!(self.inherit(0), LEGACY);
        assert!([REPLY, ABORTED].contains(&self.read()));
        true
    }

    /// A caller that has left, or a reader who is told so, takes out what it has lent.
    fn return_own(&self) {
        let back = {
            let _engine = self.lock.lock().expect("lock");
            if !self.word.lend_again() {
                return;
            }
            self.write(7);
            self.word.return_sent()
        };
        if back == Returned::MustEnd {
            self.end(ABORTED);
        }
    }

    /// A reply to what the daemon has, and has had for as long as the engine knows of it.
    fn reply(&self) {
        let claimed = {
            let _engine = self.lock.lock().expect("lock");
            let gone = self.word.is_gone();
            let claimed = self.word.claim();
            assert!(claimed || gone || self.word.is_gone(), "S7: refused");
            claimed
        };
        if claimed {
            self.end(REPLY);
        }
    }

    /// A reader: copies out, with a fault in the middle. Whether it was sent.
    fn copy_out(&self, fault: bool) -> bool {
        if self.word.lend().is_err() {
            return false;
        }
        self.read();
        if fault {
            match self.word.park() {
                Returned::MustEnd => {
                    self.end(ABORTED);
                    return false;
                }
                Returned::Here { .. } => {
                    if self.word.resume().is_err() {
                        return false;
                    }
                    self.read();
                }
            }
        }
        match self.word.return_sent() {
            Returned::Here { interrupt, .. } => {
                self.interrupts.fetch_add(interrupt.into(), Relaxed);
                true
            }
            Returned::MustEnd => {
                self.end(ABORTED);
                false
            }
        }
    }

    /// A writer: copies the reply in, if it may.
    fn copy_in(&self, fault: bool) -> bool {
        if !self.word.claim() {
            return false;
        }
        if fault {
            self.write(7);
            match self.word.park() {
                Returned::MustEnd => {
                    self.end(ABORTED);
                    return true;
                }
                Returned::Here { .. } => {
                    if self.word.resume().is_err() {
                        return true;
                    }
                }
            }
        }
        // At once, if nobody has left a mark.
        self.write(REPLY);
        if self.word.finish_lent() {
            assert_eq!(self.ends.fetch_add(1, Relaxed), 0, "ended twice");
        } else {
            self.end(REPLY);
        }
        true
    }

    fn abort(&self) -> AbortTake {
        let taken = self.word.abort_take();
        if taken == AbortTake::Taken {
            self.end(ABORTED);
        }
        taken
    }
}

fn run<W: Word + 'static>(
    limit: usize,
    threads: impl Fn() -> (Arc<Request<W>>, Vec<thread::JoinHandle<()>>) + Sync + Send + 'static,
    after: impl Fn(&Request<W>) + Sync + Send + 'static,
) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = (limit > 0).then_some(limit);
    builder.check(move || {
        let (request, threads) = threads();
        for thread in threads {
            thread.join().expect("thread");
        }
        after(&request);
    });
}

fn spawn<W>(
    request: &Arc<Request<W>>,
    run: impl FnOnce(&Request<W>) + 'static,
) -> thread::JoinHandle<()>
where
    W: Word + 'static,
{
    let request = request.clone();
    thread::spawn(move || run(&request))
}

/// A reader with a fault, an abort, and a reply that may come at any time.
#[test]
fn reader_abort_writer() {
    run::<Strong>(
        PREEMPTIONS,
        || {
            let request = Request::new();
            let reader = spawn(&request, |request| {
                request.copy_out(true);
            });
            let writer = spawn(&request, |request| {
                request.copy_in(false);
            });
            let abort = spawn(&request, |request| {
                let _ = request.abort();
            });
            (request, vec![reader, writer, abort])
        },
        |request| {
            // Whatever came first, it has ended.
            assert_eq!(request.ends.load(Relaxed), 1);
            assert!(request.word.is_done());
            assert!([REPLY, ABORTED].contains(&request.read()));
        },
    );
}

/// A writer with a fault against an abort; the caller waits and reads the result.
#[test]
fn writer_abort_caller() {
    run::<Strong>(
        PREEMPTIONS,
        || {
            let request = Request::new();
            assert!(request.copy_out(false));
            let writer = spawn(&request, |request| {
                request.copy_in(true);
            });
            let abort = spawn(&request, |request| {
                let _ = request.abort();
            });
            let caller = spawn(&request, |request| {
                if request.word.is_done() {
                    assert!([REPLY, ABORTED].contains(&request.read()));
                }
            });
            (request, vec![writer, abort, caller])
        },
        |request| assert_eq!(request.ends.load(Relaxed), 1),
    );
}

/// A signal while the request is copied out: the INTERRUPT is queued by exactly one of the two.
#[test]
fn interrupt_or_sent() {
    run::<Strong>(
        0,
        || {
            let request = Request::new();
            let reader = spawn(&request, |request| {
                assert!(request.copy_out(true));
            });
            let caller = spawn(&request, |request| {
                let queue = request.word.interrupt();
                request.interrupts.fetch_add(queue.into(), Relaxed);
            });
            (request, vec![reader, caller])
        },
        |request| assert_eq!(request.interrupts.load(Relaxed), 1),
    );
}

/// The same, with the request taken back and sent again: once for each time.
#[test]
fn interrupt_or_resent() {
    run::<Strong>(
        0,
        || {
            let request = Request::new();
            let reader = spawn(&request, |request| {
                assert!(request.copy_out(false));
                let before = request.word.is_interrupted();
                assert!(request.word.recall());
                let counted = request.interrupts.swap(0, Relaxed);
                assert!(counted <= 1);
                assert!(request.copy_out(false));
                // Known before it was sent again: told again.
                if before {
                    assert_eq!(request.interrupts.load(Relaxed), 1);
                }
            });
            let caller = spawn(&request, |request| {
                request.word.interrupt();
            });
            (request, vec![reader, caller])
        },
        |request| assert!(request.word.is_interrupted()),
    );
}

/// A fatal signal against the reply and an abort: one side takes the result.
#[test]
fn leave_or_done() {
    run::<Strong>(
        PREEMPTIONS,
        || {
            let request = Request::new();
            assert!(request.copy_out(false));
            let writer = spawn(&request, |request| {
                request.copy_in(true);
            });
            let caller = spawn(&request, |request| {
                request.orphans.fetch_add(request.leave().into(), Relaxed);
            });
            let abort = spawn(&request, |request| {
                let _ = request.abort();
            });
            (request, vec![writer, caller, abort])
        },
        // Either the caller or the orphan step.
        |request| assert_eq!(request.orphans.load(Relaxed), 1),
    );
}

/// The same while the request is being copied out: the reader goes on, or an abort ends it.
#[test]
fn leave_while_copied_out() {
    run::<Strong>(
        PREEMPTIONS,
        || {
            let request = Request::new();
            let reader = spawn(&request, |request| {
                if request.copy_out(true) {
                    request.copy_in(false);
                }
            });
            let caller = spawn(&request, |request| {
                request.orphans.fetch_add(request.leave().into(), Relaxed);
            });
            let abort = spawn(&request, |request| {
                let _ = request.abort();
            });
            (request, vec![reader, caller, abort])
        },
        |request| assert_eq!(request.orphans.load(Relaxed), 1),
    );
}

/// A caller leaves and takes out what it has lent, against the reply and an abort.
#[test]
fn leave_with_memory() {
    run::<Strong>(
        PREEMPTIONS,
        || {
            let request = Request::new();
            assert!(request.copy_out(false));
            let writer = spawn(&request, Request::reply);
            let caller = spawn(&request, |request| {
                let stays = request.leave();
                if !stays {
                    request.return_own();
                }
                request.orphans.fetch_add(stays.into(), Relaxed);
            });
            let abort = spawn(&request, |request| {
                let _ = request.abort();
            });
            (request, vec![writer, caller, abort])
        },
        |request| {
            assert_eq!(request.ends.load(Relaxed), 1);
            assert_eq!(request.orphans.load(Relaxed), 1);
        },
    );
}

/// A resend against a reply: the reply counts, or comes too late.
#[test]
fn recall_or_claim() {
    run::<Strong>(
        PREEMPTIONS,
        || {
            let request = Request::new();
            assert!(request.copy_out(false));
            let resend = spawn(&request, |request| {
                if request.word.recall() {
                    assert!(request.copy_out(false) || request.word.is_gone());
                }
            });
            let writer = spawn(&request, |request| {
                request.copy_in(false);
            });
            let abort = spawn(&request, |request| {
                let _ = request.abort();
            });
            (request, vec![resend, writer, abort])
        },
        |request| assert_eq!(request.ends.load(Relaxed), 1),
    );
}

/// Without the ordering, loom reports that the caller reads the result before it is there.
#[test]
#[should_panic(expected = "Causality violation")]
fn weak_ordering_is_noticed() {
    run::<Weak>(
        0,
        || {
            let request = Request::new();
            let writer = spawn(&request, |request| {
                let _ = request.word.lend();
                request.end(REPLY);
            });
            let caller = spawn(&request, |request| {
                if request.word.is_done() {
                    request.read();
                }
            });
            (request, vec![writer, caller])
        },
        |_| (),
    );
}
