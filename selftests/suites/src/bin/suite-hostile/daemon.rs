// SPDX-License-Identifier: GPL-2.0

//! The hostile daemon: a small file system whose replies are changed on their way, and the count of
//! what was done.

use std::collections::BTreeMap;

use fastrand::Rng;
use mockd::errno::{Res, EFBIG, ENOSYS};
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::msg::Msg;
use mockd::reply::message;
use mockd::table::is_unasked;
use mockd::wire::{Op, FATTR_SIZE, ROOT};
use mockd::{Init, Request};
use suites::catalogue;

use crate::mutate::{self, Bad, Class, World};
use crate::pick::Pick;

/// What has been sent.
#[derive(Clone, Default)]
pub struct Tally {
    pub classes: BTreeMap<u32, u64>,
    /// Bad replies by operation.
    pub ops: BTreeMap<u32, u64>,
    pub mounts: u64,
    /// Callers that were killed in storms.
    pub killed: u64,
}

impl Tally {
    pub fn count(&mut self, class: Class, op: Op) {
        *self.classes.entry(class as u32).or_default() += 1;
        *self.ops.entry(op as u32).or_default() += 1;
    }

    pub fn total(&self) -> u64 {
        self.classes.values().sum()
    }

    pub fn add(&mut self, other: &Tally) {
        for (k, n) in &other.classes {
            *self.classes.entry(*k).or_default() += n;
        }
        for (k, n) in &other.ops {
            *self.ops.entry(*k).or_default() += n;
        }
        self.mounts += other.mounts;
        self.killed += other.killed;
    }

    pub fn text(&self) -> String {
        let class = |n: &u32| {
            Class::ALL
                .iter()
                .find(|c| **c as u32 == *n)
                .map_or(String::new(), |c| format!("{c:?}"))
        };
        let classes: Vec<String> = self
            .classes
            .iter()
            .map(|(k, n)| format!("{} {n}", class(k)))
            .collect();
        let ops: Vec<String> = self
            .ops
            .iter()
            .map(|(k, n)| format!("{:?} {n}", Op::from_u32(*k)))
            .collect();
        format!(
            "{} bad messages on {} mounts, {} callers killed; {}; to {}",
            self.total(),
            self.mounts,
            self.killed,
            classes.join(", "),
            ops.join(", ")
        )
    }
}

/// A count as it travels.
type Pairs = Vec<(u32, u64)>;

impl Msg for Tally {
    fn put(&self, out: &mut Vec<u8>) {
        let pairs = |m: &BTreeMap<u32, u64>| m.iter().map(|(k, n)| (*k, *n)).collect::<Pairs>();
        (
            pairs(&self.classes),
            pairs(&self.ops),
            self.mounts,
            self.killed,
        )
            .put(out);
    }

    fn take(b: &mut &[u8]) -> Option<Tally> {
        let (classes, ops, mounts, killed): (Pairs, Pairs, u64, u64) = Msg::take(b)?;
        Some(Tally {
            classes: classes.into_iter().collect(),
            ops: ops.into_iter().collect(),
            mounts,
            killed,
        })
    }
}

/// Bytes that a file may have: the daemon's memory is finite, whatever offsets it has made callers
/// believe in.
const MOST: u64 = 1 << 20;

/// The file system behind.
pub struct Behind {
    pub fs: Memfs,
    pub world: World,
    /// One operation that is called, and answered badly, more often than the others in this round.
    pub focus: Op,
    /// All else is answered as it should be.
    pub nothing_else: bool,
}

/// Operations that are worth a round of their own: those of the catalogue, and none.
fn worth_a_round() -> Vec<Op> {
    let mut ops: Vec<Op> = catalogue::main().map(|row| row.op).collect();
    ops.sort();
    ops.dedup();
    ops.push(Op::UNKNOWN);
    ops
}

