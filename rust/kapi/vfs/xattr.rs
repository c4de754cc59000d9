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
    ptr, //
};
use kernel::{
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    prelude::*, //
};

/// `struct xattr_handler` of all names. Its members run in task context and may sleep.
#[vtable]
pub(crate) trait XattrOperations<T: Types>: 'static {
    /// The length of the value of `name`. `i_rwsem` is not taken for this; who calls may hold it.
    fn get_len(_inode: &Inode<T>, _name: &CStr) -> Result<usize> {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The value of `name`, which is at most `max` bytes long; ERANGE if it is longer. `i_rwsem` is
    /// as for [`get_len`](Self::get_len).
    fn get(_inode: &Inode<T>, _name: &CStr, _max: usize) -> Result<KVVec<u8>> {
        kernel::build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// The handlers of `X`: one.
struct Handlers<T, X>(PhantomData<(T, X)>);

impl<T: Types, X: XattrOperations<T>> Handlers<T, X> {
    const ALL_NAMES: bindings::xattr_handler = bindings::xattr_handler {
        prefix: c"".as_ptr().cast(),
        get: Some(get::<T, X>),
        ..pin_init::zeroed()
    };

    /// As the superblock has them: the end is null.
    const LIST: &'static [*const bindings::xattr_handler; 2] =
        &[ptr::from_ref(&Self::ALL_NAMES), ptr::null()];
}

/// The C object for `s_xattr`; null if `X` has no members.
pub(super) const fn handlers<T: Types, X: XattrOperations<T>>(
) -> *const *const bindings::xattr_handler {
    if X::HAS_GET && X::HAS_GET_LEN {
        Handlers::<T, X>::LIST.as_ptr()
    } else {
        ptr::null()
    }
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
