/** xz by liblzma's Rust sibling, carried inside the executable: no system program is needed. */
interface Compressor {
  update(chunk: Uint8Array): Uint8Array;
  finish(): Promise<Uint8Array>;
}

interface Lzma {
  XzCompressor: new (options: { preset: number }) => Compressor;
}

/** Preset 1 is twelve times as fast as the default 6 and a third larger. */
const preset = 1;

// A literal `require`: only so does the build carry the native module along.
const { XzCompressor } = require("@napi-rs/lzma-linux-x64-gnu") as Lzma;

/** A whole .xz stream, with CRC-64. */
export async function xz(data: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const compressor = new XzCompressor({ preset });
  const head = compressor.update(data);
  const tail = await compressor.finish();
  return new Uint8Array(Bun.concatArrayBuffers([head, tail]));
}
