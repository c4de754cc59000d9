// SPDX-License-Identifier: GPL-2.0

//! Structs, opcodes and flags against the real header, through the C compiler.
//!
//! Which header: `UAPI_FUSE_H`, else `$KSRC/include/uapi/linux/fuse.h`, else the system's
//! `/usr/include/linux/fuse.h`. The system's may be older than 7.46: then what it lacks is not
//! compared, and the test says so. Older than 7.38 is refused: structs were shorter then.
//!
//! Which compiler: `CC`, else clang, else cc.

use crate::abi::{
    attr::*, create_ext::*, dirent::*, entry::*, flags::*, header::*, notify::*, notify_out::*,
    op::*, version::MAJOR, Minor, NodeId, Opcode, Unique,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::PathBuf,
    process::Command,
};

/// "struct.field" to offset and size, "struct" to 0 and size.
type Layout = BTreeMap<String, (usize, usize)>;

fn size_at<S, F>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! layout {
    ($($c:literal $rust:ty { $($field:ident),* })*) => {{
        let mut layout = Layout::new();
        $(
            layout.insert($c.to_string(), (0, size_of::<$rust>()));
            let mut covered = 0;
            $(
                let size = size_at(|s: &$rust| &s.$field);
                let name = stringify!($field).trim_start_matches("r#");
                layout.insert(
                    format!("{}.{}", $c, name),
                    (std::mem::offset_of!($rust, $field), size),
                );
                covered += size;
            )*
            assert_eq!(covered, size_of::<$rust>(), "{}: fields are missing in this test", $c);
        )*
        layout
    }};
}

/// What is sent about block devices.
fn of_devices() -> Layout {
    layout! {
        "fuse_syncfs_in" FuseSyncfsIn { padding }
        "fuse_bmap_in" FuseBmapIn { block, blocksize, padding }
        "fuse_bmap_out" FuseBmapOut { block }
    }
}

fn ours() -> Layout {
    let mut layout = requests();
    layout.extend(notifications());
    layout.extend(of_devices());
    layout
}

fn notifications() -> Layout {
    layout! {
        "fuse_notify_poll_wakeup_out" FuseNotifyPollWakeupOut { kh }
        "fuse_notify_inval_inode_out" FuseNotifyInvalInodeOut { ino, off, len }
        "fuse_notify_inval_entry_out" FuseNotifyInvalEntryOut { parent, namelen, flags }
        "fuse_notify_delete_out" FuseNotifyDeleteOut { parent, child, namelen, padding }
        "fuse_notify_store_out" FuseNotifyStoreOut { nodeid, offset, size, padding }
        "fuse_notify_retrieve_out" FuseNotifyRetrieveOut {
            notify_unique, nodeid, offset, size, padding
        }
        "fuse_notify_retrieve_in" FuseNotifyRetrieveIn {
            dummy1, offset, size, dummy2, dummy3, dummy4
        }
        "fuse_notify_prune_out" FuseNotifyPruneOut { count, padding, spare }
    }
}

