// SPDX-License-Identifier: GPL-2.0

//! Which pages of a file INVAL_INODE drops: those that have a byte of the range.

use std::os::fd::AsRawFd;

use ktap::Case;
use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::user;
use mockd::wire::{FOPEN_KEEP_CACHE, ROOT};

use crate::kit::{inval_inode, Scene};

/// Pages of the file, the last of which has one byte.
const PAGES: usize = 6;
const SIZE: usize = (PAGES - 1) * PAGE + 1;

/// Reads a byte of each page, one after the other, without more being read than is asked for.
fn bytes(f: &impl AsRawFd) -> Res<Vec<u8>> {
    (0..PAGES)
        .map(|page| Ok(user::pread(f, 1, (page * PAGE) as u64)?[0]))
        .collect()
}

fn no_readahead(f: &impl AsRawFd) {
    // SAFETY: integers only.
    unsafe { libc::posix_fadvise(f.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM) };
}

/// Bit n of `dropped` is page n.
fn range(offset: i64, len: i64, dropped: u32) {
    let mut s = Scene::new();
    s.fs.open_flags = FOPEN_KEEP_CACHE;
    let node = s.fs.add(ROOT, "pages", libc::S_IFREG | 0o644, &[1; SIZE]);
    let c = s.hold(|mnt, io| -> Res<Vec<u8>> {
        let f = user::open(&mnt.join("pages"), libc::O_RDONLY, 0)?;
        no_readahead(&f);
        assert_eq!(bytes(&f), Ok(vec![1; PAGES]));
        io.put(());
        io.wait();
        bytes(&f)
    });
    s.fs.nodes.get_mut(&node).expect("pages").data = vec![2; SIZE];
    assert_eq!(s.tell(&inval_inode(node, offset, len)), Ok(()));
    let got: Res<Vec<u8>> = s.release(c);
    let want = (0..PAGES).map(|page| 1 + ((dropped >> page) & 1) as u8);
    assert_eq!(got, Ok(want.collect()));
    s.finish();
}

macro_rules! ranges {
    ($($name:ident: $offset:expr, $len:expr => $dropped:expr;)*) => {
        $(fn $name() {
            range($offset, $len, $dropped);
        })*

        pub fn cases() -> Vec<Case> {
            let mut all = vec![$(Case {
                path: concat!("ranges::", stringify!($name)),
                run: $name,
            },)*];
            all.extend(ktap::cases![mapped, mapped_by_two, in_the_middle_of_a_large_one]);
            all
        }
    };
}

const ALL: u32 = (1 << PAGES) - 1;

ranges! {
    below_0: -1, 0 => 0;
    below_0_with_length: -1, 1 << 20 => 0;
    lowest: i64::MIN, i64::MAX => 0;
    all_0: 0, 0 => ALL;
    all_negative: 0, -1 => ALL;
    all_lowest: 0, i64::MIN => ALL;
    all_long: 0, i64::MAX => ALL;
    exact: 0, SIZE as i64 => ALL;
    first_byte: 0, 1 => 0b1;
    first_page: 0, PAGE as i64 => 0b1;
    first_and_next: 0, PAGE as i64 + 1 => 0b11;
    last_byte_of_first: PAGE as i64 - 1, 1 => 0b1;
    across: PAGE as i64 - 1, 2 => 0b11;
    middle: 2 * PAGE as i64, PAGE as i64 => 0b100;
    middle_to_end: 2 * PAGE as i64, 0 => ALL & !0b11;
    middle_to_end_negative: 2 * PAGE as i64 + 17, -5 => ALL & !0b11;
    last_byte: SIZE as i64 - 1, 1 => 1 << (PAGES - 1);
    beyond_within_page: SIZE as i64, 1 => 1 << (PAGES - 1);
    beyond: (PAGES * PAGE) as i64, 0 => 0;
    far_beyond: 1 << 50, 1 << 20 => 0;
    overflowing: 3 * PAGE as i64, i64::MAX => ALL & !0b111;
    overflowing_by_one: 1, i64::MAX => ALL;
    not_overflowing: 1, i64::MAX - 1 => ALL;
    highest: i64::MAX, i64::MAX => 0;
    highest_to_end: i64::MAX, 0 => 0;
}

/// A shared mapping of it, and its first bytes as they are now.
struct Mapping(*const u8);

impl Mapping {
    fn new(f: &impl AsRawFd) -> Mapping {
        // SAFETY: a new mapping.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                PAGES * PAGE,
                libc::PROT_READ,
                libc::MAP_SHARED,
                f.as_raw_fd(),
                0,
            )
        };
        assert_ne!(at, libc::MAP_FAILED, "{}", last());
        Mapping(at.cast())
    }

    fn bytes(&self) -> Vec<u8> {
        // SAFETY: within the mapping, which stays; read anew each time.
        (0..PAGES)
            .map(|page| unsafe { self.0.add(page * PAGE).read_volatile() })
            .collect()
    }
}

/// What is mapped goes as well.
fn mapped() {
    mapped_by(1);
}

fn mapped_by_two() {
    mapped_by(2);
}

fn mapped_by(mappings: usize) {
    let mut s = Scene::new();
    s.fs.open_flags = FOPEN_KEEP_CACHE;
    let node = s.fs.add(ROOT, "pages", libc::S_IFREG | 0o644, &[1; SIZE]);
    let c = s.hold(|mnt, io| -> Res<Vec<Vec<u8>>> {
        let f = user::open(&mnt.join("pages"), libc::O_RDONLY, 0)?;
        no_readahead(&f);
        bytes(&f)?;
        let all: Vec<Mapping> = (0..mappings).map(|_| Mapping::new(&f)).collect();
        assert!(all.iter().all(|m| m.bytes() == [1; PAGES]));
        io.put(());
        io.wait();
        Ok(all.iter().map(Mapping::bytes).collect())
    });
    s.fs.nodes.get_mut(&node).expect("pages").data = vec![2; SIZE];
    let (offset, len) = (PAGE as i64 + 5, 2 * PAGE as i64);
    assert_eq!(s.tell(&inval_inode(node, offset, len)), Ok(()));
    let got: Res<Vec<Vec<u8>>> = s.release(c);
    // A fault maps neighbours of its page if they are there.
    assert_eq!(got, Ok(vec![vec![1, 2, 2, 2, 1, 1]; mappings]));
    s.finish();
}

/// Pages that were read at once may be one folio, which goes as a whole.
fn in_the_middle_of_a_large_one() {
    const LONG: usize = 64;
    let mut s = Scene::new();
    s.fs.open_flags = FOPEN_KEEP_CACHE;
    let text = [1; LONG * PAGE];
    let node = s.fs.add(ROOT, "pages", libc::S_IFREG | 0o644, &text);
    let c = s.hold(|mnt, io| -> Res<Vec<u8>> {
        let f = user::open(&mnt.join("pages"), libc::O_RDONLY, 0)?;
        user::pread(&f, LONG * PAGE, 0)?;
        io.put(());
        io.wait();
        user::pread(&f, LONG * PAGE, 0)
    });
    s.fs.nodes.get_mut(&node).expect("pages").data = vec![2; LONG * PAGE];
    let page = LONG as i64 / 2 + 1;
    let range = inval_inode(node, page * PAGE as i64, 1);
    assert_eq!(s.tell(&range), Ok(()));
    let got: Vec<u8> = s.release::<Res<Vec<u8>>>(c).expect("read");
    let new = |n: i64| got[n as usize * PAGE] == 2;
    assert!(new(page));
    println!("{} pages", (0..LONG as i64).filter(|n| new(*n)).count());
    s.m.finish_compared();
}
