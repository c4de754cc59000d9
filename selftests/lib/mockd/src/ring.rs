// SPDX-License-Identifier: GPL-2.0

//! io_uring(7) with one operation at a time, for what a device does when it is not read(2) that
//! reads it.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io_uring::{
    io_uring_cqe, io_uring_enter, io_uring_params, io_uring_ptr, io_uring_register, io_uring_setup,
    io_uring_sqe, IoringEnterFlags, IoringFeatureFlags, IoringOp, IoringRegisterOp,
    IORING_OFF_SQES, IORING_OFF_SQ_RING,
};
use rustix::mm::{mmap, MapFlags, ProtFlags};

use crate::errno::{Errno, Res};

const ENTRIES: u32 = 4;

/// A ring of this process; its mappings stay until the process ends.
pub struct Ring {
    fd: OwnedFd,
    params: io_uring_params,
    queues: *mut u8,
    entries: *mut io_uring_sqe,
}

impl Ring {
    pub fn new() -> Ring {
        ktap::needs("CONFIG_IO_URING");
        let mut params = io_uring_params::default();
        // SAFETY: no flag asks for anything that has to outlive the call.
        let fd = unsafe { io_uring_setup(ENTRIES, &mut params) }.expect("io_uring_setup");
        assert!(params.features.contains(IoringFeatureFlags::SINGLE_MMAP));
        let map = |len: usize, off: u64| {
            // SAFETY: a new mapping.
            unsafe {
                mmap(
                    std::ptr::null_mut(),
                    len,
                    ProtFlags::READ | ProtFlags::WRITE,
                    MapFlags::SHARED,
                    &fd,
                    off,
                )
            }
            .expect("mmap of the ring")
        };
        let completions =
            params.cq_off.cqes as usize + params.cq_entries as usize * size_of::<[u64; 2]>();
        let submissions = params.sq_off.array as usize + params.sq_entries as usize * 4;
        let queues = map(completions.max(submissions), IORING_OFF_SQ_RING).cast();
        let entries = map(
            params.sq_entries as usize * size_of::<io_uring_sqe>(),
            IORING_OFF_SQES,
        )
        .cast();
        Ring {
            fd,
            params,
            queues,
            entries,
        }
    }

    /// A number in the queues.
    fn word(&self, off: u32) -> &AtomicU32 {
        // SAFETY: the kernel gives offsets of words in the mapping, which stays.
        unsafe { &*self.queues.add(off as usize).cast::<AtomicU32>() }
    }

    /// Registers a buffer, with the index 0.
    pub fn register(&self, b: &'static mut [u8]) -> Res<()> {
        let v = libc::iovec {
            iov_base: b.as_mut_ptr().cast(),
            iov_len: b.len(),
        };
        // SAFETY: one vector; the buffer stays.
        unsafe {
            io_uring_register(
                &self.fd,
                IoringRegisterOp::RegisterBuffers,
                std::ptr::from_ref(&v).cast::<c_void>(),
                1,
            )?;
        }
        Ok(())
    }

    /// Waits for some events of a descriptor (IORING_OP_POLL_ADD), which are the result.
    pub fn poll(&self, fd: &impl AsRawFd, events: u32) {
        let mut e = io_uring_sqe {
            opcode: IoringOp::PollAdd,
            fd: fd.as_raw_fd(),
            ..Default::default()
        };
        e.op_flags.poll32_events = events;
        self.submit(e);
    }

    /// Starts an operation on a descriptor and a buffer, which must stay until its end.
    pub fn start(&self, op: IoringOp, fd: BorrowedFd<'_>, addr: *mut u8, len: usize) {
        let mut e = io_uring_sqe {
            opcode: op,
            fd: fd.as_raw_fd(),
            ..Default::default()
        };
        e.addr_or_splice_off_in.addr = io_uring_ptr::new(addr.cast());
        e.len.len = len as u32;
        // Where the file is, as read(2) has it.
        e.off_or_addr2.off = u64::MAX;
        self.submit(e);
    }

    fn submit(&self, e: io_uring_sqe) {
        let tail = self.word(self.params.sq_off.tail);
        let at = tail.load(Ordering::Relaxed);
        let i = at & (self.params.sq_entries - 1);
        // SAFETY: i is below the number of entries, of which no other is in use.
        unsafe { self.entries.add(i as usize).write(e) };
        self.word(self.params.sq_off.array + 4 * i)
            .store(i, Ordering::Relaxed);
        tail.store(at + 1, Ordering::Release);
        // SAFETY: the entry is complete.
        let n = unsafe { io_uring_enter(&self.fd, 1, 0, IoringEnterFlags::empty()) };
        assert_eq!(n, Ok(1));
    }

    /// Waits for the next end of an operation, and gives its result.
    pub fn end(&self) -> Res<usize> {
        let head = self.word(self.params.cq_off.head);
        let at = head.load(Ordering::Relaxed);
        while self.word(self.params.cq_off.tail).load(Ordering::Acquire) == at {
            // SAFETY: nothing is submitted.
            let r = unsafe { io_uring_enter(&self.fd, 0, 1, IoringEnterFlags::GETEVENTS) };
            assert!(matches!(r, Ok(_) | Err(rustix::io::Errno::INTR)), "{r:?}");
        }
        let i = at & (self.params.cq_entries - 1);
        let off = self.params.cq_off.cqes as usize + i as usize * size_of::<[u64; 2]>();
        // SAFETY: the entry is there, and is not written to before the head moves.
        let res = unsafe { (*self.queues.add(off).cast::<io_uring_cqe>()).res };
        head.store(at + 1, Ordering::Release);
        usize::try_from(res).map_err(|_| Errno(-res))
    }

    /// Both.
    pub fn run(&self, op: IoringOp, fd: BorrowedFd<'_>, addr: *mut u8, len: usize) -> Res<usize> {
        self.start(op, fd, addr, len);
        self.end()
    }
}

impl Default for Ring {
    fn default() -> Ring {
        Ring::new()
    }
}
