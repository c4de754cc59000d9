// SPDX-License-Identifier: GPL-2.0

//! When notifications about nodes and names are taken, in which form, and on which device.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{write_at, Pages, PAGE};
use mockd::mount::{self, umount};
use mockd::reply::{message, raw};
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Init, Mock, Setup};

use crate::kit::{
    delete, inval_entry, inval_inode, prune, Scene, DELETE, INVAL_ENTRY, INVAL_INODE, NO_DATA,
    PRUNE,
};

pub fn cases() -> Vec<Case> {
    cases![
        form_lengths,
        form_name_lengths,
        form_prune_counts,
        form_header_lengths,
        form_no_nul,
        form_bad_memory,
        form_in_pieces,
        form_by_splice,
        when_before_init,
        when_aborted,
        when_unmounted,
        when_daemon_is_another_device,
        when_refused_init,
        when_old_minor,
    ]
}

/// One of each kind, about nodes that are there.
fn each(s: &Scene) -> [Vec<u8>; 5] {
    [
        inval_inode(s.f, 0, 0),
        inval_entry(ROOT, 1, b"f"),
        inval_entry(ROOT, 0, b"f"),
        delete(ROOT, s.d, b"d"),
        prune(&[s.l]),
    ]
}

fn known() -> Scene {
    let mut s = Scene::new();
    s.know(&["f", "d", "l"]);
    s
}

/// Nothing of what was refused has been done.
#[track_caller]
fn untouched(mut s: Scene) {
    s.drain();
    for path in ["f", "d", "l"] {
        assert_eq!((s.lookups(path), s.getattrs(path)), (0, 0), "{path}");
    }
    s.finish();
}

/// Shorter than the fixed part, or (INVAL_INODE) longer.
fn form_lengths() {
    let s = known();
    for (code, fixed) in [
        (INVAL_INODE, 24),
        (INVAL_ENTRY, 16),
        (DELETE, 24),
        (PRUNE, 16),
    ] {
        for len in (0..fixed).chain([fixed + 1, fixed + 7, 4000]) {
            if code == INVAL_INODE || len < fixed {
                let body = message(0, code, &vec![0; len]);
                assert_eq!(s.tell(&body), Err(EINVAL), "{code} {len}");
            }
        }
    }
    untouched(s);
}

/// The name is not as long as it is said to be.
fn form_name_lengths() {
    let s = known();
    let header = 16;
    for (mut m, at) in [
        (inval_entry(ROOT, 0, b"f"), header + 8),
        (delete(ROOT, s.f, b"f"), header + 16),
    ] {
        for (namelen, want) in [
            (0, EINVAL),
            (2, EINVAL),
            (100, EINVAL),
            (4095, EINVAL),
            (4096, ENAMETOOLONG),
            (1 << 31, ENAMETOOLONG),
            (u32::MAX, ENAMETOOLONG),
        ] {
            m[at..at + 4].copy_from_slice(&namelen.to_ne_bytes());
            assert_eq!(s.tell(&m), Err(want), "{namelen}");
        }
    }
    untouched(s);
}

/// The number of nodes is not what follows.
fn form_prune_counts() {
    let s = known();
    let mut m = prune(&[s.l, s.f]);
    for count in [0, 1, 3, 512, 513, 1 << 28, 1 << 29, 1 << 31, u32::MAX] {
        m[16..20].copy_from_slice(&count.to_ne_bytes());
        assert_eq!(s.tell(&m), Err(EINVAL), "{count}");
    }
    m[16..20].copy_from_slice(&2u32.to_ne_bytes());
    for len in [1, 7, 9] {
        let body = &m[16..m.len() - len];
        assert_eq!(s.tell(&message(0, PRUNE, body)), Err(EINVAL));
    }
    untouched(s);
}

/// The header's length is not what is written.
fn form_header_lengths() {
    let s = known();
    for m in each(&s) {
        let (code, body) = (i32::from_ne_bytes(m[4..8].try_into().expect("4")), &m[16..]);
        let len = m.len() as u32;
        for wrong in [0, 15, 16, len - 1, len + 1, len + 4096, u32::MAX] {
            assert_eq!(s.m.write(&raw(wrong, 0, code, body)), Err(EINVAL));
        }
    }
    untouched(s);
}

/// What stands where the NUL should be is not looked at.
fn form_no_nul() {
    let mut s = known();
    for mut m in [inval_entry(ROOT, 0, b"f"), delete(ROOT, s.d, b"d")] {
        *m.last_mut().expect("NUL") = b'x';
        assert_eq!(s.tell(&m), Ok(()));
    }
    assert_eq!((s.lookups("f"), s.lookups("d")), (1, 1));
    s.finish();
}

