// SPDX-License-Identifier: GPL-2.0

//! `/dev/fuse`: what an open file of it is, and which channel it serves.
//!
//! C counterpart: `struct fuse_dev`, `fuse_dev_open()`, `fuse_dev_install()`, `fuse_dev_release()`,
//! `fuse_dev_poll()`. `installed` never changes once set, so that reading it takes no lock; `state`
//! (a leaf) decides between install and release.

use super::{
    chan::Chan,
    engine::{
        self,
        Drain,
        Released, //
    },
    reader,
    writer, //
};
use crate::kapi::{
    iov::IovIter,
    miscdevice::{
        file_data,
        MiscDevice,
        MiscDeviceRegistration,
        PollEvents,
        FUSE_MINOR, //
    },
    wait::WaitQueue,
};
use kernel::{
    fs::{
        File,
        LocalFile, //
    },
    ioctl::{
        _IOR,
        _IOW, //
    },
    new_spinlock,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::{
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

/// A channel in a device.
pub(super) struct Installed {
    pub(super) chan: Arc<Chan>,
    /// The device, towards the channel's engine.
    pub(super) id: engine::Device,
}

/// An open file of `/dev/fuse`.
#[pin_data]
pub(crate) struct Device {
    installed: SetOnce<Installed>,
    /// Has the file been closed? A mount may still hold the device.
    #[pin]
    closed: SpinLock<bool>,
}

impl Device {
    /// The device of a file. C: the `f_op` check of `fuse_opt_fd()`, `fuse_dev_grab()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the file is not one of `/dev/fuse`.
    pub(crate) fn from_file(file: &File) -> Result<Arc<Self>> {
        file_data(file).ok_or(EINVAL)
    }

    pub(super) fn installed(&self) -> Option<&Installed> {
        self.installed.as_ref()
    }

    /// The channel that this device serves, once mounted.
    pub(crate) fn chan(&self) -> Option<&Arc<Chan>> {
        self.installed().map(|installed| &installed.chan)
    }

    /// Is this device's file open, and has it been mounted? C: `fuse_dev_is_installed()`.
    pub(crate) fn is_installed(&self) -> bool {
        self.installed().is_some() && !*self.closed.lock()
    }

    /// Does this device serve that channel? C: `fuse_dev_verify()`. Does not sleep.
    pub(crate) fn is(&self, chan: &Arc<Chan>) -> bool {
        self.chan()
            .is_some_and(|installed| Arc::ptr_eq(installed, chan))
            && !*self.closed.lock()
    }

    /// Installs a channel; false if the file has been closed.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is one.
    pub(super) fn install(&self, chan: &Arc<Chan>) -> Result<bool> {
        let closed = self.closed.lock();
        if *closed {
            return Ok(false);
        }
        if self.installed().is_some() {
            return Err(EINVAL);
        }
        // There is a reserve for devices.
        let added = chan.engine.lock().add_device();
        Ok(match added {
            Ok(id) => self.installed.populate(Installed {
                chan: chan.clone(),
                id,
            }),
            Err(_) => false,
        })
    }
}

impl Device {
    /// Makes this device serve the channel of another one, whose file descriptor is at `arg`.
    ///
    /// # Errors
    ///
    /// `EFAULT`; `EINVAL` if that is no file of `/dev/fuse`, or this one serves a channel already;
    /// `EPERM` if that one does not.
    fn clone_from(&self, arg: usize) -> Result {
        let fd: u32 = UserSlice::new(UserPtr::from_addr(arg), size_of::<u32>())
            .reader()
            .read()?;
        let file = LocalFile::fget(fd).map_err(|_| EINVAL)?;
        let other: Arc<Self> = file_data(&file).ok_or(EINVAL)?;
        if !self.install(other.chan().ok_or(EPERM)?)? {
            return Err(EINVAL);
        }
        Ok(())
    }
}

impl MiscDevice for Device {
    type OwnerModule = crate::LocalModule;

    fn open() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                installed: SetOnce::new(),
                closed <- new_spinlock!(false, "fuse_dev::closed"),
            }),
            GFP_KERNEL,
        )
    }

    fn read_iter(&self, file: &File, to: &mut IovIter) -> Result<usize> {
        let installed = self.installed().ok_or(EPERM)?;
        reader::read(
            installed,
            file.flags() & kernel::fs::file::flags::O_NONBLOCK != 0,
            to,
        )
    }

    fn write_iter(&self, _file: &File, from: &mut IovIter) -> Result<usize> {
        let installed = self.installed().ok_or(EPERM)?;
        writer::write(installed, from)
    }

    fn poll_queue(&self) -> Option<&WaitQueue> {
        self.installed().map(|installed| &installed.chan.readers)
    }

    fn poll(&self) -> PollEvents {
        let Some(installed) = self.installed() else {
            return PollEvents::ERR;
        };
        let engine = installed.chan.engine.lock();
        if !engine.is_connected() {
            PollEvents::ERR
        } else if engine.is_readable() {
            PollEvents::OUT | PollEvents::IN
        } else {
            PollEvents::OUT
        }
    }

    fn ioctl(&self, cmd: u32, arg: usize) -> Result<isize> {
        match cmd {
            FUSE_DEV_IOC_CLONE => self.clone_from(arg)?,
            FUSE_DEV_IOC_BACKING_OPEN | FUSE_DEV_IOC_BACKING_CLOSE => {
                // As C without CONFIG_FUSE_PASSTHROUGH.
                self.installed().ok_or(EPERM)?;
                return Err(EOPNOTSUPP);
            }
            _ => return Err(ENOTTY),
        }
        Ok(0)
    }

    fn show_fdinfo(&self, m: &SeqFile) {
        if let Some(installed) = self.installed() {
            seq_print!(m, "fuse_connection:\t{}\n", installed.chan.connection());
        }
    }

    fn release(this: Arc<Self>) {
        *this.closed.lock() = true;
        let Some(Installed { chan, id }) = this.installed() else {
            return;
        };
        let Released { last, effects } = chan.engine.lock().release(*id);
        chan.carry_out(effects, false);
        chan.end_drained(Drain::Device(*id));
        if last {
            chan.abort(false);
        }
    }
}

/// The registered device.
pub(crate) type Registration = MiscDeviceRegistration<Device>;

/// Registers the device; C: a part of `fuse_dev_init()`.
///
/// # Errors
///
/// `EBUSY` if somebody else has `/dev/fuse`.
pub(crate) fn register() -> impl PinInit<Registration, Error> {
    MiscDeviceRegistration::register(c"fuse", FUSE_MINOR)
}
