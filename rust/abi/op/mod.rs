// SPDX-License-Identifier: GPL-2.0

//! The operations: one type each, one file each.
//!
//! C counterpart: the places in `fs/fuse` that fill a `struct fuse_args`, and the checks that
//! follow them. Takes no locks.
//!
//! Uses the files beside it in [`abi`](super). `fs` says which operation, `transport` frames it;
//! what has no answer is `transport`'s.
//!
//! | about | files |
//! |---|---|
//! | the connection | `init`, `statfs`, `syncfs`, `destroy` |
//! | names | `lookup`, `unlink`, `rmdir`, `rename`, `rename2` |
//! | what makes names, or files | `mknod`, `mkdir`, `symlink`, `link`, `create`, `tmpfile` |
//! | inodes | `getattr`, `statx`, `setattr`, `access`, `readlink` |
//! | extended attributes | `getxattr`, `listxattr`, `setxattr`, `removexattr` |
//! | files | `open`, `read`, `write`, `flush`, `fsync`, `ioctl`, `priv_ioctl`, `poll`, `release` |
//! | files on a block device | `bmap` |
//! | locks of files | `getlk`, `setlk`, `setlkw` |
//! | directories, where they differ from files | `opendir`, `readdir`, `fsyncdir`, `releasedir` |
//! | what has no answer | `notify_reply` |
//! | what has none, and is no [`Op`] but a message | `forget`, `batch_forget`, `interrupt` |
//!
//! `tests` is about all of them.

use super::{
    codec::{
        Body,
        Reply,
        Writer, //
    },
    error::{
        BadReply,
        Overflow, //
    },
    opcode::Opcode,
    version::Minor, //
};

mod access;
mod batch_forget;
mod bmap;
mod create;
mod destroy;
mod flush;
mod forget;
mod fsync;
mod fsyncdir;
mod getattr;
mod getlk;
mod getxattr;
mod init;
mod interrupt;
mod ioctl;
mod link;
mod listxattr;
mod lookup;
mod mkdir;
mod mknod;
mod notify_reply;
mod open;
mod opendir;
mod poll;
mod priv_ioctl;
mod read;
mod readdir;
mod readlink;
mod release;
mod releasedir;
mod removexattr;
mod rename;
mod rename2;
mod rmdir;
mod setattr;
mod setlk;
mod setlkw;
mod setxattr;
mod statfs;
mod statx;
mod symlink;
mod syncfs;
mod tmpfile;
mod unlink;
mod write;

#[cfg(test)]
pub(crate) mod tests;

#[allow(unused_imports, reason = "the module does not name all of them")]
pub use self::{
    access::*,
    batch_forget::*,
    bmap::*,
    create::*,
    destroy::*,
    flush::*,
    forget::*,
    fsync::*,
    fsyncdir::*,
    getattr::*,
    getlk::*,
    getxattr::*,
    init::*,
    interrupt::*,
    ioctl::*,
    link::*,
    listxattr::*,
    lookup::*,
    mkdir::*,
    mknod::*,
    notify_reply::*,
    open::*,
    opendir::*,
    poll::*,
    priv_ioctl::*,
    read::*,
    readdir::*,
    readlink::*,
    release::*,
    releasedir::*,
    removexattr::*,
    rename::*,
    rename2::*,
    rmdir::*,
    setattr::*,
    setlk::*,
    setlkw::*,
    setxattr::*,
    statfs::*,
    statx::*,
    symlink::*,
    syncfs::*,
    tmpfile::*,
    unlink::*,
    write::*, //
};

/// An operation: what a request says, and what its reply means.
///
/// A message to the daemon is an [`InHeader`](super::header::InHeader), then what
/// [`encode`](Op::encode) writes, then the payload, which does not pass through here. Names are
/// borrowed: the request has its own copy once they are encoded.
///
/// Everything takes the connection's minor version, since older daemons know shorter structs.
pub trait Op {
    /// Which one.
    const OPCODE: Opcode;

    /// What a reply without an error says.
    type Out;

    /// Bytes that [`encode`](Op::encode) writes.
    fn in_len(&self, minor: Minor) -> usize;

    /// Writes what follows the header, except the payload.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if there is less room than [`in_len`](Op::in_len).
    fn encode(&self, out: &mut Writer<'_>, minor: Minor) -> Result<(), Overflow>;

    /// How many of them, at the end, are extensions, which the header counts.
    fn ext_len(&self) -> usize {
        0
    }

    /// Bytes of payload that the message ends with.
    fn payload_in(&self) -> u32 {
        0
    }

    /// What is expected back.
    fn reply(&self, minor: Minor) -> Reply;

    /// Checks the body of a reply without an error.
    ///
    /// # Errors
    ///
    /// [`BadReply`]: the caller gets EIO.
    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<Self::Out, BadReply>;
}
