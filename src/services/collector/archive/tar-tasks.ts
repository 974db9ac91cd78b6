import type { TarPacking } from "./packing.ts";
import type { Step } from "./steps.ts";

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
