// SPDX-License-Identifier: GPL-2.0

//! The smallest daemon for directories, and for names that the kernel may keep; see
//! [`crate::server`]. The records of its directories lie ready.

use crate::measure::switches;
use crate::server::{
    head, init, name_at, put, receive, send, u32_at, u64_at, ATTR, BATCH_FORGET, FORGET, GETATTR,
    INIT, INIT_OUT, INTERRUPT, IN_HEADER, LOOKUP, MAX_DATA, OUT_HEADER, ROOT,
};
use rustix::fd::OwnedFd;
use rustix::io::write;

const OPENDIR: u32 = 27;
const READDIR: u32 = 28;
const RELEASEDIR: u32 = 29;
const READDIRPLUS: u32 = 44;
/// A notification.
const INVAL_ENTRY: u32 = 3;
/// Of INIT: ASYNC_READ, BIG_WRITES, PARALLEL_DIROPS.
const FLAGS: u32 = (1 << 0) | (1 << 5) | (1 << 18);
/// Of INIT, of a daemon that lists entries.
const DO_READDIRPLUS: u32 = 1 << 13;
/// Of OPENDIR: KEEP_CACHE and CACHE_DIR.
const CACHED: u32 = (1 << 1) | (1 << 3);

/// Of LOOKUP, with attributes.
const ENTRY: usize = 128;
const FOREVER: u64 = 1_000_000;
/// Of READDIR: for names of six bytes.
const RECORD: usize = 32;

/// Says how many requests there were, see [`crate::server`].
const COUNT_NODE: u64 = 2;
/// Whoever asks for its attributes has the name of [`NAME_NODE`] invalidated.
const INVAL_NODE: u64 = 3;
const FILE_NODE: u64 = 4;
const NAME_NODE: u64 = 5;
const NAME: &[u8] = b"name";

/// A directory of files.
pub struct Dir {
    pub name: &'static [u8],
    pub entries: usize,
    node: u64,
    /// What OPENDIR says.
    flags: u32,
}

pub const DIRS: [Dir; 3] = [
    Dir {
        name: b"d500",
        entries: 500,
        node: 10,
        flags: 0,
    },
    Dir {
        name: b"d10k",
        entries: 10_000,
        node: 11,
        flags: 0,
    },
    Dir {
        name: b"cached",
        entries: 500,
        node: 12,
        flags: CACHED,
    },
];

/// What a daemon says of what is in its directories.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// Names: READDIR.
    Names,
    /// Names, and what LOOKUP would say of them: READDIRPLUS.
    Entries,
}

impl Lists {
    /// The role of this program in which it serves so.
    pub fn role(self) -> &'static str {
        match self {
            Lists::Names => "serve_names",
            Lists::Entries => "serve_entries",
        }
    }

    pub fn of_role(role: &str) -> Option<Lists> {
        let mut all = [Lists::Names, Lists::Entries].into_iter();
        all.find(|lists| lists.role() == role)
    }

    /// Bytes of a record.
    pub fn record(self) -> usize {
        match self {
            Lists::Names => RECORD,
            Lists::Entries => ENTRY + RECORD,
        }
    }

    /// Of INIT.
    fn flags(self) -> u32 {
        match self {
            Lists::Names => FLAGS,
            Lists::Entries => FLAGS | DO_READDIRPLUS,
        }
    }
}

fn node_of(name: &[u8]) -> Option<u64> {
    Some(match name {
        b"count" => COUNT_NODE,
        b"inval" => INVAL_NODE,
        b"file" => FILE_NODE,
        NAME => NAME_NODE,
        _ => return DIRS.iter().find(|dir| dir.name == name).map(|dir| dir.node),
    })
}

fn attributes_valid(node: u64) -> u64 {
    match node {
        COUNT_NODE | INVAL_NODE => 0,
        _ => FOREVER,
    }
}

fn attributes(out: &mut [u8], node: u64, served: u64) {
    let dir = node == ROOT || DIRS.iter().any(|dir| dir.node == node);
    let mode = if dir { 0o040_755u32 } else { 0o100_644 };
    put(out, 0, node.to_ne_bytes());
    put(out, 60, mode.to_ne_bytes());
    put(out, 64, 1u32.to_ne_bytes());
    put(out, 80, 4096u32.to_ne_bytes());
    if node == COUNT_NODE {
        put(out, 8, served.to_ne_bytes());
        put(out, 68, (switches() as u32).to_ne_bytes());
    }
}

