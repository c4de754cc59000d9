// SPDX-License-Identifier: GPL-2.0

//! Replies with contents that no honest daemon sends: links, data, directories.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{vector, Pages, PAGE};
use mockd::reply::{dirent, write_out, Bytes};
use mockd::user;
use mockd::wire::{Op, FOPEN_DIRECT_IO};
use mockd::Mock;

use crate::badreply::{sample, with_payload};

pub fn cases() -> Vec<Case> {
    cases![
        readlink_too_long,
        readlink_with_nul,
        readlink_empty,
        read_too_long,
        write_more_than_sent,
        write_nothing,
        nothing_of_half_bad_memory,
        readdir_bad_names,
        readdir_too_long,
        readdir_offset_loops,
        open_flags_unknown,
        statfs_extremes,
    ]
}

fn readlink_too_long() {
    let mut fs = sample();
    for n in [4095usize, 4096, 4097, 8192] {
        let (r, w) = with_payload(
            Op::READLINK,
            &mut fs,
            |m| user::readlink(&m.join("l")).map(|s| s.len()),
            |_| vec![b'x'; n],
        );
        println!("{n}: {r:?} {w:?}");
        if n <= 4095 {
            assert_eq!(r, Ok(n));
        } else {
            assert_eq!((r, w), (Err(EIO), vec![Err(EINVAL)]), "{n}");
        }
    }
}

fn readlink_with_nul() {
    let mut fs = sample();
    let (r, _) = with_payload(
        Op::READLINK,
        &mut fs,
        |m| user::readlink(&m.join("l")),
        |_| b"ab\0cd".to_vec(),
    );
    println!("{r:?}");
    assert_eq!(r, Ok("ab".into()));
}

fn readlink_empty() {
    let mut fs = sample();
    let (r, _) = with_payload(
        Op::READLINK,
        &mut fs,
        |m| user::readlink(&m.join("l")),
        |_| vec![],
    );
    println!("{r:?}");
    let (s, _) = with_payload(
        Op::READLINK,
        &mut fs,
        |m| user::stat(&m.join("l")).map(drop),
        |_| vec![],
    );
    println!("{s:?}");
    // The way through it ends where the link is.
    assert_eq!((r, s), (Ok(String::new()), Ok(())));
}

fn read_too_long() {
    for flags in [0, FOPEN_DIRECT_IO] {
        let mut fs = sample();
        fs.open_flags = flags;
        let (r, w) = with_payload(
            Op::READ,
            &mut fs,
            |m| user::pread(&user::open(&m.join("f"), libc::O_RDONLY, 0)?, 4, 0).map(|b| b.len()),
            |_| vec![7; 4097],
        );
        assert_eq!(r, Err(EIO), "flags {flags}");
        // A page that readahead did not get is asked for once more.
        assert_eq!(
            w,
            vec![Err(EINVAL); if flags == 0 { 2 } else { 1 }],
            "flags {flags}"
        );
    }
}

fn write_more_than_sent() {
    for flags in [0, FOPEN_DIRECT_IO] {
        for n in [5, 4096, u32::MAX, 1 << 31] {
            let mut fs = sample();
            fs.open_flags = flags;
            let (r, _) = with_payload(
                Op::WRITE,
                &mut fs,
                |m| user::pwrite(&user::open(&m.join("f"), libc::O_WRONLY, 0)?, b"1234", 0),
                |_| write_out(n),
            );
            assert_eq!(r, Err(EIO), "flags {flags}, {n}");
        }
    }
}

fn write_nothing() {
    for flags in [0, FOPEN_DIRECT_IO] {
        let mut fs = sample();
        fs.open_flags = flags;
        let (r, w) = with_payload(
            Op::WRITE,
            &mut fs,
            |m| user::pwrite(&user::open(&m.join("f"), libc::O_WRONLY, 0)?, b"1234", 0),
            |_| write_out(0),
        );
        println!("flags {flags}: {r:?} {w:?}");
        let want = if flags == 0 { Err(EIO) } else { Ok(0) };
        assert_eq!(r, want, "flags {flags}");
    }
}

