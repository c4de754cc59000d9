// SPDX-License-Identifier: GPL-2.0

//! User namespaces.
//!
//! C header: [`include/linux/user_namespace.h`](srctree/include/linux/user_namespace.h).

use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    sync::aref::AlwaysRefCounted,
    types::Opaque, //
};

/// A `struct user_namespace`.
///
/// # Invariants
///
/// Reference counted: a borrow implies a reference, held by the borrower or by what it borrows
/// from.
#[repr(transparent)]
pub(crate) struct UserNamespace(Opaque<bindings::user_namespace>);

// SAFETY: A namespace is shared between threads by design; its id maps are written once.
unsafe impl Send for UserNamespace {}
// SAFETY: As above.
unsafe impl Sync for UserNamespace {}

// SAFETY: `get_user_ns()` and `put_user_ns()` count references; `put_user_ns()` defers the freeing
// to a work, so it may be called in any context.
unsafe impl AlwaysRefCounted for UserNamespace {
    fn inc_ref(&self) {
        // SAFETY: The existence of `&self` means that the reference count is not zero.
        unsafe { bindings::get_user_ns(self.as_ptr()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up a reference that it owns.
        unsafe { bindings::put_user_ns(obj.as_ref().as_ptr()) };
    }
}

impl UserNamespace {
    /// Borrows a namespace.
    ///
    /// # Safety
    ///
    /// `ptr` is a user namespace that stays referenced for `'a`.
    pub(in crate::kapi) unsafe fn from_raw<'a>(ptr: *mut bindings::user_namespace) -> &'a Self {
        // SAFETY: The caller promises a live namespace; the layout is that of the C struct.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    #[inline]
    pub(in crate::kapi) fn as_ptr(&self) -> *mut bindings::user_namespace {
        self.0.get()
    }

    /// Whether this is the namespace that the system started with (`&init_user_ns`).
    #[inline]
    pub(crate) fn is_init(&self) -> bool {
        core::ptr::eq(self.as_ptr(), &raw mut bindings::init_user_ns)
    }

    /// Whether two borrows are of the same namespace.
    pub(crate) fn is(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

/// Whether the current task is in `target` or in a namespace below it.
#[inline]
pub(crate) fn current_in_userns(target: &UserNamespace) -> bool {
    // SAFETY: A borrowed namespace is alive, and so is that of the current task.
    unsafe { bindings::current_in_userns(target.as_ptr()) }
}
