// SPDX-License-Identifier: GPL-2.0
//! The smallest daemon that answers what is measured, on raw `/dev/fuse`: no library, no
//! allocation, one read and one write per request. What it costs is the same for both modules.

use crate::measure::switches;
use rustix::fd::OwnedFd;
use rustix::io::{read, writev, Errno};
use std::io::IoSlice;

pub const LOOKUP: u32 = 1;
pub const FORGET: u32 = 2;
pub const GETATTR: u32 = 3;
const UNLINK: u32 = 10;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const RELEASE: u32 = 18;
const GETXATTR: u32 = 22;
pub const INIT: u32 = 26;
const SETLK: u32 = 32;
const CREATE: u32 = 35;
pub const INTERRUPT: u32 = 36;
const POLL: u32 = 40;
pub const BATCH_FORGET: u32 = 42;
/// Of INIT: ASYNC_READ, BIG_WRITES, PARALLEL_DIROPS, as every library asks for, and POSIX_LOCKS.
const FLAGS: u32 = (1 << 0) | (1 << 1) | (1 << 5) | (1 << 18);
/// Of INIT, of a daemon with attributes.
const POSIX_ACL: u32 = 1 << 20;
/// Of INIT, of one that also clears set-id bits and capabilities by itself.
const HANDLE_KILLPRIV_V2: u32 = 1 << 28;
/// Of OPEN.
const DIRECT_IO: u32 = 1 << 0;

pub const IN_HEADER: usize = 40;
pub const OUT_HEADER: usize = 16;
const ENTRY: usize = 40;
pub const ATTR: usize = 88;
const OPEN_OUT: usize = 16;

/// The largest READ and WRITE, in bytes.
pub const MAX_DATA: usize = 128 * 1024;

pub const ROOT: u64 = 1;
/// Attributes are never valid, entries always.
const GETATTR_NODE: u64 = 2;
/// Attributes are always valid, entries never.
const LOOKUP_NODE: u64 = 3;
/// Neither is.
const OPEN_NODE: u64 = 4;
/// Neither is; comes and goes.
const CREATE_NODE: u64 = 5;
/// A file past the page cache, of [`MAX_DATA`] bytes. Both are valid.
const DIRECT_NODE: u64 = 6;
/// Its size is the number of requests the daemon has served, its user the context switches it has
/// seen. Attributes are never valid, entries always.
const COUNT_NODE: u64 = 7;
/// Has attributes, if the daemon does. All is valid.
const XATTRS_NODE: u64 = 8;
/// A file in the page cache, of [`MAX_DATA`] bytes. All is valid.
const CACHED_NODE: u64 = 9;
const FOREVER: u64 = 1_000_000;

/// The attributes of [`XATTRS_NODE`].
pub const USER_XATTR: &str = "user.bench";
pub const USER_VALUE: &[u8] = &[9; 16];
pub const ACL_XATTR: &str = "system.posix_acl_access";
/// Version 2, then tag, permissions and id of each entry: the owner, user 1000, the group, the
/// mask, all others.
pub const ACL: &[u8] = &[
    2, 0, 0, 0, //
    1, 0, 6, 0, 255, 255, 255, 255, //
    2, 0, 4, 0, 232, 3, 0, 0, //
    4, 0, 4, 0, 255, 255, 255, 255, //
    16, 0, 4, 0, 255, 255, 255, 255, //
    32, 0, 4, 0, 255, 255, 255, 255, //
];

fn node_of(name: &[u8]) -> Option<u64> {
    Some(match name {
        b"getattr" => GETATTR_NODE,
        b"lookup" => LOOKUP_NODE,
        b"open" => OPEN_NODE,
        b"create" => CREATE_NODE,
        b"direct" => DIRECT_NODE,
        b"count" => COUNT_NODE,
        b"xattrs" => XATTRS_NODE,
        b"cached" => CACHED_NODE,
        _ => return None,
    })
}

fn value_of(node: u64, name: &[u8]) -> Option<&'static [u8]> {
    match name {
        _ if node != XATTRS_NODE => None,
        _ if name == USER_XATTR.as_bytes() => Some(USER_VALUE),
        _ if name == ACL_XATTR.as_bytes() => Some(ACL),
        _ => None,
    }
}

