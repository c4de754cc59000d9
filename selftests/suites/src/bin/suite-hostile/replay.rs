// SPDX-License-Identifier: GPL-2.0

//! One caller, one daemon, everything in an order: the same seed gives the same conversation on C's
//! module and on ours, and it is recorded to be compared.
//!
//! After each step of the caller the daemon answers all that is there before the caller goes on.
//! What a request is answered with depends on the request and not on when it came, since RELEASE
//! and readahead have no fixed place.
//!
//! Not compared, because C has what ours does not have yet: directories in the page cache
//! (FOPEN_CACHE_DIR, ENOSYS to OPENDIR), flags of INIT that are not offered yet, requests not sent
//! yet; and of notifications that are refused only that they are, since most are not known yet.
//! Notifications whose effect is a matter of time are left to storms: see `notify`.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use fastrand::Rng;
use mockd::caller::readable;
use mockd::reply::message;
use mockd::table::{is_not_yet_sent, NOT_YET_OFFERED};
use mockd::wire::{init_flag, Kind, Op};
use mockd::{Io, Mock, Request, Setup};

use crate::daemon::{self, letters, send, Behind, Tally};
use crate::mutate::Class;
use crate::steps::{Hands, Step, SLOTS};

/// Steps in a round; then the mount, which may be full of bad inodes by then, is replaced.
const STEPS: usize = 36;

fn mix(seed: u64, what: impl Hash) -> u64 {
    let mut h = DefaultHasher::new();
    (seed, what).hash(&mut h);
    h.finish()
}

/// Flags of INIT that C offers and ours does not yet: one would heed them.
fn only_c() -> u64 {
    NOT_YET_OFFERED.iter().map(|f| init_flag(f.0)).sum()
}

/// Runs rounds until `quota` bad messages have been sent; gives the record.
pub fn rounds(seed: u64, quota: u64, tally: &mut Tally, beat: impl Fn()) -> String {
    let mut record = String::new();
    let start = tally.total();
    for n in 0.. {
        if tally.total() - start >= quota {
            break;
        }
        let nth = (seed % 1000) as usize + n;
        let seed = mix(seed, n);
        record += &format!("[round {n}, seed {seed:#x}]\n");
        round(seed, nth, tally, &mut record);
        beat();
    }
    record
}

/// What the caller does: each step when it is told to go on, and what that gave.
fn take_steps(mnt: &Path, io: &Io, steps: &[Step]) {
    let mut hands = match Hands::new(mnt) {
        Ok(hands) => hands,
        Err(e) => return io.put(format!("{e:?}")),
    };
    io.put("ok".to_string());
    io.wait();
    for step in steps {
        io.put(hands.run(step));
        io.wait();
    }
    drop(hands);
    io.put("ok".to_string());
}

fn round(seed: u64, nth: usize, tally: &mut Tally, record: &mut String) {
    let mut rng = Rng::with_seed(seed);
    let mut behind = Behind::new(&mut rng, nth, true);
    let mut m = Mock::uninit(&Setup::default());
    m.without_record();
    tally.mounts += 1;
    let init = m.expect(Op::INIT);
    let bytes = if rng.u32(..8) == 0 {
        tally.count(Class::Field, Op::INIT);
        let offered = init.init_flags();
        daemon::init(&mut rng, offered & !only_c(), !(offered | only_c()))
    } else {
        behind.init().bytes()
    };
    *record += &format!("  init {:?}\n", m.write(&message(init.unique, 0, &bytes)));

    let steps: Vec<Step> = (0..STEPS)
        .map(|i| Step::random(&mut rng, i < SLOTS, behind.focus))
        .collect();
    let theirs = steps.clone();
    let mut caller = m.caller(move |mnt, io| take_steps(mnt, io, &theirs));

    let mut seen = HashMap::new();
    let mut honest = true;
    let names = std::iter::once("start".to_string())
        .chain(steps.iter().map(|s| format!("{s:?}")))
        .chain(["end".to_string()]);
    for name in names {
        let mut lines = Vec::new();
        loop {
            assert!(
                wait(&m, &caller),
                "neither a request nor a result: {name}, caller {}",
                caller.state()
            );
            if m.pending() {
                one(&m, &mut behind, seed, &mut seen, honest, tally, &mut lines);
                continue;
            }
            if readable(caller.fd(), std::time::Duration::ZERO) {
                break;
            }
        }
        let result: String = caller.get();
        // What the caller left to be done while nobody waits.
        while m.pending() {
            one(&m, &mut behind, seed, &mut seen, honest, tally, &mut lines);
        }
        honest = false;
        // Those at the end have no fixed place.
        lines.sort_by_key(|l| l.0);
        *record += &format!("{name} = {result}\n");
        lines
            .iter()
            .for_each(|l| *record += &format!("  {}\n", l.1));
        if name == "start" && result != "ok" || name == "end" {
            break;
        }
        caller.go();
    }
    caller.join::<()>();
    while m.pending() {
        one(
            &m,
            &mut behind,
            seed,
            &mut seen,
            false,
            tally,
            &mut Vec::new(),
        );
    }
    m.umount();
}

/// Waits for a request or for the caller.
pub fn wait(m: &Mock, caller: &mockd::Caller) -> bool {
    use rustix::event::{poll, PollFd, PollFlags, Timespec};
    let dev = m.dev();
    let theirs = caller.fd();
    let mut fds = [
        PollFd::new(&dev, PollFlags::IN),
        PollFd::new(&theirs, PollFlags::IN),
    ];
    let bound = Timespec {
        tv_sec: ktap::patience().as_secs() as i64,
        tv_nsec: 0,
    };
    loop {
        match poll(&mut fds, Some(&bound)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(n) => return n > 0,
            Err(e) => panic!("poll: {e}"),
        }
    }
}

/// Answers one request. Lines of those without a fixed place sort after the others.
fn one(
    m: &Mock,
    behind: &mut Behind,
    seed: u64,
    seen: &mut HashMap<(u32, u64, u64), u32>,
    honest: bool,
    tally: &mut Tally,
    lines: &mut Vec<(u32, String)>,
) {
    let r = m
        .read()
        .unwrap_or_else(|e| panic!("read of the device: {e}"));
    let place = match r.op {
        Op::READ => r.get("offset"),
        Op::RELEASE | Op::RELEASEDIR => r.get("fh"),
        _ => 0,
    };
    let nth = seen.entry((r.opcode, r.node, place)).or_default();
    *nth += 1;
    let mut rng = Rng::with_seed(mix(seed, (r.opcode, r.node, place, *nth)));
    let mut all = letters(&mut rng, &r, behind);
    if honest {
        all.retain(|l| l.bad.is_none());
    }
    let log = send(all, r.op, tally, |b| m.write(b));
    if is_not_yet_sent(r.op) || matches!(r.op, Op::FORGET | Op::BATCH_FORGET) {
        return;
    }
    let group = u32::from(matches!(r.op, Op::RELEASE | Op::RELEASEDIR | Op::READ));
    lines.push((group, text(&r)));
    lines.extend(log.into_iter().map(|l| (group, format!("  {l}"))));
}

fn text(r: &Request) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    r.text(|kind, v| match kind {
        Kind::Owner => "owner".into(),
        Kind::Pid => "pid".into(),
        Kind::Nsec => "nsec".into(),
        Kind::Time if v.abs_diff(now) < 100_000 => "now".into(),
        _ => v.to_string(),
    })
}
