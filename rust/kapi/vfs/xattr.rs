// SPDX-License-Identifier: GPL-2.0

//! Extended attributes.
//!
//! C header: [`include/linux/xattr.h`](srctree/include/linux/xattr.h) (`struct xattr_handler`);
//! rules: [locking](srctree/Documentation/filesystems/locking.rst).
//!
//! Rules of C encoded here:
//!
//! - A name is a string that is not empty. With an empty prefix a handler is for all names, and
//!   gets them whole.
//! - `get` with a size of 0 asks for the length of a value; else there is a buffer of that size,
//!   which the caller owns.
//! - `set` comes with `i_rwsem` held exclusively. Without a value, not even an empty one, it
//!   removes.
//! - Whether a superblock has handlers is looked at when an inode is made (`IOP_XATTR`): they are
//!   set together with the operations, before there is a root.

use super::{
    inode::Inode,
    types::Types, //
};
use crate::bindings;
use core::{
    ffi::CStr,
    marker::PhantomData,
    ptr,
    slice, //
};
use kernel::{
    error::from_result,
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    prelude::*, //
};

/// `struct xattr_handler` of all names. Its members run in task context and may sleep.
pub(crate) trait XattrOperations<T: Types>: 'static {
    /// The length of the value of `name`. `i_rwsem` is not taken for this; who calls may hold it.
    fn get_len(inode: &Inode<T>, name: &CStr) -> Result<usize>;

    /// The value of `name`, which is at most `max` bytes long; ERANGE if it is longer. `i_rwsem` is
    /// as for [`get_len`](Self::get_len).
    fn get(inode: &Inode<T>, name: &CStr, max: usize) -> Result<KVVec<u8>>;

    /// Sets the value of `name`, as `flags` (`XATTR_CREATE`, `XATTR_REPLACE`) say; `i_rwsem` is
    /// held exclusively.
    fn set(inode: &Inode<T>, name: &CStr, value: &[u8], flags: u32) -> Result;

    /// Removes `name` and its value; `i_rwsem` is held exclusively.
    fn remove(inode: &Inode<T>, name: &CStr) -> Result;
}

/// The handlers of `X`: one.
struct Handlers<T, X>(PhantomData<(T, X)>);

impl<T: Types, X: XattrOperations<T>> Handlers<T, X> {
    const ALL_NAMES: bindings::xattr_handler = bindings::xattr_handler {
        prefix: c"".to_bytes_with_nul().as_ptr().cast(),
        get: Some(get::<T, X>),
        set: Some(set::<T, X>),
        ..pin_init::zeroed()
    };

    /// As the superblock has them: the end is null.
    const LIST: &'static [*const bindings::xattr_handler; 2] =
        &[ptr::from_ref(&Self::ALL_NAMES), ptr::null()];
}

/// The C object for `s_xattr`.
pub(super) const fn handlers<T: Types, X: XattrOperations<T>>(
) -> *const *const bindings::xattr_handler {
    Handlers::<T, X>::LIST.as_ptr()
}

/// `xattr_handler::get`.
///
/// # Safety
///
/// Called by the VFS with an inode of a superblock registered for `T`, valid for the call, with a
/// name, and with `size` bytes at `value`, which nobody else uses meanwhile.
unsafe extern "C" fn get<T: Types, X: XattrOperations<T>>(
    _handler: *const bindings::xattr_handler,
    _dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    name: *const c_char,
    value: *mut c_void,
    size: usize,
) -> c_int {
    // SAFETY: By the contract.
    let (inode, name) = unsafe { (Inode::from_raw(inode), CStr::from_char_ptr(name)) };
    from_result(|| {
        if size == 0 {
            return Ok(c_int::try_from(X::get_len(inode, name)?)?);
        }
        let bytes = X::get(inode, name, size)?;
        if bytes.len() > size {
            return Err(ERANGE);
        }
        // SAFETY: By the contract there is room for as many bytes; they are ours, so that the two
        // do not overlap.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), value.cast(), bytes.len()) };
        Ok(c_int::try_from(bytes.len())?)
    })
}

/// `xattr_handler::set`.
///
/// # Safety
///
/// Called by the VFS with an inode of a superblock registered for `T`, valid for the call, with its
/// `i_rwsem` held exclusively, with a name, and with `size` bytes at `value` that do not change
/// meanwhile, or null.
unsafe extern "C" fn set<T: Types, X: XattrOperations<T>>(
    _handler: *const bindings::xattr_handler,
    _idmap: *mut bindings::mnt_idmap,
    _dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    name: *const c_char,
    value: *const c_void,
    size: usize,
    flags: c_int,
) -> c_int {
    // SAFETY: By the contract.
    let (inode, name) = unsafe { (Inode::from_raw(inode), CStr::from_char_ptr(name)) };
    from_result(|| {
        if value.is_null() {
            X::remove(inode, name)?;
        } else {
            // SAFETY: By the contract; not null.
            let value = unsafe { slice::from_raw_parts(value.cast(), size) };
            X::set(inode, name, value, flags as u32)?;
        }
        Ok(0)
    })
}
