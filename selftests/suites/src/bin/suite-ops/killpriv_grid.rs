// SPDX-License-Identifier: GPL-2.0

//! Set-id bits and capabilities of a file whose data change, or that changes hands: each way to do
//! that, where the kernel clears them, where the daemon always does (HANDLE_KILLPRIV) and where it
//! does when it is told (HANDLE_KILLPRIV_V2); by each kind of caller, on files of each mode.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::{without_set_id, Killpriv, Memfs};
use mockd::mock::Answer;
use mockd::pipe::Pipe;
use mockd::user;
use mockd::wire::{Op, FOPEN_DIRECT_IO, ROOT};
use mockd::{Init, Mock, Setup};

use Way::*;

macro_rules! grid {
    ($($way:ident: $kernel:ident $all:ident $told:ident;)*) => {
        $(
            fn $kernel() {
                each(Killpriv::Kernel, $way);
            }

            fn $all() {
                each(Killpriv::All, $way);
            }

            fn $told() {
                each(Killpriv::Told, $way);
            }
        )*

        pub fn cases() -> Vec<Case> {
            cases![$($kernel, $all, $told),*]
        }
    };
}

grid! {
    Write: killpriv_none_write killpriv_v1_write killpriv_v2_write;
    WriteMuch: killpriv_none_write_much killpriv_v1_write_much killpriv_v2_write_much;
    WriteDirect: killpriv_none_write_direct killpriv_v1_write_direct killpriv_v2_write_direct;
    WriteUncached: killpriv_none_write_uncached killpriv_v1_write_uncached
        killpriv_v2_write_uncached;
    Append: killpriv_none_append killpriv_v1_append killpriv_v2_append;
    Splice: killpriv_none_splice killpriv_v1_splice killpriv_v2_splice;
    Truncate: killpriv_none_truncate killpriv_v1_truncate killpriv_v2_truncate;
    TruncateOpen: killpriv_none_ftruncate killpriv_v1_ftruncate killpriv_v2_ftruncate;
    OpenTruncates: killpriv_none_open_truncates killpriv_v1_open_truncates
        killpriv_v2_open_truncates;
    OpenThenTruncate: killpriv_none_open_then_truncate killpriv_v1_open_then_truncate
        killpriv_v2_open_then_truncate;
    CreateTruncates: killpriv_none_create_truncates killpriv_v1_create_truncates
        killpriv_v2_create_truncates;
    Chown: killpriv_none_chown killpriv_v1_chown killpriv_v2_chown;
    Chgrp: killpriv_none_chgrp killpriv_v1_chgrp killpriv_v2_chgrp;
    ChownOpen: killpriv_none_fchown killpriv_v1_fchown killpriv_v2_fchown;
    ChownToNobody: killpriv_none_chown_to_nobody killpriv_v1_chown_to_nobody
        killpriv_v2_chown_to_nobody;
}

/// How a file is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// Twice.
    Write,
    /// More than fits into a request.
    WriteMuch,
    WriteDirect,
    /// The daemon wants no page cache.
    WriteUncached,
    Append,
    /// The kernel writes, from a pipe.
    Splice,
    Truncate,
    TruncateOpen,
    /// OPEN does it.
    OpenTruncates,
    /// A daemon that has not agreed to ATOMIC_O_TRUNC.
    OpenThenTruncate,
    /// CREATE does it: when the kernel has looked the file was not there.
    CreateTruncates,
    Chown,
    Chgrp,
    ChownOpen,
    /// No new owner, no new group.
    ChownToNobody,
}

impl Way {
    fn go(self, p: &Path) -> Res<()> {
        let open = |flags: i32| user::open(p, libc::O_WRONLY | flags, 0o644);
        match self {
            Write | WriteUncached => {
                let f = open(0)?;
                user::pwrite(&f, b"x", 0)?;
                user::pwrite(&f, b"y", 1).map(drop)
            }
            WriteMuch => user::pwrite(&open(0)?, &[1; 200_000], 0).map(drop),
            WriteDirect => user::pwrite(&open(libc::O_DIRECT)?, &[1; 4096], 0).map(drop),
            Append => user::write(&open(libc::O_APPEND)?, b"x").map(drop),
            Splice => {
                let pipe = Pipe::new(1);
                pipe.put(b"x");
                pipe.splice_to(&open(0)?, 1, 0).map(drop)
            }
            Truncate => user::truncate(p, 1),
            TruncateOpen => user::ftruncate(&open(0)?, 1),
            OpenTruncates | OpenThenTruncate => open(libc::O_TRUNC).map(drop),
            CreateTruncates => open(libc::O_CREAT | libc::O_TRUNC).map(drop),
            Chown => user::lchown(p, 7, u32::MAX),
            Chgrp => user::lchown(p, u32::MAX, 7),
            ChownOpen => user::fchown(&open(0)?, 7, 7),
            ChownToNobody => user::lchown(p, u32::MAX, u32::MAX),
        }
    }

    /// The file changes hands, and so loses its set-id bits whoever the caller is.
    fn is_chown(self) -> bool {
        matches!(self, Chown | Chgrp | ChownOpen | ChownToNobody)
    }