/// Direct transfers with memory of which the second page is not there, in one piece or in two:
/// where the daemon does nothing, that is the error, and nobody tries again through the cache.
fn nothing_of_half_bad_memory() {
    const PIECES: [&[(usize, usize)]; 2] = [&[(0, 2 * PAGE)], &[(0, PAGE), (PAGE, PAGE)]];
    let mut bad = Vec::new();
    for (flags, direct) in [(FOPEN_DIRECT_IO, 0), (0, libc::O_DIRECT)] {
        for op in [Op::READ, Op::WRITE] {
            for pieces in PIECES {
                for n in [0, 1, 2, PAGE] {
                    let mut fs = sample();
                    fs.open_flags = flags;
                    let (r, w) = with_payload(
                        op,
                        &mut fs,
                        |m| {
                            let f = user::open(&m.join("f"), libc::O_RDWR | direct, 0)?;
                            let memory = Pages::new(2);
                            memory.unmap(1);
                            let at = |p: &(usize, usize)| (memory.addr() + p.0, p.1);
                            let pieces: Vec<_> = pieces.iter().map(at).collect();
                            vector(f.as_raw_fd(), op == Op::WRITE, &pieces)
                        },
                        |_| match op {
                            Op::WRITE => write_out(n as u32),
                            _ => vec![7; n],
                        },
                    );
                    let want = match n {
                        0 => Err(EFAULT),
                        // A short O_DIRECT write goes on through the cache.
                        1 | 2 if direct != 0 && op == Op::WRITE => Ok(2 * n),
                        n => Ok(n),
                    };
                    if r != want || (n == 0 && w.len() != 1) {
                        let what = format!("{op:?} {flags} {direct:o} {pieces:?}");
                        bad.push(format!("{what}, {n} done: {r:?}, daemon {w:?}"));
                    }
                }
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

fn listed(b: Vec<u8>) -> Res<Vec<String>> {
    let mut fs = sample();
    with_payload(
        Op::READDIR,
        &mut fs,
        |m| {
            let fd = user::open(m, libc::O_RDONLY, 0)?;
            Ok(user::getdents(&fd, 8192)?
                .into_iter()
                .map(|e| e.3)
                .collect())
        },
        |_| b.clone(),
    )
    .0
}

fn readdir_bad_names() {
    let long = "n".repeat(4096);
    let rows: &[(&str, &[u8])] = &[
        ("empty", b""),
        ("slash", b"a/b"),
        ("only slash", b"/"),
        ("too long", long.as_bytes()),
    ];
    for (what, name) in rows {
        // First in the reply, and after a good one.
        assert_eq!(listed(dirent(5, 1, 8, name)), Err(EIO), "{what}");
        let mut b = dirent(5, 1, 8, b"good");
        b.extend(dirent(6, 2, 8, name));
        let r = listed(b);
        println!("{what} after a good one: {r:?}");
    }
    // Odd, but names.
    for name in [&b".."[..], b".", b"a\0b", b"\xff\xfe"] {
        let r = listed(dirent(5, 1, 8, name));
        println!("{name:?}: {r:?}");
        assert!(r.is_ok(), "{name:?}");
    }
    // A length that goes beyond the reply.
    for n in [9u32, 100, u32::MAX, u32::MAX - 23, 1 << 31] {
        let mut b = Bytes::default()
            .u64(5)
            .u64(1)
            .u32(n)
            .u32(8)
            .bytes(b"12345678")
            .0;
        b.truncate(32);
        let r = listed(b);
        println!("namelen {n}: {r:?}");
        assert!(r == Ok(vec![]) || r == Err(EIO), "namelen {n}: {r:?}");
    }
}

fn readdir_too_long() {
    let mut fs = sample();
    let (r, w) = with_payload(
        Op::READDIR,
        &mut fs,
        |m| user::list(m).map(drop),
        |_| vec![0; 300_000],
    );
    assert_eq!((r, w), (Err(EIO), vec![Err(EINVAL)]));
}

/// Offsets that never move: the caller is given the same again, and may stop when it likes.
fn readdir_offset_loops() {
    let mut fs = sample();
    let (r, _) = with_payload(
        Op::READDIR,
        &mut fs,
        |m| {
            let fd = user::open(m, libc::O_RDONLY, 0)?;
            for _ in 0..10 {
                assert_eq!(user::getdents(&fd, 4096)?.len(), 1);
            }
            Ok::<_, Errno>(())
        },
        |_| dirent(5, 0, 8, b"again"),
    );
    assert_eq!(r, Ok(()));
}

fn open_flags_unknown() {
    let mut fs = sample();
    fs.open_flags = !0x1ff;
    let mut m = Mock::new();
    let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
        user::pread(&user::open(&mnt.join("f"), libc::O_RDWR, 0)?, 9, 0)
    });
    assert_eq!(r, Ok(b"text".to_vec()));
    m.finish();
}

fn statfs_extremes() {
    for bsize in [0, 1, u32::MAX] {
        let mut fs = sample();
        let s = mockd::reply::Statfs {
            blocks: u64::MAX,
            bfree: u64::MAX,
            bavail: u64::MAX,
            files: u64::MAX,
            ffree: u64::MAX,
            bsize,
            namelen: u32::MAX,
            frsize: bsize,
        };
        let (r, _) = with_payload(Op::STATFS, &mut fs, user::statfs, |_| s.bytes());
        println!("{r:?}");
        assert!(r.is_ok(), "{r:?}");
    }
}
