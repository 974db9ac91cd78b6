/** System call numbers of x86-64 (`asm/unistd_64.h`). */
export const call = {
  read: 0,
  write: 1,
  close: 3,
  fstat: 5,
  lseek: 8,
  pread: 17,
  pwrite: 18,
  ioctl: 16,
  flock: 73,
  fdatasync: 75,
  ftruncate: 77,
  fchmod: 91,
  fchown: 93,
  fsetxattr: 190,
  fgetxattr: 193,
  flistxattr: 196,
  fremovexattr: 199,
  fstatfs: 138,
  getdents64: 217,
  openat: 257,
  mkdirat: 258,
  fchownat: 260,
  newfstatat: 262,
  unlinkat: 263,
  linkat: 265,
  symlinkat: 266,
  readlinkat: 267,
  utimensat: 280,
  syncfs: 306,
  renameat2: 316,
  memfd_create: 319,
  openat2: 437,
} as const;

/** Flags of open (`asm-generic/fcntl.h`). */
export const openFlag = {
  readOnly: 0,
  writeOnly: 1,
  readWrite: 2,
  create: 0o100,
  exclusive: 0o200,
  truncate: 0o1000,
  append: 0o2000,
  nonBlocking: 0o4000,
  directory: 0o200000,
  noFollow: 0o400000,
  closeOnExec: 0o2000000,
  pathOnly: 0o10000000,
  temporary: 0o20200000,
} as const;

/** `AT_*`: the current directory as descriptor, and flags of the `…at` calls. */
export const at = {
  currentDirectory: -100,
  noFollow: 0x100,
  removeDirectory: 0x200,
  follow: 0x400,
  emptyPath: 0x1000,
} as const;

/** `RESOLVE_*` of openat2. */
export const resolve = { noMagicLinks: 0x02, noSymlinks: 0x04, beneath: 0x08 } as const;

export const seek = { set: 0, data: 3, hole: 4 } as const;
