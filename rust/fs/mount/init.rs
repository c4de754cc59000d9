// SPDX-License-Identifier: GPL-2.0

//! INIT: the first request, which the daemon answers with what it can do.
//!
//! C counterpart: `fuse_send_init`, `process_init_reply` (inode.c). The request is sent in the
//! background: mount(2) does not wait for it, all other requests do, and its reply is processed in
//! the daemon's context. With FUSE_DEV_IOC_SYNC_INIT mount(2) waits and processes it. Either takes
//! the killsb semaphore for reading, and may sleep. Sent with `s_umount` held.

use crate::{
    abi::{
        name::{
            NAME_LOW_MAX,
            NAME_MAX, //
        },
        op::{
            Init,
            InitOut, //
        },
        InitFlags, //
    },
    fs::{
        conn::connection::{
            Conn,
            Negotiated,
            DEFAULT_MAX_PAGES, //
        },
        Fuse,
        SuperBlock, //
    },
    kapi::{
        fuse::{
            moduleparam,
            sysctl, //
        },
        mm::gfp::Gfp,
        task::cred::{
            capable,
            CAP_SYS_ADMIN, //
        },
        vfs::super_block::LiveSuper, //
    },
    transport::{
        ChanParams,
        How,
        Message,
        NeverLeaves,
        OnEnd,
        Outcome,
        Payload, //
    },
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// What we can do. A flag that is not here is not accepted either; those that C offers beside them
/// are listed, with what they wait for, in the tests (`not_yet_offered`).
const OFFERED: InitFlags = InitFlags::ASYNC_READ
    .with(InitFlags::POSIX_LOCKS)
    .with(InitFlags::ATOMIC_O_TRUNC)
    .with(InitFlags::EXPORT_SUPPORT)
    .with(InitFlags::BIG_WRITES)
    .with(InitFlags::DONT_MASK)
    .with(InitFlags::SPLICE_WRITE)
    .with(InitFlags::SPLICE_MOVE)
    .with(InitFlags::SPLICE_READ)
    .with(InitFlags::FLOCK_LOCKS)
    .with(InitFlags::HAS_IOCTL_DIR)
    .with(InitFlags::DO_READDIRPLUS)
    .with(InitFlags::READDIRPLUS_AUTO)
    .with(InitFlags::NO_OPEN_SUPPORT)
    .with(InitFlags::PARALLEL_DIROPS)
    .with(InitFlags::HANDLE_KILLPRIV)
    .with(InitFlags::POSIX_ACL)
    .with(InitFlags::ABORT_ERROR)
    .with(InitFlags::MAX_PAGES)
    .with(InitFlags::CACHE_SYMLINKS)
    .with(InitFlags::NO_OPENDIR_SUPPORT)
    .with(InitFlags::HANDLE_KILLPRIV_V2)
    .with(InitFlags::SETXATTR_EXT)
    .with(InitFlags::INIT_EXT)
    .with(InitFlags::SECURITY_CTX)
    .with(InitFlags::CREATE_SUPP_GROUP)
    .with(InitFlags::HAS_EXPIRE_ONLY)
    .with(InitFlags::NO_EXPORT_SUPPORT)
    .with(InitFlags::HAS_RESEND)
    .with(InitFlags::ALLOW_IDMAP)
    .with(InitFlags::REQUEST_TIMEOUT);

/// Sends INIT for a superblock that has just been set up (`fuse_send_init()`). With `sync` waits
/// for the answer.
///
/// # Errors
///
/// `ENOTCONN` if the device was closed meanwhile; with `sync` also if the daemon has refused or has
/// died, or the mounter was killed; without `ENOMEM`, and whatever else goes wrong shows in the
/// requests that follow.
pub(in crate::fs) fn send(sb: &SuperBlock, conn: &Arc<Conn>, sync: bool) -> Result {
    let init = init(sb);
    let end = ProcessReply {
        conn: conn.clone(),
        live: sb.live().clone(),
        init,
        max_pages_limit: sysctl::max_pages_limit(),
    };
    let message = Message {
        node: None,
        caller: conn.caller_nocreds(),
        op: &init,
    };
    if sync {
        // A mounter that is killed does not leave INIT behind: it ends the connection.
        let result = conn
            .chan
            .call(How::AbortOnKill, &message, None, &mut NeverLeaves)
            .and_then(|answer| answer.decode(&init));
        end.process(result);
        return if conn.chan.conn_error() {
            Err(ENOTCONN)
        } else {
            Ok(())
        };
    }
    if !conn.chan.connected() {
        // The device was closed meanwhile.
        end.process(Err(ENOTCONN));
        return Err(ENOTCONN);
    }
    let end = KBox::new(end, GFP_KERNEL)?;
    let request = conn.chan.prepare(Gfp::KERNEL)?;
    conn.chan
        .send_background(request, &message, Payload::None, Some(end));
    Ok(())
}

/// The request (`fuse_new_init()`).
fn init(sb: &SuperBlock) -> Init {
    let bytes = sb.bdi().ra_pages().saturating_mul(PAGE_SIZE);
    Init {
        max_readahead: u32::try_from(bytes).unwrap_or(u32::MAX),
        offered: OFFERED,
    }
}

/// What is done with the reply (`process_init_reply()`).
struct ProcessReply {
    conn: Arc<Conn>,
    live: Arc<LiveSuper<Fuse>>,
    init: Init,
    /// As it was at the time of the mount.
    max_pages_limit: u32,
}

impl OnEnd for ProcessReply {
    fn ended(self: KBox<Self>, outcome: Outcome<'_>) {
        self.process(outcome.decode(&self.init));
    }
}

impl ProcessReply {
    fn process(&self, out: Result<InitOut>) {
        let chan = &self.conn.chan;
        let Ok(out) = out else {
            // An error, another major version, or too long a reply.
            chan.set_conn_error();
            chan.set_initialized(None);
            return;
        };
        self.set_limits(&out);
        if out.flags.contains(InitFlags::ABORT_ERROR) {
            chan.set_abort_err();
        }
        if !self.may_allow_idmap(&out) {
            chan.set_conn_error();
            chan.set_initialized(None);
            return;
        }
        let negotiated = negotiated(&out, self.max_pages_limit);
        let params = ChanParams {
            minor: negotiated.minor.get(),
            max_write: negotiated.max_write,
            max_pages: negotiated.max_pages,
            name_max: negotiated.name_max,
        };
        // If it is being unmounted already, then nothing here matters to it any more.
        self.live
            .with(|sb| self.set_up_super(sb, &out, params.max_pages));
        self.conn.set_negotiated(negotiated);
        if out.flags.contains(InitFlags::ALLOW_IDMAP) {
            self.live.with(SuperBlock::allow_idmap);
        }
        if let Some(seconds) = request_timeout(&out) {
            chan.set_request_timeout(seconds);
        }
        chan.set_initialized(Some(params));
    }

    /// Whether what is said of idmapped mounts makes sense: who may do what is to be the kernel's
    /// to decide, as the daemon is not told who asks.
    fn may_allow_idmap(&self, out: &InitOut) -> bool {
        !out.flags.contains(InitFlags::ALLOW_IDMAP)
            || self.conn.params.default_permissions
            || out.flags.contains(InitFlags::POSIX_ACL)
    }

    /// How many background requests there may be (`process_init_limits()`).
    fn set_limits(&self, out: &InitOut) {
        let chan = &self.conn.chan;
        if let Some(max) = out.max_background {
            chan.set_max_background(limited(max, moduleparam::max_user_bgreq()));
        }
        if let Some(threshold) = out.congestion_threshold {
            chan.set_congestion_threshold(limited(threshold, moduleparam::max_user_congthresh()));
        }
    }

    /// What the superblock takes from it.
    fn set_up_super(&self, sb: &SuperBlock, out: &InitOut, max_pages: u32) {
        if let Some(gran) = out.time_gran {
            sb.set_s_time_gran(gran);
        }
        if out.flags.contains(InitFlags::HANDLE_KILLPRIV_V2) {
            sb.set_nosec();
        }
        if out.flags.contains(InitFlags::NO_EXPORT_SUPPORT) {
            sb.set_encode_only();
        }
        let readahead = out.max_readahead.unwrap_or(self.conn.max_read());
        let ra_pages = readahead as usize / PAGE_SIZE;
        let bdi = sb.bdi();
        bdi.set_ra_pages(bdi.ra_pages().min(ra_pages));
        bdi.set_io_pages(max_pages as usize);
    }
}

/// What the connection takes from it.
fn negotiated(out: &InitOut, max_pages_limit: u32) -> Negotiated {
    let max_pages = out
        .max_pages
        .map_or(DEFAULT_MAX_PAGES, |pages| max_pages_limit.min(pages.into()));
    Negotiated {
        minor: out.minor,
        max_write: out.max_write,
        max_pages,
        // A rename has two names: with a page for each, they may be as long as a path.
        name_max: if out.max_pages.is_some() && max_pages > 1 {
            NAME_MAX
        } else {
            NAME_LOW_MAX
        },
        flags: out.flags,
    }
}

/// Seconds until a request times out: what the daemon asks for, or else the administrator, who sets
/// the limit too (`fuse_init_server_timeout()`). `None`: never.
fn request_timeout(out: &InitOut) -> Option<u32> {
    let given = |seconds: u32| (seconds != 0).then_some(seconds);
    let asked = out
        .request_timeout
        .and_then(|seconds| given(seconds.into()));
    let asked = asked.or(given(sysctl::default_request_timeout()));
    match (asked, given(sysctl::max_request_timeout())) {
        (Some(asked), Some(max)) => Some(asked.min(max)),
        (asked, max) => asked.or(max),
    }
}

/// A limit that the daemon asks for, as far as it may.
fn limited(asked: u16, unprivileged: u32) -> u32 {
    let asked = u32::from(asked);
    if capable(CAP_SYS_ADMIN) {
        asked
    } else {
        asked.min(unprivileged)
    }
}
