// SPDX-License-Identifier: GPL-2.0

//! The record of what a daemon received, as text that can be compared between two runs.
//!
//! Replaced by stable text, and nothing else: `unique` (left out; INTERRUPT names its request by
//! its place), `pid` (by the caller's number; of a lock by whether it is that), times near the
//! present, owners of locks (numbered by caller as they appear). Requests are grouped by caller;
//! FORGETs are summed by node; READs that may be readahead are merged into ranges unless the
//! scenario is about sizes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use crate::request::{num, Request};
use crate::table::is_not_yet_sent;
use crate::wire::{Kind, Op, INIT_FLAGS, MINOR};

/// Collects the requests of one mount.
#[derive(Default)]
pub struct Recorder {
    inner: Mutex<Inner>,
    minor: OnceLock<u32>,
}

#[derive(Default)]
struct Inner {
    requests: Vec<Request>,
    pids: Vec<(u32, String)>,
    exact_reads: bool,
    left_out: Vec<Op>,
    notes: Vec<String>,
    off: bool,
}

impl Recorder {
    /// Takes note of a request.
    pub fn push(&self, r: &Request) {
        let mut inner = self.inner.lock().expect("recorder");
        if !inner.off {
            inner.requests.push(r.clone());
        }
    }

    /// Takes note of nothing any more.
    pub fn stop(&self) {
        let mut inner = self.inner.lock().expect("recorder");
        inner.off = true;
        inner.requests = Vec::new();
    }

    /// Takes note of what the daemon says to INIT, which says how requests look from then on.
    pub fn init_answered(&self, payload: &[u8]) {
        let mut all = payload.to_vec();
        all.resize(8, 0);
        let _ = self.minor.set(num(&all, 4, 4) as u32);
    }

    /// The daemon's minor version.
    pub fn minor(&self) -> u32 {
        self.minor.get().copied().unwrap_or(MINOR)
    }

    /// Gives the name under which requests of `pid` are listed.
    pub fn name_pid(&self, pid: i32, name: &str) {
        self.inner
            .lock()
            .expect("recorder")
            .pids
            .push((pid as u32, name.to_string()));
    }

    /// Lists READs one by one instead of as ranges.
    pub fn exact_reads(&self) {
        self.inner.lock().expect("recorder").exact_reads = true;
    }

    /// Leaves requests of this operation out: whether they come is a matter of who is faster. Say
    /// why where this is called.
    pub fn leave_out(&self, op: Op) {
        self.inner.lock().expect("recorder").left_out.push(op);
    }

    /// Adds a line of the test's own, such as what a caller was given.
    pub fn note(&self, text: String) {
        self.inner.lock().expect("recorder").notes.push(text);
    }

    /// How many requests of this operation came.
    pub fn count(&self, op: Op) -> usize {
        self.inner
            .lock()
            .expect("recorder")
            .requests
            .iter()
            .filter(|r| r.op == op)
            .count()
    }

    /// All requests so far.
    pub fn all(&self) -> Vec<Request> {
        self.inner.lock().expect("recorder").requests.clone()
    }

    /// FORGETs so far, summed by node.
    pub fn forgets(&self) -> BTreeMap<u64, u64> {
        let mut m = BTreeMap::new();
        for r in &self.inner.lock().expect("recorder").requests {
            for (n, c) in r.forgets() {
                *m.entry(n).or_insert(0) += c;
            }
        }
        m
    }

    /// The record as text.
    pub fn text(&self) -> String {
        self.inner.lock().expect("recorder").text()
    }

    /// Writes the record to `$RF_OUT/wire`, if there is such a variable.
    pub fn save(&self) {
        let Ok(out) = std::env::var("RF_OUT") else {
            return;
        };
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let n = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = PathBuf::from(out).join("wire");
        let exe = std::env::args().next().unwrap_or_default();
        let suite = exe
            .rsplit('/')
            .next()
            .unwrap_or("")
            .trim_start_matches("suite-")
            .to_string();
        let case = std::env::var("RF_CASE").unwrap_or_else(|_| "none".into());
        let name = if n == 0 {
            format!("{suite}.{case}.txt")
        } else {
            format!("{suite}.{case}+{n}.txt")
        };
        std::fs::create_dir_all(&dir).expect("RF_OUT/wire");
        std::fs::write(dir.join(name), self.text()).expect("wire record");
    }
}