impl Behind {
    /// For the `nth` round of a part.
    pub fn new(rng: &mut Rng, nth: usize, only_common: bool) -> Behind {
        let worth = worth_a_round();
        let mut fs = Memfs::new();
        fs.check_forgets = false;
        fs.file("f0", &vec![7; 5000]);
        fs.file("f1", b"");
        let d0 = fs.dir("d0");
        fs.dir("d1");
        fs.add(d0, "f", libc::S_IFREG | 0o644, &[3; 100]);
        fs.add(d0, "d", libc::S_IFDIR | 0o755, &[]);
        fs.add(d0, "l", libc::S_IFLNK | 0o777, b"../d1");
        fs.add(ROOT, "l0", libc::S_IFLNK | 0o777, b"f0");
        if rng.bool() {
            (fs.entry_valid, fs.attr_valid) = (mockd::reply::ZERO, mockd::reply::ZERO);
        }
        fs.xattrs = rng.bool();
        fs.ready = Some(libc::POLLIN as u32);
        for node in fs.nodes.values_mut() {
            node.xattrs.insert("user.a".into(), b"value".to_vec());
        }
        Behind {
            fs,
            world: World {
                only_common,
                ..World::default()
            },
            focus: worth[nth % worth.len()],
            nothing_else: false,
        }
    }

    /// With these files; nothing but `op` is answered badly, and that always.
    pub fn only(fs: Memfs, op: Op) -> Behind {
        Behind {
            fs,
            world: World {
                only_common: true,
                ..World::default()
            },
            focus: op,
            nothing_else: true,
        }
    }

    /// What a good daemon says to INIT, for the operation of the round to come.
    pub fn init(&self) -> Init {
        let row = catalogue::main().find(|row| row.op == self.focus);
        row.map_or(Init::plain(), |row| row.init(Init::plain()))
    }

    /// What a good daemon says.
    pub fn honest(&mut self, r: &Request) -> Answer {
        let end = match r.op {
            Op::WRITE => r.get("offset").saturating_add(r.get("size")),
            Op::SETATTR if r.get("valid") as u32 & FATTR_SIZE != 0 => r.get("size"),
            _ => 0,
        };
        let forgets = matches!(r.op, Op::FORGET | Op::BATCH_FORGET);
        let answer = if end > MOST {
            Answer::Err(EFBIG)
        } else if forgets && self.world.only_common {
            // When they come is a matter of time, and which nodes there are is not to depend on it.
            Answer::None
        } else {
            self.fs.handle(r)
        };
        self.world.nodes = self.fs.nodes.keys().copied().collect();
        self.world.nodes.sort_unstable();
        answer
    }

    /// This request's number is an old one from now on.
    fn answered(&mut self, r: &Request) {
        if self.world.old.len() < 64 {
            self.world.old.push(r.unique);
        } else {
            self.world.old[(r.unique / 2 % 64) as usize] = r.unique;
        }
    }

    /// Whether this request is to be answered badly.
    fn is_victim(&self, rng: &mut Rng, r: &Request) -> bool {
        if self.nothing_else {
            return r.op == self.focus;
        }
        // Where all of these fail nothing else is reached.
        let percent = match r.op {
            op if op == self.focus => 85,
            Op::LOOKUP | Op::GETATTR | Op::ACCESS => 20,
            _ => 60,
        };
        rng.u32(..100) < percent
    }
}

/// A message for the device, and what is bad about it, if anything.
pub struct Letter {
    pub bad: Option<(Class, String)>,
    pub bytes: Vec<u8>,
    /// Only to be sent if the one before was refused or left the request alone.
    pub if_needed: bool,
}

impl From<Bad> for Letter {
    fn from(b: Bad) -> Letter {
        Letter {
            bad: Some((b.class, b.label)),
            bytes: b.bytes,
            if_needed: false,
        }
    }
}

