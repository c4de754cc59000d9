// SPDX-License-Identifier: GPL-2.0

//! File types, and device numbers.
//!
//! C counterpart: `S_IFMT` and friends, `fuse_valid_type` (dir.c), `new_encode_dev`
//! (include/linux/kdev_t.h). Takes no locks.

/// The type bits of a mode (`S_IFMT`).
pub const S_IFMT: u32 = 0o170000;
/// The others (`S_IALLUGO`): permissions, set-id bits, sticky bit.
pub const S_IALLUGO: u32 = 0o7777;

/// The type of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum FileType {
    /// A pipe (`S_IFIFO`).
    Fifo = 0o010000,
    /// A character device (`S_IFCHR`).
    CharDevice = 0o020000,
    /// A directory (`S_IFDIR`).
    Directory = 0o040000,
    /// A block device (`S_IFBLK`).
    BlockDevice = 0o060000,
    /// A regular file (`S_IFREG`).
    Regular = 0o100000,
    /// A symbolic link (`S_IFLNK`).
    Symlink = 0o120000,
    /// A socket (`S_IFSOCK`).
    Socket = 0o140000,
}

impl FileType {
    /// From the type bits of a mode; `None` if they are none of the seven.
    pub const fn from_mode(mode: u32) -> Option<Self> {
        Some(match mode & S_IFMT {
            0o010000 => Self::Fifo,
            0o020000 => Self::CharDevice,
            0o040000 => Self::Directory,
            0o060000 => Self::BlockDevice,
            0o100000 => Self::Regular,
            0o120000 => Self::Symlink,
            0o140000 => Self::Socket,
            _ => return None,
        })
    }

    /// The type bits.
    pub const fn bits(self) -> u32 {
        self as u32
    }
}

/// A device number as it stands on the wire (and in `stat`): `new_encode_dev` of a `dev_t`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rdev(u32);

impl Rdev {
    /// From the wire, or from `new_encode_dev`.
    pub const fn from_raw(rdev: u32) -> Self {
        Self(rdev)
    }

    /// For the wire, or for `new_decode_dev`.
    pub const fn get(self) -> u32 {
        self.0
    }
}
