// SPDX-License-Identifier: GPL-2.0

//! From a correct reply to one that no honest daemon gives.
//!
//! Everything is chosen by the generator that the caller of these functions seeds, so that a run
//! can be repeated from its seed.

use fastrand::Rng;
use mockd::mock::Answer;
use mockd::reply::{
    attr_out, dirent, ioctl_out, message, open_out, raw, write_out, Attr, Entry, LONG,
};
use mockd::wire::{answer, Op, Shape, FOPEN_CACHE_DIR, ROOT};
use mockd::Request;

use crate::ioctl;
use crate::notify;
use crate::pick::Pick;

/// What kind of badness a message has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Class {
    /// The header's length is not that of the message, or there is no whole header.
    Length,
    /// An error that no error is.
    ErrorRange,
    /// A number that nobody waits for.
    Unique,
    /// An unsolicited message that means nothing.
    Notification,
    /// The payload is shorter or longer than the operation's.
    Size,
    /// An error that the operation does not have, or with a payload.
    Error,
    /// The right length, and nonsense in one field or more.
    Field,
    /// A second reply to what has been answered.
    Twice,
}

impl Class {
    pub const ALL: [Class; 8] = [
        Class::Length,
        Class::ErrorRange,
        Class::Unique,
        Class::Notification,
        Class::Size,
        Class::Error,
        Class::Field,
        Class::Twice,
    ];
}

/// One message of a hostile daemon.
pub struct Bad {
    pub class: Class,
    /// What is wrong, for the record.
    pub label: String,
    pub bytes: Vec<u8>,
}

/// What the generator knows of the daemon's file system.
#[derive(Default)]
pub struct World {
    /// Nodes that exist, in order.
    pub nodes: Vec<u64>,
    /// Numbers of requests that were answered.
    pub old: Vec<u64>,
    /// Leave out what C's module supports and ours does not yet; see [`replay`](super::replay).
    pub only_common: bool,
}

/// A message that leaves the request alone: it can still be answered.
pub fn stray(rng: &mut Rng, r: &Request, world: &World) -> Bad {
    let payload = vec![0; [0, 0, 8, 16, 128, 144].pick(rng)];
    let make = |class, label, bytes| Bad {
        class,
        label,
        bytes,
    };
    match rng.u32(..10) {
        0..=1 => {
            let full = payload.len() as u32 + 16;
            let len = [0, 1, 15, full - 1, full + 1, full + 4096, 1 << 31, u32::MAX].pick(rng);
            make(
                Class::Length,
                format!("header says {len} of {full}"),
                raw(len, r.unique, 0, &payload),
            )
        }
        2 => {
            let n = rng.usize(..16);
            make(
                Class::Length,
                format!("{n} bytes in all"),
                message(r.unique, 0, &[])[..n].to_vec(),
            )
        }
        3..=4 => {
            let error = [1, -512, -513, -516, -4096, i32::MIN, i32::MAX, libc::ENOENT].pick(rng);
            make(
                Class::ErrorRange,
                format!("error {error}"),
                message(r.unique, error, &payload),
            )
        }
        5..=7 => {
            let error = [0, 0, -libc::EAGAIN, -libc::ENOENT, -libc::EIO].pick(rng);
            let old = world.old.get(rng.usize(..world.old.len().max(1))).copied();
            let (what, unique) = match rng.u32(..7) {
                0 => ("odd", r.unique | 1),
                1 => ("the next", r.unique + 2),
                2 => ("the last", r.unique - 2),
                3 => ("bit 63 set", r.unique | (1 << 63)),
                4 => ("bit 32 set", r.unique | (1 << 32)),
                5 => ("huge", u64::MAX - rng.u64(..4)),
                _ => ("an old one", old.unwrap_or(2) | u64::from(rng.bool())),
            };
            // Nothing but a reply of its own class could be meant by the request's own number.
            let unique = if unique == r.unique || unique == 0 {
                u64::MAX
            } else {
                unique
            };
            let label = format!("unique: {what}, error {error}, {} bytes", payload.len());
            make(Class::Unique, label, message(unique, error, &payload))
        }
        _ => notify::any(rng, r, world),
    }
}

