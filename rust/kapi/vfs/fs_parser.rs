// SPDX-License-Identifier: GPL-2.0

//! Tables of mount parameters, and matching a parameter against one.
//!
//! C header: [`include/linux/fs_parser.h`](srctree/include/linux/fs_parser.h).

use super::{
    fs_context::FsContext,
    fs_parameter::{
        fget,
        FsParameter,
        ParamString, //
    },
};
use crate::{
    bindings,
    kapi::task::uidgid::Kgid, //
};
use core::ptr;
use kernel::{
    error::to_result,
    fs::File,
    prelude::*,
    str::as_char_ptr_in_const_context,
    task::Kuid, //
};

/// One row of a table: a parameter's name, its type, and the number [`fs_parse`] gives for it.
#[repr(transparent)]
pub(crate) struct FsParameterSpec(bindings::fs_parameter_spec);

// SAFETY: A row is only read; its name is static and its `data` a number or null.
unsafe impl Sync for FsParameterSpec {}

impl FsParameterSpec {
    /// C: `__fsparam()`.
    const fn new(
        name: &'static CStr,
        opt: u8,
        type_: bindings::fs_param_type,
        radix: usize,
    ) -> Self {
        Self(bindings::fs_parameter_spec {
            name: as_char_ptr_in_const_context(name),
            type_,
            opt,
            flags: 0,
            data: ptr::without_provenance(radix),
        })
    }

    /// The row that ends a table.
    pub(crate) const END: Self = Self(bindings::fs_parameter_spec {
        name: ptr::null(),
        type_: None,
        opt: 0,
        flags: 0,
        data: ptr::null(),
    });
}

/// A parameter without a value. C: `fsparam_flag()`.
pub(crate) const fn fsparam_flag(name: &'static CStr, opt: u8) -> FsParameterSpec {
    FsParameterSpec::new(name, opt, None, 0)
}

/// A string. C: `fsparam_string()`.
pub(crate) const fn fsparam_string(name: &'static CStr, opt: u8) -> FsParameterSpec {
    FsParameterSpec::new(name, opt, Some(bindings::fs_param_is_string), 0)
}

/// A file descriptor, as a number or as a file. C: `fsparam_fd()`.
pub(crate) const fn fsparam_fd(name: &'static CStr, opt: u8) -> FsParameterSpec {
    FsParameterSpec::new(name, opt, Some(bindings::fs_param_is_fd), 0)
}

/// A number; decimal, or octal or hexadecimal with C's prefixes. C: `fsparam_u32()`.
pub(crate) const fn fsparam_u32(name: &'static CStr, opt: u8) -> FsParameterSpec {
    FsParameterSpec::new(name, opt, Some(bindings::fs_param_is_u32), 0)
}

/// An octal number. C: `fsparam_u32oct()`.
pub(crate) const fn fsparam_u32oct(name: &'static CStr, opt: u8) -> FsParameterSpec {
    FsParameterSpec::new(name, opt, Some(bindings::fs_param_is_u32), 8)
}

/// A user id of the mounter's namespace. C: `fsparam_uid()`.
pub(crate) const fn fsparam_uid(name: &'static CStr, opt: u8) -> FsParameterSpec {
    FsParameterSpec::new(name, opt, Some(bindings::fs_param_is_uid), 0)
}

/// A group id of the mounter's namespace. C: `fsparam_gid()`.
pub(crate) const fn fsparam_gid(name: &'static CStr, opt: u8) -> FsParameterSpec {
    FsParameterSpec::new(name, opt, Some(bindings::fs_param_is_gid), 0)
}

/// A table of parameters, which ends with [`FsParameterSpec::END`].
#[derive(Clone, Copy)]
pub(crate) struct FsParameterTable(&'static [FsParameterSpec]);

impl FsParameterTable {
    /// Makes a table. Fails at build time if the last row is not [`FsParameterSpec::END`].
    pub(crate) const fn new(rows: &'static [FsParameterSpec]) -> Self {
        // The C loops stop at the row without a name.
        assert!(!rows.is_empty() && rows[rows.len() - 1].0.name.is_null());
        Self(rows)
    }

    /// The C array.
    pub(super) const fn as_ptr(self) -> *const bindings::fs_parameter_spec {
        self.0.as_ptr().cast()
    }
}

/// A parameter that has matched a row, and its value.
///
/// Each method is for rows of one type; for others it gives a meaningless number, or nothing.
pub(crate) struct Parsed<'a> {
    opt: u8,
    result: bindings::fs_parse_result,
    param: FsParameter<'a>,
}

impl Parsed<'_> {
    /// The row's number.
    pub(crate) fn opt(&self) -> u8 {
        self.opt
    }

    /// For [`fsparam_u32`] and [`fsparam_u32oct`].
    pub(crate) fn uint_32(&self) -> u32 {
        // SAFETY: `__fs_parse()` zeroes the union before it fills a member, and all members are
        // integers.
        unsafe { *self.result.__bindgen_anon_1.uint_32 }
    }

    /// For [`fsparam_uid`].
    pub(crate) fn uid(&self) -> Kuid {
        // SAFETY: As for `uint_32()`.
        Kuid::from_raw(unsafe { *self.result.__bindgen_anon_1.uid })
    }

    /// For [`fsparam_gid`].
    pub(crate) fn gid(&self) -> Kgid {
        // SAFETY: As for `uint_32()`.
        Kgid::from_raw(unsafe { *self.result.__bindgen_anon_1.gid })
    }

    /// For [`fsparam_string`]: the string.
    pub(crate) fn into_string(self) -> Option<ParamString> {
        self.param.into_string()
    }

    /// For [`fsparam_fd`]: calls `f` with the file, given as such or by its number.
    ///
    /// # Errors
    ///
    /// EBADF, and those of `f`.
    pub(crate) fn with_file<R>(&self, f: impl FnOnce(&File) -> Result<R>) -> Result<R> {
        match self.param.file() {
            Some(file) => f(file),
            None => f(&*fget(self.uint_32())?),
        }
    }
}

/// Finds a parameter's row and parses its value.
///
/// # Errors
///
/// `ENOPARAM` (which the VFS turns into EINVAL and a message of its own) if there is no such row,
/// EINVAL, with a message in the context's log, for a value that does not fit.
pub(crate) fn fs_parse<'a>(
    fc: &FsContext,
    desc: FsParameterTable,
    mut param: FsParameter<'a>,
) -> Result<Parsed<'a>> {
    // SAFETY: All members are integers: zeroes are valid.
    let mut result: bindings::fs_parse_result = unsafe { core::mem::zeroed() };
    // SAFETY: The context is alive and this task's; the table ends with a nameless row; `param` is
    // ours, with its value; `result` is on our stack.
    let opt = unsafe {
        bindings::__fs_parse(
            &raw mut (*fc.as_ptr()).log,
            desc.as_ptr(),
            param.as_ptr(),
            &raw mut result,
        )
    };
    to_result(opt)?;
    let opt = u8::try_from(opt).map_err(|_| EINVAL)?;
    Ok(Parsed { opt, result, param })
}
