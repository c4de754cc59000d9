// SPDX-License-Identifier: GPL-2.0

//! A connection: what all mounts served through one channel share.
//!
//! C counterpart: `struct fuse_conn`. Read in RCU walk, through a superblock's data: that has
//! a reference which goes a grace period after the superblock
//! ([`Mount`](crate::fs::mount::superblock::Mount)), from softirq context, so that dropping a
//! connection must not sleep. Takes no locks: everything here is fixed at mount time, set once by
//! INIT, or atomic.

use super::{
    left::LeftTable,
    polled::PolledFiles, //
};
use crate::{
    abi::{
        name::NAME_LOW_MAX,
        InitFlags,
        Minor,
        PollHandle, //
    },
    kapi::{
        fuse::moduleparam,
        task::{
            cred, pid_namespace,
            uidgid::Kgid,
            user_namespace::{
                current_in_userns,
                UserNamespace, //
            },
        },
        vfs::namei::current_umask, //
    },
    transport::Chan, //
};
use kernel::{
    pid_namespace::PidNamespace,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        SetOnce, //
    },
    task::Kuid, //
};

/// What a mounter fixes before the daemon says anything (`struct fuse_fs_context`).
pub(in crate::fs) struct ConnParams {
    pub(in crate::fs) user_id: Kuid,
    pub(in crate::fs) group_id: Kgid,
    /// Permissions are checked here, by mode and owner.
    pub(in crate::fs) default_permissions: bool,
    /// Others than the mounter may use the mount.
    pub(in crate::fs) allow_other: bool,
    /// Bytes per READ, at least 4096; INIT does not change it. `u32::MAX`: not given.
    pub(in crate::fs) max_read: u32,
    /// The daemon's data are on a block device (`fuseblk`): it is told of `syncfs(2)` and of the
    /// unmount, and knows where a file's blocks are.
    pub(in crate::fs) on_bdev: bool,
    /// The VFS does not apply the umask, nor do we (`SB_POSIXACL` asked for at mount).
    pub(in crate::fs) dont_mask: bool,
}

/// What INIT settles, once.
pub(in crate::fs) struct Negotiated {
    /// The daemon's minor version.
    pub(in crate::fs) minor: Minor,
    /// Bytes per WRITE, at least 4096.
    pub(in crate::fs) max_write: u32,
    /// Pages per request, at least one.
    pub(in crate::fs) max_pages: u32,
    /// Bytes of a name (`FUSE_NAME_LOW_MAX` or `FUSE_NAME_MAX`).
    pub(in crate::fs) name_max: u32,
    /// What both sides can do.
    pub(in crate::fs) flags: InitFlags,
}

/// `FUSE_DEFAULT_MAX_PAGES_PER_REQ`: pages per request of a daemon that does not say.
pub(in crate::fs) const DEFAULT_MAX_PAGES: u32 = 32;

/// A connection.
pub(in crate::fs) struct Conn {
    pub(in crate::fs) chan: Arc<Chan>,
    pub(in crate::fs) params: ConnParams,
    /// The namespace that uids and gids on the wire belong to: the device opener's and mounter's.
    pub(in crate::fs) user_ns: ARef<UserNamespace>,
    /// The namespace that pids on the wire belong to: the mounter's.
    pub(in crate::fs) pid_ns: ARef<PidNamespace>,
    /// Hides the kernel's addresses in what the daemon sees of lock owners.
    pub(super) scramble_key: [u32; 4],
    negotiated: SetOnce<Negotiated>,
    default_permissions: Atomic<bool>,
    attr_version: Atomic<u64>,
    evict_ctr: Atomic<u64>,
    epoch: Atomic<u32>,
    /// The next open file's number.
    next_kh: Atomic<u64>,
    /// Files that have been polled.
    pub(in crate::fs) polled: Arc<PolledFiles>,
    /// Callers that have left.
    pub(in crate::fs) left: Arc<LeftTable>,
}

impl Conn {
    /// A connection that nobody uses yet, of the current task (`fuse_conn_init()`).
    pub(in crate::fs) fn new(
        chan: Arc<Chan>,
        params: ConnParams,
        user_ns: ARef<UserNamespace>,
        scramble_key: [u32; 4],
        left: Arc<LeftTable>,
        polled: Arc<PolledFiles>,
    ) -> Self {
        Self {
            chan,
            default_permissions: Atomic::new(params.default_permissions),
            params,
            user_ns,
            pid_ns: pid_namespace::current_pid_ns(),
            scramble_key,
            negotiated: SetOnce::new(),
            attr_version: Atomic::new(1),
            evict_ctr: Atomic::new(1),
            epoch: Atomic::new(1),
            next_kh: Atomic::new(PollHandle::FIRST.get()),
            polled,
            left,
        }
    }

    /// What INIT settled; `None` until its reply has been processed, and if it was refused.
    pub(in crate::fs) fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// Whether the daemon has agreed to this.
    #[inline]
    pub(in crate::fs) fn agreed(&self, flag: InitFlags) -> bool {
        self.negotiated().is_some_and(|n| n.flags.contains(flag))
    }

