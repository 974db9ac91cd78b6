import { dlopen, FFIType, linkSymbols, ptr, toArrayBuffer } from "bun:ffi";

/**
 * Raw Linux system calls for x86-64.
 *
 * libc reports failures in the thread's `errno`, which anything that runs between the call and the next line (the
 * garbage collector, a signal handler of the engine) may overwrite. The kernel itself returns `-errno` in the same
 * register as the result, so these calls go to the kernel through a stub of 26 bytes and there is nothing to lose.
 */

/**
 * The stub, System V calling convention to kernel convention:
 *   mov rax, rdi · mov rdi, rsi · mov rsi, rdx · mov rdx, rcx · mov r10, r8 · mov r8, r9 · mov r9, [rsp+8] · syscall · ret
 */
const machineCode = Buffer.from("4889f84889f74889d64889ca4d89c24d89c84c8b4c24080f05c3", "hex");

const pageSize = 4096;
const protection = { read: 1, write: 2, execute: 4 } as const;
const privateAnonymous = 0x22;

const kernel = loadKernel();

function loadKernel() {
  const libc = dlopen("libc.so.6", {
    mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "ptr" },
    mprotect: { args: ["ptr", "u64", "i32"], returns: "i32" },
  });
  const page = libc.symbols.mmap(null, pageSize, protection.read | protection.write, privateAnonymous, -1, 0);
  if (page === null || Number(page) < 0) throw new Error("no memory for the system call stub");
  new Uint8Array(toArrayBuffer(page, 0, pageSize)).set(machineCode);
  if (libc.symbols.mprotect(page, pageSize, protection.read | protection.execute) !== 0) {
    throw new Error("this system does not allow executable memory");
  }
  const word = FFIType.i64_fast;
  const args = [word, word, word, word, word, word, word] as const;
  return linkSymbols({ call: { ptr: page, args, returns: word } }).symbols.call;
}

/**
 * Calls the kernel and returns what it returns: the result, or `-errno`. Pointers come from {@link addressOf}, whose
 * buffer the caller keeps alive until the call returns. EINTR is retried, as no caller has a use for it.
 */
export function systemCall(number: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): number {
  for (;;) {
    const result = Number(kernel(number, a, b, c, d, e, f));
    if (result !== -4) return result;
  }
}

/** Where a buffer's first byte lies. An empty buffer has no address: pass at least one byte. */
export function addressOf(buffer: Uint8Array): number {
  return ptr(buffer);
}

/** A copy of a path or name with the closing NUL that the kernel wants. A NUL inside would cut it: refused. */
export function terminated(path: Uint8Array | string): Buffer {
  const source = typeof path === "string" ? Buffer.from(path) : path;
  if (source.includes(0)) throw new Error("a path cannot hold a NUL byte");
  const copy = Buffer.allocUnsafe(source.length + 1);
  copy.set(source);
  copy[source.length] = 0;
  return copy;
}
