// SPDX-License-Identifier: GPL-2.0

//! Operations that a daemon lacks: it has answered one with ENOSYS, and is not sent another.
//!
//! C counterpart: `fuse_conn::no_open` and its like. Takes no locks.

use super::connection::Conn;
use crate::abi::Opcode;
use kernel::prelude::*;

impl Conn {
    /// Whether the daemon has said that it lacks an operation.
    #[inline]
    pub(in crate::fs) fn lacks(&self, op: Opcode) -> bool {
        self.chan.lacks(op.get())
    }

    /// Remembers that the daemon lacks an operation. It never comes back.
    fn set_lacks(&self, op: Opcode) {
        self.chan.set_lacks(op.get());
    }

    /// Asks the daemon by `ask`, unless it lacks `op`. `None` if it does, as it has said before or
    /// says now.
    ///
    /// # Errors
    ///
    /// Those of `ask`, but for ENOSYS.
    #[inline]
    pub(in crate::fs) fn unless_lacking<R>(
        &self,
        op: Opcode,
        ask: impl FnOnce() -> Result<R>,
    ) -> Result<Option<R>> {
        if self.lacks(op) {
            return Ok(None);
        }
        match ask() {
            Err(e) if e == ENOSYS => {
                self.set_lacks(op);
                Ok(None)
            }
            result => result.map(Some),
        }
    }
}