impl Inner {
    fn text(&mut self) -> String {
        let mut text = Text::new();
        let requests = std::mem::take(&mut self.requests);
        for r in &requests {
            if self.left_out.contains(&r.op) {
                continue;
            }
            match r.op {
                Op::FORGET | Op::BATCH_FORGET => text.forgets(r),
                Op::INTERRUPT => text.interrupt(r),
                _ => text.request(r, self.name_of(r.pid), self.exact_reads),
            }
        }
        self.requests = requests;
        text.finish(&self.notes)
    }

    fn name_of(&mut self, pid: u32) -> String {
        if pid == 0 {
            return "kernel".into();
        }
        // The latest first: numbers of processes are used again.
        if let Some(n) = self.pids.iter().rev().find(|p| p.0 == pid) {
            return n.1.clone();
        }
        let name = format!(
            "other {}",
            self.pids
                .iter()
                .filter(|p| p.1.starts_with("other"))
                .count()
                + 1
        );
        self.pids.push((pid, name.clone()));
        name
    }
}

/// What becomes the record, while requests are added to it in the order in which they came.
struct Text {
    /// Lines, by caller.
    groups: BTreeMap<String, Vec<String>>,
    /// Lookups given back, by node.
    forgets: BTreeMap<u64, u64>,
    /// Ranges that may be readahead, by open file.
    reads: BTreeMap<String, Vec<(u64, u64)>>,
    /// Owners of locks, with their callers, in the order in which they appeared.
    owners: Vec<(String, u64)>,
    /// How many requests of each caller there were.
    counts: BTreeMap<String, u32>,
    /// Whose request a unique number is, and which one.
    places: BTreeMap<u64, (String, String)>,
    now: u64,
}

impl Text {
    fn new() -> Text {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        Text {
            groups: BTreeMap::new(),
            forgets: BTreeMap::new(),
            reads: BTreeMap::new(),
            owners: Vec::new(),
            counts: BTreeMap::new(),
            places: BTreeMap::new(),
            now,
        }
    }

    fn forgets(&mut self, r: &Request) {
        for (n, c) in r.forgets() {
            *self.forgets.entry(n).or_insert(0) += c;
        }
    }

    /// An INTERRUPT is listed with the request that it names, whose unique number means nothing.
    fn interrupt(&mut self, r: &Request) {
        let target = self.places.get(&r.get("unique")).cloned();
        let (who, what) = target.unwrap_or(("nobody".into(), "an unknown request".into()));
        let head = format!(
            "len={} node={} uid={} gid={} pid={}",
            r.len(),
            r.node,
            r.uid,
            r.gid,
            r.pid
        );
        let line = format!("INTERRUPT {head} of {what}");
        self.groups.entry(who).or_default().push(line);
    }

    /// A request of `who`.
    fn request(&mut self, r: &Request, who: String, exact_reads: bool) {
        let text = self.line(r, &who);
        if r.op == Op::READ && !exact_reads {
            let (fh, flags) = (r.get("fh"), r.get("flags"));
            let key = format!("node={} fh={fh} flags={flags:#x}", r.node);
            let range = (r.get("offset"), r.get("offset") + r.get("size"));
            self.reads.entry(key).or_default().push(range);
            return;
        }
        // Places count what both modules send.
        let place = self.counts.entry(who.clone()).or_insert(0);
        *place += u32::from(!is_not_yet_sent(r.op));
        let what = format!("{:?} (place {place})", r.op);
        self.places.insert(r.unique, (who.clone(), what));
        self.groups.entry(who).or_default().push(text);
    }

