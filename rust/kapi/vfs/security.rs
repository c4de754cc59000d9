// SPDX-License-Identifier: GPL-2.0

//! What security modules say of files that are to be made.
//!
//! C header: [`include/linux/security.h`](srctree/include/linux/security.h).
//!
//! Rules of C encoded here:
//!
//! - `security_dentry_init_security()` looks at the parent's inode and at the name, so that both
//!   stay: [`NamedDentry`]. It fails with EOPNOTSUPP if no module has anything to say.
//! - What it gives belongs to the module, and goes back by `security_release_secctx()`, once. The
//!   attribute's name is static.

use super::{
    dentry::NamedDentry,
    types::Types, //
};
use crate::bindings;
use core::{
    ffi::CStr,
    ptr, //
};
use kernel::{
    error::to_result,
    ffi::{
        c_char,
        c_int, //
    },
    prelude::*, //
};

/// `security_dentry_init_security()`, which is inline where there are no security modules.
///
/// # Safety
///
/// The dentry is alive, its parent and name do not change for the call, and the name is `entry`;
/// the other two are to be written.
#[cfg(CONFIG_SECURITY)]
unsafe fn init_security(
    dentry: *mut bindings::dentry,
    mode: c_int,
    entry: *const bindings::qstr,
    name: *mut *const c_char,
    context: *mut bindings::lsm_context,
) -> c_int {
    // SAFETY: The caller's promise.
    unsafe { bindings::security_dentry_init_security(dentry, mode, entry, name, context) }
}

/// The same without any.
///
/// # Safety
///
/// None is needed.
#[cfg(not(CONFIG_SECURITY))]
unsafe fn init_security(
    _dentry: *mut bindings::dentry,
    _mode: c_int,
    _entry: *const bindings::qstr,
    _name: *mut *const c_char,
    _context: *mut bindings::lsm_context,
) -> c_int {
    EOPNOTSUPP.to_errno()
}

/// The security context of a file that is to be made.
///
/// # Invariants
///
/// A security module has given the context, which has so many bytes and is not null, and gets it
/// back from this alone.
pub(crate) struct DentryContext {
    name: &'static CStr,
    context: bindings::lsm_context,
}

impl DentryContext {
    /// Asks for the context of what is to be made as `entry`, whose type is in `mode`; `None` if no
    /// security module has one (`security_dentry_init_security()`). May sleep.
    ///
    /// # Errors
    ///
    /// The module's.
    pub(crate) fn new<T: Types>(entry: NamedDentry<'_, T>, mode: u32) -> Result<Option<Self>> {
        let mut context = bindings::lsm_context::default();
        let mut name = ptr::null();
        let dentry = entry.as_ptr();
        // SAFETY: The dentry is alive, and its parent and name do not change for the call; the
        // places for the results are ours.
        let asked = to_result(unsafe {
            let entry = &raw const (*dentry).__bindgen_anon_1.d_name;
            init_security(
                dentry,
                mode as c_int,
                entry,
                &raw mut name,
                &raw mut context,
            )
        });
        match asked {
            Err(e) if e != EOPNOTSUPP => return Err(e),
            _ => {}
        }
        if context.len == 0 || context.context.is_null() {
            return Ok(None);
        }
        let name = if name.is_null() {
            c""
        } else {
            // SAFETY: A static string.
            unsafe { CStr::from_char_ptr(name) }
        };
        // INVARIANT: As above.
        Ok(Some(Self { name, context }))
    }

    /// The name of the extended attribute that it is.
    pub(crate) fn name(&self) -> &[u8] {
        self.name.to_bytes()
    }

    /// Its bytes.
    pub(crate) fn context(&self) -> &[u8] {
        // SAFETY: By the type's invariant; the bytes do not change.
        unsafe {
            core::slice::from_raw_parts(self.context.context.cast(), self.context.len as usize)
        }
    }
}

impl Drop for DentryContext {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant.
        unsafe { bindings::security_release_secctx(&raw mut self.context) };
    }
}