fn getxattr(body: &mut [u8], node: u64, input: &[u8]) -> Result<usize, i32> {
    let value = value_of(node, name_at(input, IN_HEADER + 8)).ok_or(libc::ENODATA)?;
    if (u32_at(input, IN_HEADER) as usize) < value.len() {
        return Err(libc::ERANGE);
    }
    body[..value.len()].copy_from_slice(value);
    Ok(value.len())
}

pub fn put<const N: usize>(out: &mut [u8], at: usize, bytes: [u8; N]) {
    out[at..at + N].copy_from_slice(&bytes);
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// The next request; `None` once the filesystem is unmounted. Inlined, as is the rest: the daemon's
/// own instructions are counted, too.
#[inline(always)]
pub fn receive<'a>(device: &OwnedFd, input: &'a mut [u8]) -> Option<&'a [u8]> {
    loop {
        match read(device, &mut *input) {
            Ok(length) => {
                assert!(length >= IN_HEADER, "short request");
                return Some(&input[..length]);
            }
            Err(Errno::NODEV) => return None,
            Err(Errno::INTR | Errno::NOENT | Errno::AGAIN) => {}
            Err(error) => panic!("reading a request: {error}"),
        }
    }
}

/// Writes the header of the reply to `input`: `fixed` bytes of it follow in `output`, or an error,
/// and then `payload` bytes. How many there are in `output`.
#[inline(always)]
pub fn head(output: &mut [u8], input: &[u8], fixed: Result<usize, i32>, payload: usize) -> usize {
    let (length, error) = match fixed {
        Ok(length) => (OUT_HEADER + length, 0),
        Err(errno) => (OUT_HEADER, -errno),
    };
    put(output, 0, ((length + payload) as u32).to_ne_bytes());
    put(output, 4, error.to_ne_bytes());
    put(output, 8, u64_at(input, 8).to_ne_bytes());
    length
}

/// Sends a reply. As libraries do: its fixed part and the data lie in places of their own.
#[inline(always)]
pub fn send(device: &OwnedFd, fixed: &[u8], payload: &[u8]) {
    let reply = [IoSlice::new(fixed), IoSlice::new(payload)];
    let parts = if payload.is_empty() { 1 } else { 2 };
    match writev(device, &reply[..parts]) {
        // The caller may be gone.
        Ok(_) | Err(Errno::NOENT) => {}
        Err(error) => panic!("writing a reply: {error}"),
    }
}

/// Bytes of the answer to INIT.
pub const INIT_OUT: usize = 64;

/// The answer to INIT, with those of `flags` that are offered.
pub fn init(body: &mut [u8], input: &[u8], flags: u32) {
    put(body, 0, 7u32.to_ne_bytes());
    put(body, 4, 46u32.to_ne_bytes());
    put(body, 8, 131_072u32.to_ne_bytes());
    let flags = u32_at(input, IN_HEADER + 12) & flags;
    put(body, 12, flags.to_ne_bytes());
    put(body, 20, (MAX_DATA as u32).to_ne_bytes());
}

/// The name at the end of a message.
pub fn name_at(input: &[u8], at: usize) -> &[u8] {
    input[at..].split(|byte| *byte == 0).next().unwrap_or(&[])
}

/// What a daemon can do besides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Can {
    Nothing,
    /// Has attributes.
    Xattrs,
    /// And clears set-id bits and capabilities.
    Killpriv,
}

impl Can {
    /// The role of this program in which it serves so.
    pub fn role(self) -> &'static str {
        match self {
            Can::Nothing => "serve",
            Can::Xattrs => "serve_xattrs",
            Can::Killpriv => "serve_killpriv",
        }
    }

    pub fn of_role(role: &str) -> Option<Can> {
        let mut all = [Can::Nothing, Can::Xattrs, Can::Killpriv].into_iter();
        all.find(|can| can.role() == role)
    }

    /// Of INIT.
    fn flags(self) -> u32 {
        match self {
            Can::Nothing => FLAGS,
            Can::Xattrs => FLAGS | POSIX_ACL,
            Can::Killpriv => FLAGS | POSIX_ACL | HANDLE_KILLPRIV_V2,
        }
    }
}