    /// A request as a line, with what differs from run to run masked.
    fn line(&mut self, r: &Request, who: &str) -> String {
        if r.op == Op::INIT {
            return init_text(r);
        }
        let mut near = false;
        let text = r.text(|kind, v| match kind {
            Kind::Time => {
                near = v.abs_diff(self.now) < 100_000;
                if near {
                    "now".into()
                } else {
                    v.to_string()
                }
            }
            Kind::Nsec => v.to_string(),
            Kind::Pid if v == u64::from(r.pid) => "its".into(),
            Kind::Pid if v != 0 => "another".into(),
            _ if v == 0 => "0".into(),
            _ => label(&mut self.owners, who, v),
        });
        if near || (r.op == Op::SETATTR && text.contains("=now")) {
            return mask_nsec(&text);
        }
        text
    }

    fn finish(self, notes: &[String]) -> String {
        let mut s = String::new();
        for (who, lines) in &self.groups {
            s += &format!("[{who}]\n");
            lines.iter().for_each(|l| s += &format!("{l}\n"));
        }
        if !self.reads.is_empty() {
            s += "[reads]\n";
            for (key, v) in self.reads {
                s += &format!("{key} {}\n", ranges(v));
            }
        }
        if !self.forgets.is_empty() {
            s += "[forgets]\n";
            self.forgets
                .iter()
                .for_each(|(n, c)| s += &format!("node={n} nlookup={c}\n"));
        }
        if !notes.is_empty() {
            s += "[notes]\n";
            notes.iter().for_each(|l| s += &format!("{l}\n"));
        }
        s
    }
}

/// Numbers an owner among those of its caller: the kernel makes them from addresses, which the next
/// caller may well have again.
fn label(owners: &mut Vec<(String, u64)>, who: &str, v: u64) -> String {
    if !owners.iter().any(|o| o.0 == who && o.1 == v) {
        owners.push((who.to_string(), v));
    }
    let n = owners
        .iter()
        .filter(|o| o.0 == who)
        .position(|o| o.1 == v)
        .unwrap_or(0);
    format!("owner-{}", n + 1)
}

/// Nanoseconds of times that are now.
fn mask_nsec(text: &str) -> String {
    let mut words: Vec<String> = text.split(' ').map(String::from).collect();
    for t in ["atime", "mtime", "ctime"] {
        if words.iter().any(|w| *w == format!("{t}=now")) {
            for w in &mut words {
                if w.starts_with(&format!("{t}nsec=")) {
                    *w = format!("{t}nsec=now");
                }
            }
        }
    }
    words.join(" ")
}

fn init_text(r: &Request) -> String {
    let flags = r.init_flags();
    let mut names: Vec<String> = INIT_FLAGS
        .iter()
        .filter(|f| flags & (1 << f.0) != 0)
        .map(|f| f.1.to_string())
        .collect();
    let known: u64 = INIT_FLAGS.iter().map(|f| 1u64 << f.0).sum();
    if flags & !known != 0 {
        names.push(format!("{:#x}", flags & !known));
    }
    names.sort();
    let rest: u8 = r
        .body
        .get(20..)
        .map_or(1, |b| b.iter().fold(0, |a, c| a | c));
    format!(
        "INIT len={} node={} uid={} gid={} major={} minor={} max_readahead={} \
         unused={rest} flags={}",
        r.len(),
        r.node,
        r.uid,
        r.gid,
        r.get("major"),
        r.get("minor"),
        r.get("max_readahead"),
        names.join("|"),
    )
}

/// Merges ranges that touch.
fn ranges(mut v: Vec<(u64, u64)>) -> String {
    v.sort();
    let mut out: Vec<(u64, u64)> = Vec::new();
    for (a, b) in v {
        match out.last_mut() {
            Some(last) if a <= last.1 => last.1 = last.1.max(b),
            _ => out.push((a, b)),
        }
    }
    out.iter()
        .map(|(a, b)| format!("{a}..{b}"))
        .collect::<Vec<_>>()
        .join(" ")
}
