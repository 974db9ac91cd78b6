/**
 * Compressing one piece of a tar. Every piece becomes a whole gzip member, bzip2 stream or xz stream: each of these may follow one another
 * (RFC 1952, 2.2; bzip2(1); .xz format, 2), and every reader goes on with the next.
 */
import { bzip2 } from "./bzip2.ts";
import { xz } from "./xz.ts";

export type TarPacking = "none" | "gzip" | "bzip2" | "xz";

type Bytes = Uint8Array<ArrayBuffer>;

const gzipLevel = 6;

const packers: Record<TarPacking, (data: Bytes) => Bytes | Promise<Bytes>> = {
  none: (data) => data,
  gzip: (data) => new Uint8Array(Bun.gzipSync(data, { library: "libdeflate", level: gzipLevel })),
  bzip2,
  xz,
};

/** The piece, packed. Of nothing comes nothing. */
export const pack = async (data: Bytes, packing: TarPacking): Promise<Bytes> =>
  data.length === 0 ? data : await packers[packing](data);