/// Serves until the filesystem is unmounted.
pub fn serve(device: &OwnedFd, can: Can) {
    let mut input = vec![0u8; MAX_DATA + 8192];
    let data = vec![5u8; MAX_DATA];
    let mut daemon = Daemon {
        served: 0,
        created: false,
        can,
        output: [0; 256],
    };
    loop {
        let Some(input) = receive(device, &mut input) else {
            return;
        };
        daemon.served += 1;
        if let Some((fixed, payload)) = daemon.answer(input) {
            send(device, &daemon.output[..fixed], &data[..payload]);
        }
    }
}

struct Daemon {
    served: u64,
    /// Whether the file of [`CREATE_NODE`] is there.
    created: bool,
    can: Can,
    output: [u8; 256],
}

impl Daemon {
    /// The bytes of the reply that are in `output`, and how many of data follow.
    fn answer(&mut self, input: &[u8]) -> Option<(usize, usize)> {
        let opcode = u32_at(input, 4);
        let node = u64_at(input, 16);
        let mut payload = 0;
        self.output.fill(0);
        let body = &mut self.output[OUT_HEADER..];
        let fixed = match opcode {
            INIT => {
                init(body, input, self.can.flags());
                Ok(INIT_OUT)
            }
            LOOKUP => match node_of(name_at(input, IN_HEADER)) {
                Some(node) if node != CREATE_NODE || self.created => {
                    self.entry(node);
                    Ok(ENTRY + ATTR)
                }
                _ => Err(libc::ENOENT),
            },
            GETATTR => {
                put(body, 0, attributes_valid(node).to_ne_bytes());
                self.attributes(OUT_HEADER + 16, node);
                Ok(16 + ATTR)
            }
            OPEN => {
                let flags = if node == DIRECT_NODE { DIRECT_IO } else { 0 };
                put(body, 8, flags.to_ne_bytes());
                Ok(OPEN_OUT)
            }
            CREATE => {
                self.created = true;
                self.entry(CREATE_NODE);
                Ok(ENTRY + ATTR + OPEN_OUT)
            }
            UNLINK => {
                self.created = false;
                Ok(0)
            }
            RELEASE | SETLK => Ok(0),
            GETXATTR if self.can != Can::Nothing => getxattr(body, node, input),
            READ => {
                payload = (u32_at(input, IN_HEADER + 16) as usize).min(MAX_DATA);
                Ok(0)
            }
            WRITE => {
                let size = u32_at(input, IN_HEADER + 16);
                put(body, 0, size.to_ne_bytes());
                Ok(8)
            }
            POLL => {
                put(body, 0, u32::from(libc::POLLIN as u16).to_ne_bytes());
                Ok(8)
            }
            FORGET | BATCH_FORGET | INTERRUPT => return None,
            _ => Err(libc::ENOSYS),
        };
        Some((head(&mut self.output, input, fixed, payload), payload))
    }

    fn entry(&mut self, node: u64) {
        let body = &mut self.output[OUT_HEADER..];
        put(body, 0, node.to_ne_bytes());
        put(body, 16, entry_valid(node).to_ne_bytes());
        put(body, 24, attributes_valid(node).to_ne_bytes());
        self.attributes(OUT_HEADER + ENTRY, node);
    }

    fn attributes(&mut self, at: usize, node: u64) {
        let out = &mut self.output[at..];
        put(out, 0, node.to_ne_bytes());
        let mode = if node == ROOT {
            0o040_755u32
        } else {
            0o100_644
        };
        put(out, 60, mode.to_ne_bytes());
        put(out, 64, 1u32.to_ne_bytes());
        put(out, 80, 4096u32.to_ne_bytes());
        match node {
            COUNT_NODE => {
                put(out, 8, self.served.to_ne_bytes());
                put(out, 68, (switches() as u32).to_ne_bytes());
            }
            DIRECT_NODE | CACHED_NODE => put(out, 8, (MAX_DATA as u64).to_ne_bytes()),
            _ => {}
        }
    }
}

fn entry_valid(node: u64) -> u64 {
    match node {
        GETATTR_NODE | DIRECT_NODE | COUNT_NODE | XATTRS_NODE | CACHED_NODE => FOREVER,
        _ => 0,
    }
}

fn attributes_valid(node: u64) -> u64 {
    match node {
        ROOT | LOOKUP_NODE | DIRECT_NODE | XATTRS_NODE | CACHED_NODE => FOREVER,
        _ => 0,
    }
}
