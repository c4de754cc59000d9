// SPDX-License-Identifier: GPL-2.0

//! The directory of a connection in debugfs: why does this mount hang, and where does the time go?
//!
//! No counterpart in C. `/sys/kernel/debug/fuse/<connection>/requests` and `latency`, for root
//! alone; formats in Documentation/debugging.rst. Reading waits for no daemon: the engine's lock is
//! held for a few slots at a time, and nothing of a request is kept.

use crate::{
    kapi::{
        device::debugfs::{
            DebugFile,
            Dir, //
        },
        fuse::jump_label::LatencyKey,
        task::sched::task_comm, //
    },
    transport::{
        Chan,
        Measured,
        Sight,
        Stage, //
    },
};
use core::str::from_utf8;
use kernel::{
    new_mutex,
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
    str::{
        CStr,
        Formatter, //
    },
    sync::{
        Arc,
        Mutex, //
    },
};

/// The files of a connection, while this lives. Dropping it sleeps.
pub(super) struct DebugDir {
    _dir: Dir,
    latency: Arc<Latency>,
}

impl DebugDir {
    /// Makes them.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(connection: u32, chan: &Arc<Chan>) -> Result<Self> {
        let mut name = [0; 16];
        let mut formatter = Formatter::new(&mut name);
        kernel::fmt::Write::write_fmt(&mut formatter, fmt!("{connection}\0"))
            .map_err(|_| EINVAL)?;
        let name = CStr::from_bytes_until_nul(&name).map_err(|_| EINVAL)?;

        let mut dir = Dir::new(name);
        dir.add(c"requests", Arc::new(Requests(chan.clone()), GFP_KERNEL)?)?;
        let latency = Arc::pin_init(
            pin_init!(Latency {
                chan: chan.clone(),
                key <- new_mutex!(None, "control::debugfs::Latency::key"),
            }),
            GFP_KERNEL,
        )?;
        dir.add(c"latency", latency.clone())?;
        Ok(Self { _dir: dir, latency })
    }
}

impl Drop for DebugDir {
    fn drop(&mut self) {
        // A file of it that is still open may be written to for as long as it is.
        self.latency.close();
    }
}

/// `requests`: a line for each.
struct Requests(Arc<Chan>);

/// A piece of it.
enum Line {
    Head,
    Request(Sight),
}

impl DebugFile for Requests {
    type OwnerModule = crate::LocalModule;
    type Item = Line;

    const MODE: u16 = 0o400;

    /// First the head, then a position for each slot.
    fn find(&self, from: u64) -> Result<Option<(u64, Line)>> {
        let Some(slot) = from.checked_sub(1) else {
            return Ok(Some((0, Line::Head)));
        };
        let found = slot.try_into().ok().and_then(|slot| self.0.look(slot));
        Ok(found.map(|(slot, sight)| (u64::from(slot).saturating_add(1), Line::Request(sight))))
    }

    fn show(&self, line: &Line, m: &SeqFile) {
        match line {
            Line::Head => self.show_head(m),
            Line::Request(sight) => show_request(sight, m),
        }
    }
}

impl Requests {
    fn show_head(&self, m: &SeqFile) {
        let numbers = self.0.numbers();
        let connected = self.0.connected();
        let state = if !connected {
            "aborted"
        } else if !self.0.initialized() {
            "waiting for INIT"
        } else {
            "connected"
        };
        seq_print!(
            m,
            "# {}, {} waiting, {}",
            state,
            numbers.waiting,
            numbers.background
        );
        // An abort lifts the limit, so that all get through.
        if connected {
            seq_print!(m, " of {}", numbers.max_background);
        }
        seq_print!(m, " in the background\n");
        seq_print!(
            m,
            "#{:>9} {:<20} {:>10} {:<10} {:>10} {:<11} {:>7} {}\n",
            "unique",
            "operation",
            "node",
            "state",
            "ms",
            "flags",
            "pid",
            "name"
        );
    }
}