/// It ends where nothing is mapped: all of it is read before anything is done.
fn form_bad_memory() {
    let s = known();
    for m in each(&s) {
        for missing in [1, 2, 8] {
            let mut pages = Pages::new(2);
            let from = PAGE - (m.len() - missing);
            pages.bytes(from, m.len()).copy_from_slice(&m);
            pages.unmap(1);
            let wrote = write_at(s.m.dev().as_raw_fd(), pages.addr() + from, m.len());
            assert_eq!(wrote, Err(EFAULT));
        }
    }
    untouched(s);
}

/// By writev(2), in pieces of each size.
fn form_in_pieces() {
    for size in [1, 3, 8, 17] {
        let mut s = known();
        for m in each(&s) {
            let pieces: Vec<(usize, usize)> = (m.chunks(size))
                .map(|piece| (piece.as_ptr() as usize, piece.len()))
                .collect();
            let wrote = mockd::mem::vector(s.m.dev().as_raw_fd(), true, &pieces);
            assert_eq!(wrote, Ok(m.len()), "{size}");
        }
        for node in [s.d, s.l] {
            s.await_forgotten(node);
        }
        assert_eq!(s.lookups("f"), 1);
        s.finish();
    }
}

/// Through a pipe.
fn form_by_splice() {
    let mut s = known();
    let (read, write) = rustix::pipe::pipe().expect("pipe");
    for m in each(&s) {
        assert_eq!(user::write(&write, &m), Ok(m.len()));
        let flags = rustix::pipe::SpliceFlags::empty();
        let n = rustix::pipe::splice(&read, None, s.m.dev(), None, m.len(), flags);
        assert_eq!(n, Ok(m.len()));
    }
    for node in [s.d, s.l] {
        s.await_forgotten(node);
    }
    assert_eq!(s.lookups("f"), 1);
    s.finish();
}

fn about_the_root() -> [Vec<u8>; 4] {
    [
        inval_inode(ROOT, NO_DATA, 0),
        inval_entry(ROOT, 0, b"f"),
        delete(ROOT, 2, b"f"),
        prune(&[ROOT]),
    ]
}

/// Before INIT was read, and before it was answered.
fn when_before_init() {
    let mut m = Mock::uninit(&Setup::default());
    let init = m.expect(Op::INIT);
    for n in about_the_root() {
        assert_eq!(m.write(&n), Err(EINVAL));
    }
    m.reply(&init, &Init::plain().bytes());
    let want = [Ok(()), Err(ENOENT), Err(ENOENT), Ok(())];
    for (n, want) in about_the_root().iter().zip(want) {
        assert_eq!(m.write(n).map(drop), want);
    }
    m.finish();
}

fn when_aborted() {
    let mut s = known();
    let busy = user::open(&s.m.mnt, libc::O_PATH, 0).expect("open");
    assert_eq!(umount(&s.m.mnt, libc::MNT_FORCE), Err(EBUSY));
    drop(busy);
    for n in each(&s) {
        assert_eq!(s.tell(&n), Err(EINVAL));
    }
    s.m.without_record();
    s.m.umount();
    for n in each(&s) {
        assert_eq!(s.tell(&n), Err(EINVAL));
    }
}

fn when_unmounted() {
    let mut s = known();
    s.m.without_record();
    s.m.umount();
    for n in each(&s) {
        assert_eq!(s.tell(&n), Err(EINVAL));
    }
}

/// On any device of the connection, by any thread.
fn when_daemon_is_another_device() {
    let mut s = known();
    let other = mount::open_dev(false).expect("open");
    for n in each(&s) {
        assert_eq!(user::write(&other, &n), Err(EPERM));
    }
    mount::clone_dev(&other, &s.m.dev()).expect("clone");
    for n in each(&s) {
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(user::write(&other, &n), Ok(n.len())));
        });
    }
    for node in [s.d, s.l] {
        s.await_forgotten(node);
    }
    assert_eq!(s.lookups("f"), 1);
    drop(other);
    s.finish();
}

/// INIT has failed: the connection is there, but not much else.
fn when_refused_init() {
    let mut m = Mock::uninit(&Setup::default());
    let init = m.expect(Op::INIT);
    m.fail(&init, EIO);
    let got: Vec<Res<()>> = (about_the_root().iter())
        .map(|n| m.write(n).map(drop))
        .collect();
    println!("{got:?}");
    assert_eq!(got, [Ok(()), Err(ENOENT), Err(ENOENT), Ok(())]);
    m.without_record();
    m.umount();
}

/// Nobody asks which version had which of them.
fn when_old_minor() {
    for minor in [1, 8, 11, 17, 44] {
        let mut m = Mock::uninit(&Setup::default());
        let init = m.expect(Op::INIT);
        let mut how = Init::plain();
        how.minor = minor;
        let mut bytes = how.bytes();
        if minor < 5 {
            bytes.truncate(8);
        } else if minor < 23 {
            bytes.truncate(24);
        }
        m.reply(&init, &bytes);
        let want = [Ok(()), Err(ENOENT), Err(ENOENT), Ok(())];
        for (n, want) in about_the_root().iter().zip(want) {
            assert_eq!(m.write(n).map(drop), want, "{minor}");
        }
        m.finish();
    }
}
