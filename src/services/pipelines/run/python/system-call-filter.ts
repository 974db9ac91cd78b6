/**
 * The system calls that a sandboxed program may not make, as a filter for seccomp (BPF, linux/filter.h). No new processes: a limit on memory
 * holds for a process, so it holds for the whole only where there is one. No calls that widen what the kernel can be attacked with.
 */

const architecture = 0xc000003e;
/** `clone` with this flag makes a thread. */
const cloneThread = 0x10000;
/** Numbers from here on are the x32 calls, which would go around the filter. */
const x32 = 0x40000000;
const notImplemented = 38;
const notPermitted = 1;

const denied = {
  fork: 57,
  vfork: 58,
  ptrace: 101,
  mount: 165,
  umount2: 166,
  add_key: 248,
  request_key: 249,
  keyctl: 250,
  unshare: 272,
  perf_event_open: 298,
  setns: 308,
  process_vm_readv: 310,
  process_vm_writev: 311,
  bpf: 321,
  userfaultfd: 323,
  io_uring_setup: 425,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
};
/** The C library takes `clone` where there is no `clone3`, whose flags a filter cannot read. */
const clone3 = 435;
const clone = 56;

const [load, equal, atLeast, anyBit, answer] = [0x20, 0x15, 0x35, 0x45, 0x06];
const offset = { number: 0, architecture: 4, firstArgument: 16 };
const [allow, refuse, killProcess] = [0x7fff0000, 0x00050000, 0x80000000];

type Instruction = [code: number, ifTrue: number, ifFalse: number, operand: number];

function instructions(): Instruction[] {
  const refusals = Object.values(denied).flatMap((number): Instruction[] => [
    [equal, 0, 1, number],
    [answer, 0, 0, refuse | notPermitted],
  ]);
  return [
    [load, 0, 0, offset.architecture],
    [equal, 1, 0, architecture],
    [answer, 0, 0, killProcess],
    [load, 0, 0, offset.number],
    [atLeast, 0, 1, x32],
    [answer, 0, 0, killProcess],
    [equal, 0, 1, clone3],
    [answer, 0, 0, refuse | notImplemented],
    ...refusals,
    [equal, 0, 3, clone],
    [load, 0, 0, offset.firstArgument],
    [anyBit, 1, 0, cloneThread],
    [answer, 0, 0, refuse | notPermitted],
    [answer, 0, 0, allow],
  ];
}

/** The filter as bubblewrap's `--seccomp` reads it, for x86-64. */
export function systemCallFilter(): Uint8Array {
  const program = instructions();
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, ifTrue, ifFalse, operand]] of program.entries()) {
    const at = index * 8;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(ifTrue, at + 2);
    bytes.writeUInt8(ifFalse, at + 3);
    bytes.writeUInt32LE(operand >>> 0, at + 4);
  }
  return bytes;
}