/// Of a node, or of none: that there is no such name may be kept, too.
fn entry(out: &mut [u8], node: Option<u64>, served: u64) {
    put(out, 16, FOREVER.to_ne_bytes());
    if let Some(node) = node {
        put(out, 0, node.to_ne_bytes());
        put(out, 24, attributes_valid(node).to_ne_bytes());
        attributes(&mut out[ENTRY - ATTR..], node, served);
    }
}

/// All that there is to be read of a directory.
fn records(dir: &Dir, lists: Lists) -> Vec<u8> {
    let mut all = vec![0; lists.record() * dir.entries];
    for (i, out) in all.chunks_exact_mut(lists.record()).enumerate() {
        let node = dir.node * 100_000 + i as u64;
        let record = match lists {
            Lists::Names => out,
            Lists::Entries => {
                entry(out, Some(node), 0);
                &mut out[ENTRY..]
            }
        };
        put(record, 0, node.to_ne_bytes());
        put(record, 8, (i as u64 + 1).to_ne_bytes());
        put(record, 16, 6u32.to_ne_bytes());
        put(record, 20, u32::from(libc::DT_REG).to_ne_bytes());
        record[24..30].copy_from_slice(format!("f{i:05}").as_bytes());
    }
    all
}

/// A reply without its data.
type Output = [u8; OUT_HEADER + ENTRY];

/// Serves until the filesystem is unmounted.
pub fn serve(device: &OwnedFd, lists: Lists) {
    let mut input = vec![0u8; MAX_DATA + 8192];
    let mut daemon = Daemon {
        served: 0,
        lists,
        dirs: DIRS.map(|dir| (dir.node, records(&dir, lists))),
    };
    let mut output: Output = [0; OUT_HEADER + ENTRY];
    loop {
        let Some(input) = receive(device, &mut input) else {
            return;
        };
        let opcode = u32_at(input, 4);
        // How many FORGETs go into one message is not the caller's doing, so they do not count.
        if matches!(opcode, FORGET | BATCH_FORGET | INTERRUPT) {
            continue;
        }
        daemon.served += 1;
        if opcode == GETATTR && u64_at(input, 16) == INVAL_NODE {
            inval_entry(device);
        }
        let (fixed, payload) = daemon.answer(opcode, input, &mut output);
        send(device, &output[..fixed], payload);
    }
}

fn inval_entry(device: &OwnedFd) {
    const LENGTH: usize = OUT_HEADER + 16 + NAME.len() + 1;
    let mut message = [0u8; LENGTH];
    put(&mut message, 0, (LENGTH as u32).to_ne_bytes());
    put(&mut message, 4, INVAL_ENTRY.to_ne_bytes());
    put(&mut message, 16, ROOT.to_ne_bytes());
    put(&mut message, 24, (NAME.len() as u32).to_ne_bytes());
    message[32..32 + NAME.len()].copy_from_slice(NAME);
    assert_eq!(write(device, &message), Ok(LENGTH), "INVAL_ENTRY");
}

struct Daemon {
    served: u64,
    lists: Lists,
    /// The node and the records of each directory.
    dirs: [(u64, Vec<u8>); DIRS.len()],
}

impl Daemon {
    /// How many bytes of the reply are in `output`, and the data that follows.
    fn answer(&self, opcode: u32, input: &[u8], output: &mut Output) -> (usize, &[u8]) {
        let node = u64_at(input, 16);
        let mut payload: &[u8] = &[];
        output.fill(0);
        let body = &mut output[OUT_HEADER..];
        let fixed = match opcode {
            INIT => {
                init(body, input, self.lists.flags());
                Ok(INIT_OUT)
            }
            LOOKUP => {
                entry(body, node_of(name_at(input, IN_HEADER)), self.served);
                Ok(ENTRY)
            }
            GETATTR => {
                put(body, 0, attributes_valid(node).to_ne_bytes());
                attributes(&mut body[16..], node, self.served);
                Ok(16 + ATTR)
            }
            OPENDIR => {
                let dir = DIRS.iter().find(|dir| dir.node == node);
                put(body, 8, dir.map_or(0, |dir| dir.flags).to_ne_bytes());
                Ok(16)
            }
            READDIR | READDIRPLUS => {
                let dir = self.dirs.iter().find(|dir| dir.0 == node);
                let at = u64_at(input, IN_HEADER + 8) as usize * self.lists.record();
                let rest = dir.and_then(|dir| dir.1.get(at..)).unwrap_or(&[]);
                let room = u32_at(input, IN_HEADER + 16) as usize;
                let room = room - room % self.lists.record();
                payload = &rest[..rest.len().min(room)];
                Ok(0)
            }
            RELEASEDIR => Ok(0),
            _ => Err(libc::ENOSYS),
        };
        (head(output, input, fixed, payload.len()), payload)
    }
}
