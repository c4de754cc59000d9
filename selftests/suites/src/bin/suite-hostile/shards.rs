// SPDX-License-Identifier: GPL-2.0

//! The run in parts, each a case with a bound on its time and a share of the bad messages.

use std::io::Write;

use fastrand::Rng;
use ktap::Case;
use mockd::msg::Msg;
use mockd::wire::Op;
use suites::{catalogue, killable, number};

use crate::daemon::Tally;
use crate::mutate::Class;
use crate::{each, replay, storm, userns, works};

/// Bad messages in one part.
const PART: u64 = 2500;

/// What a part does; of eight, the eighth is on a mount of an ordinary user's as is the sixth.
const PARTS: [(&str, fn()); 8] = [
    ("replay", replayed),
    ("storm", stormed),
    ("replay", replayed),
    ("storm", stormed),
    ("replay", replayed),
    ("user_storm", stormed_as_user),
    ("replay", replayed),
    ("user_replay", replayed_as_user),
];

/// How many bad messages are sent: `N`, or what fits into a run of everything.
fn wanted() -> u64 {
    let default = if ktap::debug_kernel() && ktap::implementation() == ktap::Impl::Rust {
        50_000
    } else {
        20_000
    };
    number("N").unwrap_or(default)
}

/// The seed of everything, from the host so that both modules get the same.
fn seed() -> u64 {
    number("SEED").expect("SEED, which scripts/test.sh gives")
}

/// The cases: parts, and what is to hold after them.
pub fn cases() -> Vec<Case> {
    let _ = std::fs::remove_file(TALLIES);
    let parts = wanted().div_ceil(PART);
    println!("# SEED={} N={}", seed(), wanted());
    let mut all: Vec<Case> = (0..parts)
        .map(|i| {
            let (name, run) = PARTS[i as usize % PARTS.len()];
            let path = format!("{name}_{i}");
            Case {
                path: Box::leak(path.into_boxed_str()),
                run,
            }
        })
        .collect();
    all.push(Case {
        path: "each",
        run: each_op,
    });
    all.push(Case {
        path: "counted",
        run: counted,
    });
    all
}

/// The number at the end of the running case's name, and its own seed.
fn part() -> (u64, u64) {
    let name = std::env::var("RF_CASE").expect("RF_CASE");
    let n = name
        .rsplit('_')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("number of the part");
    let mut rng = Rng::with_seed(seed() ^ n);
    (n, rng.u64(..))
}

/// Each part in a line; a case is a process of its own.
const TALLIES: &str = "/tmp/hostile-tallies";

fn done(tally: &Tally) {
    println!("{}", tally.text());
    works::check();
    let mut f = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(TALLIES)
        .expect(TALLIES);
    let bytes: Vec<String> = tally.encode().iter().map(u8::to_string).collect();
    writeln!(f, "{}", bytes.join(" ")).expect(TALLIES);
}

/// Keeps a record for the comparison of the two modules.
fn keep(record: &str) {
    let dir = std::path::PathBuf::from(std::env::var("RF_OUT").expect("RF_OUT")).join("wire");
    std::fs::create_dir_all(&dir).expect("RF_OUT/wire");
    let name = std::env::var("RF_CASE").expect("RF_CASE");
    std::fs::write(dir.join(format!("hostile.{name}.txt")), record).expect("record");
}

fn each_op() {
    let mut tally = Tally::default();
    each::rows(seed(), &mut tally);
    done(&tally);
}

fn replayed() {
    let mut tally = Tally::default();
    keep(&replay::rounds(part().1, PART, &mut tally, || ()));
    done(&tally);
}

fn stormed() {
    let mut tally = Tally::default();
    storm::rounds(part().1, PART, &mut tally, killable::set, || ());
    killable::set(true);
    done(&tally);
}

fn replayed_as_user() {
    let seed = part().1;
    let (tally, record) = userns::run(|beat| {
        let mut tally = Tally::default();
        let record = replay::rounds(seed, PART, &mut tally, beat);
        (tally, record)
    });
    keep(&record);
    done(&tally);
}

fn stormed_as_user() {
    let seed = part().1;
    // The user may not set it.
    killable::set(seed % 4 != 0);
    let tally = userns::run(|beat| {
        let mut tally = Tally::default();
        storm::rounds(seed, PART, &mut tally, |_| (), beat);
        tally
    });
    killable::set(true);
    done(&tally);
}

/// As many as were asked for, of every class, and to every operation of the catalogue.
fn counted() {
    // Half of them come from there.
    ktap::needs("CONFIG_USER_NS");
    let text = std::fs::read_to_string(TALLIES).expect(TALLIES);
    let mut all = Tally::default();
    for line in text.lines() {
        let bytes: Vec<u8> = line
            .split(' ')
            .map(|n| n.parse().expect("a byte"))
            .collect();
        all.add(&Tally::decode(&bytes).expect("tally"));
    }
    println!("SEED={} {}", seed(), all.text());
    assert!(all.total() >= wanted(), "only {} bad messages", all.total());
    // A short run need not have everything.
    if wanted() < 20_000 {
        return;
    }
    for class in Class::ALL {
        assert!(
            all.classes.contains_key(&(class as u32)),
            "none of {class:?}"
        );
    }
    // The last three are no call's own.
    let others = [Op::INIT, Op::RELEASE, Op::RELEASEDIR];
    for op in catalogue::main().map(|row| row.op).chain(others) {
        assert!(all.ops.contains_key(&(op as u32)), "none to {op:?}");
    }
}