    /// The mode that the daemon has of a file afterwards.
    fn mode_after(self, killpriv: Killpriv, fsetid: bool, mode: u32) -> u32 {
        let lost = !fsetid || self.is_chown();
        let clears = match killpriv {
            // There the kernel asks for no change of the mode.
            Killpriv::Kernel => {
                lost && !matches!(self, WriteUncached | OpenTruncates | CreateTruncates)
            }
            // Here the daemon does not learn of the change.
            _ if self == ChownToNobody => false,
            Killpriv::All => true,
            Killpriv::Told => lost,
        };
        if clears {
            without_set_id(mode)
        } else {
            mode
        }
    }

    /// Whether the file still has its capabilities: the kernel does not ask for them everywhere.
    fn keeps_capability(self, killpriv: Killpriv) -> bool {
        killpriv == Killpriv::Kernel && matches!(self, WriteUncached | CreateTruncates)
    }
}

const OWNER: u32 = 1000;
const CAP_FSETID: u32 = 4;
const CAPABILITY: &str = "security.capability";

/// Name, whether such a caller may leave set-id bits, how to become one.
type Who = (&'static str, bool, fn());

const CALLERS: &[Who] = &[
    ("root", true, || ()),
    ("root-without-fsetid", false, || {
        user::drop_capability(CAP_FSETID).expect("capset");
    }),
    ("owner", false, || user::become_user(OWNER, OWNER)),
    ("stranger", false, || user::become_user(2000, 2000)),
];

/// Modes, and whether such a file has capabilities.
const FILES: &[(u32, bool)] = &[
    (0o4755, false),
    (0o2755, false),
    (0o2745, false),
    (0o6777, false),
    (0o755, true),
];

/// A mount of which the daemon has agreed to what this needs, and what answers.
pub(crate) fn mount(killpriv: Killpriv, init: Init) -> (Mock, Memfs) {
    let init = match killpriv {
        Killpriv::Kernel => init,
        Killpriv::All => init.with("HANDLE_KILLPRIV"),
        Killpriv::Told => init.with("HANDLE_KILLPRIV_V2"),
    };
    let mut fs = Memfs::new();
    (fs.xattrs, fs.killpriv) = (true, killpriv);
    (
        Mock::with(&Setup::default().opt("allow_other", ""), &init),
        fs,
    )
}

/// A file of `OWNER`.
pub(crate) fn file(fs: &mut Memfs, name: &str, mode: u32) -> u64 {
    let id = fs.add(ROOT, name, libc::S_IFREG | mode, b"text");
    let attr = &mut fs.nodes.get_mut(&id).expect("file").attr;
    (attr.uid, attr.gid) = (OWNER, OWNER);
    id
}

/// Changes a file in this way, as each caller, on each file.
fn each(killpriv: Killpriv, way: Way) {
    let init = match way {
        OpenThenTruncate => Init::plain().without("ATOMIC_O_TRUNC"),
        _ => Init::plain(),
    };
    let (mut m, mut fs) = mount(killpriv, init);
    if way == WriteUncached {
        fs.open_flags = FOPEN_DIRECT_IO;
    }
    for who in CALLERS {
        for (mode, has_capability) in FILES {
            let id = file(&mut fs, &format!("{}-{mode:o}", who.0), *mode);
            if *has_capability {
                let xattrs = &mut fs.nodes.get_mut(&id).expect("file").xattrs;
                xattrs.insert(CAPABILITY.into(), b"some".to_vec());
            }
            one(&mut m, &mut fs, id, way, who);

            let n = &fs.nodes[&id];
            let expected = way.mode_after(killpriv, who.1, *mode);
            assert_eq!(n.attr.mode & 0o7777, expected, "{} {mode:o}", who.0);
            let keeps = way.keeps_capability(killpriv);
            let kept = n.xattrs.contains_key(CAPABILITY);
            assert_eq!(kept, *has_capability && keeps, "{} {mode:o}", who.0);
        }
    }
    m.finish();
}

/// One caller on one file. What is seen afterwards, perhaps from a cache, is in the record.
fn one(m: &mut Mock, fs: &mut Memfs, id: u64, way: Way, (who, _, enter): &Who) {
    let mode = fs.nodes[&id].attr.mode & 0o7777;
    let mut unseen = way == CreateTruncates;
    let looks = !unseen;
    let c = m.call(&format!("{who}-{mode:o}"), |p| {
        enter();
        if looks {
            user::lstat(p)?;
        }
        way.go(p)?;
        user::lstat(p).map(|s| (s.mode & 0o7777, s.size))
    });
    let seen: Res<(u32, u64)> = m.serve(c, &mut |r| {
        if r.op == Op::LOOKUP && unseen {
            unseen = false;
            return Answer::Err(ENOENT);
        }
        fs.handle(r)
    });
    let text = match seen {
        Ok((mode, size)) => format!("{mode:o}, {size} bytes"),
        Err(e) => panic!("{who} {mode:o}: {e:?}"),
    };
    println!("{who} {mode:o}: {text}");
    m.rec.note(format!("{who} {mode:o}: {text}"));
}
