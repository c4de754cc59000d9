// SPDX-License-Identifier: GPL-2.0

//! The virtual filesystem: superblocks, inodes, dentries, files and the tables of operations on
//! them.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h) and those around it. The objects
//! and what they carry for a filesystem:
//!
//! - [`types`]: the filesystem's own data behind each object ([`types::Types`]),
//! - [`super_block`], [`new_super`], [`super_objects`]: `struct super_block` and how it is reached;
//!   while it is set up and shut down; how many inodes and dentries it has,
//! - [`inode`], [`inode_inner`], [`iget`], [`inode_cache`], [`inode_hold`]: `struct inode`; its
//!   lock and the attributes that change under it; finding and making it, its memory, references
//!   that may be dropped anywhere,
//! - [`write_access`]: writers of a file (`i_writecount`),
//! - [`dentry`], [`dentry_lookup`], [`dentry_tree`], [`dentry_expiry`]: `struct dentry`; finding
//!   and making it by name; those of a superblock by the time until which their names are good
//!   (`struct timerqueue_head`), dropping what has expired,
//! - [`dcache`]: finding a dentry, and taking it away, where the VFS has not called,
//! - [`rcu_walk`]: `struct inode` and `struct dentry` as path walk sees them in RCU mode,
//! - [`file`](mod@file), [`kiocb`], [`dir_context`], [`poll`]: `struct file`, `struct kiocb`,
//!   `struct dir_context`, `struct poll_table_struct`,
//! - [`open`]: `finish_open()` and what else `atomic_open` and `tmpfile` end with.
//!
//! The tables, one trait each, attached where C attaches them:
//!
//! - [`super_operations`], [`inode_operations`], [`dentry_operations`], [`file_operations`],
//!   [`address_space`]: the C structs of those names,
//! - [`symlink`]: those of symbolic links, whose text may be in the page cache,
//! - [`file_lock`]: `struct file_lock`, what locks are asked for with,
//! - [`xattr`]: `struct xattr_handler`, set with the operations of a superblock,
//! - [`posix_acl`]: `struct posix_acl`, and what is about ACLs in `struct inode_operations`,
//! - [`fileattr`]: `struct file_kattr`, and what is about it there,
//! - [`export`]: `struct export_operations`, file handles,
//! - [`libfs`]: `fs/libfs.c`, for filesystems that live in the dcache alone.
//!
//! Mounting:
//!
//! - [`file_system`], [`file_system_type`]: what a type of filesystem is, and registering it,
//! - [`fs_context`], [`fs_context_operations`], [`fs_parameter`], [`fs_parser`]: the C structs of
//!   those names,
//! - [`unload`]: what is left to be done when the last superblock is gone.
//!
//! Values that the calls carry:
//!
//! - [`attr`], [`kstat`], [`statfs`]: `struct iattr`, `struct kstat`, `struct kstatfs`,
//! - [`stat`], [`fcntl`], [`namei`]: modes, and flags of open(2) and of path walk,
//! - [`mnt_idmapping`]: `struct mnt_idmap`,
//! - [`fsverity`]: what its ioctls read and write,
//! - [`security`]: `struct lsm_context`.
//!
//! `dentry`, `inode` and `super_block` name each other, as in C; all else goes one way.
//!
//! May use: `lib`, `mm`, `sync`, `task`, `time`. Used by `page_cache` and `io`, and by `fs` and
//! `control`.

pub(crate) mod address_space;
pub(crate) mod attr;
pub(crate) mod dcache;
pub(crate) mod dentry;
mod dentry_expiry;
pub(crate) mod dentry_lookup;
pub(crate) mod dentry_operations;
mod dentry_tree;
pub(crate) mod dir_context;
pub(crate) mod export;
pub(crate) mod fcntl;
pub(crate) mod file;
pub(crate) mod file_lock;
pub(crate) mod file_operations;
pub(crate) mod file_system;
pub(crate) mod file_system_type;
pub(crate) mod fileattr;
pub(crate) mod fs_context;
mod fs_context_operations;
pub(crate) mod fs_parameter;
pub(crate) mod fs_parser;
pub(crate) mod fsverity;
pub(crate) mod iget;
pub(crate) mod inode;
pub(crate) mod inode_cache;
pub(crate) mod inode_hold;
pub(crate) mod inode_inner;
pub(crate) mod inode_operations;
pub(crate) mod kiocb;
pub(crate) mod kstat;
pub(crate) mod libfs;
pub(crate) mod mnt_idmapping;
pub(crate) mod namei;
pub(crate) mod new_super;
pub(crate) mod open;
pub(crate) mod poll;
pub(crate) mod posix_acl;
pub(crate) mod rcu_walk;
pub(crate) mod security;
pub(crate) mod stat;
pub(crate) mod statfs;
pub(crate) mod super_block;
mod super_objects;
pub(crate) mod super_operations;
pub(crate) mod symlink;
pub(crate) mod types;
pub(crate) mod unload;
pub(crate) mod write_access;
pub(crate) mod xattr;
