// SPDX-License-Identifier: GPL-2.0

//! What GETATTR and STATX have in common: reporting what the daemon has said.
//!
//! C counterpart: `fuse_fillattr()` (dir.c). Takes no locks, does not sleep.

use crate::{
    abi::Attr,
    fs::Inode,
    kapi::{
        task::{
            uidgid::{
                make_kgid,
                make_kuid, //
            },
            user_namespace::UserNamespace, //
        },
        vfs::{
            kstat::Kstat,
            mnt_idmapping::MntIdmap,
            stat::S_IFMT, //
        },
    },
};

/// Reports attributes just as the daemon has given them, stale or not. Inlined, as each stat(2)
/// comes here.
#[inline(always)]
pub(super) fn fill(idmap: &MntIdmap, inode: &Inode, attr: Attr<'_>, stat: &mut Kstat) {
    let ns: &UserNamespace = &inode.conn().user_ns;

    stat.set_dev(inode);
    stat.set_ino(attr.ino());
    stat.set_mode((inode.i_mode() & S_IFMT) | attr.perm());
    stat.set_nlink(attr.nlink());
    stat.set_uid(idmap.map_uid(ns, make_kuid(ns, attr.uid())));
    stat.set_gid(idmap.map_gid(ns, make_kgid(ns, attr.gid())));
    stat.set_rdev(inode.i_rdev());
    stat.set_times(
        attr.atime().into(),
        attr.mtime().into(),
        attr.ctime().into(),
    );
    stat.set_size(attr.size());
    stat.set_blocks(attr.blocks());
    stat.set_blkbits(attr.blkbits().unwrap_or_else(|| inode.i_blkbits()));
}
