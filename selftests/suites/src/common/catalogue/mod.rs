// SPDX-License-Identifier: GPL-2.0

//! The operations that the module sends: for each, the call that sends it, what that needs and what
//! it leaves, and what else the suites must know of it.
//!
//! Suites `outcomes`, `death`, `left`, `faults`, `hostile` and `bounds`, and of suite `ops` what is
//! about ENOSYS and bad replies, take their rows from here. A new operation is a [`Row`] in the
//! file of its family, or a file of its own beside them which [`FAMILIES`] lists; those suites then
//! have it.

mod act;
mod attr;
mod data;
mod dir;
mod ioctl;
mod link;
mod lock;
mod lookup;
mod make;
mod open;
mod place;
mod remove;
mod rename;

use mockd::errno::{Errno, Res, ECONNABORTED, EFAULT, ENOMEM};
use mockd::memfs::Memfs;
use mockd::wire::Op;
use mockd::Init;

pub use act::{appends, reads, summary, writes, Act, Got};
pub use place::{populate, sample, Names, Part, Place, PAGES, PARTS};

/// The rows by file.
const FAMILIES: &[&[Row]] = &[
    lookup::ROWS,
    dir::ROWS,
    make::ROWS,
    link::ROWS,
    remove::ROWS,
    rename::ROWS,
    data::ROWS,
    attr::ROWS,
    open::ROWS,
    ioctl::ROWS,
    lock::ROWS,
];

/// A call that sends an operation.
#[derive(Clone, Copy)]
pub struct Row {
    /// What suites call it: `left`, `death` and `outcomes` have cases of this name.
    pub name: &'static str,
    /// What it sends.
    pub op: Op,
    /// Gets ready, and gives the call. With names as in [`Names::ROOT`] and files as in [`sample`]
    /// that succeeds.
    pub ready: fn(&Place) -> Res<Act>,
    /// Changes the daemon's files or what it says of them first.
    pub files: fn(&mut Memfs),
    /// What the kernel must be built with.
    pub config: Option<&'static str>,
    /// A flag of INIT that the daemon agrees to beside the usual ones.
    pub with: Option<&'static str>,
    /// A flag of INIT that the daemon does not agree to.
    pub without: Option<&'static str>,
    /// So many other requests come before it in the call.
    pub before: usize,
    /// The name in the request, where that tells it from others of the call.
    pub named: Option<Part>,
    /// How the caller waits for the answer.
    pub waits: Waits,
    /// What the caller gets when the connection ends before the answer.
    pub aborted: Res<()>,
    /// What becomes of ENOSYS.
    pub unknown: Unknown,
    /// What the caller gets whatever the daemon's error is.
    pub error: Option<Errno>,
    /// What the daemon must be given back when it has done it and nobody takes the answer.
    pub leaves: Leaves,
    /// What stays as it is until it is answered, even when its caller has gone.
    pub keeps: Keeps,
    /// While the daemon reads the request it reads memory that goes with a caller that leaves.
    pub lends: bool,
    /// What C holds while the request is with the daemon.
    pub holds: &'static [Lock<Part>],
    /// What it must have besides before the call returns.
    pub wants: &'static [Lock<Part>],
    /// Rows of one class are alike for others: suite `left` tries the first of each class beside
    /// each call.
    pub class: &'static str,
    /// Suite `left` makes it beside others with these names; "" are the usual ones.
    pub beside: &'static [&'static str],
    /// What C gave when memory was short or a buffer bad, anywhere in the call; [`OK`] among them.
    /// None: suite `faults` has rows of its own for it.
    pub faults: Option<&'static [Errno]>,
    /// No more than another form of a row above: suites that do not look at combinations leave it
    /// out.
    pub variant: bool,
}

/// How a caller waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waits {
    /// For the reply; it is sent an INTERRUPT.
    Killably,
    /// The same, and C never lets it go, even while the request is queued.
    Always,
    /// For a folio that a background request fills.
    ForFolio,
    /// Not at all.
    Not,
}

/// What becomes of ENOSYS as an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// It is an error like any other.
    Error,
    /// It is another error, and not remembered.
    Becomes(Errno),
    /// It is remembered: the operation is not sent again, and the caller gets this each time.
    Remembered(Res<()>),
    /// It is remembered, and other operations are sent instead.
    Replaced,
    /// The caller gets something else, or never learns of it.
    Otherwise,
}

