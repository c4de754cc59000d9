// SPDX-License-Identifier: GPL-2.0

//! FUSE: the kernel half of Filesystem in Userspace, for Linux 7.3, protocol 7.46.
//!
//! # Map
//!
//! Layers, each uses only those under it:
//!
//! | module | what it is | C counterpart |
//! |---|---|---|
//! | `fs` | superblock, inode, dentry, file, page cache | `inode.c`, `dir.c`, `file.c` |
//! | [`control`] | what an administrator sees and sets | `control.c`, `sysctl.c` |
//! | [`transport`] | channel, copying, device; knows no inode | `dev.c`, `req.c` |
//! | [`kapi`] | safe wrappers of the kernel's C interfaces; all unsafe code | the headers |
//! | [`engine`] | the queues as a state machine, the lending word; only `core` | `dev.c` |
//! | [`abi`] | the wire, one type per operation; only `core` and zerocopy | `fuse.h` |
//! | [`bindings`] | generated declarations, for `kapi` alone | |
//!
//! # Reading order
//!
//! One `stat` from the system call to the reply, as in README.md and Documentation/design.rst:
//!
//! 1. `fs/attr/getattr`: the system call arrives; `abi/op/getattr`: what it asks, on the wire;
//! 2. `fs/request/call`, `transport/caller/call`, `transport/chan/request`: a request, and its
//!    caller's wait;
//! 3. `engine`: the queues, with `submit`, `take` and `reply` as the steps of a round trip;
//! 4. `transport/dev`, `transport/message/copy`: the daemon's side; `engine/lend_state`,
//!    `kapi/fuse/lend`: who may touch a request's memory, and who ends it;
//! 5. `fs/inode/attr_cache`: what becomes of the reply;
//! 6. [`fs`](mod@fs), room by room, in the order of its own page; then `kapi`.
//!
//! The terms (Chan, Conn, Mount, Forget) are those of the C implementation: one grep finds both.

#![deny(unsafe_code)]

mod abi;
mod bindings;
// Uses of `kapi` that must not compile: scripts/compile-fail.
#[cfg(compile_fail)]
mod compile_fail {
    include!(env!("RUST_FUSE_COMPILE_FAIL"));
}
mod control;
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
    alias: ["devname:fuse", "char-major-10-229", "fs-fuse", "fs-fuseblk", "fs-fusectl"],
}

/// What is registered while the module is loaded. Dropped in this order at unload; made in the
/// reverse order, so that a failure unwinds what there is.
#[pin_data]
pub(crate) struct FuseModule {
    /// Made last: once it can be opened there may be mounts, whatever becomes of the rest.
    #[pin]
    device: transport::Registration,
    control: control::Registration,
    filesystem: fs::Registration,
    suspend: transport::suspend::Registration,
    /// Goes after `filesystem`, which waits for what may still use it (`kapi/vfs/unload.rs`).
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
            suspend: transport::suspend::register()?,
            filesystem: fs::Registration::new()?,
            control: control::Registration::new()?,
            device <- transport::register(),
        })
    }
}
