// SPDX-License-Identifier: GPL-2.0

//! `/dev/fuse`: what an open file of it is, and which channel it serves.
//!
//! C counterpart: `struct fuse_dev`, `fuse_dev_open()`, `fuse_dev_install()`, `fuse_dev_release()`,
//! `fuse_dev_poll()`. `installed` never changes once set, so that reading it takes no lock; `state`
//! (a leaf) decides between install and release.

use super::{
    installed::Installed,
    reader,
    writer, //
};
use crate::{
    engine::{
        Drain,
        Refusal,
        Released, //
    },
    kapi::{
        device::{
            fasync::Fasync,
            miscdevice::{
                file_data,
                MiscDevice,
                MiscDeviceRegistration,
                MiscFile, //
            },
        },
        fuse::{
            numbers::FUSE_MINOR,
            trace, //
        },
        io::{
            pipe_fs_i::{
                LockedPipe,
                Pipe, //
            },
            splice::{
                PipeSink,
                SpliceFlags, //
            },
        },
        mm::iov::{
            Dest,
            IovIter,
            Source, //
        },
        sync::{
            poll::PollEvents,
            wait::{
                Signals,
                WaitQueue, //
            },
            wait_forward::{
                FollowingQueue,
                HasWaitQueue, //
            },
        },
    },
    transport::{
        chan::channel::Chan,
        message::copy::Memory,
        unbuilt::unbuilt, //
    },
};
use kernel::{
    fs::LocalFile,
    ioctl::{
        _IO,
        _IOR,
        _IOW, //
    },
    new_spinlock,
    prelude::*,
    seq_file::SeqFile,
    seq_print, static_lock_class,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SetOnce,
        SpinLock, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

const FUSE_DEV_IOC_MAGIC: u32 = 229;
const FUSE_DEV_IOC_CLONE: u32 = _IOR::<u32>(FUSE_DEV_IOC_MAGIC, 0);
/// Takes a `struct fuse_backing_map`.
const FUSE_DEV_IOC_BACKING_OPEN: u32 = _IOW::<[u64; 2]>(FUSE_DEV_IOC_MAGIC, 1);
const FUSE_DEV_IOC_BACKING_CLOSE: u32 = _IOW::<u32>(FUSE_DEV_IOC_MAGIC, 2);
const FUSE_DEV_IOC_SYNC_INIT: u32 = _IO(FUSE_DEV_IOC_MAGIC, 3);

/// An open file of `/dev/fuse`.
pub(crate) type Device = MiscFile<DeviceData>;

/// What it has.
#[pin_data]
pub(crate) struct DeviceData {
    installed: SetOnce<Installed>,
    #[pin]
    state: SpinLock<State>,
    /// Is mount(2) to wait for the answer to INIT, and the daemon for the mount?
    sync_init: Atomic<bool>,
    /// Daemon threads that wait for the mount; and those that have polled before it, and go on
    /// waiting here for what is to be read.
    #[pin]
    early: FollowingQueue<Chan>,
}

/// What decides between install and release.
struct State {
    /// Has the file been closed? A mount may still hold the device.
    closed: bool,
    /// Has somebody polled before the mount? See [`DeviceData::early`].
    polled: bool,
}

impl Device {
    /// The device of a file. C: the `f_op` check of `fuse_opt_fd()`, `fuse_dev_grab()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the file is not one of `/dev/fuse`.
    pub(crate) fn from_file(file: &LocalFile) -> Result<Arc<Self>> {
        file_data(file).ok_or(EINVAL)
    }
}

impl DeviceData {
    pub(super) fn installed(&self) -> Option<&Installed> {
        self.installed.as_ref()
    }

    /// The channel that this device serves, once mounted.
    pub(crate) fn chan(&self) -> Option<&Arc<Chan>> {
        self.installed().map(|installed| &installed.chan)
    }

    /// Is mount(2) to wait for the answer to INIT? C: `fuse_dev_is_sync_init()`.
    pub(crate) fn is_sync_init(&self) -> bool {
        self.sync_init.load(Relaxed)
    }

    /// The channel, for which a daemon that has asked for it waits. C: `fuse_get_dev()`.
    ///
    /// # Errors
    ///
    /// `EPERM` if not mounted, `ERESTARTSYS` after a signal.
    #[inline]
    fn wait_installed(&self) -> Result<&Installed> {
        match self.installed() {
            Some(installed) => Ok(installed),
            None => self.wait_for_mount(),
        }
    }

    /// The rest of [`wait_installed`](Self::wait_installed).
    #[cold]
    fn wait_for_mount(&self) -> Result<&Installed> {
        if !self.is_sync_init() {
            return Err(EPERM);
        }
        self.early
            .queue()
            .wait_event(Signals::All, || self.installed().is_some())?;
        self.installed().ok_or(EPERM)
    }

    /// The same for a reader, who may not want to wait. C waits for the mount also then.
    ///
    /// # Errors
    ///
    /// `EAGAIN` in its place.
    #[inline]
    fn installed_to_read(&self, nonblock: bool) -> Result<&Installed> {
        match self.installed() {
            Some(installed) => Ok(installed),
            None if nonblock && self.is_sync_init() => Err(EAGAIN),
            None => self.wait_for_mount(),
        }
    }

    /// The queue for those who poll before the mount; it is woken up afterwards, too.
    #[cold]
    fn early_poll_queue(&self) -> &WaitQueue {
        let mut state = self.state.lock();
        match self.installed() {
            // Just now.
            Some(installed) => installed.chan.wait_queue(),
            None => {
                state.polled = true;
                self.early.queue()
            }
        }
    }

    /// Is this device's file open, and has it been mounted? C: `fuse_dev_is_installed()`.
    pub(crate) fn is_installed(&self) -> bool {
        self.installed().is_some() && !self.state.lock().closed
    }

    /// Does this device serve that channel? C: `fuse_dev_verify()`. Does not sleep.
    pub(crate) fn is(&self, chan: &Arc<Chan>) -> bool {
        self.chan()
            .is_some_and(|installed| Arc::ptr_eq(installed, chan))
            && !self.state.lock().closed
    }

    /// Installs a channel; false if the file has been closed. Sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is one, `ENOMEM`.
    pub(super) fn install(&self, chan: &Arc<Chan>) -> Result<bool> {
        loop {
            match self.try_install(chan)? {
                Ok(done) => {
                    // Nobody begins to wait there any more.
                    if done && self.state.lock().polled {
                        self.early.follow(chan.clone());
                    }
                    self.early.queue().wake_up_all();
                    return Ok(done);
                }
                Err(()) => chan.grow_for_device()?,
            }
        }
    }

    /// As [`install`](Self::install); the inner error is that there is no slot.
    fn try_install(&self, chan: &Arc<Chan>) -> Result<Result<bool, ()>> {
        let state = self.state.lock();
        if state.closed {
            return Ok(Ok(false));
        }
        if self.installed().is_some() {
            return Err(EINVAL);
        }
        let added = chan.step(|engine| {
            let added = engine.add_device(chan.num_waiting());
            if let Ok(id) = &added {
                trace::fuse_device_added(|| chan.trace_step(0, 0, id.number()));
            }
            added
        });
        Ok(match added {
            Ok(id) => Ok(self.installed.populate(Installed {
                chan: chan.clone(),
                id,
            })),
            Err(Refusal::NoSlot) => Err(()),
            Err(Refusal::Disconnected | Refusal::Blocked) => Ok(false),
        })
    }
}

impl DeviceData {
    /// Makes this device serve the channel of another one, whose file descriptor is at `arg`.
    ///
    /// # Errors
    ///
    /// `EFAULT`; `EINVAL` if that is no file of `/dev/fuse`, or this one serves a channel already;
    /// `EPERM` if that one does not; `ERESTARTSYS` after a signal, if it waits for its mount.
    fn clone_from(&self, arg: usize) -> Result {
        let fd: u32 = UserSlice::new(UserPtr::from_addr(arg), size_of::<u32>())
            .reader()
            .read()?;
        let file = LocalFile::fget(fd).map_err(|_| EINVAL)?;
        let other = Device::from_file(&file)?;
        if !self.install(&other.wait_installed()?.chan)? {
            return Err(EINVAL);
        }
        Ok(())
    }
}

impl MiscDevice for DeviceData {
    type OwnerModule = crate::LocalModule;

    fn open() -> impl PinInit<Self> {
        pin_init!(Self {
            installed: SetOnce::new(),
            state <- new_spinlock!(
                State { closed: false, polled: false },
                "fuse_dev::state"
            ),
            sync_init: Atomic::new(false),
            early <- FollowingQueue::new(c"fuse_dev::early", static_lock_class!()),
        })
    }

    #[inline]
    fn read_iter(&self, nonblock: bool, to: &mut IovIter<Dest>) -> Result<usize> {
        let installed = self.installed_to_read(nonblock)?;
        if !to.user_backed() {
            return Err(EINVAL);
        }
        let room = to.count();
        let mut memory = Memory::new(to);
        reader::read(installed, nonblock, &mut memory, room)
    }

    #[inline]
    fn write_iter(&self, from: &mut IovIter<Source>) -> Result<usize> {
        let installed = self.installed().ok_or(EPERM)?;
        if !from.user_backed() {
            return Err(EINVAL);
        }
        let len = from.count();
        let mut memory = Memory::new(from);
        writer::write(installed, &mut memory, len)
    }

    fn splice_read(&self, nonblock: bool, to: &LockedPipe, len: usize) -> Result<usize> {
        let installed = self.installed_to_read(nonblock)?;
        let mut sink = PipeSink::new(to)?;
        reader::read(installed, nonblock, &mut sink, len)?;
        sink.commit()
    }

    fn splice_write(&self, from: &Pipe, len: usize, flags: SpliceFlags) -> Result<usize> {
        let installed = self.installed().ok_or(EPERM)?;
        let mut source = from.take(len, flags.contains(SpliceFlags::MOVE))?;
        writer::write(installed, &mut source, len)
    }

    fn fasync(&self) -> Result<&Fasync> {
        Ok(&self.wait_installed()?.chan.readers().fasync)
    }

    fn poll_queue(&self) -> Option<&WaitQueue> {
        Some(match self.installed() {
            Some(installed) => installed.chan.wait_queue(),
            None => self.early_poll_queue(),
        })
    }

    fn poll(&self) -> PollEvents {
        let Some(installed) = self.installed() else {
            return if self.is_sync_init() {
                // C waits for the mount.
                PollEvents::NONE
            } else {
                PollEvents::ERR
            };
        };
        installed.chan.peek(|engine| {
            if !engine.is_connected() {
                PollEvents::ERR
            } else if engine.is_readable() {
                PollEvents::OUT | PollEvents::IN
            } else {
                PollEvents::OUT
            }
        })
    }

    fn ioctl(&self, cmd: u32, arg: usize) -> Result<isize> {
        match cmd {
            FUSE_DEV_IOC_CLONE => self.clone_from(arg)?,
            // As C without CONFIG_FUSE_PASSTHROUGH.
            FUSE_DEV_IOC_BACKING_OPEN => {
                self.wait_installed()?;
                return Err(unbuilt!("FUSE_DEV_IOC_BACKING_OPEN", EOPNOTSUPP));
            }
            FUSE_DEV_IOC_BACKING_CLOSE => {
                self.wait_installed()?;
                return Err(unbuilt!("FUSE_DEV_IOC_BACKING_CLOSE", EOPNOTSUPP));
            }
            FUSE_DEV_IOC_SYNC_INIT => {
                if self.installed().is_some() {
                    return Err(EINVAL);
                }
                self.sync_init.store(true, Relaxed);
            }
            _ => return Err(ENOTTY),
        }
        Ok(0)
    }

    fn uring_cmd() -> Result<i32> {
        // As without such an operation. C looks at the command, the mount and INIT first.
        Err(unbuilt!("FUSE_IO_URING_CMD", EOPNOTSUPP))
    }

    fn show_fdinfo(&self, m: &SeqFile) {
        if let Some(installed) = self.installed() {
            seq_print!(m, "fuse_connection:\t{}\n", installed.chan.connection());
        }
    }

    fn release(&self) {
        self.state.lock().closed = true;
        let Some(Installed { chan, id }) = self.installed() else {
            return;
        };
        let Released { last, .. } = chan.step(|engine| {
            trace::fuse_device_released(|| chan.trace_step(0, 0, id.number()));
            engine.release(*id)
        });
        chan.end_drained(Drain::Device(*id));
        if last {
            chan.abort();
        }
    }
}

impl HasWaitQueue for Chan {
    fn wait_queue(&self) -> &WaitQueue {
        &self.readers().queue
    }
}

impl Chan {
    /// Installs a channel in the device that its mounter has named. C: `fuse_dev_install()`, with
    /// the check before it.
    ///
    /// If the device has been closed, this channel is of no use and aborts.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the device serves another channel.
    pub(crate) fn install(self: &Arc<Self>, device: &Device) -> Result {
        if !device.install(self)? {
            self.abort();
        }
        Ok(())
    }
}

/// The registered device.
pub(crate) type Registration = MiscDeviceRegistration<DeviceData>;

/// Registers the device; C: a part of `fuse_dev_init()`.
///
/// # Errors
///
/// `EBUSY` if somebody else has `/dev/fuse`.
pub(crate) fn register() -> impl PinInit<Registration, Error> {
    MiscDeviceRegistration::register(c"fuse", FUSE_MINOR)
}
