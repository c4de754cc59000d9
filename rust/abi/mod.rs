// SPDX-License-Identifier: GPL-2.0

//! The wire: structs, opcodes, flags, and one type per operation.
//!
//! C counterpart: `include/uapi/linux/fuse.h` (protocol 7.46), and those lines of `fs/fuse` that
//! fill a `struct fuse_args` or check what came back. Takes no locks, sleeps nowhere, allocates
//! nothing.
//!
//! Uses only `core` and zerocopy; `transport` and `fs` use it, and `main.rs` for the version. The
//! same files are built into the module and into a crate on the host (`selftests/host/abi`), where
//! they are compared with the header and fed with garbage.
//!
//! # Reading order
//!
//! [`op`] has the trait that all operations implement, `op/getattr.rs` is the simplest of them.
//! [`header`] is what frames every message, [`codec`] how its bytes are written and taken apart,
//! [`notify`] what a daemon says unasked, in the structs of [`notify_out`]. [`attr`], [`entry`],
//! [`dirent`] and [`direntplus`] show what "parsed once" means: a daemon's struct goes in, and
//! either a checked type or an error ([`error`]) comes out. No layer above sees a raw field of a
//! reply. [`create_ext`] is what some requests end with. Structs of the kernel's header are written
//! down with [`wire`].
//!
//! The words of the protocol: [`opcode`] has the operations' numbers, [`flags`] the flags, [`ids`]
//! the numbers that must not be confused, [`lock`] kinds and ranges of locks, [`mode`] types and
//! devices, [`name`] names, [`time`] times, and [`version`] what older daemons know less of.
//!
//! # Tests
//!
//! Each file has its own at its end. What holds for every operation is in `op/tests.rs`, what tests
//! share in `testing`. `cargo test` in `selftests/host/abi` runs them.
//!
//! # Rules
//!
//! Whatever a daemon sends, nothing here may panic: no indexing, no unchecked arithmetic on its
//! numbers. Where the C implementation clamps, so does this; where it says EIO, so does this.

#![deny(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used,
        reason = "a test that goes wrong is to panic"
    )
)]
#![allow(
    unreachable_pub,
    reason = "public for the crate on the host, unreachable in the module"
)]

#[macro_use]
mod wire;

pub mod attr;
pub mod codec;
pub mod create_ext;
pub mod dirent;
pub mod direntplus;
pub mod entry;
pub mod error;
pub mod flags;
pub mod header;
pub mod ids;
pub mod lock;
pub mod mode;
pub mod name;
pub mod notify;
pub mod notify_out;
pub mod op;
pub mod opcode;
#[cfg(test)]
pub(crate) mod testing;
pub mod time;
pub mod version;

#[allow(unused_imports, reason = "the module does not name all of them")]
pub use self::{
    attr::Attr,
    codec::{
        Body,
        Reply,
        Split,
        Writer, //
    },
    create_ext::{
        CreateExt,
        Secctx, //
    },
    dirent::{
        Dirent,
        Dirents, //
    },
    direntplus::{
        Direntplus,
        Direntpluses,
        PlusNode, //
    },
    entry::{
        Entry,
        SeenEntry, //
    },
    error::{
        BadAttr,
        BadHeader,
        BadReply,
        Errno,
        Overflow, //
    },
    flags::{
        AttrFlags,
        InitFlags,
        IoctlFlags,
        OpenOutFlags, //
    },
    header::{
        Answer,
        Creds,
        InHeader,
        OutHeader, //
    },
    ids::{
        FileHandle,
        Generation,
        LockOwner,
        Nlookup,
        NodeId,
        PollHandle,
        Unique, //
    },
    lock::{
        LockKind,
        LockRange, //
    },
    mode::{
        FileType,
        Rdev, //
    },
    name::Name,
    notify::{
        Notification,
        NotifyCode, //
    },
    op::Op,
    opcode::Opcode,
    time::{
        Timeout,
        Timestamp, //
    },
    version::Minor, //
};
