// SPDX-License-Identifier: GPL-2.0

//! One flood: what a user in a group of their own does to the machine, and what the machine may not
//! lose by it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use mockd::memfs::Memfs;
use mockd::{Caller, Mock};
use suites::setting::Setting;

use crate::board::Board;
use crate::group::{adopt, Group};
use crate::mine::Task;
use crate::watch::Watch;

const USER: u32 = 1000;

/// MiB that the group may have in the long form. In the short one it is full sooner.
const ROOM: i64 = 256;

/// Of what the group may have, so much may be taken outside of it: 64 MiB of 256.
const SHARE: i64 = 4;

/// What a user does.
pub struct Flood {
    /// One round; it ends by itself, or when the group has no memory any more and the user's
    /// processes are killed for it.
    pub round: fn(&User),
    /// MiB that the group may have in the short form.
    pub room: i64,
    /// Rounds of the short form.
    pub rounds: u64,
    /// So much must have been done in all of them, or it was no flood.
    pub least: u64,
}

/// The user, in the process where a round begins.
pub struct User {
    board: &'static Board,
    /// In the long form, how much larger the group is.
    long: Option<usize>,
    /// Of the seed, and the number of the round.
    pub rng: std::cell::RefCell<Rng>,
}

impl User {
    /// Something has been done.
    pub fn did(&self, n: usize) {
        self.board.did(n);
    }

    /// How often something is to be done that is done so often where the group is full soon: more
    /// often in the long form, and less on a slow kernel, whose own memory hides what is taken.
    pub fn times(&self, n: usize) -> usize {
        match self.long {
            Some(times) => n * times,
            None => n / slowness(),
        }
    }

    /// Whether there is time for more.
    pub fn goes_on(&self) -> bool {
        !self.board.is_over()
    }

    /// How much has been done.
    pub fn done(&self) -> u64 {
        self.board.done()
    }

    /// Waits until all of these are gone.
    pub fn until_gone(&self, mut tasks: Vec<Task>) {
        while !tasks.is_empty() {
            let before = tasks.len();
            tasks.retain(|t| !t.ended());
            self.did(before - tasks.len());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// All that this round takes is there now: has the watch look at it.
    pub fn all_is_there(&self) {
        self.board.await_look();
    }
}

/// How long a flood goes on, in seconds: `RF_BOUNDS`, which makes it the long form.
fn seconds() -> Option<Duration> {
    suites::number("RF_BOUNDS").map(Duration::from_secs)
}

/// Runs it.
#[track_caller]
pub fn flood(f: Flood) {
    ktap::needs("CONFIG_USER_NS");
    let long = seconds();
    let room = long.map_or(f.room, |_| ROOM);
    let group = Arc::new(Group::new(room));
    adopt();
    suites::userns::allow(USER);
    let quiet = Setting::sysctl("vm/oom_dump_tasks");
    quiet.set("0").expect("oom_dump_tasks");
    let board = Board::new();
    let connections = connections();
    let mut watch = Watch::start(&group, board);

    let (start, mut rounds) = (Instant::now(), 0);
    while long.map_or(rounds < f.rounds, |long| start.elapsed() < long) {
        round(&group, board, &f, rounds, long.map(|long| start + long));
        rounds += 1;
    }

    let (bound, kept) = (room * 1024 / SHARE, kept_by_kasan());
    suites::daemon::until("the connections to go", || {
        (self::connections() == connections).then_some(())
    });
    println!(
        "{} done in {rounds} rounds; {} KiB in the group, {} times at its limit, {} killed, \
         no more tasks {} times; {} KiB outside after it",
        board.done(),
        group.peak(),
        group.events("memory.events", "max"),
        group.events("memory.events", "oom_kill"),
        group.events("pids.events", "max"),
        watch.taken(),
    );
    let most = watch.most();
    println!("{most} KiB outside at most");
    let least = f.least / slowness() as u64;
    assert!(board.done() >= least, "no flood: {}", board.done());
    let limit = bound + kept;
    assert!(most < limit, "{most} of {limit} KiB outside of the group");
    // Slabs that are half in use keep up to 4 MiB, however small the group is.
    let back = (bound / 2).max(4 << 10) + kept;
    suites::daemon::until("the memory to come back", || {
        (watch.taken() < back).then_some(())
    });
    works();
}

/// One round, in a process of its own, and everybody out after it.
fn round(group: &Group, board: &'static Board, f: &Flood, number: u64, over: Option<Instant>) {
    let seed = suites::number("SEED").unwrap_or(1);
    let rng = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number)).into();
    let long = over.map(|_| (ROOM / f.room) as usize);
    let mut c = Caller::spawn(None, |_| {
        group.enter();
        suites::userns::enter(USER);
        (f.round)(&User { board, long, rng });
    });
    let (mut done, mut end) = (board.done(), Instant::now() + ktap::patience());
    while !c.exited() {
        if over.is_some_and(|over| Instant::now() > over) {
            board.end();
        }
        if board.done() != done {
            (done, end) = (board.done(), Instant::now() + ktap::patience());
        }
        assert!(
            Instant::now() < end,
            "it goes no further: {done} done; {}",
            ktap::describe_descendants()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(!c.panicked(), "the user has found something wrong");
    c.reap();
    group.end();
}

/// So much less is done on a debug kernel, and where processors are emulated: there are two then.
fn slowness() -> usize {
    let one = std::thread::available_parallelism().is_ok_and(|n| n.get() < 2);
    match (ktap::debug_kernel(), one) {
        (true, _) => 8,
        (false, false) => 4,
        (false, true) => 1,
    }
}

/// KiB that KASAN keeps of what was freed: a part of all memory.
fn kept_by_kasan() -> i64 {
    if ktap::has("CONFIG_KASAN_GENERIC") {
        crate::watch::meminfo("MemTotal") / 32
    } else {
        0
    }
}

/// The numbers of the connections that there are.
fn connections() -> Vec<std::ffi::OsString> {
    let dir = std::fs::read_dir(suites::fusectl::CONNECTIONS).expect("connections");
    let mut all: Vec<_> = dir.flatten().map(|e| e.file_name()).collect();
    all.sort();
    all
}

/// Somebody else's mount, with a good daemon, does what it should.
fn works() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    fs.file("f", b"good");
    let read = m.run(&mut fs, |mnt| {
        let f = mockd::user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        mockd::user::pread(&f, 10, 0)
    });
    assert_eq!(read.as_deref(), Ok(&b"good"[..]));
    m.finish();
}