/// All that is written because of one request, the last of which ends it.
pub fn letters(rng: &mut Rng, r: &Request, behind: &mut Behind) -> Vec<Letter> {
    let honest = behind.honest(r);
    let good = match &honest {
        Answer::Ok(b) => message(r.unique, 0, b),
        Answer::Err(e) => message(r.unique, -e.0, &[]),
        Answer::None => return vec![],
    };
    let good = Letter {
        bad: None,
        bytes: good,
        if_needed: true,
    };
    // Without extended attributes it is asked once, and says so.
    if is_unasked(r) && !(behind.fs.xattrs && r.op == Op::GETXATTR) {
        return vec![Letter {
            bytes: message(r.unique, -ENOSYS.0, &[]),
            ..good
        }];
    }
    let mut all: Vec<Letter> = Vec::new();
    let strays = if behind.nothing_else { 0 } else { rng.u32(..4) };
    for _ in 0..strays {
        all.push(mutate::stray(rng, r, &behind.world).into());
    }
    if behind.is_victim(rng, r) {
        all.push(mutate::reply(rng, r, &honest, &behind.world).into());
    }
    all.push(good);
    if !behind.nothing_else && rng.u32(..10) == 0 {
        let bytes = message(r.unique, -libc::EIO, &[]);
        all.push(Letter {
            bad: Some((Class::Twice, "again".into())),
            bytes,
            if_needed: false,
        });
    }
    behind.answered(r);
    all
}

/// Sends letters as far as they are needed; says for each what it was and what came of it.
pub fn send(
    letters: Vec<Letter>,
    op: Op,
    tally: &mut Tally,
    mut write: impl FnMut(&[u8]) -> Res<usize>,
) -> Vec<String> {
    let mut log = Vec::new();
    let mut answered = false;
    for l in letters {
        if l.if_needed && answered {
            continue;
        }
        let class = l.bad.as_ref().map(|b| b.0);
        let got = write(&l.bytes);
        // Any answer to the request itself that is taken ends it; strays never are one.
        answered |= got.is_ok()
            && matches!(
                class,
                None | Some(Class::Size | Class::Error | Class::Field)
            );
        let what = match &l.bad {
            Some((class, label)) => {
                tally.count(*class, op);
                format!("{class:?}: {label}")
            }
            None => "as it should be".into(),
        };
        log.push(match (class, got) {
            // See `replay`: an unknown notification and a malformed known one differ in their error
            // only.
            (Some(Class::Notification), Err(_)) => format!("{what} -> refused"),
            (_, got) => format!("{what} -> {got:?}"),
        });
    }
    log
}

/// A reply to INIT that need not make sense, with some of the flags that were offered or all of the
/// `unknown` ones.
pub fn init(rng: &mut Rng, offered: u64, unknown: u64) -> Vec<u8> {
    let plain = Init::plain();
    let flag = offered & rng.u64(..) & rng.u64(..);
    let init = Init {
        major: [7, 7, 7, 7, 7, 7, 7, 0, 6, 8, u32::MAX].pick(rng),
        minor: [46, 46, 46, 46, 47, 0, 3, 8, 11, 23, u32::MAX].pick(rng),
        max_readahead: [0, 4096, 131_072, u32::MAX].pick(rng),
        flags: [
            plain.flags,
            plain.flags | flag,
            plain.flags ^ flag,
            flag,
            plain.flags | unknown,
        ]
        .pick(rng),
        // Few enough to hold callers up would make the order of requests a matter of time.
        max_background: [0, 0, 64, u16::MAX].pick(rng),
        congestion_threshold: [0, 0, u16::MAX].pick(rng),
        // More than the daemon's own buffer would end the conversation.
        max_write: [0, 1, 4095, 4096, 131_072, 1 << 20].pick(rng),
        time_gran: [0, 1, 1000, 1_000_000_000, 1_000_000_001, u32::MAX].pick(rng),
        max_pages: [0, 1, 32, 256, u16::MAX].pick(rng),
        map_alignment: rng.u16(..),
        max_stack_depth: [0, 1, 2, 3, u32::MAX].pick(rng),
        request_timeout: 0,
    };
    let mut b = init.bytes();
    match rng.u32(..6) {
        0 => b.truncate([0, 4, 8, 22, 24, 40].pick(rng)),
        1 => b.resize([65, 72, 4096].pick(rng), 0xff),
        _ => {}
    }
    b
}
