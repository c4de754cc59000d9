// SPDX-License-Identifier: GPL-2.0

//! Suite `ops`: every operation, against libfuse's passthrough_ll and the directory behind it, and
//! request by request against mockd. A file holds one operation or a small family: what it does,
//! what the daemon receives, its errors. Which errors are remembered is in `enosys`, what a daemon
//! may answer wrongly in `badreply`.

mod access;
mod acl;
mod acl_cache;
mod attrs;
mod badreply;
mod badreply_data;
mod bmap;
mod create;
mod create_ext;
mod direct;
mod enosys;
mod epoll;
mod export;
mod export_off;
mod export_parent;
mod fileattr;
mod flock;
mod forget;
mod fsync;
mod getattr;
mod getlk;
mod handle;
mod idmap;
mod idmap_ids;
mod ioctl;
mod ioctl_dir;
mod ioctl_memory;
mod killpriv;
mod killpriv_grid;
mod link;
mod listxattr;
mod lock;
mod lock_ends;
mod lock_local;
mod lookup;
mod mkdir;
mod mknod;
mod mmap;
mod notify_poll;
mod open;
mod opendir;
mod overlay;
mod overlay_layers;
mod paths;
mod permissions;
mod poll;
mod read;
mod readdir;
mod release;
mod rename;
mod revalidate;
mod setattr;
mod setxattr;
mod statfs;
mod statx;
mod symlink;
mod through;
mod tmpfile;
mod tours;
mod unlink;
mod unprivileged;
mod userns_access;
mod userns_mount;
mod verity;
mod wire;
mod write;
mod xattr;

fn main() {
    let mut all = Vec::new();
    for cases in [
        lookup::cases,
        revalidate::cases,
        paths::cases,
        handle::cases,
        export::cases,
        export_off::cases,
        export_parent::cases,
        forget::cases,
        getattr::cases,
        attrs::cases,
        statx::cases,
        setattr::cases,
        access::cases,
        permissions::cases,
        unprivileged::cases,
        userns_access::cases,
        idmap::cases,
        idmap_ids::cases,
        killpriv_grid::cases,
        killpriv::cases,
        statfs::cases,
        xattr::cases,
        listxattr::cases,
        setxattr::cases,
        acl::cases,
        acl_cache::cases,
        create::cases,
        create_ext::cases,
        tmpfile::cases,
        mknod::cases,
        mkdir::cases,
        symlink::cases,
        link::cases,
        unlink::cases,
        rename::cases,
        open::cases,
        release::cases,
        read::cases,
        write::cases,
        direct::cases,
        fsync::cases,
        lock::cases,
        getlk::cases,
        lock_local::cases,
        lock_ends::cases,
        flock::cases,
        poll::cases,
        epoll::cases,
        notify_poll::cases,
        mmap::cases,
        bmap::cases,
        ioctl::cases,
        ioctl_memory::cases,
        verity::cases,
        ioctl_dir::cases,
        fileattr::cases,
        overlay::cases,
        overlay_layers::cases,
        opendir::cases,
        readdir::cases,
        tours::cases,
        enosys::cases,
        badreply::cases,
        badreply_data::cases,
    ] {
        all.extend(cases());
    }
    ktap::run("ops", all);
}