fn requests() -> Layout {
    layout! {
        "fuse_secctx_header" FuseSecctxHeader { size, nr_secctx }
        "fuse_secctx" FuseSecctx { size, padding }
        "fuse_ext_header" FuseExtHeader { size, r#type }
        "fuse_supp_groups" FuseSuppGroups { nr_groups }
        "fuse_in_header" InHeader {
            len, opcode, unique, nodeid, uid, gid, pid, total_extlen, padding
        }
        "fuse_out_header" OutHeader { len, error, unique }
        "fuse_attr" FuseAttr {
            ino, size, blocks, atime, mtime, ctime, atimensec, mtimensec, ctimensec, mode, nlink,
            uid, gid, rdev, blksize, flags
        }
        "fuse_attr_out" FuseAttrOut { attr_valid, attr_valid_nsec, dummy, attr }
        "fuse_entry_out" FuseEntryOut {
            nodeid, generation, entry_valid, attr_valid, entry_valid_nsec, attr_valid_nsec, attr
        }
        "fuse_dirent" FuseDirent { ino, off, namelen, r#type }
        "fuse_forget_in" FuseForgetIn { nlookup }
        "fuse_forget_one" FuseForgetOne { nodeid, nlookup }
        "fuse_batch_forget_in" FuseBatchForgetIn { count, dummy }
        "fuse_getattr_in" FuseGetattrIn { getattr_flags, dummy, fh }
        "fuse_sx_time" FuseSxTime { tv_sec, tv_nsec, __reserved }
        "fuse_statx" FuseStatx {
            mask, blksize, attributes, nlink, uid, gid, mode, __spare0, ino, size, blocks,
            attributes_mask, atime, btime, ctime, mtime, rdev_major, rdev_minor, dev_major,
            dev_minor, __spare2
        }
        "fuse_statx_in" FuseStatxIn { getattr_flags, reserved, fh, sx_flags, sx_mask }
        "fuse_statx_out" FuseStatxOut { attr_valid, attr_valid_nsec, flags, spare, stat }
        "fuse_setattr_in" FuseSetattrIn {
            valid, padding, fh, size, lock_owner, atime, mtime, ctime, atimensec, mtimensec,
            ctimensec, mode, unused4, uid, gid, unused5
        }
        "fuse_mknod_in" FuseMknodIn { mode, rdev, umask, padding }
        "fuse_mkdir_in" FuseMkdirIn { mode, umask }
        "fuse_rename_in" FuseRenameIn { newdir }
        "fuse_rename2_in" FuseRename2In { newdir, flags, padding }
        "fuse_link_in" FuseLinkIn { oldnodeid }
        "fuse_open_in" FuseOpenIn { flags, open_flags }
        "fuse_open_out" FuseOpenOut { fh, open_flags, backing_id }
        "fuse_create_in" FuseCreateIn { flags, mode, umask, open_flags }
        "fuse_read_in" FuseReadIn { fh, offset, size, read_flags, lock_owner, flags, padding }
        "fuse_write_in" FuseWriteIn { fh, offset, size, write_flags, lock_owner, flags, padding }
        "fuse_write_out" FuseWriteOut { size, padding }
        "fuse_kstatfs" FuseStatfsOut {
            blocks, bfree, bavail, files, ffree, bsize, namelen, frsize, padding, spare
        }
        "fuse_release_in" FuseReleaseIn { fh, flags, release_flags, lock_owner }
        "fuse_file_lock" FuseFileLock { start, end, r#type, pid }
        "fuse_lk_in" FuseLkIn { fh, owner, lk, lk_flags, padding }
        "fuse_lk_out" FuseLkOut { lk }
        "fuse_fsync_in" FuseFsyncIn { fh, fsync_flags, padding }
        "fuse_setxattr_in" FuseSetxattrIn { size, flags, setxattr_flags, padding }
        "fuse_getxattr_in" FuseGetxattrIn { size, padding }
        "fuse_getxattr_out" FuseGetxattrOut { size, padding }
        "fuse_flush_in" FuseFlushIn { fh, unused, padding, lock_owner }
        "fuse_access_in" FuseAccessIn { mask, padding }
        "fuse_ioctl_in" FuseIoctlIn { fh, flags, cmd, arg, in_size, out_size }
        "fuse_ioctl_out" FuseIoctlOut { result, flags, in_iovs, out_iovs }
        "fuse_interrupt_in" FuseInterruptIn { unique }
        "fuse_poll_in" FusePollIn { fh, kh, flags, events }
        "fuse_poll_out" FusePollOut { revents, padding }
        "fuse_init_in" FuseInitIn { major, minor, max_readahead, flags, flags2, unused }
        "fuse_init_out" FuseInitOut {
            major, minor, max_readahead, flags, max_background, congestion_threshold, max_write,
            time_gran, max_pages, map_alignment, flags2, max_stack_depth, request_timeout, unused
        }
    }
}

/// Macro to value.
fn constants() -> BTreeMap<String, u64> {
    let families = [
        ("FUSE_", InitFlags::NAMES),
        ("FOPEN_", OpenOutFlags::NAMES),
        ("FUSE_OPEN_", OpenInFlags::NAMES),
        ("FATTR_", SetattrValid::NAMES),
        ("FUSE_GETATTR_", GetattrFlags::NAMES),
        ("FUSE_READ_", ReadFlags::NAMES),
        ("FUSE_WRITE_", WriteFlags::NAMES),
        ("FUSE_POLL_", PollFlags::NAMES),
        ("FUSE_RELEASE_", ReleaseFlags::NAMES),
        ("FUSE_IOCTL_", IoctlFlags::NAMES),
        ("FUSE_LK_", LkFlags::NAMES),
        ("FUSE_FSYNC_", FsyncFlags::NAMES),
        ("FUSE_SETXATTR_", SetxattrFlags::NAMES),
        ("FUSE_ATTR_", AttrFlags::NAMES),
    ];
    let mut c = BTreeMap::new();
    for (prefix, flags) in families {
        for (flag, bit) in flags {
            // No name begins with a digit here.
            c.insert(format!("{prefix}{}", flag.trim_start_matches('_')), *bit);
        }
    }
    c.insert("FUSE_ROOT_ID".into(), NodeId::ROOT.get());
    c.insert("FUSE_KERNEL_VERSION".into(), u64::from(MAJOR));
    c.insert("FUSE_UNIQUE_RESEND".into(), Unique::RESEND);
    for (name, opcode_or_size) in [
        ("FUSE_COMPAT_ENTRY_OUT_SIZE", 120),
        ("FUSE_COMPAT_ATTR_OUT_SIZE", 96),
        ("FUSE_COMPAT_MKNOD_IN_SIZE", 8),
        ("FUSE_COMPAT_WRITE_IN_SIZE", 24),
        ("FUSE_COMPAT_STATFS_SIZE", 48),
    ] {
        c.insert(name.into(), opcode_or_size);
    }
    c
}

fn header() -> PathBuf {
    if let Some(path) = env::var_os("UAPI_FUSE_H") {
        return path.into();
    }
    if let Some(ksrc) = env::var_os("KSRC").filter(|ksrc| !ksrc.is_empty()) {
        return PathBuf::from(ksrc).join("include/uapi/linux/fuse.h");
    }
    "/usr/include/linux/fuse.h".into()
}

/// The number in `#define NAME NUMBER`.
fn define(text: &str, name: &str) -> u32 {
    text.lines()
        .find_map(|line| {
            line.strip_prefix("#define ")?
                .trim()
                .strip_prefix(name)?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or_else(|| panic!("no {name} in the header"))
}

fn compile_and_run(header: &std::path::Path, code: &str) -> String {
    let dir = env::temp_dir().join(format!("fuse-abi-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("a directory for the C program");
    let (source, program) = (dir.join("layout.c"), dir.join("layout"));
    fs::write(&source, code).expect("the C program");

    let compilers: Vec<String> = match env::var("CC") {
        Ok(cc) => vec![cc],
        Err(_) => vec!["clang".into(), "cc".into()],
    };
    let built = compilers.iter().find_map(|cc| {
        Command::new(cc)
            .arg("-include")
            .arg(header)
            .arg("-o")
            .arg(&program)
            .arg(&source)
            .output()
            .ok()
    });
    let built = built.unwrap_or_else(|| panic!("none of these compilers is there: {compilers:?}"));
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let run = Command::new(&program).output().expect("the C program runs");
    assert!(run.status.success());
    fs::remove_dir_all(&dir).expect("the directory goes");
    String::from_utf8(run.stdout).expect("text")
}

#[test]
fn structs_opcodes_and_flags_are_the_headers() {
    let header = fs::canonicalize(header()).unwrap_or_else(|err| panic!("{:?}: {err}", header()));
    let text = fs::read_to_string(&header).expect("the header is text");
    let minor = define(&text, "FUSE_KERNEL_MINOR_VERSION");
    println!("# {} is 7.{minor}", header.display());
    assert!(
        minor >= 38,
        "{}: 7.{minor} is too old to compare with",
        header.display()
    );

    let layout = ours();
    let constants = constants();
    let mut code = String::from("#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{\n");
    for name in layout.keys() {
        code += &match name.split_once('.') {
            None => format!("printf(\"{name} 0 %zu\\n\", sizeof(struct {name}));\n"),
            Some((of, field)) => format!(
                "printf(\"{name} %zu %zu\\n\", offsetof(struct {of}, {field}), \
                 sizeof(((struct {of} *)0)->{field}));\n"
            ),
        };
    }
    for name in constants.keys() {
        code += &format!(
            "#ifdef {name}\nprintf(\"#{name} %llu 0\\n\", (unsigned long long)({name}) & \
             ({name} > 0 || sizeof({name}) == 8 ? ~0ull : 0xffffffffull));\n#endif\n"
        );
    }
    code += "return 0;\n}\n";

    let mut seen = BTreeSet::new();
    for line in compile_and_run(&header, &code).lines() {
        let mut words = line.split(' ');
        let name = words.next().expect("a name");
        let mut number = || {
            words
                .next()
                .expect("a number")
                .parse::<u64>()
                .expect("a number")
        };
        let theirs = (number(), number());
        match name.strip_prefix('#') {
            Some(constant) => assert_eq!(theirs.0, constants[constant], "{constant}"),
            None => {
                let ours = layout[name];
                assert_eq!((theirs.0 as usize, theirs.1 as usize), ours, "{name}");
            }
        }
        seen.insert(name.trim_start_matches('#').to_string());
    }
    for name in layout.keys() {
        assert!(seen.contains(name), "{name} was not compared");
    }
    let missing: Vec<_> = constants
        .keys()
        .filter(|name| !seen.contains(*name))
        .collect();
    if minor < Minor::OURS.get() {
        println!("# not in this header, so not compared: {missing:?}");
    } else {
        assert!(missing.is_empty(), "not in the header: {missing:?}");
    }

    opcodes_are_complete(&text, minor);
    notifications_are_complete(&text, minor);
    flags_are_complete(&text, &constants);
    if minor == Minor::OURS.get() {
        println!("# {} names compared", seen.len());
    }
}

/// What `enum fuse_opcode` says, against [`Opcode::ALL`].
fn opcodes_are_complete(text: &str, minor: u32) {
    let (_, rest) = text.split_once("enum fuse_opcode {").expect("opcodes");
    let (body, _) = rest.split_once("};").expect("an end of the opcodes");
    let theirs: BTreeMap<&str, u32> = body
        .lines()
        .filter_map(|line| {
            let (name, number) = line.split_once('=')?;
            Some((name.trim(), number.split(',').next()?.trim().parse().ok()?))
        })
        .filter(|(name, _)| !name.ends_with("_BSWAP_RESERVED"))
        .collect();
    let ours: BTreeMap<&str, u32> = Opcode::ALL
        .iter()
        .map(|opcode| (opcode.name(), opcode.get()))
        .collect();

    for (name, number) in &theirs {
        assert_eq!(ours.get(name), Some(number), "{name}");
    }
    if minor >= Minor::OURS.get() {
        assert_eq!(ours.len(), theirs.len());
    }
}

/// What `enum fuse_notify_code` says, against [`NotifyCode`].
fn notifications_are_complete(text: &str, minor: u32) {
    let (_, rest) = text
        .split_once("enum fuse_notify_code {")
        .expect("notifications");
    let (body, _) = rest.split_once("};").expect("an end of the notifications");
    let mut known = 0;
    for (name, number) in body.lines().filter_map(|line| line.split_once('=')) {
        let number: i32 = number
            .split(',')
            .next()
            .expect("a number")
            .trim()
            .parse()
            .expect("a number");
        let ours = NotifyCode::from_raw(number)
            .map(|code| format!("{code:?}").to_uppercase())
            .unwrap_or_default();
        let theirs = name.trim().trim_start_matches("FUSE_NOTIFY_");
        assert_eq!(ours, theirs.replace('_', ""), "{number}");
        known += 1;
    }
    let ours = (-1000..1000).filter(|&code| NotifyCode::from_raw(code).is_some());
    let ours = ours.count();
    assert!(ours == known || minor < Minor::OURS.get(), "{ours}");
    for code in [i32::MIN, i32::MAX] {
        assert_eq!(NotifyCode::from_raw(code), None);
    }
}

/// No flag of the header's is forgotten: it is here, or has no behaviour here yet. INIT's are left
/// out: those that C offers and we do not are listed where the wires are compared
/// (`not_yet_offered`).
fn flags_are_complete(text: &str, constants: &BTreeMap<String, u64>) {
    const FAMILIES: &[(&str, &str)] = &[
        ("#define FOPEN_DIRECT_IO", "INIT request/reply flags"),
        ("#define FATTR_MODE", "Flags returned by the OPEN request"),
        ("#define FUSE_RELEASE_FLUSH", "Lock flags"),
        ("#define FUSE_WRITE_CACHE", "Ioctl flags"),
        ("#define FUSE_FSYNC_FDATASYNC", "notify_inval_entry flags"),
    ];
    /// Other names for flags that are there.
    const ALIASES: &[&str] = &["FUSE_WRITE_KILL_PRIV"];
    const NOT_YET: &[&str] = &[
        "FOPEN_IO_URING_ZERO_COPY",
        "FUSE_ATTR_DAX",
        "FUSE_RELEASE_FLUSH",
    ];

    for name in NOT_YET {
        assert!(!constants.contains_key(*name), "{name} is here by now");
    }

    for (first, end) in FAMILIES {
        let from = text
            .find(first)
            .unwrap_or_else(|| panic!("no {first:?} in the header"));
        let (family, _) = text[from..].split_once(end).expect("an end of the family");
        let names = family
            .lines()
            .filter_map(|line| line.strip_prefix("#define ")?.split_whitespace().next());
        for name in names.filter(|name| !ALIASES.contains(name)) {
            assert!(
                constants.contains_key(name) || NOT_YET.contains(&name),
                "{name} of the header is unknown here"
            );
        }
    }
}
