// SPDX-License-Identifier: GPL-2.0

//! Runs test cases one at a time, each in a process and directory of its own, and prints KTAP
//! version 1 on standard output.
//!
//! A case passes if it returns, fails if it panics, and may [`skip`], for instance where it
//! [`needs`] what the kernel has not. A case that does not end is killed: what every process of it
//! was waiting for is printed, its mounts are aborted with `MNT_FORCE`, and the suite goes on. A
//! splat in the kernel log fails the case it came in.

use std::ffi::CString;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

mod gaps;
mod kernel;
mod klog;
mod procs;

use gaps::Gaps;
pub use kernel::{has, needs, needs_second_processor, LACKING};
pub use procs::describe_descendants;

/// Exit status by which a case says that it was skipped, as in kselftest.
const SKIP: i32 = 4;

/// One test case.
#[derive(Clone, Copy)]
pub struct Case {
    /// The function's path, from which the name is taken.
    pub path: &'static str,
    /// What to run.
    pub run: fn(),
}

impl Case {
    /// The name of the case: the last two parts of its path.
    pub fn name(&self) -> String {
        let parts: Vec<&str> = self.path.split("::").map(str::trim).collect();
        parts[parts.len().saturating_sub(2)..].join(".")
    }
}

/// Makes a list of cases from function paths.
#[macro_export]
macro_rules! cases {
    ($($f:path),* $(,)?) => { vec![$($crate::Case { path: stringify!($f), run: $f }),*] };
}

/// Which module is loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Impl {
    C,
    Rust,
}

/// The module under test, from `RF_IMPL`; C is the oracle and so the default.
pub fn implementation() -> Impl {
    match std::env::var("RF_IMPL").as_deref() {
        Ok("rust") => Impl::Rust,
        _ => Impl::C,
    }
}

/// True on the debug kernel, where everything takes about ten times as long.
pub fn debug_kernel() -> bool {
    std::env::var("RF_KERNEL").as_deref() == Ok("debug")
}

/// A bound for waiting: generous, for it is only ever reached by a hang. `RF_PATIENCE` multiplies
/// it, for long forms.
pub fn patience() -> Duration {
    let times = std::env::var("RF_PATIENCE").map_or(1, |n| n.parse().expect("RF_PATIENCE"));
    Duration::from_secs(if debug_kernel() { 90 } else { 30 }) * times
}

/// Time after which a whole case is given up.
fn limit() -> Duration {
    patience() * 3
}

/// Ends the running case as skipped.
pub fn skip(reason: &str) -> ! {
    println!("SKIP {reason}");
    let _ = std::io::stdout().flush();
    std::process::exit(SKIP);
}

/// Directory of the running case: empty when it starts, and removed after it.
pub fn dir() -> PathBuf {
    std::env::current_dir().expect("case directory")
}

enum Verdict {
    Pass,
    Fail(String),
    Skip(String),
}

/// True if the program is only to print the names of its cases. That is done outside of the guest
/// too, where nothing may be set up for them.
pub fn listing() -> bool {
    std::env::args().skip(1).any(|a| a == "--list")
}

/// Runs `cases` and exits. Arguments: `--list`, or parts of names of the cases to run.
pub fn run(suite: &str, cases: Vec<Case>) -> ! {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if listing() {
        for c in &cases {
            println!("{}", c.name());
        }
        std::process::exit(0);
    }
    // Records, results and the comparison of the modules go by name.
    let mut names = std::collections::HashSet::new();
    for c in &cases {
        assert!(names.insert(c.name()), "two cases are called {}", c.name());
    }
    let wanted: Vec<Case> = cases
        .into_iter()
        .filter(|c| args.is_empty() || args.iter().any(|a| c.name().contains(a.as_str())))
        .collect();
    let gaps = Gaps::read(implementation(), suite);
    procs::become_subreaper();
    kernel::read();

    println!("KTAP version 1");
    println!("1..{}", wanted.len());
    let mut failed = 0;
    for (i, case) in wanted.iter().enumerate() {
        let name = case.name();
        let mut log = klog::Log::open();
        let start = Instant::now();
        let (verdict, output) = run_one(suite, &name, case.run);
        let splats = log.splats();
        let verdict = match (verdict, splats.is_empty()) {
            (_, false) => Verdict::Fail("kernel log has a splat".into()),
            (v, true) => v,
        };
        for line in output.lines() {
            println!("# {line}");
        }
        for line in &splats {
            println!("# kernel: {line}");
        }
        let took = start.elapsed().as_millis();
        let (word, note) = gaps.apply(&name, verdict);
        if word == "not ok" {
            failed += 1;
        }
        println!("{word} {} {suite}.{name}{note}", i + 1);
        println!("# time: {took} ms");
        let _ = std::io::stdout().flush();
    }
    println!(
        "# {suite}: {} passed or skipped, {failed} failed",
        wanted.len() - failed
    );
    std::process::exit(if failed == 0 { 0 } else { 1 });
}

