// SPDX-License-Identifier: GPL-2.0

//! The calls of the catalogue as the matrix pairs them: one that is left, another beside it, each
//! with names of its own in a small tree; and who looks at all of that in the end.

use std::collections::BTreeSet;
use std::os::fd::AsRawFd;
use std::path::Path;

use mockd::mem::PAGE;
use mockd::memfs::Memfs;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::Op;
use suites::catalogue::Lock::{Name, Turn, S, X};
use suites::catalogue::{self, populate, reads, summary, Names, Part, Place, Waits};

use crate::scene::{open, show, Act, Scene};

/// What a call locks, by the name of what has it.
pub type Lock = catalogue::Lock<&'static str>;

/// A call of the catalogue among names of its own.
pub struct Row {
    /// That of the call, and what tells its names from the usual ones.
    pub name: String,
    /// Rows of one class lock alike, and look at the same.
    pub class: &'static str,
    pub call: &'static catalogue::Row,
    pub names: Names,
    /// What it holds while its request is out, and must have.
    pub locks: Vec<Lock>,
}

/// Names of the call that is left.
const FIRST: Names = Names {
    of: [
        "d", "e", "d/f", "d/g", "d/v", "d/s", "d/l", "d/a", "d/a2", "e/a3", "d/n1", "d/none",
        "d/h", "d/q",
    ],
    page: 2,
    tag: 1,
};

/// Those of one beside it: the same directory and file, and nothing else.
const SECOND: Names = Names { tag: 2, ..FIRST }
    .with(Part::Victim, "d/w")
    .with(Part::Sub, "d/s2")
    .with(Part::New, "d/b")
    .with(Part::To, "d/b2")
    .with(Part::FarTo, "e/b3")
    .with(Part::Unknown, "d/n2");

/// Names of calls beside another: what the catalogue calls them, the names, their class if it is
/// not that of the call.
const BESIDE: &[(&str, Names, Option<&str>)] = &[
    ("", SECOND, None),
    ("_same", Names { tag: 2, ..FIRST }, None),
    ("_elsewhere", ELSEWHERE, Some("elsewhere")),
    ("_below", BELOW, Some("below")),
    ("_out", OUT, Some("source_elsewhere")),
    ("_back", BACK, Some("renames_back")),
    (
        "_victim",
        SECOND.with(Part::File, "d/v"),
        Some("victim_file"),
    ),
    (
        "_source",
        SECOND.with(Part::File, "d/g"),
        Some("target_file"),
    ),
    ("_direct", SECOND.with(Part::File, "d/h"), Some("direct")),
    (
        "_parallel",
        SECOND.with(Part::File, "d/q"),
        Some("parallel_append"),
    ),
    ("_dir", SECOND.with(Part::File, "d"), None),
];

/// All in the other directory, whose file has one page.
const ELSEWHERE: Names = Names { page: 0, ..SECOND }
    .with(Part::Dir, "e")
    .with(Part::File, "e/k")
    .with(Part::Victim, "e/k")
    .with(Part::Sub, "e/t")
    .with(Part::New, "e/b")
    .with(Part::To, "e/b2")
    .with(Part::Unknown, "e/n3");

/// In a directory that the other call removes or renames.
const BELOW: Names = SECOND
    .with(Part::Dir, "d/s")
    .with(Part::New, "d/s/in")
    .with(Part::Unknown, "d/s/none");

/// From the directory to the other one.
const OUT: Names = SECOND.with(Part::Dir, "e").with(Part::New, "e/b");

/// From the other directory to this one.
const BACK: Names = SECOND
    .with(Part::Dir, "e")
    .with(Part::Far, "d")
    .with(Part::Sub, "e/t")
    .with(Part::FarTo, "d/t8");

/// A page that is in the cache.
const READ_CACHED: catalogue::Row = catalogue::Row {
    class: "cached",
    ..catalogue::Row::new("read_cached", Op::READ, |p| {
        Ok(reads(p.open(Part::File, libc::O_RDONLY)?, PAGE, 0))
    })
};

impl Row {
    fn new(call: &'static catalogue::Row, suffix: &str, names: Names, wants: bool) -> Row {
        let wants = if wants { call.wants } else { &[] };
        let locks = call.holds.iter().chain(wants);
        Row {
            name: format!("{}{suffix}", call.name),
            class: call.class,
            call,
            names,
            locks: locks.map(|l| l.map(|part| names.get(part))).collect(),
        }
    }

    /// Gets the caller ready.
    pub fn prepare(&self) -> impl FnOnce(&Path) -> Act {
        let (ready, names) = (self.call.ready, self.names);
        move |mnt| {
            let mut act = ready(&Place::new(mnt, names)).expect("preparation");
            Box::new(move || show(act.call()))
        }
    }

    /// The name in its request, if it tells it from others: "" is any.
    pub fn what(&self) -> &'static str {
        let path = self.call.named.map_or("", |part| self.names.get(part));
        path.rsplit('/').next().unwrap_or_default()
    }

    /// In C, too, SIGKILL frees who waits for it.
    pub fn is_killable_in_c(&self) -> bool {
        self.call.waits == Waits::ForFolio
    }

    /// The same of each row that holds the same while its request is out.
    pub fn holds(&self) -> Vec<Lock> {
        let named = |l: &Lock| matches!(l, Name(_));
        let turns = takes_turns(self.call);
        let turn = |l: &Lock| matches!(l, Turn(_)) && !turns;
        let locks = self.locks.iter().copied();
        locks.filter(|l| !named(l) && !turn(l)).collect()
    }
}

