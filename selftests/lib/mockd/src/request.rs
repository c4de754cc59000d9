// SPDX-License-Identifier: GPL-2.0

//! A request as the daemon read it.

use crate::wire::{fields_sent, layout, Field, Kind, Op, Tail, IN_HEADER, MINOR, SETXATTR_EXT};

/// No memory is mapped below.
const LEAST_ADDRESS: u64 = 0x1_0000;

/// One message from the device.
#[derive(Clone)]
pub struct Request {
    pub op: Op,
    pub opcode: u32,
    pub unique: u64,
    pub node: u64,
    pub uid: u32,
    pub gid: u32,
    pub pid: u32,
    /// In units of eight bytes.
    pub extlen: u16,
    pub padding: u16,
    /// What follows the header.
    pub body: Vec<u8>,
    /// The daemon's minor version, which says how long some parts are.
    pub minor: u32,
}

/// Reads a little number out of `b`, or zero beyond its end.
pub(crate) fn num(b: &[u8], at: usize, size: usize) -> u64 {
    let mut v = [0u8; 8];
    if let Some(s) = b.get(at..at + size) {
        v[..size].copy_from_slice(s);
    }
    u64::from_ne_bytes(v)
}

impl Request {
    /// Parses one message; the header's length must be what was read.
    pub fn parse(b: &[u8]) -> Result<Request, String> {
        if b.len() < IN_HEADER {
            return Err(format!("only {} bytes", b.len()));
        }
        if num(b, 0, 4) as usize != b.len() {
            return Err(format!(
                "header says {} bytes, read gave {}",
                num(b, 0, 4),
                b.len()
            ));
        }
        let opcode = num(b, 4, 4) as u32;
        Ok(Request {
            op: Op::from_u32(opcode),
            opcode,
            unique: num(b, 8, 8),
            node: num(b, 16, 8),
            uid: num(b, 24, 4) as u32,
            gid: num(b, 28, 4) as u32,
            pid: num(b, 32, 4) as u32,
            extlen: num(b, 36, 2) as u16,
            padding: num(b, 38, 2) as u16,
            body: b[IN_HEADER..].to_vec(),
            minor: MINOR,
        })
    }

    /// The whole length, header included.
    pub fn len(&self) -> usize {
        IN_HEADER + self.body.len()
    }

    /// Never: a request has a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Fixed part and tail.
    fn layout(&self) -> (&'static [Field], Tail) {
        let (fields, tail) = layout(self.op);
        let sent = fields_sent(self.op, self.minor).min(fields.len());
        let short = (&fields[..sent], tail);
        if self.op != Op::SETXATTR {
            return short;
        }
        // Which of the two it is shows in the length.
        let rest = self.body.get(8..).unwrap_or(&[]);
        let name = rest.iter().position(|c| *c == 0).unwrap_or(rest.len());
        let is_short = name + 1 + num(&self.body, 0, 4) as usize == rest.len();
        if is_short {
            short
        } else {
            SETXATTR_EXT
        }
    }

    /// Bytes of the fixed part.
    pub fn fixed(&self) -> usize {
        self.layout().0.iter().map(|f| f.1).sum()
    }

    /// A field of the fixed part, by name; one that an old daemon is not sent is zero.
    ///
    /// # Panics
    ///
    /// If the operation has no such field.
    pub fn get(&self, name: &str) -> u64 {
        let mut at = 0;
        for (n, size, _) in self.layout().0 {
            if *n == name {
                return num(&self.body, at, *size);
            }
            at += size;
        }
        let known = layout(self.op).0.iter().any(|f| f.0 == name);
        assert!(known, "{:?} has no field {name}", self.op);
        0
    }

    /// The names that follow the fixed part.
    pub fn names(&self) -> Vec<String> {
        let want = match self.layout().1 {
            Tail::Names(n) => n,
            Tail::NameData => 1,
            _ => 0,
        };
        self.tail()
            .split(|c| *c == 0)
            .take(want)
            .map(|n| String::from_utf8_lossy(n).into_owned())
            .collect()
    }

    /// The first name.
    pub fn name(&self) -> String {
        self.names().into_iter().next().unwrap_or_default()
    }

    /// All that follows the fixed part.
    pub fn tail(&self) -> &[u8] {
        self.body.get(self.fixed()..).unwrap_or(&[])
    }

