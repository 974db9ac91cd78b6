import { fileSystemType } from "../../../platform/linux/space.ts";

/** File systems that show the kernel's state as files (`linux/magic.h`); reading through them never ends. */
const pseudo: ReadonlySet<number> = new Set([
  0x9fa0, // proc
  0x62656572, // sysfs
  0x64626720, // debugfs
  0x74726163, // tracefs
  0x73636673, // securityfs
  0x27e0eb, // cgroup
  0x63677270, // cgroup2
  0x1cd1, // devpts
  0xcafe4a11, // bpf
  0x6165676c, // pstore
  0x62656570, // configfs
  0xde5e81e4, // efivarfs
]);

/** Whether an open directory lies on a file system that shows the kernel's state, such as /proc. */
export function isPseudoFileSystem(directory: number): boolean {
  return pseudo.has(fileSystemType(directory));
}
