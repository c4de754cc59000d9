// SPDX-License-Identifier: GPL-2.0
//! Names of x86-64's system calls that have to do with files.

pub const UNLINKAT: i64 = 263;
/// read, readv, splice: how a daemon gets a request, and how it answers.
pub const READS: &[i64] = &[0, 19, 275];
pub const WRITES: &[i64] = &[1, 20, 275];

const NAMES: &[(i64, &str)] = &[
    (0, "read"),
    (1, "write"),
    (2, "open"),
    (3, "close"),
    (4, "stat"),
    (5, "fstat"),
    (6, "lstat"),
    (8, "lseek"),
    (9, "mmap"),
    (16, "ioctl"),
    (17, "pread64"),
    (18, "pwrite64"),
    (19, "readv"),
    (20, "writev"),
    (21, "access"),
    (40, "sendfile"),
    (59, "execve"),
    (72, "fcntl"),
    (73, "flock"),
    (74, "fsync"),
    (75, "fdatasync"),
    (76, "truncate"),
    (77, "ftruncate"),
    (80, "chdir"),
    (82, "rename"),
    (83, "mkdir"),
    (84, "rmdir"),
    (86, "link"),
    (87, "unlink"),
    (88, "symlink"),
    (89, "readlink"),
    (90, "chmod"),
    (91, "fchmod"),
    (92, "chown"),
    (93, "fchown"),
    (94, "lchown"),
    (133, "mknod"),
    (137, "statfs"),
    (138, "fstatfs"),
    (188, "setxattr"),
    (191, "getxattr"),
    (192, "lgetxattr"),
    (194, "listxattr"),
    (195, "llistxattr"),
    (217, "getdents64"),
    (257, "openat"),
    (258, "mkdirat"),
    (259, "mknodat"),
    (260, "fchownat"),
    (262, "newfstatat"),
    (UNLINKAT, "unlinkat"),
    (264, "renameat"),
    (265, "linkat"),
    (266, "symlinkat"),
    (267, "readlinkat"),
    (268, "fchmodat"),
    (269, "faccessat"),
    (275, "splice"),
    (280, "utimensat"),
    (285, "fallocate"),
    (295, "preadv"),
    (296, "pwritev"),
    (306, "syncfs"),
    (316, "renameat2"),
    (326, "copy_file_range"),
    (332, "statx"),
    (437, "openat2"),
    (439, "faccessat2"),
];

fn known(number: i64) -> Option<&'static str> {
    let entry = NAMES.iter().find(|entry| entry.0 == number)?;
    Some(entry.1)
}

/// `unlinkat()`, or the number of one that has to do with something else.
pub fn name(number: i64) -> String {
    match known(number) {
        Some(name) => format!("{name}()"),
        None => format!("system call {number}"),
    }
}

pub fn is_about_files(number: i64) -> bool {
    known(number).is_some()
}