    /// The extensions at the end.
    pub fn ext(&self) -> &[u8] {
        let at = self.body.len().checked_sub(usize::from(self.extlen) * 8);
        at.and_then(|at| self.body.get(at..)).unwrap_or(&[])
    }

    /// Node and count of a FORGET or BATCH_FORGET.
    pub fn forgets(&self) -> Vec<(u64, u64)> {
        match self.op {
            Op::FORGET => vec![(self.node, self.get("nlookup"))],
            Op::BATCH_FORGET => self
                .tail()
                .chunks_exact(16)
                .map(|c| (num(c, 0, 8), num(c, 8, 8)))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// INIT's flags, both words.
    pub fn init_flags(&self) -> u64 {
        self.get("flags") | (self.get("flags2") << 32)
    }

    /// C asks for as much of a directory as it gets memory for in one call, which is a page where
    /// the kernel is for one processor, and for what the caller's buffer holds elsewhere.
    fn size_is_chance(&self) -> bool {
        matches!(self.op, Op::READDIR | Op::READDIRPLUS) && !ktap::has("CONFIG_SMP")
    }

    /// The fields as text. `mask` gets those that differ from run to run and gives their text.
    pub fn text(&self, mut mask: impl FnMut(Kind, u64) -> String) -> String {
        let (fields, tail) = self.layout();
        let mut s = format!("{:?}", self.op);
        if self.op == Op::UNKNOWN {
            s += &format!("({})", self.opcode);
        }
        s += &format!(
            " len={} node={} uid={} gid={}",
            self.len(),
            self.node,
            self.uid,
            self.gid
        );
        if self.extlen != 0 {
            s += &format!(" extlen={}", self.extlen);
        }
        if self.padding != 0 {
            s += &format!(" header-padding={:#x}", self.padding);
        }
        let mut at = 0;
        for (name, size, kind) in fields {
            if at + size > self.body.len() {
                s += &format!(" {name}=missing");
                at += size;
                continue;
            }
            let v = num(&self.body, at, *size);
            at += size;
            match kind {
                Kind::Dec if *name == "size" && self.size_is_chance() => s += " size=*",
                Kind::Dec => s += &format!(" {name}={v}"),
                Kind::Hex => s += &format!(" {name}={v:#x}"),
                Kind::Oct => s += &format!(" {name}={v:#o}"),
                Kind::Pad if v == 0 => {}
                Kind::Pad => s += &format!(" {name}={v:#x}!"),
                Kind::Addr if v >= LEAST_ADDRESS => s += &format!(" {name}=address"),
                Kind::Addr => s += &format!(" {name}={v:#x}"),
                Kind::Time | Kind::Nsec | Kind::Owner | Kind::Pid => {
                    s += &format!(" {name}={}", mask(*kind, v))
                }
            }
        }
        let rest = self.tail();
        match tail {
            Tail::Names(n) => s += &names_text(rest, n),
            Tail::NameData => {
                let cut = rest
                    .iter()
                    .position(|c| *c == 0)
                    .map_or(rest.len(), |p| p + 1);
                s += &names_text(&rest[..cut], 1);
                s += &data_text(&rest[cut..]);
            }
            Tail::Data => s += &data_text(rest),
            Tail::Forgets => {
                for (n, c) in self.forgets() {
                    s += &format!(" {n}:{c}");
                }
            }
            Tail::None if rest.is_empty() => {}
            Tail::None => s += &data_text(rest),
        }
        s
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "#{} pid={} {}",
            self.unique,
            self.pid,
            self.text(|_, v| format!("{v:#x}"))
        )
    }
}

fn names_text(b: &[u8], n: usize) -> String {
    let mut s = String::new();
    let mut rest = b;
    for _ in 0..n {
        match rest.iter().position(|c| *c == 0) {
            Some(p) => {
                s += &format!(" {:?}", String::from_utf8_lossy(&rest[..p]));
                rest = &rest[p + 1..];
            }
            None => return s + " unterminated" + &data_text(rest),
        }
    }
    if !rest.is_empty() {
        s += &format!(" then{}", data_text(rest));
    }
    s
}

/// Length, a sum over all, and the first bytes.
fn data_text(b: &[u8]) -> String {
    let mut h: u64 = 0xcbf2_9ce4_8422_2325;
    for c in b {
        h = (h ^ u64::from(*c)).wrapping_mul(0x100_0000_01b3);
    }
    let mut s = format!(" data={} sum={h:016x} ", b.len());
    for c in b.iter().take(16) {
        s += &format!("{c:02x}");
    }
    s
}
