// SPDX-License-Identifier: GPL-2.0

//! FUSE: the kernel half of Filesystem in Userspace, for Linux 7.3, protocol 7.46.
//!
//! # Map
//!
//! Layers, each uses only those under it:
//!
//! | module | what it is | C counterpart |
//! |---|---|---|
//! | `fs` | superblock, inode, dentry, file, page cache | `inode.c`, `dir.c`, `file.c`, `readdir.c` |
//! | [`control`] | what an administrator sees and sets | `control.c`, `sysctl.c` |
//! | [`transport`] | channel, engine, copying, device; knows no inode and no dentry | `dev.c`, `req.c` |
//! | [`abi`] | wire structs, opcodes, one type per operation; only `core` and zerocopy | `uapi/linux/fuse.h` |
//! | [`kapi`] | safe wrappers over the kernel's C interfaces; all unsafe code | the kernel's headers |
//! | [`bindings`] | generated declarations, for `kapi` alone | |
//!
//! # Reading order
//!
//! One `stat` from the system call to the reply: `abi/op/getattr`, then `transport/chan`,
//! `transport/caller`, `engine`, `transport/dev`, `transport/message`, then `fs/attr`.
//! The terms (Chan, Conn, Mount, Forget) are those of the C implementation: one grep finds both.

#![deny(unsafe_code)]

mod abi;
mod bindings;
mod control;
#[allow(
    unused_imports,
    reason = "the channel uses a part of what the host tests do"
)]
#[expect(
    dead_code,
    reason = "replies to RETRIEVE are proven on the host before they are called"
)]
mod engine;
mod fs;
#[expect(unsafe_code, reason = "the only layer that calls C")]
mod kapi;
mod transport;

use kernel::prelude::*;

module! {
    type: FuseModule,
    name: "fuse",
    authors: ["rust_fuse developers"],
    description: "Filesystem in Userspace",
    license: "GPL",
    alias: ["devname:fuse", "char-major-10-229", "fs-fuse", "fs-fusectl"],
}

/// What is registered while the module is loaded. Dropped in this order at unload; made in the
/// reverse order, so that a failure unwinds what there is.
#[pin_data]
pub(crate) struct FuseModule {
    control: control::Registration,
    #[pin]
    device: transport::Registration,
    filesystem: fs::Registration,
    suspend: transport::suspend::Registration,
    /// Callbacks of ours may be queued still; they need the caches, which go after it.
    barrier: kapi::sync::rcu::RcuBarrier,
    requests: transport::RequestCache,
}

impl kernel::InPlaceModule for FuseModule {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pr_info!(
            "init (API version {}.{})\n",
            abi::version::MAJOR,
            abi::Minor::OURS.get()
        );
        try_pin_init!(Self {
            requests: transport::RequestCache::new()?,
            barrier: kapi::sync::rcu::RcuBarrier,
            suspend: transport::suspend::register()?,
            filesystem: fs::Registration::new()?,
            device <- transport::register(),
            control: control::Registration::new()?,
        })
    }
}
