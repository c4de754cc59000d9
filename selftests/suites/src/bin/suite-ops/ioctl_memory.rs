// SPDX-License-Identifier: GPL-2.0

//! The caller's memory in an IOCTL: what is not there, and how much there may be.

use std::os::fd::{AsRawFd, OwnedFd};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{Pages, PAGE};
use mockd::reply::ioctl_out;
use mockd::user::{command, ioctl_arg};
use mockd::wire::Op;
use mockd::{Init, Mock, Request, Setup};
use suites::catalogue::summary;

use crate::ioctl::{asked, asked_on, good, got, SIZE};

pub fn cases() -> Vec<Case> {
    cases![
        ioctl_reads_what_is_not_there,
        ioctl_writes_where_nothing_is,
        ioctl_memory_is_read_only,
        ioctl_of_mapped_memory,
        ioctl_max_pages,
        ioctl_too_big_for_the_daemon,
    ]
}

/// Nothing is sent.
fn ioctl_reads_what_is_not_there() {
    let call = |f: &OwnedFd| {
        let p = Pages::new(3);
        p.unmap(2);
        let end = p.addr() + 2 * PAGE;
        let read = |size, addr| ioctl_arg(f, command(true, false, size), addr);
        vec![
            read(1, 0),
            read(1, end),
            read(2, end - 1),
            read(5000, end - 4999),
            read(1, usize::MAX),
            read(1, 1 << 63),
            // And what is.
            read(0, 0),
            read(5000, end - 5000),
        ]
    };
    let (r, requests, _) = asked(call, good);
    assert_eq!(r[..6], [Err(EFAULT); 6]);
    assert_eq!((&r[6..], requests.len()), (&[Ok(0); 2][..], 2));
}

/// The daemon has done it by then; what there is memory for is written.
fn ioctl_writes_where_nothing_is() {
    let call = |f: &OwnedFd| {
        let mut p = Pages::new(3);
        p.unmap(2);
        let end = p.addr() + 2 * PAGE;
        let write = |size, addr| ioctl_arg(f, command(false, true, size), addr);
        let r = vec![
            write(1, 0),
            write(1, end),
            write(5000, end - 4096),
            write(1, 1 << 63),
            write(10, end - 10),
        ];
        (r, summary(p.bytes(0, 2 * PAGE)))
    };
    let say = |r: &Request| (0, ioctl_out(0, &vec![b'y'; r.get("out_size") as usize]));
    let ((r, data), requests, wrote) = asked(call, say);
    assert_eq!(r[..4], [Err(EFAULT); 4]);
    assert_eq!((r[4], requests.len()), (Ok(0), 5));
    assert!(wrote.iter().all(|w| w.is_ok()));
    let wanted = [vec![0; PAGE], vec![b'y'; PAGE]].concat();
    assert_eq!(data, summary(wanted));
}

fn ioctl_memory_is_read_only() {
    let call = |f: &OwnedFd| {
        let p = Pages::new(1);
        p.protect(0, libc::PROT_READ);
        let both = |reads, writes| ioctl_arg(f, command(reads, writes, SIZE), p.addr());
        vec![both(true, false), both(false, true), both(true, true)]
    };
    let (r, requests, _) = asked(call, good);
    assert_eq!(r, [Ok(0), Err(EFAULT), Err(EFAULT)]);
    assert_eq!(requests.len(), 3);
}

/// The memory is a mapping of the file itself: it is read from the daemon first.
fn ioctl_of_mapped_memory() {
    let mut m = Mock::new();
    let call = |f: &OwnedFd| {
        // SAFETY: a new mapping of one page.
        let p = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE,
                f.as_raw_fd(),
                0,
            )
        };
        assert_ne!(p, libc::MAP_FAILED);
        let r = ioctl_arg(f, command(true, true, 8), p as usize);
        // SAFETY: eight bytes of it.
        let data = unsafe { std::slice::from_raw_parts(p.cast::<u8>(), 8) };
        (r, summary(data))
    };
    let say = |r: &Request| (0, ioctl_out(0, &vec![b'y'; r.get("out_size") as usize]));
    let (r, requests, _) = asked_on(&mut m, ("f", libc::O_RDWR), call, say);
    assert_eq!(r, (Ok(0), summary([b'y'; 8])));
    assert_eq!(requests[0].tail(), b"text\0\0\0\0");
    let ops: Vec<Op> = m.rec.all().iter().map(|r| r.op).collect();
    let place = |op| ops.iter().position(|o| *o == op).expect("asked");
    assert!(place(Op::READ) < place(Op::IOCTL), "{ops:?}");
    m.finish();
}

/// A request has no more pages than was agreed on, and one at least.
fn ioctl_max_pages() {
    for (pages, most) in [(1, 4096), (2, 8192), (3, 12288), (4, 16383)] {
        let init = Init {
            max_pages: pages,
            ..Init::plain()
        };
        let mut m = Mock::with(&Setup::default(), &init);
        let call = |f: &OwnedFd| {
            let mut r = vec![];
            for size in [0, most, most + 1] {
                for (reads, writes) in [(true, false), (false, true), (true, true)] {
                    if size <= 16383 {
                        r.push(got(f, command(reads, writes, size), size).0);
                    }
                }
            }
            r
        };
        let (r, requests, _) = asked_on(&mut m, ("f", libc::O_RDONLY), call, good);
        assert_eq!((&r[..6], requests.len()), (&[Ok(0); 6][..], 6));
        assert!(r[6..].iter().all(|r| *r == Err(ENOMEM)), "{r:?}");
        m.finish();
    }
}

/// What does not fit into the daemon's buffer is an error of the caller's.
fn ioctl_too_big_for_the_daemon() {
    let init = Init {
        max_write: 4096,
        ..Init::plain()
    };
    let mut m = Mock::with(&Setup::default(), &init);
    m.buf = 8192;
    let call = |f: &OwnedFd| {
        [8192 - 72, 8192 - 71, 16383, SIZE]
            .map(|size| got(f, command(true, true, size), size).0)
            .to_vec()
    };
    let (r, requests, _) = asked_on(&mut m, ("f", libc::O_RDONLY), call, good);
    assert_eq!(r, [Ok(0), Err(EIO), Err(EIO), Ok(0)]);
    assert_eq!(requests.len(), 2);
    m.finish();
}