fn show_request(sight: &Sight, m: &SeqFile) {
    let state = match sight.stage {
        Stage::Background => "background",
        Stage::Pending => "pending",
        Stage::Reading => "reading",
        Stage::Daemon => "daemon",
        Stage::Copying => "copying",
    };
    seq_print!(
        m,
        "{:>10} {:<20} {:>10} {:<10} {:>10} ",
        sight.unique,
        sight.opcode.map_or("?", |opcode| opcode.name()),
        sight.node,
        state,
        sight.age
    );
    let flags = [
        (sight.interrupted, "interrupted"),
        (sight.orphan, "orphaned"),
        (sight.resent, "resent"),
    ];
    let mut set = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name);
    seq_print!(m, "{:<11}", set.next().unwrap_or("-"));
    for name in set {
        seq_print!(m, ",{}", name);
    }
    seq_print!(m, " {:>7} ", sight.pid);
    show_name(sight.pid, m);
}

/// The name of a task and the end of the line. What is not printable is shown as `?`, for a task
/// may give itself any name.
fn show_name(pid: i32, m: &SeqFile) {
    let mut comm = task_comm(pid).unwrap_or(*b"-\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    for byte in &mut comm {
        if *byte != 0 && !byte.is_ascii_graphic() && *byte != b' ' {
            *byte = b'?';
        }
    }
    let name = comm.split(|&byte| byte == 0).next().unwrap_or(&[]);
    seq_print!(m, "{}\n", from_utf8(name).unwrap_or("?"));
}

/// `latency`: histograms for each operation, once switched on by writing 1.
#[pin_data]
struct Latency {
    chan: Arc<Chan>,
    /// What keeps the measuring switched on.
    #[pin]
    key: Mutex<Option<LatencyKey>>,
}

/// A piece of it.
enum Paragraph {
    Head,
    Operation(KBox<Measured>),
}

impl DebugFile for Latency {
    type OwnerModule = crate::LocalModule;
    type Item = Paragraph;

    const MODE: u16 = 0o600;

    /// First the head, then a position for each opcode.
    fn find(&self, from: u64) -> Result<Option<(u64, Paragraph)>> {
        let Some(opcode) = from.checked_sub(1) else {
            return Ok(Some((0, Paragraph::Head)));
        };
        let found = opcode
            .try_into()
            .ok()
            .and_then(|opcode| self.chan.latency().measured(opcode));
        let Some(measured) = found else {
            return Ok(None);
        };
        let at = u64::from(measured.opcode.get()).saturating_add(1);
        let measured = KBox::new(measured, GFP_KERNEL)?;
        Ok(Some((at, Paragraph::Operation(measured))))
    }

    fn show(&self, paragraph: &Paragraph, m: &SeqFile) {
        match paragraph {
            Paragraph::Head => {
                let on = self.chan.latency().is_measured();
                seq_print!(m, "# {}\n", if on { "on" } else { "off" });
            }
            Paragraph::Operation(measured) => {
                seq_print!(
                    m,
                    "{} ended {} errors {}\n",
                    measured.opcode.name(),
                    measured.ended,
                    measured.errors
                );
                show_histogram("queued_us", &measured.queued, m);
                show_histogram("daemon_us", &measured.daemon, m);
            }
        }
    }

    /// 1 switches it on, and begins from zero; 0 switches it off, and leaves what there is.
    fn write(&self, text: &[u8]) -> Result {
        let mut key = self.key.lock();
        match text {
            // An unmounted connection has no requests.
            b"1" if !self.chan.connected() => Ok(()),
            b"1" if key.is_some() => self.chan.latency().measure(true),
            b"1" => {
                let new = LatencyKey::new()?;
                self.chan.latency().measure(true)?;
                *key = Some(new);
                Ok(())
            }
            b"0" => {
                self.chan.latency().measure(false)?;
                *key = None;
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }
}

impl Latency {
    fn close(&self) {
        let mut key = self.key.lock();
        // Switching it off cannot fail.
        let _ = self.chan.latency().measure(false);
        *key = None;
    }
}

/// What is not empty of a histogram: the least time of each bucket, and how many there were.
fn show_histogram(name: &str, histogram: &[u64], m: &SeqFile) {
    seq_print!(m, "  {}", name);
    for (bucket, count) in histogram.iter().enumerate() {
        if *count != 0 {
            let least = bucket.checked_sub(1).map_or(0, |log| 1u64 << log);
            seq_print!(m, " {}:{}", least, count);
        }
    }
    seq_print!(m, "\n");
}
