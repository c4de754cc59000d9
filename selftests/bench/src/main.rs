// SPDX-License-Identifier: GPL-2.0
//! Instructions per operation. Under QEMU's `-icount shift=0` the time stamp counter counts executed
//! instructions of the whole machine: caller, kernel and daemon together, exactly.
//!
//! Prints one line per row: name, instructions, requests and context switches, each per operation times 1000.

mod server;

use rustix::fs::{open, stat, Mode, OFlags};
use rustix::mount::{mount, MountFlags};
use rustix::pipe::pipe;
use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, ExitCode};

const WARM_UP: u64 = 300;
const ROUNDS: u64 = 2000;
const MOUNT: &str = "/tmp/bench";
/// Sizes of a GETATTR request and of its reply.
const ASK: usize = 56;
const TELL: usize = 120;

fn instructions() -> u64 {
    // SAFETY: reads a counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Context switches of this process so far.
pub fn switches() -> u64 {
    // SAFETY: rusage is plain data, and the kernel fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    (usage.ru_nvcsw + usage.ru_nivcsw) as u64
}

/// Both sides at one real-time priority: who runs when is then up to who waits for whom alone.
fn become_real_time() {
    let param = libc::sched_param { sched_priority: 1 };
    // SAFETY: passes a valid structure.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &param) };
    assert_eq!(
        result,
        0,
        "sched_setscheduler: {}",
        std::io::Error::last_os_error()
    );
}

/// With these the guest's kernel copies with `rep movsb`, which counts as one instruction per byte.
fn refuse_string_copies() -> Result<(), String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").map_err(|error| error.to_string())?;
    let flags = info
        .lines()
        .find(|line| line.starts_with("flags"))
        .unwrap_or_default();
    match flags
        .split_whitespace()
        .find(|flag| ["erms", "fsrm"].contains(flag))
    {
        Some(flag) => Err(format!(
            "the guest's processor has {flag}: its copies cannot be counted"
        )),
        None => Ok(()),
    }
}

struct Counts {
    instructions: u64,
    switches: u64,
    requests: u64,
}

/// Measures one operation. `other` tells the daemon's requests and switches.
fn measure(
    name: &str,
    mut operation: impl FnMut(),
    mut other: impl FnMut() -> (u64, u64),
) -> Counts {
    for _ in 0..WARM_UP {
        operation();
    }
    let (requests, theirs) = other();
    let mine = switches();
    let begin = instructions();
    for _ in 0..ROUNDS {
        operation();
    }
    let end = instructions();
    let mine = switches() - mine;
    let (requests_after, theirs_after) = other();
    // Asking for the counts costs a request itself, unless nobody is asked.
    let asking = u64::from(requests_after > requests);
    let counts = Counts {
        instructions: end - begin,
        switches: mine + theirs_after - theirs,
        requests: requests_after - requests - asking,
    };
    let per = |value: u64| value * 1000 / ROUNDS;
    println!(
        "row {name} {} {} {}",
        per(counts.instructions),
        per(counts.requests),
        per(counts.switches)
    );
    counts
}

fn spawn(role: &str, descriptors: &[&OwnedFd]) -> Result<Child, String> {
    let numbers: Vec<String> = descriptors
        .iter()
        .map(|fd| fd.as_raw_fd().to_string())
        .collect();
    Command::new("/proc/self/exe")
        .arg(role)
        .args(numbers)
        .spawn()
        .map_err(|error| format!("{role}: {error}"))
}

/// Descriptor number `index` of those that the parent handed on.
fn inherited(index: usize) -> OwnedFd {
    let number = std::env::args()
        .nth(2 + index)
        .and_then(|word| word.parse().ok());
    // SAFETY: the parent opened it for this process and nothing here closed it.
    unsafe { OwnedFd::from_raw_fd(number.expect("descriptor")) }
}

fn ping_pong() -> Result<(), String> {
    let error = |error| format!("pipe: {error}");
    let (ask_read, ask_write) = pipe().map_err(error)?;
    let (tell_read, tell_write) = pipe().map_err(error)?;
    let mut child = spawn("pong", &[&ask_read, &tell_write])?;
    drop((ask_read, tell_write));
    let question = [1u8; ASK];
    let mut reply = [0u8; TELL];
    measure(
        "pipe-ping-pong",
        || {
            rustix::io::write(&ask_write, &question).expect("write");
            assert_eq!(rustix::io::read(&tell_read, &mut reply), Ok(TELL));
        },
        || (0, 0),
    );
    // It has inherited the writing end of its own question, so that closing ours would not end it.
    child.kill().map_err(|error| error.to_string())?;
    child.wait().map_err(|error| error.to_string()).map(drop)
}

fn pong() {
    let (ask, tell) = (inherited(0), inherited(1));
    become_real_time();
    let mut question = [0u8; ASK];
    let reply = [2u8; TELL];
    while rustix::io::read(&ask, &mut question) == Ok(ASK) {
        rustix::io::write(&tell, &reply).expect("write");
    }
}

fn fuse_rows() -> Result<(), String> {
    std::fs::create_dir_all(MOUNT).map_err(|error| error.to_string())?;
    let device = open("/dev/fuse", OFlags::RDWR, Mode::empty())
        .map_err(|error| format!("/dev/fuse: {error}"))?;
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0",
        device.as_raw_fd()
    );
    let options = CString::new(options).map_err(|error| error.to_string())?;
    mount("bench", MOUNT, "fuse", MountFlags::empty(), &*options)
        .map_err(|error| format!("mount: {error}"))?;
    // Only a mounted device can be read; nobody is waited for before the first lookup.
    let mut child = spawn("serve", &[&device])?;
    drop(device);

    let path = |name: &str| format!("{MOUNT}/{name}");
    let look = |name: &str| {
        open(path(name), OFlags::PATH, Mode::empty()).map_err(|error| format!("{name}: {error}"))
    };
    let count = look("count")?;
    let other = || {
        let counts = rustix::fs::fstat(&count).expect("fstat");
        (counts.st_size as u64, u64::from(counts.st_uid))
    };
    let file = look("getattr")?;
    let expect = |name: &str, counts: Counts, requests: u64| {
        if counts.requests == requests * ROUNDS {
            Ok(())
        } else {
            Err(format!(
                "{name}: {} requests for {ROUNDS} operations",
                counts.requests
            ))
        }
    };
    let counts = measure(
        "getattr",
        || {
            let _ = rustix::fs::fstat(&file).expect("fstat");
        },
        other,
    );
    expect("getattr", counts, 1)?;
    let lookup = CString::new(path("lookup")).map_err(|error| error.to_string())?;
    let counts = measure(
        "lookup",
        || {
            let _ = stat(&*lookup).expect("stat");
        },
        other,
    );
    expect("lookup", counts, 1)?;
    let both = CString::new(path("stat")).map_err(|error| error.to_string())?;
    measure(
        "stat",
        || {
            let _ = stat(&*both).expect("stat");
        },
        other,
    );

    drop((file, count));
    rustix::mount::unmount(MOUNT, rustix::mount::UnmountFlags::empty())
        .map_err(|error| format!("umount: {error}"))?;
    child.wait().map_err(|error| error.to_string()).map(drop)
}

fn bench() -> Result<(), String> {
    refuse_string_copies()?;
    become_real_time();
    ping_pong()?;
    fuse_rows()
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("pong") => pong(),
        Some("serve") => {
            let device = inherited(0);
            become_real_time();
            server::serve(&device);
        }
        _ => {
            if let Err(reason) = bench() {
                println!("FAILED: {reason}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
