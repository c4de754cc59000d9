// SPDX-License-Identifier: GPL-2.0

//! The virtual filesystem: superblocks, inodes, dentries, files and the tables of operations on them.

pub(crate) mod address_space;
pub(crate) mod attr;
pub(crate) mod dentry;
mod dentry_expiry;
pub(crate) mod dentry_operations;
mod dentry_tree;
pub(crate) mod dir_context;
pub(crate) mod fcntl;
pub(crate) mod file;
pub(crate) mod file_operations;
pub(crate) mod file_system_type;
pub(crate) mod fs_context;
pub(crate) mod fs_parameter;
pub(crate) mod fs_parser;
pub(crate) mod iget;
pub(crate) mod inode;
pub(crate) mod inode_cache;
pub(crate) mod inode_hold;
pub(crate) mod inode_operations;
pub(crate) mod kiocb;
pub(crate) mod kstat;
pub(crate) mod libfs;
pub(crate) mod mnt_idmapping;
pub(crate) mod namei;
pub(crate) mod open;
pub(crate) mod rcu_walk;
pub(crate) mod stat;
pub(crate) mod statfs;
pub(crate) mod super_block;
pub(crate) mod super_operations;
pub(crate) mod types;
pub(crate) mod write_access;
