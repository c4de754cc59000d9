// SPDX-License-Identifier: GPL-2.0

//! Mounts that map ids.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use mockd::errno::*;
use mockd::Caller;

const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;

/// A user namespace with these mappings, "inside outside count" in each line.
pub fn namespace(uids: &str, gids: &str) -> OwnedFd {
    ktap::needs("CONFIG_USER_NS");
    let mut c = Caller::spawn(None, |io| {
        // SAFETY: flags only.
        let r = check(unsafe { libc::unshare(libc::CLONE_NEWUSER) });
        io.put(r.map(drop));
        io.wait();
    });
    assert_eq!(c.get::<Res<()>>(), Ok(()), "unshare");
    for (file, map) in [("uid_map", uids), ("gid_map", gids)] {
        std::fs::write(format!("/proc/{}/{file}", c.pid), map).expect(file);
    }
    let ns = std::fs::File::open(format!("/proc/{}/ns/user", c.pid)).expect("namespace");
    c.go();
    c.join::<()>();
    ns.into()
}

/// Ids of the filesystem from 0 on are those from `base` on through the mount, `n` of them.
pub fn shifted(base: u32, n: u32) -> OwnedFd {
    let map = format!("0 {base} {n}");
    namespace(&map, &map)
}

/// Mounts at `to` what is mounted at `from`, with the mapping of a namespace.
pub fn mount_idmapped(from: &Path, to: &Path, ns: &OwnedFd) -> Res<()> {
    let tree = rustix::mount::open_tree(
        rustix::fs::CWD,
        from,
        rustix::mount::OpenTreeFlags::OPEN_TREE_CLONE
            | rustix::mount::OpenTreeFlags::OPEN_TREE_CLOEXEC,
    )?;
    set_idmap(&tree, ns)?;
    Ok(rustix::mount::move_mount(
        tree.as_fd(),
        "",
        rustix::fs::CWD,
        to,
        rustix::mount::MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )?)
}

/// mount_setattr(2) with MOUNT_ATTR_IDMAP.
fn set_idmap(tree: &OwnedFd, ns: &OwnedFd) -> Res<()> {
    // `struct mount_attr`: to be set, cleared, propagation, namespace.
    let attr: [u64; 4] = [MOUNT_ATTR_IDMAP, 0, 0, ns.as_raw_fd() as u64];
    // SAFETY: a C string and a structure of the length given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            attr.as_ptr(),
            size_of_val(&attr),
        )
    })
    .map(drop)
}
