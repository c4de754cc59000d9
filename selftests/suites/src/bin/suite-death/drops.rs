// SPDX-License-Identifier: GPL-2.0

//! What drops pages of a file from the page cache and from mappings, while nobody waits for them.

use std::os::fd::AsRawFd;
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{read_at, write_at, PAGE};
use mockd::reply::ZERO;
use mockd::{user, wire, Mock};

use crate::kit;
use crate::pages::{
    handle, map, open, open_random, resize, rewrite, write_twice, DIRECT, LAST, MAPPED,
};

pub fn cases() -> Vec<Case> {
    cases![what_is_dropped]
}

/// Some bytes of what is mapped; None for SIGBUS.
fn peek(addr: usize) -> Vec<Option<u8>> {
    let (to, from) = rustix::pipe::pipe().expect("pipe");
    [50, 150]
        .into_iter()
        .chain((1..MAPPED).map(|n| n * PAGE + PAGE / 4))
        .map(|n| {
            write_at(from.as_raw_fd(), addr + n, 1).ok()?;
            let mut b = [0];
            read_at(to.as_raw_fd(), b.as_mut_ptr() as usize, 1).expect("read");
            Some(b[0])
        })
        .collect()
}

/// What drops pages, and what has happened to the file before it.
struct Drop {
    name: &'static str,
    size: usize,
    /// For the files that are opened from now on.
    open_flags: u32,
    act: fn(&Path) -> Res<()>,
}

const DROPS: &[Drop] = &[
    Drop {
        name: "open",
        size: 9000,
        open_flags: 0,
        act: |mnt| user::open(&mnt.join("f"), libc::O_RDONLY, 0).map(drop),
    },
    Drop {
        name: "open, pages kept",
        size: 9000,
        open_flags: wire::FOPEN_KEEP_CACHE,
        act: |mnt| user::open(&mnt.join("f"), libc::O_RDONLY, 0).map(drop),
    },
    Drop {
        name: "open, truncated",
        size: 9000,
        open_flags: 0,
        act: |mnt| user::open(&mnt.join("f"), libc::O_WRONLY | libc::O_TRUNC, 0).map(drop),
    },
    Drop {
        name: "stat, shorter",
        size: 100,
        open_flags: 0,
        act: |mnt| user::lstat(&mnt.join("f")).map(drop),
    },
    Drop {
        name: "stat, shorter by a page",
        size: PAGE,
        open_flags: 0,
        act: |mnt| user::lstat(&mnt.join("f")).map(drop),
    },
    Drop {
        name: "stat, longer",
        size: 13_000,
        open_flags: 0,
        act: |mnt| user::lstat(&mnt.join("f")).map(drop),
    },
    Drop {
        name: "stat, the same size",
        size: 9000,
        open_flags: 0,
        act: |mnt| user::lstat(&mnt.join("f")).map(drop),
    },
    Drop {
        name: "chmod, shorter",
        size: 100,
        open_flags: 0,
        act: |mnt| user::chmod(&mnt.join("f"), 0o600),
    },
    Drop {
        name: "chmod, longer",
        size: 13_000,
        open_flags: 0,
        act: |mnt| user::chmod(&mnt.join("f"), 0o600),
    },
    Drop {
        name: "truncate, shorter",
        size: 9000,
        open_flags: 0,
        act: |mnt| user::truncate(&mnt.join("f"), 100),
    },
    Drop {
        name: "truncate, longer",
        size: 9000,
        open_flags: 0,
        act: |mnt| user::truncate(&mnt.join("f"), 13_000),
    },
    Drop {
        name: "truncate, the same size",
        size: 9000,
        open_flags: 0,
        act: |mnt| user::truncate(&mnt.join("f"), 9000),
    },
    Drop {
        name: "write past the cache",
        size: 9000,
        open_flags: wire::FOPEN_KEEP_CACHE,
        act: |mnt| write_twice(&open(mnt, libc::O_WRONLY | libc::O_DIRECT)),
    },
    Drop {
        name: "write past the cache, to the end",
        size: 9000,
        open_flags: wire::FOPEN_KEEP_CACHE,
        act: |mnt| {
            let f = open(mnt, libc::O_WRONLY | libc::O_DIRECT);
            user::pwrite(&f, &[3; 2 * PAGE], LAST).map(drop)
        },
    },
    Drop {
        name: "direct write",
        size: 9000,
        open_flags: DIRECT,
        act: |mnt| write_twice(&open(mnt, libc::O_WRONLY)),
    },
    Drop {
        name: "write beyond the end",
        size: 9000,
        open_flags: wire::FOPEN_KEEP_CACHE,
        act: |mnt| user::pwrite(&open(mnt, libc::O_WRONLY), &[3; 10], 3 * PAGE as u64).map(drop),
    },
    Drop {
        name: "private map of a direct file",
        size: 9000,
        open_flags: DIRECT,
        act: |mnt| map(&open(mnt, libc::O_RDONLY), libc::MAP_PRIVATE).map(drop),
    },
];

/// Nobody waits: what stays in the page cache and in mappings, and what the daemon is asked for
/// again.
fn what_is_dropped() {
    for d in DROPS {
        println!("{}", d.name);
        let (mut fs, act) = (kit::sample(), d.act);
        fs.attr_valid = ZERO;
        let mut m = Mock::new();
        m.rec.exact_reads();
        let mut c = m.caller(move |mnt, io| {
            let f = open_random(&mnt.join("f"));
            user::pread(&f, 3 * PAGE, 0).expect("pread");
            let [shared, private] =
                [libc::MAP_SHARED, libc::MAP_PRIVATE].map(|flags| map(&f, flags).expect("mmap"));
            let before = [peek(shared), peek(private)];
            // SAFETY: A page of the private map, which gets a copy of its own.
            unsafe {
                let p = (private + PAGE) as *mut libc::c_void;
                let prot = libc::PROT_READ | libc::PROT_WRITE;
                assert_eq!(libc::mprotect(p, PAGE, prot), 0);
                p.cast::<u8>().write_volatile(5);
            }
            io.put(());
            io.wait();
            let result = act(mnt);
            let after = [peek(shared), peek(private)];
            let read = user::pread(&f, MAPPED * PAGE, 0).expect("pread");
            let bytes: Vec<_> = read.chunks(PAGE).map(|b| b[0]).collect();
            format!("{before:?} {result:?} {after:?} {} {bytes:?}", read.len())
        });
        kit::serve_until_put(&mut m, &mut fs, &mut c);
        fs.open_flags = d.open_flags;
        rewrite(&mut fs);
        resize(&mut fs, d.size);
        c.go();
        let seen: String = m.serve(c, &mut |r| handle(&mut fs, r));
        println!("{seen}");
        m.rec.note(format!("{}: {seen}", d.name));
        kit::close_down(&mut m, &mut fs);
    }
}