fn run_one(suite: &str, name: &str, f: fn()) -> (Verdict, String) {
    let base = PathBuf::from(std::env::var("RF_TMP").unwrap_or_else(|_| "/tmp/rf".into()));
    let dir = base.join(format!("{suite}.{name}"));
    procs::unmount_below(&dir);
    let _ = fs::remove_dir_all(&dir);
    if let Err(e) = fs::create_dir_all(&dir) {
        return (
            Verdict::Fail(format!("{}: {e}", dir.display())),
            String::new(),
        );
    }
    let (rd, wr) = match rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) {
        Ok(p) => p,
        Err(e) => return (Verdict::Fail(format!("pipe: {e}")), String::new()),
    };
    // SAFETY: this process has one thread, so the child may do anything.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        drop(rd);
        child(&dir, name, wr, f);
    }
    if pid < 0 {
        return (Verdict::Fail("fork failed".into()), String::new());
    }
    drop(wr);
    let (status, mut output, hung) = watch(pid, rd, &dir);
    procs::clear(&dir);
    if let Err(stuck) = procs::reap_all(Duration::from_secs(10)) {
        output.push_str(&stuck);
        return (Verdict::Fail("processes cannot be killed".into()), output);
    }
    let _ = fs::remove_dir_all(&dir);
    let verdict = match status {
        _ if hung => Verdict::Fail(format!("no end after {} s", limit().as_secs())),
        Some(Exit::Code(0)) => Verdict::Pass,
        Some(Exit::Code(SKIP)) => {
            let why = output.lines().rev().find_map(|l| l.strip_prefix("SKIP "));
            Verdict::Skip(why.unwrap_or("no reason given").to_string())
        }
        Some(Exit::Code(c)) => Verdict::Fail(format!("exit status {c}")),
        Some(Exit::Signal(s)) => Verdict::Fail(format!("signal {s}")),
        None => Verdict::Fail("lost".into()),
    };
    (verdict, output)
}

enum Exit {
    Code(i32),
    Signal(i32),
}

/// Runs in the child: output into the pipe, a session of its own, then the case.
fn child(dir: &Path, name: &str, wr: OwnedFd, f: fn()) -> ! {
    let _ = rustix::process::setsid();
    let _ = rustix::stdio::dup2_stdout(&wr);
    let _ = rustix::stdio::dup2_stderr(&wr);
    drop(wr);
    std::env::set_current_dir(dir).expect("chdir");
    std::env::set_var("RF_CASE", name);
    let ok = std::panic::catch_unwind(f).is_ok();
    let _ = std::io::stdout().flush();
    // exit_group without destructors: the case may have left threads behind.
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(if ok { 0 } else { 101 }) }
}

/// Collects output and waits for the end of `pid`; on a hang, says where and kills.
fn watch(pid: i32, rd: OwnedFd, dir: &Path) -> (Option<Exit>, String, bool) {
    let end = Instant::now() + limit();
    let mut out = Vec::new();
    let mut rd = Some(std::fs::File::from(rd));
    let mut hung = false;
    let mut grace = 0;
    loop {
        match rd.as_mut().map(|file| read_output(file, &mut out)) {
            Some(Output::More) => continue,
            Some(Output::Nothing) => {}
            Some(Output::End) => rd = None,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
        if let Some(exit) = try_wait(pid) {
            let mut rest = Vec::new();
            if let Some(file) = rd.as_mut() {
                let _ = rustix::io::ioctl_fionbio(&*file, true);
                let _ = file.read_to_end(&mut rest);
            }
            out.extend_from_slice(&rest);
            return (Some(exit), String::from_utf8_lossy(&out).into_owned(), hung);
        }
        if Instant::now() > end + Duration::from_secs(5 * grace) {
            if !hung {
                out.extend_from_slice(procs::describe_descendants().as_bytes());
            }
            hung = true;
            grace += 1;
            procs::clear(dir);
            if grace > 3 {
                return (None, String::from_utf8_lossy(&out).into_owned(), true);
            }
        }
    }
}

/// What a look at the pipe of a case's output has found.
enum Output {
    More,
    Nothing,
    End,
}

/// Takes what is in the pipe, or waits a moment for it. Of what is too much the rest is thrown
/// away.
fn read_output(file: &mut fs::File, out: &mut Vec<u8>) -> Output {
    let mut fds = [rustix::event::PollFd::new(
        &*file,
        rustix::event::PollFlags::IN,
    )];
    let tick = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 20_000_000,
    };
    if rustix::event::poll(&mut fds, Some(&tick)).unwrap_or(0) == 0 {
        return Output::Nothing;
    }
    let mut buf = [0u8; 4096];
    match file.read(&mut buf) {
        Ok(n) if n > 0 => {
            if out.len() < 1 << 18 {
                out.extend_from_slice(&buf[..n]);
            }
            Output::More
        }
        _ => Output::End,
    }
}

fn try_wait(pid: i32) -> Option<Exit> {
    let mut st = 0;
    // SAFETY: st is a valid place for the status.
    let r = unsafe { libc::waitpid(pid, &mut st, libc::WNOHANG) };
    if r != pid {
        return None;
    }
    Some(if libc::WIFEXITED(st) {
        Exit::Code(libc::WEXITSTATUS(st))
    } else {
        Exit::Signal(libc::WTERMSIG(st))
    })
}

/// A path as the C string that a system call wants.
pub fn cstr(p: &Path) -> CString {
    use std::os::unix::ffi::OsStrExt;
    CString::new(p.as_os_str().as_bytes()).expect("no NUL in a path")
}