/// The calls whose requests are held while their callers are killed.
pub fn left() -> Vec<Row> {
    let calls = catalogue::all().filter(|call| call.waits != Waits::Not);
    calls.map(|call| Row::new(call, "", FIRST, false)).collect()
}

/// What others do meanwhile.
pub fn other() -> Vec<Row> {
    let calls = catalogue::all()
        .filter(|call| call.waits != Waits::Not && call.without.is_none() && call.with.is_none());
    let mut rows: Vec<Row> = calls.flat_map(beside).collect();
    rows.push(Row::new(&READ_CACHED, "", SECOND, true));
    rows
}

/// A call with all names that it has beside others.
fn beside(call: &'static catalogue::Row) -> impl Iterator<Item = Row> {
    call.beside.iter().map(move |suffix| {
        let names = BESIDE.iter().find(|b| b.0 == *suffix);
        let (_, names, class) = names.unwrap_or_else(|| panic!("{}: {suffix}", call.name));
        Row {
            class: class.unwrap_or(call.class),
            ..Row::new(call, suffix, *names, true)
        }
    })
}

/// The row of this name.
#[track_caller]
pub fn find(rows: Vec<Row>, name: &str) -> Row {
    let row = rows.into_iter().find(|r| r.name == name);
    row.unwrap_or_else(|| panic!("no row {name}"))
}

/// True if who wants `b` waits for who has `a`.
fn excludes(a: Lock, b: Lock) -> bool {
    match (a, b) {
        (X(a), X(b)) | (X(a), S(b)) | (S(a), X(b)) => a == b,
        (S(_), S(_)) => false,
        (a, b) => a == b,
    }
}

/// Whether LOOKUPs and READDIRs of a directory take turns on its mount.
fn takes_turns(first: &catalogue::Row) -> bool {
    first.without == Some("PARALLEL_DIROPS")
}

/// True if in C the second waits for the first.
pub fn waits(first: &Row, second: &Row) -> bool {
    let turns = takes_turns(first.call);
    first.locks.iter().any(|a| {
        let b = second.locks.iter();
        b.filter(|b| turns || !matches!(b, Turn(_)))
            .any(|b| excludes(*a, *b))
    })
}

const RW: i32 = libc::O_RDWR;
const DIR: i32 = libc::O_RDONLY | libc::O_DIRECTORY;

/// The names that are there from the start, and that everybody knows.
pub const KNOWN: &[&str] = &[
    "d", "e", "d/f", "d/g", "d/h", "d/q", "d/v", "d/w", "d/s", "d/s2", "d/l", "e/k", "e/t",
];

/// A daemon with the tree: n1 to n3 are there, and nobody has looked them up yet. Nothing is
/// believed for longer than it takes. It knows extended attributes and POLL.
pub fn tree() -> Memfs {
    let mut fs = Memfs::new();
    (fs.xattrs, fs.ioctls) = (true, true);
    fs.ready = Some(libc::POLLIN as u32);
    (fs.entry_valid, fs.attr_valid) = (ZERO, ZERO);
    let (d, e) = (fs.dir("d"), fs.dir("e"));
    populate(&mut fs, d);
    for name in ["k", "n3"] {
        fs.add(e, name, libc::S_IFREG | 0o644, b"text");
    }
    fs.add(e, "t", libc::S_IFDIR | 0o755, &[]);
    fs
}

fn stat_text(r: mockd::errno::Res<user::Stat>) -> String {
    show(r.map(|s| (s.ino, format!("{:o}", s.mode), s.nlink, s.size)))
}

/// Who looks at all in the end. It knows all names and has what it looks at open from the start,
/// and the first page of f in the cache.
pub fn third(s: &mut Scene) -> mockd::Caller {
    s.actor("third", |mnt| {
        for name in KNOWN {
            user::lstat(&mnt.join(name)).expect("lstat");
        }
        let files = ["d/f", "d/h", "d/q"].map(|name| open(mnt, name, RW));
        let dirs = ["d", "e"].map(|name| open(mnt, name, DIR));
        let f = files[0].as_raw_fd();
        // Nobody asks for that any more.
        // SAFETY: a C string; no value.
        unsafe { libc::fgetxattr(f, c"security.capability".as_ptr(), std::ptr::null_mut(), 0) };
        // SAFETY: integers.
        unsafe { libc::posix_fadvise(f, 0, 0, libc::POSIX_FADV_RANDOM) };
        assert_eq!(user::pread(&files[0], PAGE, 0).map(|b| b.len()), Ok(PAGE));
        Box::new(move || {
            let mut t = String::new();
            for f in &files {
                t += &format!(" {}", stat_text(user::fstat(f)));
                t += &format!(" {}\n", show(user::pread(f, 5 * PAGE, 0).map(summary)));
            }
            for (dir, fd) in ["d", "e"].iter().zip(&dirs) {
                let (known, all) = (KNOWN.iter(), user::getdents(fd, 8192));
                let known = known.filter_map(|n| n.strip_prefix(dir)?.strip_prefix('/'));
                let mut names: BTreeSet<String> = known.map(String::from).collect();
                let there = all.map(|v| v.into_iter().map(|d| d.3).collect::<Vec<_>>());
                t += &format!(" {dir} {there:?}\n");
                names.extend(there.unwrap_or_default());
                // By descriptor, so that the directory itself is not asked for each time.
                let at = format!("/proc/self/fd/{}", fd.as_raw_fd());
                for name in names.iter().filter(|n| !n.starts_with('.')) {
                    let stat = user::lstat(&Path::new(&at).join(name));
                    t += &format!("  {name} {}\n", stat_text(stat));
                }
            }
            t
        })
    })
}
