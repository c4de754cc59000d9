// SPDX-License-Identifier: GPL-2.0

//! What the ioctls of fs-verity read and write: more than their numbers say.
//!
//! C header: [`include/uapi/linux/fsverity.h`](srctree/include/uapi/linux/fsverity.h).

use core::mem::offset_of;
use kernel::{
    ioctl::{
        _IOW,
        _IOWR, //
    },
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// `struct fsverity_enable_arg`, as the caller has filled it.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct FsverityEnableArg {
    version: u32,
    hash_algorithm: u32,
    block_size: u32,
    /// Bytes of the salt.
    pub(crate) salt_size: u32,
    /// Where it is.
    pub(crate) salt_ptr: u64,
    /// Bytes of the signature.
    pub(crate) sig_size: u32,
    __reserved1: u32,
    /// Where it is.
    pub(crate) sig_ptr: u64,
    __reserved2: [u64; 11],
}

const _: () = assert!(size_of::<FsverityEnableArg>() == 128);

/// `struct fsverity_digest`, without the digest.
#[repr(C)]
struct FsverityDigest {
    _digest_algorithm: u16,
    digest_size: u16,
}

/// `FS_IOC_ENABLE_VERITY`
pub(crate) const FS_IOC_ENABLE_VERITY: u32 = _IOW::<FsverityEnableArg>(b'f' as u32, 133);
/// `FS_IOC_MEASURE_VERITY`
pub(crate) const FS_IOC_MEASURE_VERITY: u32 = _IOWR::<FsverityDigest>(b'f' as u32, 134);

impl FsverityEnableArg {
    /// Reads it from the caller's memory. May sleep.
    ///
    /// # Errors
    ///
    /// EFAULT.
    pub(crate) fn read(arg: UserPtr) -> Result<Self> {
        let mut enable = Self::default();
        UserSlice::new(arg, size_of::<Self>())
            .reader()
            .read_slice(enable.as_mut_bytes())?;
        Ok(enable)
    }
}

/// Bytes of a `struct fsverity_digest` in the caller's memory, with the room for the digest that it
/// says it has. May sleep.
///
/// # Errors
///
/// EFAULT.
pub(crate) fn digest_size(arg: UserPtr) -> Result<usize> {
    let mut size = [0; size_of::<u16>()];
    let place = arg.wrapping_byte_add(offset_of!(FsverityDigest, digest_size));
    UserSlice::new(place, size.len())
        .reader()
        .read_slice(&mut size)?;
    Ok(size_of::<FsverityDigest>().saturating_add(u16::from_ne_bytes(size).into()))
}
