// SPDX-License-Identifier: GPL-2.0
//! The smallest daemon that answers what is measured, on raw `/dev/fuse`: no library, no allocation, one
//! read and one write per request. What it costs is the same for both modules.

use rustix::fd::OwnedFd;
use rustix::io::{read, write, Errno};

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;
const IN_HEADER: usize = 40;
const OUT_HEADER: usize = 16;
const ATTR: usize = 88;

pub const ROOT: u64 = 1;
/// Attributes are never valid, entries always.
pub const GETATTR_NODE: u64 = 2;
/// Attributes are always valid, entries never.
pub const LOOKUP_NODE: u64 = 3;
/// Neither is.
pub const STAT_NODE: u64 = 4;
/// Its size is the number of requests the daemon has served, its user the context switches it has seen.
pub const COUNT_NODE: u64 = 5;
const FOREVER: u64 = 1_000_000;

pub fn names() -> [(&'static str, u64); 4] {
    [
        ("getattr", GETATTR_NODE),
        ("lookup", LOOKUP_NODE),
        ("stat", STAT_NODE),
        ("count", COUNT_NODE),
    ]
}

fn put<const N: usize>(out: &mut [u8], at: usize, bytes: [u8; N]) {
    out[at..at + N].copy_from_slice(&bytes);
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Serves until the filesystem is unmounted.
pub fn serve(device: &OwnedFd) {
    let mut input = vec![0u8; 256 * 1024];
    let mut output = [0u8; 256];
    let mut served = 0u64;
    loop {
        let length = match read(device, &mut input) {
            Ok(length) => length,
            Err(Errno::NODEV) => return,
            Err(Errno::INTR | Errno::NOENT | Errno::AGAIN) => continue,
            Err(error) => panic!("reading a request: {error}"),
        };
        assert!(length >= IN_HEADER, "short request");
        served += 1;
        if let Some(length) = answer(&input[..length], &mut output, served) {
            match write(device, &output[..length]) {
                // The caller may be gone.
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => panic!("writing a reply: {error}"),
            }
        }
    }
}

fn answer(input: &[u8], output: &mut [u8; 256], served: u64) -> Option<usize> {
    let opcode = u32_at(input, 4);
    let node = u64_at(input, 16);
    output.fill(0);
    let mut error = 0i32;
    let length = match opcode {
        INIT => {
            put(output, OUT_HEADER, 7u32.to_ne_bytes());
            put(output, OUT_HEADER + 4, 46u32.to_ne_bytes());
            put(output, OUT_HEADER + 8, 131_072u32.to_ne_bytes());
            put(output, OUT_HEADER + 20, 131_072u32.to_ne_bytes());
            64
        }
        LOOKUP => {
            let name = input[IN_HEADER..]
                .split(|byte| *byte == 0)
                .next()
                .unwrap_or(&[]);
            match names().iter().find(|(known, _)| known.as_bytes() == name) {
                Some((_, node)) => {
                    put(output, OUT_HEADER, node.to_ne_bytes());
                    let entry = if *node == GETATTR_NODE || *node == COUNT_NODE {
                        FOREVER
                    } else {
                        0
                    };
                    put(output, OUT_HEADER + 16, entry.to_ne_bytes());
                    put(output, OUT_HEADER + 24, validity(*node).to_ne_bytes());
                    attributes(&mut output[OUT_HEADER + 40..], *node, served);
                    40 + ATTR
                }
                None => {
                    error = -libc::ENOENT;
                    0
                }
            }
        }
        GETATTR => {
            put(output, OUT_HEADER, validity(node).to_ne_bytes());
            attributes(&mut output[OUT_HEADER + 16..], node, served);
            16 + ATTR
        }
        FORGET | BATCH_FORGET | INTERRUPT => return None,
        _ => {
            error = -libc::ENOSYS;
            0
        }
    };
    let total = OUT_HEADER + length;
    put(output, 0, (total as u32).to_ne_bytes());
    put(output, 4, error.to_ne_bytes());
    put(output, 8, u64_at(input, 8).to_ne_bytes());
    Some(total)
}

fn validity(node: u64) -> u64 {
    if node == LOOKUP_NODE || node == ROOT {
        FOREVER
    } else {
        0
    }
}

fn attributes(out: &mut [u8], node: u64, served: u64) {
    put(out, 0, node.to_ne_bytes());
    let mode = if node == ROOT {
        0o040_755u32
    } else {
        0o100_644
    };
    put(out, 60, mode.to_ne_bytes());
    put(out, 64, 1u32.to_ne_bytes());
    put(out, 80, 4096u32.to_ne_bytes());
    if node == COUNT_NODE {
        put(out, 8, served.to_ne_bytes());
        put(out, 68, (crate::switches() as u32).to_ne_bytes());
    }
}
