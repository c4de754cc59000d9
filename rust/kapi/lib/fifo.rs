// SPDX-License-Identifier: GPL-2.0

//! A queue of values that each bring their own memory: queueing never fails and never allocates.
//!
//! C counterpart: `struct fuse_forget_link` and the list it is on. The kernel crate's lists want
//! items that are counted (`ListArc`), or move and are initialised in place.

use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr::NonNull, //
};
use kernel::{
    alloc::Flags,
    prelude::*, //
};

struct Node<T> {
    next: Option<NonNull<Node<T>>>,
    value: T,
}

/// A value in memory of its own, not queued.
pub(crate) struct Link<T>(KBox<Node<T>>);

// SAFETY: Owns its value, like a box; `next` is not used while it is not queued.
unsafe impl<T: Send> Send for Link<T> {}
// SAFETY: As above; shared, it gives the value to be read.
unsafe impl<T: Sync> Sync for Link<T> {}

impl<T> Link<T> {
    /// Memory for a value.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(value: T, flags: Flags) -> Result<Self> {
        Ok(Self(KBox::new(Node { next: None, value }, flags)?))
    }

    /// The value.
    pub(crate) fn value(&self) -> &T {
        &self.0.value
    }

    /// The value.
    pub(crate) fn value_mut(&mut self) -> &mut T {
        &mut self.0.value
    }
}

/// Memory for a value that is to come.
pub(crate) struct LinkMemory<T>(KBox<MaybeUninit<Node<T>>>);

impl<T> LinkMemory<T> {
    /// As much as one needs.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(flags: Flags) -> Result<Self> {
        Ok(Self(KBox::new_uninit(flags)?))
    }

    /// The value has come.
    pub(crate) fn fill(self, value: T) -> Link<T> {
        Link(KBox::write(self.0, Node { next: None, value }))
    }
}

/// The first and the last node of a chain.
type Ends<T> = (NonNull<Node<T>>, NonNull<Node<T>>);

/// First in, first out.
///
/// # Invariants
///
/// `ends` are the first and the last of a chain of nodes from [`KBox::into_raw`] that this owns,
/// each pointing to the next and the last to nothing; `None` if it is empty.
pub(crate) struct Fifo<T> {
    ends: Option<Ends<T>>,
    _owns: PhantomData<KBox<Node<T>>>,
}

// SAFETY: Owns its values, like a vector.
unsafe impl<T: Send> Send for Fifo<T> {}

impl<T> Fifo<T> {
    /// With nothing in it.
    pub(crate) const fn new() -> Self {
        Self {
            ends: None,
            _owns: PhantomData,
        }
    }

    /// Is there nothing in it?
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    /// Appends a value.
    pub(crate) fn push_back(&mut self, link: Link<T>) {
        // SAFETY: `into_raw()` does not return null.
        let node = unsafe { NonNull::new_unchecked(KBox::into_raw(link.0)) };
        let first = match self.ends {
            None => node,
            Some((first, last)) => {
                // SAFETY: By the type's invariant `last` is valid and ours alone.
                unsafe { (*last.as_ptr()).next = Some(node) };
                first
            }
        };
        // INVARIANT: The new node points to nothing, by how links are made.
        self.ends = Some((first, node));
    }

    /// Takes the first value.
    pub(crate) fn pop_front(&mut self) -> Option<Link<T>> {
        let (first, last) = self.ends?;
        // SAFETY: By the type's invariant; it leaves the chain below.
        let mut node = unsafe { KBox::from_raw(first.as_ptr()) };
        // INVARIANT: The rest of the chain.
        self.ends = node.next.take().map(|next| (next, last));
        Some(Link(node))
    }
}

impl<T> Drop for Fifo<T> {
    fn drop(&mut self) {
        while self.pop_front().is_some() {}
    }
}
