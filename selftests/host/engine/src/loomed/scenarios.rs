// SPDX-License-Identifier: GPL-2.0

//! Waits and wake-ups that race, in the smallest cases in which they do.

use super::rig::caller::Got;
use super::rig::chan::{Chan, End};
use super::rig::daemon::Read;
use super::rig::sched::{RcuWait, Signals, Task};
use super::sync::{Arc, AtomicBool};
use loom::thread::{self, JoinHandle};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// Executions with more preemptions than this, or one more with `ENGINE_SOAK` set, are left out.
fn check(name: &str, preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let more = usize::from(std::env::var_os("ENGINE_SOAK").is_some());
    builder.preemption_bound = Some(preemptions + more);
    builder.max_branches = 10_000;
    let count = Arc::new(AtomicU64::new(0));
    let counter = count.clone();
    builder.check(move || {
        counter.fetch_add(1, Relaxed);
        run();
    });
    println!("{name}: {} executions", count.load(Relaxed));
}

fn spawn<R: 'static>(run: impl FnOnce() -> R + 'static) -> JoinHandle<R> {
    thread::spawn(run)
}

fn join<R>(thread: JoinHandle<R>) -> R {
    thread.join().expect("thread")
}

/// A caller waits in its place, another task sets the condition and wakes it.
pub(crate) fn rcuwait(barrier: bool) {
    check("rcuwait", 4, move || {
        let task = Task::new();
        let wait = if barrier {
            RcuWait::new(&task)
        } else {
            RcuWait::without_barrier(&task)
        };
        let wait = Arc::new((wait, AtomicBool::new(false)));
        let other = wait.clone();
        let waker = spawn(move || {
            other.1.store(true, Release);
            other.0.wake_up();
        });
        let done = || wait.1.load(Acquire);
        assert!(wait.0.wait(Signals::None, done).is_ok());
        join(waker);
    });
}

fn ready(max_background: u32) -> Arc<Chan> {
    let chan = Chan::new(max_background);
    chan.set_initialized();
    chan
}

