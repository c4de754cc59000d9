// SPDX-License-Identifier: GPL-2.0

//! A superblock's inodes are the filesystem's own or those of libfs: a type that says both could
//! set one up as the one, and use it as the other.

use crate::kapi::vfs::{
    libfs::SimpleTypes,
    types::{
        kind,
        SuperTypes,
        Types, //
    },
};

enum Both {}

impl SuperTypes for Both {
    type Super = ();
    type Kind = kind::Own;
}

impl Types for Both {
    type Inode = ();
    type InodeInner = ();
    type Dentry = ();
    type File = ();
}

macro_rules! simple {
    ($types:ty) => {
        impl SimpleTypes for $types {
            type Node = ();
        }
    };
}

simple!(Both); // error[E0271]