pub fn noise(rng: &mut Rng, most: usize) -> Vec<u8> {
    let n = rng.usize(..=most);
    (0..n).map(|_| rng.u8(..)).collect()
}

/// Errors that a daemon may say, and some that none does.
const ERRORS: &[i32] = &[
    libc::EPERM,
    libc::ENOENT,
    libc::EINTR,
    libc::EIO,
    libc::EAGAIN,
    libc::ENOMEM,
    libc::EFAULT,
    libc::EEXIST,
    libc::EXDEV,
    libc::ENOTDIR,
    libc::EISDIR,
    libc::EINVAL,
    libc::ETXTBSY,
    libc::ENOSPC,
    libc::ERANGE,
    libc::ELOOP,
    libc::ENODATA,
    libc::EOPNOTSUPP,
    libc::ESTALE,
    libc::ECONNABORTED,
    libc::ENOTCONN,
    libc::EOVERFLOW,
    libc::ENAMETOOLONG,
    libc::ENOTEMPTY,
    libc::ENODEV,
    libc::ENXIO,
    libc::ECHILD,
    85,
    133,
    510,
    511,
];

/// A reply that is bad in itself. `honest` is what a good daemon would say.
pub fn reply(rng: &mut Rng, r: &Request, honest: &Answer, world: &World) -> Bad {
    let good = match honest {
        Answer::Ok(b) => b.clone(),
        _ => fabricate(rng, r, world),
    };
    let make = |class, label, error, payload: &[u8]| Bad {
        class,
        label,
        bytes: message(r.unique, error, payload),
    };
    match rng.u32(..10) {
        0 => {
            let n = good.len();
            let to = match rng.u32(..8) {
                0 => 0,
                1 => n.saturating_sub(1),
                2 => n.saturating_sub(8),
                3 => n + 1,
                4 => n + 8,
                5 => n + 4096,
                6 => n + 140_000,
                _ => rng.usize(..=n + 1),
            };
            let mut b = good;
            b.resize(to, 0);
            make(Class::Size, format!("{to} bytes for {n}"), 0, &b)
        }
        1 => {
            let b = vec![0; [1, 8, 16, 128, 5000].pick(rng)];
            make(
                Class::Error,
                format!("error with {} bytes", b.len()),
                -libc::ENOENT,
                &b,
            )
        }
        2 => {
            let mut errors = ERRORS.to_vec();
            // Without OPENDIR C's module keeps directories in the page cache.
            if !(world.only_common && r.op == Op::OPENDIR) {
                errors.push(libc::ENOSYS);
            }
            let e = errors.pick(rng);
            make(Class::Error, format!("error -{e}"), -e, &[])
        }
        _ => {
            let (label, b) = fields(rng, r, good, world);
            make(Class::Field, label, 0, &b)
        }
    }
}

/// A payload of the operation's shape where an honest daemon has none.
fn fabricate(rng: &mut Rng, r: &Request, world: &World) -> Vec<u8> {
    let id = [&[0, ROOT, r.node, 9999][..], &world.nodes]
        .concat()
        .pick(rng);
    let attr = match rng.u32(..4) {
        0 => Attr::dir(id),
        1 => Attr::symlink(id, 2),
        _ => Attr::file(id, rng.u64(..9000)),
    };
    let entry = Entry::new(attr).bytes();
    match answer(r.op) {
        Shape::Entry => entry,
        Shape::EntryAndOpen => [entry, open_out(rng.u64(..), 0)].concat(),
        Shape::Open => open_out(rng.u64(..), 0),
        Shape::Attr => attr_out(LONG, &attr),
        Shape::Write => write_out(r.get("size") as u32),
        Shape::Text => b"f0".to_vec(),
        Shape::Statfs => vec![0; 80],
        Shape::Ioctl => ioctl_out(0, &vec![0; r.get("out_size") as usize]),
        Shape::Fixed(n) => vec![0; n],
        Shape::Nothing | Shape::Data | Shape::Dirents => vec![],
    }
}

