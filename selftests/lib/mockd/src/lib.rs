// SPDX-License-Identifier: GPL-2.0

//! A FUSE daemon whose every answer is the test's choice, over raw `/dev/fuse`.
//!
//! A test mounts with [`Mock`], starts callers as processes of their own with [`Mock::caller`],
//! then either says request by request what must arrive and what to answer, or lets a small file
//! system in memory ([`memfs::Memfs`]) answer while it watches. All requests are recorded as text;
//! the records of the same scenario on C's module and on ours are compared by `wirediff`.
//!
//! The codec here is written from the protocol's description and shares nothing with the module's,
//! on purpose: a mistake in one shows against the other.

pub mod caller;
pub mod errno;
pub mod lock;
pub mod mem;
pub mod memfs;
pub mod mock;
pub mod mount;
pub mod msg;
pub mod pipe;
pub mod poll;
pub mod record;
pub mod reply;
pub mod request;
pub mod ring;
pub mod table;
pub mod user;
pub mod wire;

pub use caller::{Caller, Io};
pub use errno::{Errno, Res};
pub use mock::Mock;
pub use mount::{Api, Setup};
pub use reply::{Attr, Entry, Init};
pub use request::Request;
pub use wire::Op;