    /// Remembers what INIT settled. Only its reply does this.
    pub(in crate::fs) fn set_negotiated(&self, negotiated: Negotiated) {
        if negotiated.flags.contains(InitFlags::POSIX_ACL) {
            // Nobody else goes by them.
            self.default_permissions.store(true, Relaxed);
        }
        // A second time cannot be: INIT is sent once and ends once.
        self.negotiated.populate(negotiated);
    }

    /// Bytes per READ.
    pub(in crate::fs) fn max_read(&self) -> u32 {
        self.params.max_read
    }

    /// Bytes per WRITE.
    pub(in crate::fs) fn max_write(&self) -> u32 {
        self.negotiated().map_or(4096, |n| n.max_write)
    }

    /// Pages per request.
    pub(in crate::fs) fn max_pages(&self) -> u32 {
        self.negotiated().map_or(DEFAULT_MAX_PAGES, |n| n.max_pages)
    }

    /// Bytes of a name.
    pub(in crate::fs) fn name_max(&self) -> u32 {
        self.negotiated().map_or(NAME_LOW_MAX, |n| n.name_max)
    }

    /// The daemon's minor version; ours before INIT.
    pub(in crate::fs) fn minor(&self) -> Minor {
        self.negotiated().map_or(Minor::OURS, |n| n.minor)
    }

    /// Whether the kernel checks permissions by mode, owner and ACL: the mounter has said so, or
    /// the daemon by POSIX_ACL.
    pub(in crate::fs) fn default_permissions(&self) -> bool {
        self.default_permissions.load(Relaxed)
    }

    /// Whether the daemon clears set-id bits itself when data change or a file changes hands.
    pub(in crate::fs) fn handles_killpriv(&self) -> bool {
        self.agreed(InitFlags::HANDLE_KILLPRIV) || self.agreed(InitFlags::HANDLE_KILLPRIV_V2)
    }

    /// Whether to tell the daemon to clear set-id bits before it changes data: it clears them where
    /// it is told, and the current task is not one that may leave them.
    #[inline]
    pub(in crate::fs) fn kill_suidgid(&self) -> bool {
        self.agreed(InitFlags::HANDLE_KILLPRIV_V2) && !cred::capable(cred::CAP_FSETID)
    }

    /// Whether the kernel leaves the umask to the daemon.
    fn dont_mask(&self) -> bool {
        self.params.dont_mask || self.agreed(InitFlags::DONT_MASK)
    }

    /// The permissions to ask for where `mode` is to be made, and the umask to send along.
    pub(in crate::fs) fn masked_perm(&self, mode: u16) -> (u32, u32) {
        let umask = current_umask();
        let perm = if self.dont_mask() {
            mode
        } else {
            mode & !umask
        };
        (perm.into(), umask.into())
    }

    /// The version of attributes that are asked for from now on (`fuse_get_attr_version()`).
    pub(in crate::fs) fn attr_version(&self) -> u64 {
        self.attr_version.load(Relaxed)
    }

    /// A new version, for attributes that change now (`atomic64_inc_return(&fc->attr_version)`).
    pub(in crate::fs) fn bump_attr_version(&self) -> u64 {
        self.attr_version.fetch_add(1, Full).wrapping_add(1)
    }

    /// How many inodes have been evicted (`fuse_get_evict_ctr()`).
    pub(in crate::fs) fn evict_ctr(&self) -> u64 {
        self.evict_ctr.load(Relaxed)
    }

    /// Counts an eviction.
    pub(in crate::fs) fn bump_evict_ctr(&self) {
        self.evict_ctr.fetch_add(1, Full);
    }

    /// The epoch of dentries: those from an older one must be looked up again.
    pub(in crate::fs) fn epoch(&self) -> u32 {
        self.epoch.load(Relaxed)
    }

    /// Begins a new epoch.
    pub(in crate::fs) fn inc_epoch(&self) {
        self.epoch.fetch_add(1, Relaxed);
    }

    /// A number for a file that is to be opened, whether it will be polled or not: the daemon sees
    /// the numbers that it sees with C (`fuse_conn::khctr`).
    #[inline]
    pub(in crate::fs) fn new_kh(&self) -> PollHandle {
        PollHandle::from_raw(self.next_kh.fetch_add(1, Relaxed))
    }

    /// Whether the current task may use the mount at all (`fuse_allow_current_process()`).
    ///
    /// A daemon can watch and delay whoever calls into its filesystem. So, unless the mounter was
    /// allowed to say otherwise, only tasks that are the mounter's own through and through may, and
    /// never those of a namespace that the mounter has no power over.
    #[inline]
    pub(in crate::fs) fn allow_current_process(&self) -> bool {
        let allowed = if self.params.allow_other {
            current_in_userns(&self.user_ns)
        } else {
            cred::current_ids_all_are(self.params.user_id, self.params.group_id)
        };
        allowed || Self::allow_sys_admin()
    }

    /// Whether CAP_SYS_ADMIN opens every mount (parameter `allow_sys_admin_access`), and the
    /// current task has it.
    #[cold]
    fn allow_sys_admin() -> bool {
        moduleparam::allow_sys_admin_access() && cred::capable(cred::CAP_SYS_ADMIN)
    }
}