/// A field's name, place and length.
type Field = (&'static str, usize, usize);

/// Where the fields of a payload are, and how long: of an entry, attributes, an opened file.
const ENTRY: &[Field] = &[
    ("nodeid", 0, 8),
    ("nodeid", 0, 8),
    ("generation", 8, 8),
    ("entry_valid", 16, 8),
    ("attr_valid", 24, 8),
    ("entry_valid_nsec", 32, 4),
    ("attr_valid_nsec", 36, 4),
];
const ATTR: &[Field] = &[
    ("ino", 0, 8),
    ("size", 8, 8),
    ("size", 8, 8),
    ("blocks", 16, 8),
    ("atime", 24, 8),
    ("mtime", 32, 8),
    ("ctime", 40, 8),
    ("atimensec", 48, 4),
    ("mtimensec", 52, 4),
    ("ctimensec", 56, 4),
    ("mode", 60, 4),
    ("mode", 60, 4),
    ("nlink", 64, 4),
    ("uid", 68, 4),
    ("gid", 72, 4),
    ("rdev", 76, 4),
    ("blksize", 80, 4),
    ("attr_flags", 84, 4),
];
const VALID: &[Field] = &[
    ("attr_valid", 0, 8),
    ("attr_valid_nsec", 8, 4),
    ("dummy", 12, 4),
];
const OPEN: &[Field] = &[
    ("fh", 0, 8),
    ("open_flags", 8, 4),
    ("open_flags", 8, 4),
    ("backing_id", 12, 4),
];
const WRITE: &[Field] = &[("written", 0, 4), ("written", 0, 4), ("padding", 4, 4)];
const STATFS: &[Field] = &[
    ("blocks", 0, 8),
    ("bfree", 8, 8),
    ("bavail", 16, 8),
    ("files", 24, 8),
    ("ffree", 32, 8),
    ("bsize", 40, 4),
    ("namelen", 44, 4),
    ("frsize", 48, 4),
    ("padding", 52, 4),
];

/// Changes some fields, and says which.
fn fields(rng: &mut Rng, r: &Request, mut b: Vec<u8>, world: &World) -> (String, Vec<u8>) {
    let entry = || [within(0, ENTRY), within(40, ATTR)].concat();
    let table = match answer(r.op) {
        Shape::Entry => entry(),
        Shape::EntryAndOpen => [entry(), within(128, OPEN), within(128, OPEN)].concat(),
        Shape::Attr => [within(0, VALID), within(16, ATTR)].concat(),
        Shape::Open => within(0, OPEN),
        Shape::Write => within(0, WRITE),
        Shape::Statfs => within(0, STATFS),
        Shape::Data => return data(rng, r, b),
        Shape::Text => return link_text(rng),
        Shape::Dirents => return directory(rng, r, b, world),
        Shape::Ioctl if rng.bool() => return ioctl::data(rng, r),
        Shape::Ioctl => within(0, ioctl::FIELDS),
        Shape::Nothing | Shape::Fixed(_) => {
            let n = [1, 4, 8, 16, 128].pick(rng);
            b.resize(n, 0xff);
            return (format!("{n} bytes where none are"), b);
        }
    };
    change(rng, &table, r, b, world)
}

/// A structure's fields, where it begins at `from`.
fn within(from: usize, part: &[Field]) -> Vec<Field> {
    part.iter().map(|f| (f.0, f.1 + from, f.2)).collect()
}

fn change(
    rng: &mut Rng,
    table: &[Field],
    r: &Request,
    mut b: Vec<u8>,
    world: &World,
) -> (String, Vec<u8>) {
    let mut label = String::new();
    for _ in 0..1 + rng.usize(..3) {
        let (name, at, size) = table.pick(rng);
        if at + size > b.len() {
            continue;
        }
        let mut old = [0; 8];
        old[..size].copy_from_slice(&b[at..at + size]);
        let new = value(rng, name, u64::from_ne_bytes(old), size, r, world);
        b[at..at + size].copy_from_slice(&new.to_ne_bytes()[..size]);
        label += &format!("{name}={new:#x} ");
    }
    if world.only_common {
        whole_seconds(r.op, &mut b);
    }
    (label.trim_end().to_string(), b)
}

/// Without seconds no nanoseconds: what is valid for less than a second is a matter of who is
/// faster.
fn whole_seconds(op: Op, b: &mut [u8]) {
    let pairs = match answer(op) {
        Shape::Attr => &[(0, 8)][..],
        Shape::Entry | Shape::EntryAndOpen => &[(16, 32), (24, 36)],
        _ if op == Op::READDIRPLUS => &[(16, 32), (24, 36)],
        _ => &[],
    };
    for &(sec, nsec) in pairs {
        if b[sec..sec + 8] == [0; 8] {
            b[nsec..nsec + 4].fill(0);
        }
    }
}

/// A value that this field should not have.
fn value(rng: &mut Rng, name: &str, old: u64, size: usize, r: &Request, world: &World) -> u64 {
    let node = [&[0, ROOT, r.node, old + 1000][..], &world.nodes]
        .concat()
        .pick(rng);
    let odd = [
        0,
        1,
        old.wrapping_add(1),
        old ^ 0x8000_0000,
        1 << 31,
        u64::from(u32::MAX),
        i64::MAX as u64,
        1 << 63,
        u64::MAX,
        rng.u64(..),
    ];
    let v = match name {
        "nodeid" => [node, node, u64::MAX, rng.u64(..)].pick(rng),
        "mode" => {
            use libc::*;
            let kind = [
                0, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, S_IFMT, 0o30000,
            ]
            .pick(rng);
            u64::from([kind | (old as u32 & 0o7777), kind | 0o7777, rng.u32(..)].pick(rng))
        }
        "size" => [
            0,
            1,
            5000,
            1 << 20,
            i64::MAX as u64 - 4096,
            i64::MAX as u64 - 1,
            i64::MAX as u64,
            1 << 63,
            u64::MAX,
        ]
        .pick(rng),
        // A real bound would make the outcome a matter of time.
        "entry_valid" | "attr_valid" => [0, u64::MAX, 1 << 63, u64::MAX / 250, 1 << 40].pick(rng),
        "written" => {
            let asked = r.get("size");
            [
                0,
                asked + 1,
                asked.saturating_sub(1),
                asked / 2,
                1 << 31,
                u64::from(u32::MAX),
            ]
            .pick(rng)
        }
        "open_flags" => {
            let flags = [1 << rng.u32(..10), rng.u64(..0x400), rng.u64(..)].pick(rng);
            if world.only_common {
                flags & !u64::from(FOPEN_CACHE_DIR)
            } else {
                flags
            }
        }
        _ if name.ends_with("nsec") => [999_999_999, 1_000_000_000, u64::from(u32::MAX)].pick(rng),
        _ => odd.pick(rng),
    };
    if size == 4 {
        v & u64::from(u32::MAX)
    } else {
        v
    }
}

/// READ: less or more than asked, and not what is in the file.
fn data(rng: &mut Rng, r: &Request, b: Vec<u8>) -> (String, Vec<u8>) {
    let asked = r.get("size") as usize;
    if asked == 0 {
        // The answer is a length, of which one of eight bytes may be any.
        let n = [0, 1, 7, 8, 8, 8, 9, 4096].pick(rng);
        return (format!("{n} bytes for a length"), vec![0xbd; n]);
    }
    let n = [
        0,
        1,
        b.len() / 2,
        asked.saturating_sub(1),
        asked,
        asked + 1,
        asked + 4096,
        asked * 2,
    ]
    .pick(rng);
    (format!("{n} bytes of {asked}"), vec![0xbd; n])
}

fn link_text(rng: &mut Rng) -> (String, Vec<u8>) {
    let n = [0, 1, 255, 4094, 4095, 4096, 4097, 9000].pick(rng);
    let mut text = vec![b'x'; n];
    let what = match rng.u32(..4) {
        0 => "a NUL inside",
        1 => "slashes",
        2 => "itself",
        _ => "long",
    };
    match what {
        "a NUL inside" if n > 2 => text[n / 2] = 0,
        "slashes" => text.fill(b'/'),
        "itself" => text = b"l0".to_vec(),
        _ => {}
    }
    (format!("link of {} bytes: {what}", text.len()), text)
}

/// READDIR, READDIRPLUS: records that lie about their name, their number or their place, and those
/// with an entry about that too.
fn directory(rng: &mut Rng, r: &Request, mut b: Vec<u8>, world: &World) -> (String, Vec<u8>) {
    let asked = r.get("size") as usize;
    let node = [&[0, ROOT, u64::MAX][..], &world.nodes].concat().pick(rng);
    let plus = r.op == Op::READDIRPLUS;
    let entry = match plus {
        true => Entry::new(Attr::file(node, 0)).bytes(),
        false => vec![],
    };
    let put = |b: &mut Vec<u8>, name: &[u8], off: u64, typ: u32, namelen: Option<u32>| {
        let mut d = dirent(node, off, typ, name);
        if let Some(n) = namelen {
            d[16..20].copy_from_slice(&n.to_ne_bytes());
        }
        b.splice(0..0, [&entry[..], &d].concat());
    };
    if plus && rng.bool() {
        let name = ["f0", "d0", "n1", "x"].pick(rng).as_bytes();
        put(&mut b, name, 1, 8, None);
        let table = [ENTRY.to_vec(), within(40, ATTR)].concat();
        return change(rng, &table, r, b, world);
    }
    let label = match rng.u32(..9) {
        0 => {
            let n = [0, 255, 256, 1023, 1024, 1025, 4095, 4096, 1 << 31, u32::MAX].pick(rng);
            put(&mut b, b"name", 1, 8, Some(n));
            format!("namelen {n}")
        }
        1 => {
            let n = [255, 256, 1024, 1025, 4000].pick(rng);
            put(&mut b, &vec![b'n'; n], 1, 8, None);
            format!("a name of {n}")
        }
        2 => {
            let name = [
                &b"a/b"[..],
                b"/",
                b"..",
                b".",
                b"",
                b"a\0b",
                b"\0",
                b"\xff\xfe",
            ]
            .pick(rng);
            put(&mut b, name, 1, 8, None);
            format!("name {name:?}")
        }
        3 => {
            let off = [0, 1, 1 << 31, i64::MAX as u64, 1 << 63, u64::MAX].pick(rng);
            put(&mut b, b"o", off, 8, None);
            format!("offset {off:#x}")
        }
        4 => {
            let typ = [0, 3, 15, 16, 255, u32::MAX].pick(rng);
            put(&mut b, b"t", 1, typ, None);
            format!("type {typ}")
        }
        5 => {
            for i in 0..rng.u64(..400) {
                put(&mut b, b"same", i, 4, None);
            }
            format!("{} bytes of the same name", b.len())
        }
        6 => {
            b.truncate(rng.usize(..=b.len()));
            format!("cut at {}", b.len())
        }
        7 => {
            b = noise(rng, asked.min(4096));
            format!("{} bytes of noise", b.len())
        }
        _ => {
            b.resize([asked, asked + 1, asked + 4096].pick(rng), 0);
            format!("{} bytes of {asked}", b.len())
        }
    };
    (label, b)
}
