import type { Step } from "./steps.ts";

/** How a Worker packs what it has framed: each reply is a whole gzip member, and members may follow one another (RFC 1952, 2.2). */
export type TarPacking = "none" | "gzip";

export interface TarTask {
  step: Step;
  packing: TarPacking;
}

export interface TarReply {
  data: Uint8Array<ArrayBuffer>;
  /** Entries in the data; a piece counts when it is the last of its file. */
  entries: number;
  warnings: string[];
}
