// SPDX-License-Identifier: GPL-2.0
//! Where the host's processor was while a machine of User Mode Linux measured its rows, by samples
//! of perf.
//!
//! The guest's kernel is a process of the host, so that a sample in it has the guest's address. The
//! guest's program tells when a row began and ended by the time stamp counter, which is the host's
//! own; [`wait`] pairs that with perf's clock.

use crate::symbols::Symbols;
use crate::{number, read};
use std::fs;
use std::ops::Range;
use std::path::Path;

/// A moment by the time stamp counter, and by CLOCK_MONOTONIC in nanoseconds.
#[derive(Clone, Copy)]
struct Moment {
    stamp: u64,
    clock: u64,
}

fn stamp() -> u64 {
    // SAFETY: Reads a counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

fn now() -> Result<String, String> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let before = stamp();
    // SAFETY: Passes a valid structure.
    if unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) } != 0 {
        return Err(format!("clock: {}", std::io::Error::last_os_error()));
    }
    let stamp = before + (stamp() - before) / 2;
    let clock = time.tv_sec * 1_000_000_000 + time.tv_nsec;
    Ok(format!("{stamp} {clock}\n"))
}

/// Writes two moments to `file`: now, and when nobody has `pipe` open for writing any more. perf
/// runs this for as long as it is to take samples.
pub fn wait(file: &Path, pipe: &Path) -> Result<(), String> {
    let error = |error| format!("{}: {error}", file.display());
    let first = now()?;
    fs::write(file, &first).map_err(error)?;
    read(pipe)?;
    fs::write(file, first + &now()?).map_err(error)
}

/// What was running.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Module,
    /// The kernel's own Rust code, above all the functions that stand in for C's inline ones.
    Helper,
    Other,
}

/// What one machine's samples say.
pub struct Samples {
    moments: [Moment; 2],
    /// Times, and what was running then; in the order of time.
    samples: Vec<(u64, What)>,
}

/// A row's samples, by number.
pub struct Part {
    pub module: u64,
    pub helpers: u64,
    pub all: u64,
}

impl Samples {
    /// Reads the folder of a machine.
    pub fn read(machine: &Path) -> Result<Samples, String> {
        let moments = read(&machine.join("moments"))?
            .lines()
            .map(|line| {
                let mut words = line.split(' ');
                Ok(Moment {
                    stamp: number(words.next(), 10)?,
                    clock: number(words.next(), 10)?,
                })
            })
            .collect::<Result<Vec<_>, String>>()?;
        let [first, last] = moments[..] else {
            return Err("perf ended early".into());
        };
        if last.stamp <= first.stamp || last.clock <= first.clock {
            return Err("the time stamp counter does not count".into());
        }
        let symbols = Symbols::parse(&read(&machine.join("files/kallsyms"))?)?;
        let module = module(&read(&machine.join("files/modules"))?)?;
        let mut samples = read(&machine.join("samples"))?
            .lines()
            .map(|line| {
                let (time, address) = sample(line).ok_or_else(|| format!("perf script: {line}"))?;
                Ok((time, what(&symbols, &module, address)))
            })
            .collect::<Result<Vec<_>, String>>()?;
        samples.sort_unstable();
        Ok(Samples {
            moments: [first, last],
            samples,
        })
    }

    /// Perf's time at a stamp, which is between the two moments.
    fn clock(&self, stamp: u64) -> Result<u64, String> {
        let [first, last] = self.moments;
        if !(first.stamp..=last.stamp).contains(&stamp) {
            return Err("a row is not within perf's run: is the counter the host's?".into());
        }
        let part = (stamp - first.stamp) as f64 / (last.stamp - first.stamp) as f64;
        Ok(first.clock + (part * (last.clock - first.clock) as f64) as u64)
    }

    /// The samples between two stamps, which are to be `rate` a second: with fewer than half of
    /// them nothing is known.
    pub fn between(&self, stamps: &Range<u64>, rate: u64) -> Result<Part, String> {
        let (begin, end) = (self.clock(stamps.start)?, self.clock(stamps.end)?);
        let from = self.samples.partition_point(|(time, _)| *time < begin);
        let to = self.samples.partition_point(|(time, _)| *time < end);
        let count = |wanted| {
            let samples = self.samples[from..to].iter();
            samples.filter(|(_, what)| *what == wanted).count() as u64
        };
        let part = Part {
            module: count(What::Module),
            helpers: count(What::Helper),
            all: (to - from) as u64,
        };
        let expected = u128::from(end - begin) * u128::from(rate) / 1_000_000_000;
        if u128::from(part.all) * 2 < expected.max(2) {
            return Err(format!(
                "perf has {} samples where {expected} were due",
                part.all
            ));
        }
        Ok(part)
    }
}

/// What has this address, if the module is in this range.
fn what(symbols: &Symbols, module: &Range<u64>, address: u64) -> What {
    let Some(function) = symbols.find(address).map(|number| symbols.get(number)) else {
        return What::Other;
    };
    if function.ours {
        // Beyond the module are no more symbols, but other memory of the host.
        if module.contains(&address) {
            What::Module
        } else {
            What::Other
        }
    } else if function.name.starts_with("rust_helper_") || function.name.starts_with("_R") {
        What::Helper
    } else {
        What::Other
    }
}

/// A line of `perf script --ns -F time,ip`: seconds, with nine digits after the point, and the
/// address.
fn sample(line: &str) -> Option<(u64, u64)> {
    let (time, address) = line.split_once(':')?;
    let (seconds, nanoseconds) = time.trim().split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    let nanoseconds: u64 = nanoseconds.parse().ok()?;
    let address = u64::from_str_radix(address.trim(), 16).ok()?;
    Some((seconds * 1_000_000_000 + nanoseconds, address))
}

/// Where the module is at most: no symbol tells where its last function ends. From `/proc/modules`.
fn module(text: &str) -> Result<Range<u64>, String> {
    let mut words = text
        .lines()
        .find(|line| line.starts_with("fuse "))
        .ok_or("the guest had no module fuse")?
        .split(' ')
        .skip(1);
    let size = number(words.next(), 10)?;
    let start = words
        .find_map(|word| word.strip_prefix("0x"))
        .ok_or("/proc/modules has no addresses")?;
    let start = number(Some(start), 16)?;
    Ok(start..start + size)
}
