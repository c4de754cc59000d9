// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers over the kernel's C interfaces: one file per C header, C's names.
//!
//! All unsafe code of the module is here. Each file lists the C rules it encodes.

/// A function for a table of operations; none if the kernel was built without what it is for.
macro_rules! if_configured {
    ($config:ident, $function:path) => {{
        #[cfg($config)]
        {
            Some($function)
        }
        #[cfg(not($config))]
        {
            None
        }
    }};
}

pub(crate) mod address_space;
pub(crate) mod attr;
pub(crate) mod bitops;
pub(crate) mod cred;
pub(crate) mod debugfs;
pub(crate) mod dentry;
pub(crate) mod dentry_operations;
pub(crate) mod dentry_tree;
pub(crate) mod dir_context;
pub(crate) mod direct_io;
pub(crate) mod fasync;
pub(crate) mod fcntl;
pub(crate) mod fifo;
pub(crate) mod file;
pub(crate) mod file_operations;
pub(crate) mod file_system_type;
pub(crate) mod folio;
pub(crate) mod folio_copy;
pub(crate) mod fs;
pub(crate) mod fs_context;
pub(crate) mod fs_parser;
pub(crate) mod gfp;
pub(crate) mod iget;
pub(crate) mod inode;
pub(crate) mod inode_cache;
pub(crate) mod inode_hold;
pub(crate) mod inode_operations;
pub(crate) mod iomap;
pub(crate) mod iov;
pub(crate) mod jiffies;
pub(crate) mod jump_label;
pub(crate) mod kiocb;
pub(crate) mod kstrtox;
pub(crate) mod lend;
#[expect(dead_code, reason = "the host tests ask for more than the module does")]
pub(crate) mod lend_state;
pub(crate) mod libfs;
pub(crate) mod lockdep;
pub(crate) mod miscdevice;
pub(crate) mod mnt_idmapping;
pub(crate) mod moduleparam;
pub(crate) mod mutex;
pub(crate) mod mutex_killable;
pub(crate) mod namei;
pub(crate) mod open;
pub(crate) mod pagemap;
pub(crate) mod pid_namespace;
pub(crate) mod pipe_fs_i;
pub(crate) mod random;
pub(crate) mod rcu;
pub(crate) mod rcu_walk;
pub(crate) mod room;
pub(crate) mod rwsem;
pub(crate) mod slab;
pub(crate) mod splice;
pub(crate) mod stat;
pub(crate) mod statfs;
pub(crate) mod super_block;
pub(crate) mod super_operations;
pub(crate) mod suspend;
pub(crate) mod sysctl;
pub(crate) mod sysfs;
pub(crate) mod task;
pub(crate) mod timekeeping;
pub(crate) mod trace;
pub(crate) mod truncate;
pub(crate) mod uidgid;
pub(crate) mod user_namespace;
pub(crate) mod user_pages;
pub(crate) mod wait;
pub(crate) mod wait_loop;
pub(crate) mod workqueue;
pub(crate) mod write_access;
