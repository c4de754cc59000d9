// SPDX-License-Identifier: GPL-2.0

//! One run: callers, threads of the daemon on two devices, and one that sends signals, resends,
//! closes a device and aborts, all at times of the schedule's choice. In the end all invariants are
//! looked at.

use super::engine::{DeviceId, ReqId};
use super::rig::caller::Got;
use super::rig::chan::Chan;
use super::rig::daemon::Read;
use super::rig::sched::{Signals, Task};
use super::sync::{below, chance, pause, Arc};
use shuttle::thread::{spawn, JoinHandle};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Mutex;

const CALLERS: usize = 3;
/// The device that each thread of the daemon reads.
const DAEMONS: [usize; 3] = [0, 0, 1];
/// What each of them does.
const CALLS: usize = 2;

/// What happens, for who looks at one schedule.
macro_rules! note {
    ($($text:tt)*) => {
        if std::env::var_os("ENGINE_REPLAY").is_some() {
            println!($($text)*);
        }
    };
}

/// The daemon: what it has read and not answered yet, on either device.
#[derive(Default)]
struct Inbox(Mutex<Vec<(usize, ReqId)>>);

impl Inbox {
    fn push(&self, device: usize, unique: ReqId) {
        self.0.lock().expect("inbox").push((device, unique));
    }

    /// Any of them.
    fn pop(&self) -> Option<(usize, ReqId)> {
        let mut inbox = self.0.lock().expect("inbox");
        let len = inbox.len() as u32;
        (len > 0).then(|| inbox.swap_remove(below(len) as usize))
    }
}

/// An open device: closed when nobody is inside any more, as through a file.
struct File {
    chan: Arc<Chan>,
    device: DeviceId,
}

impl Drop for File {
    fn drop(&mut self) {
        self.chan.release(self.device);
    }
}

#[derive(Clone)]
struct World {
    chan: Arc<Chan>,
    /// For the checks.
    devices: [DeviceId; 2],
    /// The daemon's descriptors.
    files: Arc<Mutex<[Option<Arc<File>>; 2]>>,
    inbox: Arc<Inbox>,
    callers: Arc<Vec<Arc<Task>>>,
    daemons: Arc<Vec<Arc<Task>>>,
    /// Counts FORGETs that were queued.
    forgets: Arc<std::sync::atomic::AtomicU32>,
}

impl World {
    fn new() -> World {
        let chan = Chan::new(1 + below(3));
        let devices = [chan.add_device(), chan.add_device()];
        let files = devices.map(|device| {
            let chan = chan.clone();
            Some(Arc::new(File { chan, device }))
        });
        World {
            chan,
            devices,
            files: Arc::new(Mutex::new(files)),
            inbox: Arc::default(),
            callers: tasks(CALLERS),
            daemons: tasks(DAEMONS.len()),
            forgets: Arc::default(),
        }
    }

    fn file(&self, index: usize) -> Option<Arc<File>> {
        self.files.lock().expect("files")[index].clone()
    }

    fn close(&self, index: usize) {
        let file = self.files.lock().expect("files")[index].take();
        drop(file);
    }

    /// Answers one of those that were read. False if there is none.
    fn reply(&self) -> bool {
        let Some((on, unique)) = self.inbox.pop() else {
            return false;
        };
        if let Some(file) = self.file(on) {
            let found = self.chan.reply(file.device, unique);
            note!("reply to {unique:?} through {on}: {found}");
        }
        true
    }
}

fn tasks(count: usize) -> Arc<Vec<Arc<Task>>> {
    Arc::new((0..count).map(|_| Task::new()).collect())
}

pub(crate) fn run() {
    let world = World::new();
    let start = |run: fn(&World, usize), index: usize| {
        let world = world.clone();
        spawn(move || run(&world, index))
    };
    let callers: Vec<_> = (0..CALLERS).map(|i| start(caller, i)).collect();
    let daemons: Vec<_> = (0..DAEMONS.len()).map(|i| start(daemon, i)).collect();
    let events = start(events, 0);
    pause();
    // INIT is answered.
    world.chan.set_initialized();

    // L1: they all come back. L2: so do those that nobody waits for.
    join(callers);
    join([events]);
    let own = Task::new();
    let none = || world.chan.waiting.count() == 0;
    assert!(world
        .chan
        .left
        .wait(&own, Signals::None, false, none)
        .is_ok());
    world.chan.abort();
    world.chan.wait_aborted(&own);
    join(daemons);
    world.close(0);
    world.close(1);
    world.chan.check_at_rest(0, world.forgets.load(Relaxed));
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("thread");
    }
}

fn caller(world: &World, index: usize) {
    let task = &world.callers[index];
    let chan = &world.chan;
    for _ in 0..CALLS {
        let what = below(8);
        note!("caller {index}: {what}");
        match what {
            0 => {
                world.forgets.fetch_add(1, Relaxed);
                chan.forget(index as u16);
            }
            1 | 2 => {
                chan.background(task, false);
            }
            3 => {
                chan.background(task, true);
            }
            _ => {
                let got = chan.call(task);
                note!("caller {index}: {got:?}");
                let killed = matches!(got, Got::Left | Got::KilledAtGate);
                assert!(!killed || task.killed(), "{got:?} without a signal");
            }
        }
    }
}

fn daemon(world: &World, index: usize) {
    let own = &world.daemons[index];
    let chan = &world.chan;
    let on = DAEMONS[index];
    while let Some(file) = world.file(on) {
        // Nobody sleeps with something to be answered.
        let wait = !chance(4);
        while wait && world.reply() {}
        let read = chan.read(own, file.device, &world.devices, !wait);
        note!("daemon {index}: {read:?}");
        match read {
            Read::Request(unique) => world.inbox.push(on, unique),
            Read::Interrupt(unique) if chance(4) => chan.again(file.device, unique),
            Read::Interrupt(_) | Read::Forgets | Read::Message | Read::Failed => {}
            // A reply under a unique that may be with a reader just now.
            Read::Nothing if chance(4) => {
                chan.reply(file.device, ReqId(u64::from(1 + below(6)) * ReqId::STEP));
            }
            Read::Nothing => {
                world.reply();
            }
            Read::Killed | Read::Closed => break,
        }
    }
    while world.reply() {}
}

/// What comes from outside.
fn events(world: &World, _: usize) {
    let mut closed = false;
    for _ in 0..4 {
        let what = below(13);
        note!("event {what}");
        match what {
            0..=2 => world.callers[below(CALLERS as u32) as usize].signal(false),
            3..=5 => world.callers[below(CALLERS as u32) as usize].signal(true),
            6..=8 => world.chan.resend(),
            // The other one goes on.
            9 => world.daemons[1].signal(true),
            10 if !closed => {
                closed = true;
                world.close(1);
                world.daemons[2].signal(true);
            }
            11 => world.chan.abort(),
            _ => {
                let max = 1 + below(4);
                let _ = world.chan.step(|engine| engine.set_max_background(max));
            }
        }
        pause();
    }
}