/// What must be given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaves {
    Nothing,
    /// A reference to a node that has no other.
    Node,
    /// A reference to a node that is known.
    Reference,
    /// References to nodes that have no other, one for each name in the answer.
    Names,
    /// An open file.
    File,
    /// An open directory.
    Dir,
    /// A node and an open file.
    NodeAndFile,
}

/// What is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeps {
    Nothing,
    /// The node.
    Node,
    /// The open file.
    File,
    /// The open directory.
    Dir,
}

/// What a call holds, or must have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lock<T> {
    /// `i_rwsem`, exclusive.
    X(T),
    /// The same, shared.
    S(T),
    /// The turn among LOOKUPs and READDIRs of a directory, where the daemon has not agreed to
    /// PARALLEL_DIROPS.
    Turn(T),
    /// The superblock's lock for renames of directories across directories.
    Renames,
    /// A name that is being looked up.
    Name(T),
    /// The page of a file that [`Names::page`] says.
    Folio(T),
    /// The page behind a file's last one, where what is appended comes.
    Tail(T),
}

impl<T> Lock<T> {
    /// The same of what `f` says.
    pub fn map<U>(self, f: impl Fn(T) -> U) -> Lock<U> {
        match self {
            Lock::X(t) => Lock::X(f(t)),
            Lock::S(t) => Lock::S(f(t)),
            Lock::Turn(t) => Lock::Turn(f(t)),
            Lock::Renames => Lock::Renames,
            Lock::Name(t) => Lock::Name(f(t)),
            Lock::Folio(t) => Lock::Folio(f(t)),
            Lock::Tail(t) => Lock::Tail(f(t)),
        }
    }
}

/// Success, in a list of results.
pub const OK: Errno = Errno(0);

/// Where names are copied from the caller.
const FAULTS_OF_NAMES: &[Errno] = &[OK, ENOMEM, EFAULT];
/// Where they are not.
const FAULTS_OF_FILES: &[Errno] = &[OK, ENOMEM];

impl Row {
    /// A call whose caller waits for the answer, and which leaves nothing.
    pub const fn new(name: &'static str, op: Op, ready: fn(&Place) -> Res<Act>) -> Row {
        Row {
            name,
            op,
            ready,
            files: |_| (),
            config: None,
            with: None,
            without: None,
            before: 0,
            named: None,
            waits: Waits::Killably,
            aborted: Err(ECONNABORTED),
            unknown: Unknown::Error,
            error: None,
            leaves: Leaves::Nothing,
            keeps: Keeps::Nothing,
            lends: false,
            holds: &[],
            wants: &[],
            class: "nothing",
            beside: &[""],
            faults: Some(FAULTS_OF_NAMES),
            variant: false,
        }
    }

    /// A row that differs from this one in what is said after it.
    const fn variant(self, name: &'static str, ready: fn(&Place) -> Res<Act>) -> Row {
        Row {
            name,
            ready,
            variant: true,
            ..self
        }
    }

    /// What a daemon answers to INIT that would answer `init`, for this to be sent.
    pub fn init(&self, init: Init) -> Init {
        let init = self.with.map_or(init, |flag| init.with(flag));
        self.without.map_or(init, |flag| init.without(flag))
    }

    /// Whether an answer has more than a header.
    pub fn has_payload(&self) -> bool {
        mockd::wire::answer(self.op) != mockd::wire::Shape::Nothing
    }

    /// Whether the caller waits for the answer in the request itself: signals reach the daemon,
    /// errors the caller.
    pub fn is_waited_for(&self) -> bool {
        matches!(self.waits, Waits::Killably | Waits::Always)
    }
}

/// All rows that there can be with this kernel.
pub fn all() -> impl Iterator<Item = &'static Row> {
    let rows = FAMILIES.iter().copied().flatten();
    rows.filter(|row| row.config.is_none_or(ktap::has))
}

/// One for each way in which an operation is sent.
pub fn main() -> impl Iterator<Item = &'static Row> {
    all().filter(|r| !r.variant)
}

/// The row of this name.
#[track_caller]
pub fn find(name: &str) -> &'static Row {
    let row = all().find(|r| r.name == name);
    row.unwrap_or_else(|| panic!("no row {name}"))
}