/// L1: one caller, one thread of the daemon, which sleeps or does not when the request comes, and
/// so does the caller when the answer comes.
pub(crate) fn answer() {
    check("answer", 3, || {
        let chan = ready(12);
        let device = chan.add_device();
        let daemon = spawn({
            let chan = chan.clone();
            move || match chan.read(&Task::new(), device, &[device], false) {
                Read::Request(unique) => assert!(chan.reply(device, unique)),
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(chan.call(&Task::new()), Got::Result(End::Reply));
        join(daemon);
        chan.abort();
        chan.check_at_rest(1, 0);
    });
}

/// S5, L1: the caller gets a signal, fatal or not; the daemon looks for an INTERRUPT before it
/// replies. Who leaves gives its result to the orphan step.
pub(crate) fn signalled(fatal: bool) {
    check("signalled", 2, move || {
        let chan = ready(12);
        let device = chan.add_device();
        let task = Task::new();
        let daemon = spawn({
            let chan = chan.clone();
            move || {
                let own = Task::new();
                loop {
                    match chan.read(&own, device, &[device], false) {
                        Read::Request(unique) => {
                            let told = chan.read(&own, device, &[device], true);
                            assert!(matches!(
                                told,
                                Read::Interrupt(_) | Read::Nothing | Read::Closed
                            ));
                            chan.reply(device, unique);
                        }
                        Read::Closed => return,
                        other => panic!("{other:?}"),
                    }
                }
            }
        });
        let killer = spawn({
            let task = task.clone();
            move || task.signal(fatal)
        });
        let got = chan.call(&task);
        join(killer);
        chan.abort();
        join(daemon);
        let orphans = chan.totals.orphans.load(Relaxed);
        match got {
            Got::Left => assert_eq!(orphans, 1, "S1: the orphan step"),
            Got::Result(End::Reply) => assert_eq!(orphans, 0, "S1: the orphan step"),
            Got::Result(End::Interrupted) if fatal => assert_eq!(orphans, 0),
            other => panic!("{other:?}"),
        }
        assert!(fatal || got == Got::Result(End::Reply));
        chan.check_at_rest(1, 0);
    });
}

/// L2: two threads sleep in read and a request comes, while one of them is killed. Either takes it.
pub(crate) fn killed_reader() {
    check("killed_reader", 2, || {
        let chan = ready(12);
        let device = chan.add_device();
        let first = Task::new();
        let read = |task: Arc<Task>| {
            let chan = chan.clone();
            spawn(move || {
                let read = chan.read(&task, device, &[device], false);
                if let Read::Request(unique) = read {
                    assert!(chan.reply(device, unique));
                }
                read
            })
        };
        let readers = [read(first.clone()), read(Task::new())];
        let killer = spawn(move || first.signal(true));
        assert!(chan.background(&Task::new(), true));
        let [one, two] = readers;
        if join(one) == Read::Killed {
            assert!(matches!(join(two), Read::Request(_)), "L2");
        } else {
            chan.abort();
            assert_eq!(join(two), Read::Closed);
        }
        join(killer);
        chan.abort();
        chan.check_at_rest(1, 0);
    });
}

/// L1: two callers wait at the gate and a background request ends, while one of them is killed. The
/// other comes in.
pub(crate) fn killed_at_gate() {
    check("killed_at_gate", 2, || {
        let chan = ready(1);
        let device = chan.add_device();
        let own = Task::new();
        let serve = {
            let (chan, own) = (chan.clone(), own.clone());
            move || match chan.read(&own, device, &[device], false) {
                Read::Request(unique) => assert!(chan.reply(device, unique)),
                other => panic!("{other:?}"),
            }
        };
        assert!(chan.background(&own, true));
        let first = Task::new();
        let call = |task: Arc<Task>| {
            let chan = chan.clone();
            spawn(move || chan.background(&task, false))
        };
        let callers = [call(first.clone()), call(Task::new())];
        let killer = spawn(move || first.signal(true));
        serve();
        let [one, two] = callers;
        if join(one) {
            serve();
        }
        serve();
        assert!(join(two), "L1");
        join(killer);
        chan.abort();
        chan.check_at_rest(1, 0);
    });
}

/// L1: INIT is answered while a caller of either kind waits at the gate, and a background request
/// comes and ends at once. The one that needs no background slot must not keep the wake-up for it.
pub(crate) fn foreground_at_gate() {
    check("foreground_at_gate", 4, || {
        let chan = Chan::new(1);
        let device = chan.add_device();
        let own = Task::new();
        let [one, other] = [false, true].map(|background| {
            let chan = chan.clone();
            spawn(move || {
                assert!(chan.enter(&Task::new(), background));
                chan.leave();
            })
        });
        chan.set_initialized();
        assert!(chan.background(&own, true));
        match chan.read(&own, device, &[device], true) {
            Read::Request(unique) => assert!(chan.reply(device, unique)),
            other => panic!("{other:?}"),
        }
        join(one);
        join(other);
        chan.abort();
        chan.check_at_rest(1, 0);
    });
}

/// L1: an abort while a caller waits and a thread sleeps in read; then nobody is inside.
pub(crate) fn abort() {
    check("abort", 2, || {
        let chan = ready(12);
        let device = chan.add_device();
        let daemon = spawn({
            let chan = chan.clone();
            move || {
                let own = Task::new();
                loop {
                    match chan.read(&own, device, &[device], false) {
                        Read::Request(unique) => {
                            chan.reply(device, unique);
                        }
                        Read::Closed => return,
                        other => panic!("{other:?}"),
                    }
                }
            }
        });
        let aborter = spawn({
            let chan = chan.clone();
            move || {
                chan.abort();
                chan.wait_aborted(&Task::new());
            }
        });
        let got = chan.call(&Task::new());
        let possible = [
            Got::Result(End::Reply),
            Got::Result(End::Aborted),
            Got::NotConnected,
        ];
        assert!(possible.contains(&got), "{got:?}");
        join(daemon);
        join(aborter);
        chan.check_at_rest(1, 0);
    });
}

/// Slots are added for callers who go meanwhile: either they or who adds them gives them back.
pub(crate) fn slots() {
    check("slots", 3, || {
        let chan = Chan::new(12);
        (0..5).for_each(|_| chan.waiting.enter());
        let other = chan.clone();
        let grower = spawn(move || other.grow());
        chan.leave();
        chan.leave();
        join(grower);
        assert!(!chan.lock().keeps_spare(3), "S9: slots are kept");
    });
}
